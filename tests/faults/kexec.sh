#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# RebootMethod=kexec on a real systemd-logind: what is loaded is started without the firmware, and where nothing is
# loaded the machine restarts all the same. hotpatchd loads nothing: that is the machine's own business.
# kernels: 6.1.0-50-cloud-amd64
# options: --reboots 1
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        gcc -O2 -Wall -static -o "$1/load-kernel" "$top/tests/faults/load-kernel.c"
        prepare_images "$2"
        # shellcheck disable=SC2154 # of prepare_images
        cp "$image_kernel/vmlinuz" "$image_kernel/initrd" "$1/"
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

testcase_it_is_started_without_the_firmware() {
        stay_in_the_month
        note_boot
        baselines DeadlineSec=60d Busy= RebootMethod=kexec
        run hotpatchctl policy
        expect_output 'RebootMethod +kexec'
        touch /run/reboot-required
        hotpatchctl reboot schedule
        [[ $(</sys/kernel/kexec_loaded) == 0 ]]
        run ./load-kernel vmlinuz initrd "$(</proc/cmdline) test.loaded"
        expect_status 0
        [[ $(</sys/kernel/kexec_loaded) == 1 ]]
        expect_planned_restart kexec
}

testcase_that_was_no_boot_of_the_machine() {
        expect_boots 0
        expect_file /proc/cmdline 'test\.loaded'
        run hotpatchctl reboot
        expect_output 'none is planned'
        # What hotpatchd had asked for, and that it was done that way.
        run journalctl -b -1 -o cat
        expect_output 'The machine restarts'
        expect_output 'Reached target kexec.target|Reboot via kexec'
}

testcase_with_nothing_loaded_it_restarts_all_the_same() {
        [[ $(</sys/kernel/kexec_loaded) == 0 ]]
        touch /run/reboot-required
        hotpatchctl reboot schedule
        expect_planned_restart kexec
}

testcase_that_was_one() {
        expect_boots 1
        refuse_file /proc/cmdline 'test\.loaded'
        run hotpatchctl reboot
        expect_output 'none is planned'
}

. "$(dirname "$0")/lib.sh"
