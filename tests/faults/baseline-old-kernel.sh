#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The kernel of a baseline does not come up, and the boot loader starts the old one: that is named, nothing is tried again
# by itself, and once a person has seen to the boot loader the baseline is reached without another installation.
# kernels: 6.1.0-50-cloud-amd64
# options: --own-kernel --reboots 4 --timeout 1500
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

new=6.1.0-56-cloud-amd64

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        make_vendor "$1"
        make_repository "$1/repository" $new
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

testcase_a_kernel_is_installed_that_does_not_boot() {
        trust_vendor
        use_repository repository
        stay_in_the_month
        baselines DeadlineSec=60d Busy= TrialSec=10s
        note_boot
        install_baseline "linux-image-$new"
        # Half of an initramfs, as a full disk leaves it.
        cp /boot/initrd.img-$new /var/lib/whole
        truncate -s 4096 /boot/initrd.img-$new
        hotpatchctl reboot schedule
        expect_planned_restart
}

# not_tried: it stays as it is, and nothing is planned
not_tried() {
        baseline_is old-kernel-returned
        run hotpatchctl reboot
        expect_output 'none is planned'
        [[ $(systemctl show --value -p ActiveState hotpatch-baseline.service) == inactive ]]
        [[ $(systemctl show --value -p ExecMainStartTimestampMonotonic hotpatch-baseline.service) == 0 ]]
}

testcase_the_old_kernel_is_there_and_that_is_named() {
        expect_boots 2
        [[ $(uname -r) == 6.1.0-50-cloud-amd64 ]]
        expect_baseline 60 old-kernel-returned
        run hotpatchctl status
        expect_output "^ *Safety: ALERT: Baseline [0-9.]+: kernel '$new' was installed, but '6.1.0-50-cloud-amd64' runs"
        expect_output 'See in the boot loader'
        expect_journal MESSAGE_ID=2968a680ff21455cbd5ac2a5905d7fc6 _SYSTEMD_UNIT=hotpatchd.service
        not_tried
        systemctl restart hotpatchd.service
        sleep 5
        not_tried
        # The window of the next days, and the daily timer.
        set_clock $(($(date +%s) + 86400))
        systemctl start hotpatch-calendar.service
        sleep 5
        not_tried
        run hotpatchctl calendar
        expect_output 'old-kernel-returned'
}

testcase_a_person_has_seen_to_it() {
        cp /var/lib/whole /boot/initrd.img-$new
        restart_orderly
}

testcase_the_baseline_goes_on_without_another_installation() {
        [[ $(uname -r) == "$new" ]]
        expect_baseline 120 reached
        [[ $(systemctl show --value -p ExecMainStartTimestampMonotonic hotpatch-baseline.service) == 0 ]]
        run hotpatchctl status
        refuse_output 'ALERT'
}

. "$(dirname "$0")/lib.sh"
