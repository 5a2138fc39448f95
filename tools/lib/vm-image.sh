# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The pieces a guest is booted from, each cached under a name that has the hash of its inputs in it:
#
#   base-HASH.tar       a small Debian with systemd, made by mmdebstrap from this machine's own sources; one for each
#                       set of packages that is asked for with --with
#   debs-HASH/          the packages of this tree
#   root-HASH.img       base + packages + the guest's side of tools/vm, as a file system
#   root-own-RELEASE-HASH.img  the same, with that kernel's package installed (vm-loader.sh)
#   linux-RELEASE-N/    the package of one Debian kernel, unpacked, never installed
#   kernel-RELEASE-HASH/  vmlinuz, initrd and modules.img made from it
#
# The guest's disks are thrown away after a run (snapshot=on), so the pieces are shared by all runs.

guest_files=$top/tools/lib/guest
# Modules that must be there before the root file system is; what is built in is left out.
boot_modules=(virtio_pci virtio_blk virtio_console ext4)

# debian_sources: this machine's sources of Debian's own packages, one a line
debian_sources() {
        # shellcheck disable=SC2016 # apt expands it
        apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages' |
                awk -F'|' '$4 == "Debian" && $2 ~ /^bookworm/ { print "deb", $1, $2, $3 }' | sort -u
}

# build_base OUT PACKAGE…
build_base() {
        local out=$1 work=${1%/*} sources
        shift

        sources=$(debian_sources)
        if [[ -z $sources ]]; then
                apt-get -q update >&2 || die 125 "apt-get update failed"
                sources=$(debian_sources)
        fi
        [[ -n $sources ]] || die 125 "apt knows no Debian 12 (bookworm) source on this machine"
        printf '%s\n' "$sources" >"$work/sources.list"
        # Proxies and the like of this machine.
        apt-config dump | grep '^Acquire::' >"$work/apt.conf" || true

        say "making the base system (once, about two minutes)"
        mmdebstrap --quiet --mode=root --variant=minbase --format=tar \
                --include="$(IFS=,; echo "$*")" \
                --aptopt="$work/apt.conf" \
                --dpkgopt='path-exclude=/usr/share/locale/*' \
                --customize-hook='cp -r "'"$guest_files"'" "$1/tmp/guest" && chroot "$1" sh /tmp/guest/customize && rm -r "$1/tmp/guest"' \
                bookworm "$out" "$work/sources.list" >"$cache/base.log" 2>&1 ||
                { tail -n 20 "$cache/base.log" >&2; die 125 "mmdebstrap failed, see $cache/base.log"; }
}

# tree_files: the files of this tree that the packages are made of, NUL-separated
tree_files() {
        (
                cd "$top"
                if git rev-parse --git-dir >/dev/null 2>&1; then
                        git ls-files -z --cached --others --exclude-standard -- . \
                                ':!tests' ':!tools' ':!.ci' ':!ansible/tests'
                else
                        find . -path ./build -prune -o -path ./.git -prune -o -type f -print0
                fi |
                        while IFS= read -r -d '' file; do
                                [[ ! -e $file ]] || printf '%s\0' "$file"
                        done | sort -z
        )
}

tree_hash() {
        (
                cd "$top"
                tree_files | xargs -0 sha256sum
                tree_files | xargs -0 stat -c '%n %A'
        ) | hash_of
}

build_debs() {
        local out=$1 work=${1%/*}

        # shellcheck disable=SC2046 # names of packages
        need_packages $(build_dependencies)
        say "building the packages of this tree"
        mkdir "$work/source" "$out"
        (cd "$top" && tree_files | tar -c --null --no-recursion -T -) | tar -x -C "$work/source"
        (
                cd "$work/source"
                DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" nice dpkg-buildpackage -us -uc -b
        ) >"$work/build.log" 2>&1 || {
                cp "$work/build.log" "$cache/debs.log"
                grep -v '^\[' "$work/build.log" | tail -n 25 | cut -c -200 >&2
                die 125 "dpkg-buildpackage failed, see $cache/debs.log"
        }
        mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$work"/build.log "$out"/
}

# build_root OUT BASE DEBS [DEB…]: those DEBs are installed before the packages of this tree
build_root() {
        local out=$1 base=$2 debs=$3 root=${1%/*}/root log=${1%/*}/install.log deb
        shift 3

        say "making the guest's root file system"
        mkdir "$root"
        tar -x --numeric-owner -f "$base" -C "$root"
        mkdir "$root/tmp/debs"
        for deb in "$debs"/*.deb; do
                # The collection is for the machine that has Ansible.
                [[ $deb == *-dbgsym_* || ${deb##*/} == ansible-collection-* ]] || cp "$deb" "$root/tmp/debs"
        done
        # A chroot is not a running system: units are enabled, nothing is started (policy-rc.d).
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
        (($# == 0)) || install_in "$root" "$log" "$@"
        chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/debs/*.deb' >"$log" 2>&1 </dev/null ||
                { cat "$log" >&2; die 125 "the packages do not install in the guest"; }
        rm -r "$root/tmp/debs" "$root/usr/sbin/policy-rc.d"

        install -D -m 755 -t "$root/usr/lib/hotpatch-vm" "$guest_files/run" "$guest_files/command" "$guest_files/next"
        install -D -m 644 -t "$root/etc/systemd/system" "$guest_files"/*.service "$guest_files"/*.target
        mkfs_from "$out" "$root" 1536M
        rm -rf --one-file-system "$root"
}

# install_in ROOT LOG DEB…
install_in() {
        local root=$1 log=$2
        shift 2

        mkdir "$root/tmp/more"
        cp "$@" "$root/tmp/more"
        chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/more/*.deb' >"$log" 2>&1 </dev/null ||
                { cat "$log" >&2; die 125 "the kernel does not install in the guest"; }
        rm -r "$root/tmp/more"
}

# mkfs_from OUT FOLDER SIZE
mkfs_from() {
        mke2fs -q -t ext4 -d "$2" -E root_owner=0:0 -m 0 "$1" "$3" >/dev/null ||
                die 125 "mke2fs failed for $2"
}

# fetch_deb PACKAGE[=VERSION]: let REPLY be the path of that package's file, downloaded and not installed
fetch_deb() {
        local package=$1 pattern found work

        pattern=$cache/debs/${package/=/_}_*.deb
        mkdir -p "$cache/debs"
        found=$(compgen -G "$pattern" | head -n 1 || true)
        if [[ -z $found ]]; then
                work=$(mktemp -d "$cache/.work-XXXXXX")
                cleanup_paths+=("$work")
                download "$work" "$package" || { apt-get -q update && download "$work" "$package"; } >/dev/null 2>&1 ||
                        die 125 "apt has no package '$package'; 'apt-cache search linux-image' lists the kernels it has"
                mv "$work"/*.deb "$cache/debs/"
                rm -rf "$work"
                found=$(compgen -G "$pattern" | head -n 1)
        fi
        REPLY=$found
}

download() {
        (cd "$1" && apt-get -q -o APT::Sandbox::User=root download "$2") >/dev/null 2>&1
}

# build_linux OUT RELEASE: the kernel's own package, unpacked
build_linux() {
        local out=$1 release=$2

        fetch_deb "linux-image-$release"
        say "preparing kernel $release"
        dpkg-deb -x "$REPLY" "$out"
        depmod -b "$out" "$release"
}

# kernel_root RELEASE: let REPLY be a folder with that kernel's boot/ and lib/modules/
kernel_root() {
        cached "linux-$1-1" build_linux "$1"
}

# build_kernel OUT RELEASE ROOT: what qemu wants, made from an unpacked kernel package
build_kernel() {
        local out=$1 release=$2 root=$3 initrd=${1%/*}/initrd module file

        mkdir -p "$out" "$initrd"/{bin,dev,proc,sys,newroot,modules}
        cp "$root/boot/vmlinuz-$release" "$out/vmlinuz"

        # modprobe knows the order and what is built in.
        for module in "${boot_modules[@]}"; do
                modprobe -d "$root" -C /dev/null -S "$release" --show-depends "$module"
        done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
                while IFS= read -r file; do
                        case $file in
                        *.xz) xz -dc "$file" >"$initrd/modules/$(basename "$file" .xz)" ;;
                        *.zst) zstd -qdc "$file" >"$initrd/modules/$(basename "$file" .zst)" ;;
                        *) cp "$file" "$initrd/modules/" ;;
                        esac
                        basename "$file" | sed 's/\.ko.*/.ko/' >>"$initrd/modules/order"
                done
        install -m 755 "$(command -v busybox)" "$initrd/bin/busybox"
        install -m 755 "$guest_files/init" "$initrd/init"
        (cd "$initrd" && find . -print0 | sort -z | cpio --quiet --null -o -H newc -R 0:0) | gzip -1 >"$out/initrd"
        mkfs_from "$out/modules.img" "$root/lib/modules" 512M
        rm -rf --one-file-system "$initrd"
}

# prepare_base: set image_base, image_debs (a folder), image_root, and image_key, which has all that is in them
prepare_base() {
        local base_key more=() packages

        # The same set in another order is the same; a set of nothing is what every guest has.
        mapfile -t more < <(printf '%s\n' ${arg_with[@]+"${arg_with[@]}"} | sed '/^$/d' | sort -u)
        packages=("${packages_guest[@]}" ${more[@]+"${more[@]}"})
        base_key=$({ echo "${packages[*]}"; cat "$guest_files/customize"; } | hash_of)
        cached "base-$base_key.tar" build_base "${packages[@]}"
        image_base=$REPLY
        cached "debs-$(tree_hash)" build_debs
        image_debs=$REPLY
        image_key=$({ echo "$base_key ${image_debs##*/}"; cat "$guest_files"/*; } | hash_of)
        prune 'root-*.img' 8
        prune 'debs-*' 8
        prune '.work-*' 0
}

# prepare_images RELEASE: set image_root, image_kernel (a folder)
prepare_images() {
        local release=$1 kernel_key

        prepare_base
        cached "root-$image_key.img" build_root "$image_base" "$image_debs"
        image_root=$REPLY
        kernel_key=$({ cat "$guest_files/init"; echo "${boot_modules[*]}"; } | hash_of)
        kernel_root "$release"
        cached "kernel-$release-$kernel_key" build_kernel "$release" "$REPLY"
        image_kernel=$REPLY
}
