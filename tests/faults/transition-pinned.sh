#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A removal that was forced: the kernel keeps the module for ever, and hotpatchd says so.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-stall.sh" "$1/"
        build_stall "$1" "$2" "$top/tests/data/patches/stall-back"
}

# In the guest it lies beside the scenario.
# shellcheck source=lib-stall.sh
. "$(dirname "$0")/lib-stall.sh"

testcase_a_removal_that_is_forced_pins_the_module() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        insmod hp_stall.ko
        configure 'FreezeAfterSec=0' 'TimeoutSec=0'
        run hotpatchctl apply stall-back.hpb
        expect_status 0
        # Sits in the new function now, and keeps it from being taken out.
        sit stubborn hard
        begin remove test-stall-back
        eventually 60 names_blocker '"stubborn.service","sleeping","hp_back_hard"'
        sleep 16
        run hotpatchctl force "$job"
        expect_status 0
        eventually 60 [ ! -e /sys/kernel/livepatch/hp_test_back ]
        eventually 60 bash -c 'hotpatchctl status | grep "has no effect any more but stays in memory"'
        # The job gives the kernel a second more to drop it, and says so then.
        eventually 60 bash -c 'hotpatchctl history | grep "stays in memory until the restart"'
        [[ $(cat /sys/module/hp_test_back/refcnt) == 1 ]]
        expect_file /var/lib/hotpatch/forced '^PINNED=hp_test_back$'
        # It is not wanted any more.
        [[ -z $(find /var/lib/hotpatch/admitted -name '*.record') ]]
        systemctl restart hotpatchd.service
        run hotpatchctl status
        expect_output 'hp_test_back.*stays in memory'
        echo 1 >/sys/module/hp_test_back/parameters/release
        ended stubborn
}

. "$(dirname "$0")/lib.sh"
