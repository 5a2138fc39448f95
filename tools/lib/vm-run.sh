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

# root_disk: let REPLY be qemu's words for the root disk: thrown away after one boot, or kept for the next
root_disk() {
        REPLY=snapshot=on,format=raw,file=$image_root
        ((arg_reboots > 0)) || return 0
        [[ -e $run/root.qcow2 ]] ||
                qemu-img create -q -f qcow2 -b "$(readlink -f "$image_root")" -F raw "$run/root.qcow2"
        REPLY=format=qcow2,file=$run/root.qcow2
}

# run_qemu: boot, and stream the output; returns qemu's or timeout's status
run_qemu() {
        local status=0 guest stdout stderr readers=() processors=2

        # QEMU's multi-threaded TCG lets a processor run code that another one is just changing, as ftrace
        # and static branches do, and 6.12 sometimes dies of it: "Oops: int3", double faults.
        [[ $arg_kernel != 6.12.* ]] || processors=1
        root_disk
        rm -f "$run/stdout" "$run/stderr"
        mkfifo "$run/stdout" "$run/stderr"
        # Held open here, so that nobody blocks if qemu dies before it opens them.
        exec {stdout}<>"$run/stdout" {stderr}<>"$run/stderr"
        cat "$run/stdout" {stdout}<&- {stderr}<&- &
        readers+=($!)
        cat "$run/stderr" {stdout}<&- {stderr}<&- >&2 &
        readers+=($!)

        # In the background, so that a TERM is acted upon at once.
        timeout --foreground -k 10 "$arg_timeout" \
                qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -smp "$processors" -m "$arg_memory" \
                -nodefaults -no-user-config -display none -nic none -no-reboot \
                -kernel "$image_kernel/vmlinuz" -initrd "$image_kernel/initrd" \
                -append "console=ttyS0 panic=-1 loglevel=5 systemd.unit=vm.target systemd.show_status=no vm.boot=$boot${arg_append:+ $arg_append}" \
                -chardev file,id=console,path="$run/console.log",append=on -serial chardev:console \
                -device virtio-serial-pci \
                -chardev file,id=stdout,path="$run/stdout" -device virtserialport,chardev=stdout,name=hotpatch.stdout \
                -chardev file,id=stderr,path="$run/stderr" -device virtserialport,chardev=stderr,name=hotpatch.stderr \
                -drive if=none,id=root,"$REPLY" -device virtio-blk-pci,drive=root,serial=root \
                -drive if=none,id=modules,format=raw,snapshot=on,file="$image_kernel/modules.img" -device virtio-blk-pci,drive=modules,serial=modules \
                -drive if=none,id=input,format=raw,readonly=on,file="$run/input.tar" -device virtio-blk-pci,drive=input,serial=input \
                -drive if=none,id=output,format=raw,cache=unsafe,file="$run/output.raw" -device virtio-blk-pci,drive=output,serial=output \
                </dev/null >"$run/qemu.log" 2>&1 {stdout}<&- {stderr}<&- &
        guest=$!
        # shellcheck disable=SC2064 # now
        trap "kill $guest; exit 143" TERM
        wait "$guest" || status=$?

        # The last writers: now the readers see the end of file.
        exec {stdout}>&- {stderr}>&-
        wait "${readers[@]}" || true
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
        if [[ -n $release ]]; then
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
