#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power is cut while a baseline is installed: dpkg unpacks the kernel, configures it, makes the initramfs; the second and
# third time while that is mended. Each time the machine starts with the old kernel, the state is named, nothing is tried
# again by itself, and mending works. Then the new kernel runs.
# kernels: 6.1.0-50-cloud-amd64
# options: --own-kernel --power-cuts --reboots 5 --timeout 2400
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

new=6.1.0-56-cloud-amd64

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        make_vendor "$1"
        make_repository "$1/repository" $new
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

# stop_at FILE TEXT: a script that runs in the middle of the work tells the console, and the work goes no further
stop_at() {
        # shellcheck disable=SC2016 # for that shell
        printf '#!/bin/sh\n[ "${1-}" = prereqs ] || { echo "test: %s" >/dev/kmsg; sleep 120; }\n' "$2" >"$1"
        chmod 755 "$1"
}
initramfs_hook=/etc/initramfs-tools/hooks/test
kernel_hook=/etc/kernel/postinst.d/aa-test

# Files of the kernel are there, and dpkg stands still: it must not be over before the power is gone.
stop_while_it_unpacks() {
        # shellcheck disable=SC2016 # for that shell
        systemd-run -q --unit=watch-dpkg sh -c 'until [ -e "/lib/modules/$1/kernel/fs" ]; do sleep 0.1; done
                for pid in $(pgrep -x dpkg); do kill -STOP "$pid"; done
                echo "test: the kernel is being unpacked" >/dev/kmsg' sh "$new"
}

by_itself() {
        hotpatchctl baseline schedule
        sleep 900
}

# The machine starts with the old kernel, says what has happened, and waits for a person.
expect_interrupted() {
        [[ $(uname -r) == 6.1.0-50-cloud-amd64 ]]
        expect_baseline 60 interrupted
        run hotpatchctl status
        expect_output '^ *Safety: ALERT: Baseline [0-9.]+: the installation began and did not end'
        expect_output "^ *To do: Complete what was cut off: 'hotpatchctl baseline mend'"
        run dpkg --audit
        expect_output "linux-image-$new"
        run hotpatchctl baseline install
        expect_status 1
        expect_output 'Remedy: '
        systemctl restart hotpatchd.service
        systemctl start hotpatch-calendar.service
        sleep 5
        baseline_is interrupted
        run hotpatchctl reboot
        expect_output 'none is planned'
        [[ $(systemctl show --value -p ActiveState hotpatch-baseline.service) != activ* ]]
}

testcase_the_power_is_cut_while_the_kernel_is_unpacked() {
        trust_vendor
        use_repository repository
        stay_in_the_month
        baselines DeadlineSec=60d Busy= TrialSec=10s
        stop_while_it_unpacks
        cut_power_at 1 'test: the kernel is being unpacked' by_itself
}

testcase_it_is_interrupted_and_cut_again_while_it_is_configured() {
        expect_interrupted
        [[ ! -s /boot/initrd.img-$new ]]
        stop_at $kernel_hook 'the kernel is being configured'
        cut_power_at 1 'test: the kernel is being configured' hotpatchctl baseline mend
}

testcase_it_is_interrupted_and_cut_again_while_the_initramfs_is_made() {
        rm $kernel_hook
        expect_interrupted
        stop_at $initramfs_hook 'the initramfs is being made'
        cut_power_at 1 'test: the initramfs is being made' hotpatchctl baseline mend
}

testcase_it_is_mended_and_goes_on() {
        rm $initramfs_hook
        expect_interrupted
        run hotpatchctl baseline mend
        expect_status 0
        run dpkg --audit
        [[ -z $output ]]
        expect_baseline 1500 scheduled
        [[ -s /boot/vmlinuz-$new && -s /boot/initrd.img-$new ]]
        [[ $(readlink /vmlinuz) == boot/vmlinuz-$new ]]
        expect_planned_restart
}

testcase_the_new_kernel_runs() {
        [[ $(uname -r) == "$new" ]]
        expect_baseline 120 reached
        run hotpatchctl status
        refuse_output 'ALERT'
        run hotpatchctl calendar
        expect_output 'reached'
}

. "$(dirname "$0")/lib.sh"
