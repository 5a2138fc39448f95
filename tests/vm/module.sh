#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Patch modules on real kernels, without the daemon: what the runtime in module/ and the post-link step
# promise to authors.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 220
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        local patch name
        local tree lib
        tree=$(cd "$(dirname "$scenario_file")/../.." && pwd)
        for lib in common packages vm-image patch; do
                # shellcheck source=/dev/null
                . "$tree/tools/lib/$lib.sh"
        done

        use_author_tools
        for patch in module/examples/version-line module/examples/pktgen-line tests/data/patches/probe; do
                build_module "$tree/$patch" "$2" "$1"
                name=${REPLY##*/}
                mv "$REPLY" "$1/${name%%-*}.ko"
        done
        build_kbuild "$tree/tests/data/handwritten" "$2" "$1"
        gcc -O2 -Wall -o "$1/poll-file" "$tree/tests/vm/poll-file.c"
}

# load NAME [PARAMETER…]: insert and wait for the transition
load() {
        # What a failed testcase left must not fail the next.
        [[ ! -e /sys/kernel/livepatch/$1 ]] || unload "$1"
        insmod "$1.ko" "${@:2}"
        eventually 60 grep -qx 0 "/sys/kernel/livepatch/$1/transition"
}

# unload NAME: disable, wait, remove
unload() {
        echo 0 >"/sys/kernel/livepatch/$1/enabled"
        eventually 60 [ ! -e "/sys/kernel/livepatch/$1" ]
        eventually 60 rmmod "$1"
}

testcase_a_function_of_vmlinux_changes_and_changes_back() {
        refuse_file /proc/version 'second line'
        load hp_version_line
        expect_file /proc/version '^Linux version '
        expect_file /proc/version '^hotpatch: the second line is new$'
        expect_file /sys/module/hp_version_line/hotpatch/tripwires '^EXAMPLE-1 0$'
        cp /bin/cat intruder
        ./intruder /proc/version >/dev/null
        expect_file /sys/module/hp_version_line/hotpatch/tripwires '^EXAMPLE-1 1$'
        unload hp_version_line
        refuse_file /proc/version 'second line'
        [[ ! -e /sys/module/hp_version_line ]]
}

testcase_the_note_of_a_loaded_module_names_its_bundle() {
        load hp_version_line
        expect_file /sys/module/hp_version_line/notes/.note.hotpatch 'hp-example-version-line'
        expect_file /sys/module/hp_version_line/notes/.note.hotpatch \
                'vmlinux version_proc_show 0 hp_version_proc_show'
        unload hp_version_line
}

testcase_tripwires_count_by_name_and_are_for_root_only() {
        load hp_probe
        run sort /sys/module/hp_probe/hotpatch/tripwires
        [[ $output == $'TEST-HIT 0\nTEST-NEVER 0' ]] || fail "unexpected: $output"
        cat /proc/version /proc/version /proc/version >/dev/null
        run sort /sys/module/hp_probe/hotpatch/tripwires
        # Two places of one name, three calls; one of them with interrupts off.
        [[ $output == $'TEST-HIT 6\nTEST-NEVER 0' ]] || fail "unexpected: $output"
        run as_user cat /sys/module/hp_probe/hotpatch/tripwires
        expect_status 1
        unload hp_probe
}

testcase_a_tripwire_wakes_poll_at_most_once_a_second() {
        local hits wakes begun took
        load hp_probe
        ./poll-file /sys/module/hp_probe/hotpatch/tripwires 2 >quiet
        expect_file quiet '^wakes 0$'
        ./poll-file /sys/module/hp_probe/hotpatch/tripwires 300 >woken &
        eventually 60 grep -q waiting woken
        begun=$SECONDS
        while ((SECONDS < begun + 4)); do
                cat /proc/version >/dev/null
                sleep 0.05
        done
        hits=$(sed -n 's/^TEST-HIT //p' /sys/module/hp_probe/hotpatch/tripwires)
        # The last wake comes after the last hit.
        eventually 60 grep -qx "TEST-HIT $hits" woken
        took=$((SECONDS - begun))
        kill $!
        wait $!
        wakes=$(sed -n 's/^wakes //p' woken)
        echo "$hits hits, $wakes wakes"
        ((wakes >= 2 && wakes <= took + 2 && wakes < hits))
        unload hp_probe
}

testcase_a_flood_leaves_few_lines_in_the_kernel_log() {
        local lines files=()
        log_mark
        load hp_probe
        # In one program: two hundred would take so long on a busy machine that a second line were right.
        for _ in $(seq 200); do files+=(/proc/version); done
        cat "${files[@]}" >/dev/null
        eventually 60 kernel_said 'tripwire TEST-HIT'
        sleep 3
        lines=$(log_since_mark | grep -c 'hotpatch: hp_probe: tripwire TEST-HIT: ')
        ((lines == 1)) || fail "$lines lines"
        unload hp_probe
}

testcase_a_module_goes_while_hits_come_in() {
        for _ in 1 2 3; do
                load hp_probe
                cat /proc/version >/dev/null
                echo 0 >/sys/kernel/livepatch/hp_probe/enabled
                # Not at full speed: a busy guest of kernel 6.12 dies of an int3 in a static call during
                # transitions under QEMU's TCG, with livepatches of any make.
                while [[ -e /sys/kernel/livepatch/hp_probe ]]; do
                        cat /proc/version >/dev/null
                        sleep 0.1
                done
                eventually 60 rmmod hp_probe
        done
        [[ ! -e /sys/module/hp_probe ]]
}

testcase_a_self_test_refuses_with_its_own_errno_and_leaves_nothing() {
        log_mark
        run insmod hp_probe.ko self_test=-19
        expect_status 1
        expect_output 'No such device'
        no_livepatch
        [[ ! -e /sys/module/hp_probe ]]
        log_since_mark >log
        expect_file log "hotpatch: hp_probe: self-test 'probe_self_test' refused the patch: error -19"
        refuse_file log 'enabling patch'
}

testcase_a_self_test_that_answers_nonsense_refuses_too() {
        run insmod hp_probe.ko self_test=7
        expect_status 1
        expect_output 'Invalid parameters|Invalid argument'
        no_livepatch
}

testcase_a_pre_patch_callback_refuses_with_its_own_errno() {
        log_mark
        run insmod hp_probe.ko pre_patch=-11
        expect_status 1
        expect_output 'Resource temporarily unavailable'
        no_livepatch
        [[ ! -e /sys/module/hp_probe ]]
        log_since_mark >log
        expect_file log "hotpatch: hp_probe: pre_patch callback 'probe_pre_patch' refused the patch: error -11"
}

testcase_callbacks_run_in_order_for_each_object() {
        log_mark
        load hp_probe
        modprobe pktgen
        rmmod pktgen
        unload hp_probe
        log_since_mark | sed -n 's/.*probe: \(.*_\(patch\|unpatch\) .*\)/\1/p' >order
        cat >expected <<EXPECTED
pre_patch vmlinux
post_patch vmlinux
pre_patch pktgen
post_patch pktgen
pre_unpatch pktgen
post_unpatch pktgen
pre_unpatch vmlinux
post_unpatch vmlinux
EXPECTED
        diff expected order
}

testcase_shadow_variables_live_with_their_object() {
        modprobe pktgen
        load hp_probe
        expect_file /proc/version 'shadow missing'
        expect_file /proc/version 'shadow found'
        expect_file /proc/version 'read 3, zero 0'
        expect_file /proc/net/pktgen/pgctrl 'shadow freed'
        expect_file /proc/version 'shadow missing'
        unload hp_probe
        # post_unpatch freed them: a new module finds none.
        load hp_probe
        expect_file /proc/version 'shadow missing'
        unload hp_probe
        rmmod pktgen
}

testcase_a_function_of_a_loaded_module_changes() {
        modprobe pktgen
        refuse_file /proc/net/pktgen/pgctrl 'second line'
        load hp_pktgen_line
        expect_file /proc/net/pktgen/pgctrl '^Packet Generator'
        expect_file /proc/net/pktgen/pgctrl '^hotpatch: the second line is new$'
        unload hp_pktgen_line
        refuse_file /proc/net/pktgen/pgctrl 'second line'
        rmmod pktgen
}

testcase_a_function_of_a_module_that_comes_later_changes() {
        load hp_pktgen_line
        # It has no tripwires, so nothing to watch.
        [[ ! -e /sys/module/hp_pktgen_line/hotpatch ]]
        [[ ! -e /proc/net/pktgen ]]
        modprobe pktgen
        expect_file /proc/net/pktgen/pgctrl '^Packet Generator'
        expect_file /proc/net/pktgen/pgctrl '^hotpatch: the second line is new$'
        unload hp_pktgen_line
        refuse_file /proc/net/pktgen/pgctrl 'second line'
        rmmod pktgen
}

testcase_a_patched_module_can_be_loaded_again() {
        local round
        # Kernels before 6.3 cannot do this by themselves when the patch has klp relocations for it.
        load hp_pktgen_line
        for round in 1 2 3; do
                modprobe pktgen
                expect_file /proc/net/pktgen/pgctrl '^Packet Generator'
                expect_file /proc/net/pktgen/pgctrl '^hotpatch: the second line is new$'
                rmmod pktgen
        done
        modprobe pktgen
        unload hp_pktgen_line
        expect_file /proc/net/pktgen/pgctrl '^Packet Generator'
        rmmod pktgen
        echo "$round rounds"
}

testcase_a_livepatch_written_by_hand_loads() {
        load handwritten
        expect_file /proc/loadavg '^handwritten$'
        [[ ! -e /sys/module/handwritten/notes/.note.hotpatch ]]
        unload handwritten
        refuse_file /proc/loadavg handwritten
}

. "$(dirname "$0")/lib.sh"
