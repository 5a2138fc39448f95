#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages on a stock kernel, before anything is patched: the ground the other scenarios stand on.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64

testcase_the_wanted_kernel_runs() {
        [[ $(uname -r) == "$HOTPATCH_KERNEL" ]]
        [[ -d /sys/kernel/livepatch ]]
}

testcase_systemd_runs_without_failed_units() {
        eventually 30 systemctl is-system-running
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
}

testcase_dbus_and_polkit_answer() {
        busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ListNames >/dev/null
        run busctl get-property org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority \
                org.freedesktop.PolicyKit1.Authority BackendName
        expect_status 0
}

testcase_our_packages_are_installed_and_whole() {
        local package
        for package in hotpatch hotpatch-dev; do
                run dpkg-query -W -f '${db:Status-Status}' "$package"
                expect_output '^installed$'
                run dpkg --verify "$package"
                [[ -z $output ]]
        done
}

. "$(dirname "$0")/lib.sh"
