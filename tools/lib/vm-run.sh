# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Boot a guest once and run one command in it. Everything of one run lives in one folder, $run:
# input.tar, output.raw (see tools/lib/guest/run), console.log, and two pipes for the live output.
#
# Always TCG: on machines without real hardware support /dev/kvm may exist, open, and then hang.

# pack_input: write $run/input.tar from arg_command, arg_environment, arg_user, arg_put, arg_get, arg_keep
pack_input() {
        local stage=$run/stage i path

        mkdir -p "$stage/put"
        printf '%s\0' "${arg_command[@]}" >"$stage/command"
        printf '%s\0' ${arg_environment[@]+"${arg_environment[@]}"} >"$stage/environment"
        # An empty list is no variable, not one with an empty name.
        ((${#arg_environment[@]} > 0)) || : >"$stage/environment"
        echo "$arg_user" >"$stage/user"
        [[ $arg_keep == no ]] || : >"$stage/keep"
        for i in "${!arg_put[@]}"; do
                path=${arg_put[i]%%:*}
                cp -aLT "$path" "$stage/put/$i"
                printf '%s' "${arg_put[i]#*:}" >"$stage/put/$i.path"
        done
        for i in "${!arg_get[@]}"; do
                printf '%s' "${arg_get[i]%%:*}" >"$stage/get.$i"
        done
        tar -c --owner=0 --group=0 --numeric-owner -C "$stage" -f "$run/input.tar" .
        rm -rf "$stage"
        # A disk is whole sectors; the tar already is whole 10 KiB records.
        truncate -s 1G "$run/output.raw"
}

# logged_disk NAME FORMAT FILE: add to disk_words a disk whose writes and flushes go to $run/NAME.log as well. Without
# no-flush a write that ends while the host flushes would stand before a flush that does not cover it.
logged_disk() {
        rm -f "$run/$1.log"
        truncate -s 1G "$run/$1.log"
        disk_words+=(
                -blockdev "driver=$2,node-name=$1-file,file.driver=file,file.filename=$3,file.locking=off,file.cache.no-flush=on"
                -blockdev "driver=file,node-name=$1-log,filename=$run/$1.log,locking=off,cache.no-flush=on"
                -blockdev "driver=blklogwrites,node-name=$1,file=$1-file,log=$1-log"
                -device "virtio-blk-pci,drive=$1,serial=$1,write-cache=on")
}

# root_disk: let disk_words be qemu's words for the root disk: thrown away after one boot, kept for the next, or
# kept as far as it was flushed
root_disk() {
        local file=format=qcow2,file=$run/root.qcow2

        disk_words=()
        [[ $arg_cuts == no && $arg_own == no || -e $run/root.raw ]] || cp --sparse=always "$image_root" "$run/root.raw"
        if [[ $arg_cuts == yes ]]; then
                rm -f "$run/root.qcow2"
                qemu-img create -q -f qcow2 -b "$run/root.raw" -F raw "$run/root.qcow2"
                logged_disk root qcow2 "$run/root.qcow2"
                return
        fi
        if [[ $arg_own == yes ]]; then
                file=format=raw,file=$run/root.raw
        elif ((arg_reboots == 0)) && [[ ! -e $run/root.qcow2 ]]; then
                file=snapshot=on,format=raw,file=$image_root
        elif [[ ! -e $run/root.qcow2 ]]; then
                qemu-img create -q -f qcow2 -b "$(readlink -f "$image_root")" -F raw "$run/root.qcow2"
        fi
        disk_words=(-drive "if=none,id=root,$file" -device virtio-blk-pci,drive=root,serial=root)
}

# modules_disk: add to disk_words the disk with the kernel's modules, for a guest that has none of its own
modules_disk() {
        [[ $arg_own == no ]] || return 0
        disk_words+=(-drive "if=none,id=modules,format=raw,snapshot=on,file=$image_kernel/modules.img"
                -device virtio-blk-pci,drive=modules,serial=modules)
}

# state_disk: add to disk_words the disk "state" and, for reading, its log
state_disk() {
        ((arg_log_disk > 0)) || return 0
        [[ -e $run/state.raw ]] || truncate -s "${arg_log_disk}M" "$run/state.raw"
        logged_disk state raw "$run/state.raw"
        disk_words+=(
                -blockdev "driver=file,node-name=log,filename=$run/state.log,locking=off,read-only=on,force-share=on"
                -device virtio-blk-pci,drive=log,serial=log)
}

# watch_console: pass the guest's console on to the log, and cut the power at the line that the guest has asked for:
# "hotpatch-vm: cut the power at line N of: REGEX"
watch_console() {
        local line left=0 regex='' order='hotpatch-vm: cut the power at line ([0-9]+) of: (.*)$'

        while IFS= read -r line || [[ $line ]]; do
                printf '%s\n' "$line"
                line=${line%$'\r'}
                if [[ $line =~ $order ]]; then
                        left=${BASH_REMATCH[1]} regex=${BASH_REMATCH[2]}
                elif ((left > 0)) && [[ $line =~ $regex ]] && ((--left == 0)); then
                        # Not by any name: this very process, which is our child.
                        kill -KILL "$(<"$run/qemu.pid")"
                        printf '%s\n' "$line" >"$run/cut"
                fi
        done >>"$run/console.log"
}

# lose_what_was_not_flushed: after a boot with --power-cuts the disk is what the log says up to the last flush, however
# the boot has ended
lose_what_was_not_flushed() {
        [[ -x $run/write-log ]] ||
                gcc -O2 -Wall -D_GNU_SOURCE -o "$run/write-log" "$top"/tests/faults/write-log{,-main}.c
        "$run/write-log" apply "$run/root.log" "$run/root.raw" >>"$run/cuts.log" ||
                die 125 "the log of the root disk cannot be read"
        rm -f "$run/root.log"
}

# network_card: let network_words be qemu's for the network: none, one that can only be reached, or one that reaches what
# this machine does. All of it is QEMU's own: no privilege, no bridge, nothing in the tables of this machine.
network_card() {
        local port user=user,id=network,ipv6=off

        network_words=(-nic none)
        has_network || return 0
        [[ $arg_network == yes ]] || user+=,restrict=on
        for port in ${arg_forward[@]+"${arg_forward[@]}"}; do
                user+=",hostfwd=tcp:127.0.0.1:${port%:*}-:${port#*:}"
        done
        network_words=(-netdev "$user" -device virtio-net-pci,netdev=network,romfile=)
}

has_network() {
        [[ $arg_network == yes ]] || ((${#arg_forward[@]} > 0))
}

# choose_machine: let machine_words be qemu's words for the machine and what it boots
choose_machine() {
        local words="console=ttyS0 panic=-1 loglevel=5 systemd.unit=vm.target systemd.show_status=no vm.boot=$boot"

        [[ $arg_own == no ]] || words="root=/dev/vda rw $words"
        # See tools/lib/guest/run.
        ! has_network || words+=" vm.network net.ifnames=0"
        words+=${arg_append:+ $arg_append}
        if [[ $arg_secure_boot == yes ]]; then
                secure_boot_machine "$words"
        else
                machine_words=(-kernel "$image_kernel/vmlinuz" -initrd "$image_kernel/initrd" -append "$words")
        fi
}

# run_qemu: boot, and stream the output; returns qemu's or timeout's status
run_qemu() {
        local status=0 guest stdout stderr held console readers=() processors=2 disk_words machine_words network_words rtc_words=()

        root_disk
        [[ $arg_own == no ]] || load_kernel
        console_begin=$(stat -c %s "$run/console.log" 2>/dev/null || echo 0)
        # QEMU's multi-threaded TCG lets a processor run code that another one is just changing, as ftrace
        # and static branches do, and 6.12 sometimes dies of it: "Oops: int3", double faults.
        [[ $arg_kernel != 6.12.* ]] || processors=1
        modules_disk
        state_disk
        choose_machine
        network_card
        rm -f "$run/stdout" "$run/stderr" "$run/console" "$run/cut"
        mkfifo "$run/stdout" "$run/stderr"
        # Held open here, so that nobody blocks if qemu dies before it opens them.
        exec {stdout}<>"$run/stdout" {stderr}<>"$run/stderr"
        cat "$run/stdout" {stdout}<&- {stderr}<&- &
        readers+=($!)
        cat "$run/stderr" {stdout}<&- {stderr}<&- >&2 &
        readers+=($!)
        console=$run/console.log
        [[ $arg_cuts == no ]] || console=$run/console
        [[ $arg_cuts == no ]] || mkfifo "$console"
        exec {held}<>"$console"
        if [[ $arg_cuts == yes ]]; then
                watch_console <"$console" {held}<&- {stdout}<&- {stderr}<&- &
                readers+=($!)
        fi

        # In the background, so that a TERM is acted upon at once.
        timeout --foreground -k 10 "$arg_timeout" \
                qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -smp "$processors" -m "$arg_memory" \
                -nodefaults -no-user-config -display none -no-reboot \
                "${machine_words[@]}" "${network_words[@]}" \
                -chardev file,id=console,path="$console",append=on -serial chardev:console \
                -device virtio-serial-pci \
                -chardev file,id=stdout,path="$run/stdout" -device virtserialport,chardev=stdout,name=hotpatch.stdout \
                -chardev file,id=stderr,path="$run/stderr" -device virtserialport,chardev=stderr,name=hotpatch.stderr \
                -pidfile "$run/qemu.pid" ${rtc_words[@]+"${rtc_words[@]}"} "${disk_words[@]}" \
                -drive if=none,id=input,format=raw,readonly=on,file="$run/input.tar" -device virtio-blk-pci,drive=input,serial=input \
                -drive if=none,id=output,format=raw,cache=unsafe,file="$run/output.raw" -device virtio-blk-pci,drive=output,serial=output \
                </dev/null >"$run/qemu.log" 2>&1 {stdout}<&- {stderr}<&- {held}<&- &
        guest=$!
        # shellcheck disable=SC2064 # now
        trap "kill $guest; exit 143" TERM
        wait "$guest" || status=$?

        # The last writers: now the readers see the end of file.
        exec {stdout}>&- {stderr}>&- {held}>&-
        wait "${readers[@]}" || true
        [[ $arg_cuts == no ]] || lose_what_was_not_flushed
        # A cut is no failure: the machine starts again.
        [[ ! -e $run/cut ]] || status=0
        return "$status"
}

console_tail() {
        echo "--- the last lines of the guest's console ---"
        tail -n "${1:-25}" "$run/console.log" 2>/dev/null | tr -d '\r'
        echo "---"
}

# unpack_output: put what the guest handed back where it belongs
unpack_output() {
        local result=$run/result i

        mkdir -p "$result"
        tar -x -C "$result" -f "$run/output.raw" 2>/dev/null || true
        [[ ! -e $result/status ]] || rm -f "$run/output.raw"
        for i in "${!arg_get[@]}"; do
                [[ -e $result/get/$i || -L $result/get/$i ]] || continue
                mkdir -p "$(dirname "${arg_get[i]#*:}")"
                cp -T -r --no-dereference --preserve=mode,timestamps,links "$result/get/$i" "${arg_get[i]#*:}"
        done
}

# next_boot: what the guest asked for with tools/lib/guest/next: another kernel, other words on its command line
next_boot() {
        local release

        release=$(cat "$run/result/next-kernel" 2>/dev/null || true)
        if [[ -n $release && $arg_own == no ]]; then
                arg_kernel=$release
                prepare_images "$release"
        fi
        arg_append=$(cat "$run/result/next-append" 2>/dev/null || true)
        rm -rf "$run/result"
        truncate -s 0 "$run/output.raw"
        truncate -s 1G "$run/output.raw"
}

# guest_run: the whole of it; exits like the command did, or with 124 or 125
guest_run() {
        local qemu=0 status boot=1

        pack_input
        run_qemu || qemu=$?
        unpack_output
        while [[ ! -e $run/result/status ]] && ((qemu == 0 && arg_reboots > 0)); do
                arg_reboots=$((arg_reboots - 1)) boot=$((boot + 1))
                next_boot
                qemu=0
                run_qemu || qemu=$?
                unpack_output
        done

        if [[ ! -e $run/result/status ]]; then
                console_tail 90 >&2
                if ((qemu == 124 || qemu == 137)); then
                        die 124 "the guest did not finish within $arg_timeout seconds"
                elif grep -q 'Kernel panic' "$run/console.log" 2>/dev/null; then
                        die 125 "the guest's kernel panicked"
                elif ((qemu != 0)); then
                        die 125 "qemu failed with status $qemu: $(tail -n 3 "$run/qemu.log")"
                fi
                die 125 "the guest powered off before the command ended"
        fi
        status=$(<"$run/result/status")
        if [[ -e $run/result/missing ]]; then
                ((status != 0)) || status=125
                say "not found in the guest: $(tr '\n' ' ' <"$run/result/missing")"
        fi
        if [[ -e $run/result/oops && $arg_oops == fail ]]; then
                tail -n 60 "$run/result/dmesg" >&2
                sed 's/^/    /' "$run/result/oops" >&2
                die 125 "the guest's kernel complained, see above (the command's own status was $status)"
        fi
        exit "$status"
}
