#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power is cut while a baseline is installed: dpkg unpacks the kernel, configures it, makes the initramfs; the second and
# third time while that is mended. Each time the machine starts with the old kernel, the state is named, nothing is tried
# again by itself, and mending works. Then the machine crashes while the new kernel is on trial.
# kernels: 6.1.0-50-cloud-amd64
# options: --own-kernel --power-cuts --reboots 6 --timeout 1500
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

new=6.1.0-56-cloud-amd64

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        make_repository "$1/repository" $new
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

# What dpkg does stands in its log, and the making of an initramfs begins with hooks: both are told to the console.
tell_the_console() {
        sysctl -qw kernel.printk_devkmsg=on
        systemctl is-active -q dpkg-log.service ||
                systemd-run -q --unit=dpkg-log sh -c 'tail -n 0 -F /var/log/dpkg.log >/dev/kmsg'
        printf '#!/bin/sh\n[ "$1" = prereqs ] || echo "test: the initramfs is being made" >/dev/kmsg\n' \
                >/etc/initramfs-tools/hooks/test
        chmod 755 /etc/initramfs-tools/hooks/test
}

window_is_open() {
        configure "$(printf '[Baseline]\nEnable=yes\nDeadlineSec=60d\nBusy=\nWindowLengthSec=12h\nWindow=%s UTC\n' "$(date -u -d '-1 hour' +%H:%M)")"
}

install_by_itself() {
        hotpatchctl baseline schedule
        sleep 600
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
        sleep 5
        baseline_is interrupted
        [[ $(systemctl show --value -p ActiveState hotpatch-baseline.service) == inactive ]]
        run hotpatchctl needs-reboot
}

testcase_the_power_is_cut_while_the_kernel_is_unpacked() {
        use_repository repository
        window_is_open
        tell_the_console
        cut_power_at 1 "status half-installed linux-image-$new" install_by_itself
}

testcase_it_is_interrupted_and_cut_again_while_it_is_configured() {
        expect_interrupted
        tell_the_console
        cut_power_at 1 "status half-configured linux-image-$new" hotpatchctl baseline mend
}

testcase_it_is_interrupted_and_cut_again_while_the_initramfs_is_made() {
        expect_interrupted
        tell_the_console
        cut_power_at 1 'the initramfs is being made' hotpatchctl baseline mend
}

testcase_it_is_mended_and_goes_on() {
        expect_interrupted
        rm /etc/initramfs-tools/hooks/test
        run hotpatchctl baseline mend
        expect_status 0
        run dpkg --audit
        [[ -z $output ]]
        expect_baseline 600 scheduled
        [[ -s /boot/vmlinuz-$new && -s /boot/initrd.img-$new ]]
        [[ $(readlink /vmlinuz) == boot/vmlinuz-$new ]]
        hotpatchctl reboot schedule
        expect_restart 420 true
}

testcase_the_machine_crashes_while_the_new_kernel_is_on_trial() {
        [[ $(uname -r) == "$new" ]]
        expect_baseline 60 verifying
        sync
        restart_by_crash
}

testcase_that_is_named() {
        expect_baseline 60 crashed-in-trial
        run hotpatchctl status
        expect_output '^ *Safety: ALERT: Baseline [0-9.]+: the machine went down while the new kernel was on trial'
        systemctl restart hotpatchd.service
        sleep 5
        baseline_is crashed-in-trial
        # An administrator trusts it all the same.
        run hotpatchctl baseline install
        expect_status 0
        expect_baseline 60 reached
}

. "$(dirname "$0")/lib.sh"
