# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of vm-image.sh, vm-run.sh and tools/vm
#
# A guest that has its kernel as a machine has it (tools/vm --own-kernel): linux-image and initramfs-tools are installed,
# and each boot begins with what the guest's own disk names, /vmlinuz and /initrd.img. This stands in for the boot loader,
# and like one that counts it takes what is named .old instead of what did not come up, until that was made anew. The
# clock goes on where the guest's was, as the clock of a machine does.

# kernel_debs RELEASE: let kernel_debs be the files of what a guest needs that has this kernel installed
kernel_debs() {
        local release=$1 package version

        kernel_debs=()
        # udev wants the libudev1 of exactly its version.
        version=$(tar -x -O -f "$image_base" ./var/lib/dpkg/status |
                awk '/^Package: / { p = $2 } /^Version: / && p == "libudev1" { print $2 }')
        for package in "${packages_guest_kernel[@]}"; do
                [[ $package != udev ]] || package+==$version
                fetch_deb "$package"
                kernel_debs+=("$REPLY")
        done
        fetch_deb "linux-image-$release"
        kernel_debs+=("$REPLY")
        # The package that follows the newest kernel, as it was when this one was the newest.
        if [[ $release =~ -(cloud-amd64|amd64)$ ]]; then
                fetch_deb "linux-image-${BASH_REMATCH[1]}=$(dpkg-deb -f "$REPLY" Version)"
                kernel_debs+=("$REPLY")
        fi
}

# prepare_own_images RELEASE: set image_root, with that kernel installed
prepare_own_images() {
        local release=$1 key

        prepare_base
        kernel_debs "$release"
        key=$({ echo "$image_key"; printf '%s\n' "${kernel_debs[@]##*/}"; } | hash_of)
        cached "root-own-$release-$key.img" build_root "$image_base" "$image_debs" "${kernel_debs[@]}"
        image_root=$REPLY
        prune 'root-own-*.img' 4
}

# on_disk COMMAND: of debugfs(8), on the guest's root disk
on_disk() {
        debugfs -R "$1" "$loader_disk" 2>/dev/null
}

# loader_find NAME: the path that the link NAME in the root folder points to
loader_find() {
        on_disk "stat /$1" | sed -nE 's/^Fast link dest: "\/?(.*)"$/\1/p'
}

# load_named SUFFIX: let image_kernel be a folder with what the links with that ending name, and arg_kernel its release
load_named() {
        local vmlinuz initrd

        vmlinuz=$(loader_find "vmlinuz$1")
        initrd=$(loader_find "initrd.img$1")
        image_kernel=$run/boot arg_kernel=${vmlinuz##*/vmlinuz-}
        rm -rf "$image_kernel"
        mkdir -p "$image_kernel"
        [[ -n $vmlinuz && -n $initrd ]] || return
        on_disk "dump /$vmlinuz $image_kernel/vmlinuz" && on_disk "dump /$initrd $image_kernel/initrd"
        [[ -s $image_kernel/vmlinuz && -s $image_kernel/initrd ]]
}

# named_files: what tells one pair of kernel and initramfs from another
named_files() {
        cat "$run/boot/vmlinuz" "$run/boot/initrd" | hash_of
}

# load_kernel: let image_kernel be a folder with what the disk boots, and arg_kernel its release
load_kernel() {
        loader_disk=$run/root.raw
        # What a boot has left in the journal of the file system is not in its place yet.
        if dumpe2fs -h "$loader_disk" 2>/dev/null | grep -q needs_recovery; then
                cp --sparse=always "$loader_disk" "$run/loader.raw"
                loader_disk=$run/loader.raw
                e2fsck -fp "$loader_disk" >"$run/loader.log" 2>&1 || true
        fi
        if is_dead_boot; then
                say "kernel '$arg_kernel' did not come up"
                named_files >>"$run/dead"
        fi
        # A boot loader offers nothing of which a part is not there, as while an initramfs is being made.
        if ! load_named '' || grep -qxFs -- "$(named_files)" "$run/dead"; then
                load_named .old || die 125 "the guest's disk names no kernel that can be booted"
        fi
        load_clock
        rm -f "$run/loader.raw"
}

# is_dead_boot: did the last boot panic before the guest's side of tools/vm began? (See tools/lib/guest/run.)
is_dead_boot() {
        local this

        [[ -e $run/console.log ]] || return 1
        this=$(tail -c "+$((console_begin + 1))" "$run/console.log" | tr -d '\r\0')
        grep -q 'Kernel panic' <<<"$this" && ! grep -q 'hotpatch-vm: up' <<<"$this"
}

# load_clock: let rtc_words be qemu's for the time at which the guest went down
load_clock() {
        local seconds

        seconds=$(on_disk 'cat /var/lib/hotpatch-vm/clock')
        rtc_words=()
        [[ ! $seconds =~ ^[0-9]+$ ]] || rtc_words=(-rtc "base=$(date -u -d "@$((seconds + 5))" +%FT%T)")
}
