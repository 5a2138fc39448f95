# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of vm-image.sh, vm-run.sh and tools/vm
#
# A guest that has its kernel as a machine has it (tools/vm --own-kernel): linux-image and initramfs-tools are installed,
# and each boot begins with what the guest's own disk names, /vmlinuz and /initrd.img. This stands in for the boot loader,
# and like one that counts it takes what is named .old after a kernel that did not come up. The clock
# goes on where the guest's was, as the clock of a machine does.

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

# load_kernel: let image_kernel be a folder with what the disk boots, and arg_kernel its release
load_kernel() {
        local suffix='' vmlinuz initrd

        loader_disk=$run/root.raw
        # What a boot has left in the journal of the file system is not in its place yet.
        if dumpe2fs -h "$loader_disk" 2>/dev/null | grep -q needs_recovery; then
                cp --sparse=always "$loader_disk" "$run/loader.raw"
                loader_disk=$run/loader.raw
                e2fsck -fp "$loader_disk" >"$run/loader.log" 2>&1 || true
        fi
        if is_dead_boot; then
                say "kernel '$arg_kernel' did not come up"
                echo "$arg_kernel" >>"$run/dead"
        fi
        vmlinuz=$(loader_find vmlinuz)
        if grep -qxFs -- "${vmlinuz##*/vmlinuz-}" "$run/dead"; then
                suffix=.old
                vmlinuz=$(loader_find vmlinuz.old)
        fi
        initrd=$(loader_find "initrd.img$suffix")
        [[ -n $vmlinuz && -n $initrd ]] || die 125 "the guest's disk names no kernel: /vmlinuz$suffix, /initrd.img$suffix"
        image_kernel=$run/boot arg_kernel=${vmlinuz##*/vmlinuz-}
        mkdir -p "$image_kernel"
        on_disk "dump /$vmlinuz $image_kernel/vmlinuz" && on_disk "dump /$initrd $image_kernel/initrd"
        load_clock
        rm -f "$run/loader.raw"
        [[ -s $image_kernel/vmlinuz ]] || die 125 "the guest's disk has no '/$vmlinuz'"
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
