#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The kernel of a baseline does not come up, and the boot loader starts the old one: that is named, nothing is tried again
# by itself, and once a person has seen to the boot loader the baseline is reached without another installation.
# kernels: 6.1.0-50-cloud-amd64
# options: --own-kernel --reboots 3 --timeout 1500
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

new=6.1.0-56-cloud-amd64

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        make_repository "$1/repository" $new
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

testcase_a_kernel_is_installed_that_does_not_boot() {
        use_repository repository
        configure "$(printf '[Baseline]\nEnable=yes\nDeadlineSec=60d\nBusy=\nWindowLengthSec=12h\nWindow=%s UTC\n' "$(date -u -d '-1 hour' +%H:%M)")"
        run hotpatchctl baseline install
        expect_status 0
        expect_baseline 60 scheduled
        # Half of an initramfs, as a full disk leaves it.
        truncate -s 4096 /boot/initrd.img-$new
        hotpatchctl reboot schedule
        expect_restart 420 true
}

testcase_the_old_kernel_is_there_and_that_is_named() {
        [[ $(uname -r) == 6.1.0-50-cloud-amd64 ]]
        expect_baseline 60 old-kernel-returned
        run hotpatchctl status
        expect_output "^ *Safety: ALERT: Baseline [0-9.]+: kernel '$new' was installed, but '6.1.0-50-cloud-amd64' runs"
        expect_output 'See in the boot loader'
        run hotpatchctl reboot
        expect_output 'none is planned'
        systemctl restart hotpatchd.service
        sleep 5
        baseline_is old-kernel-returned
        run hotpatchctl reboot
        expect_output 'none is planned'
        run hotpatchctl calendar
        expect_output 'old-kernel-returned'
}

. "$(dirname "$0")/lib.sh"
