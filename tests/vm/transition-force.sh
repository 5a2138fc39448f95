#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Force: only what is stalled, only with the vendor's word and an administrator's, and what the kernel keeps of it
# is told until the restart.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# seconds: 130
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-stall.sh" "$1/"
        build_stall "$1" "$2" "$top/tests/data/patches/stall"
        mkdir "$1/careful"
        cp "$top/tests/data/patches/stall"/* "$1/careful/"
        sed -i 's/"force_safe": true/"force_safe": false/; s/test-stall/test-careful/; s/tests-stall/tests-careful/
                s/hp_test_stall/hp_test_careful/' "$1/careful/patch.json"
        build_stall "$1" "$2" "$1/careful"
}

# In the guest it lies beside the scenario.
# shellcheck source=lib-stall.sh
. "$(dirname "$0")/lib-stall.sh"

# force_says STATUS: and what it said is in $output
force_says() {
        run hotpatchctl force "$job"
        ((status == $1))
}

testcase_what_the_vendor_does_not_vouch_for_is_not_forced() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        insmod hp_stall.ko
        configure 'FreezeAfterSec=0' 'TimeoutSec=0'
        sit stubborn hard
        begin apply careful.hpb
        # Not in its first 15 seconds.
        run hotpatchctl force "$job"
        expect_status 6
        expect_output 'NotStalled|No transition of job'
        eventually 60 names_blocker stubborn.service
        eventually 60 force_says 7
        expect_output "'test-careful' does not say"
        [[ ! -e /var/lib/hotpatch/forced ]]
        run hotpatchctl cancel "$job"
        eventually 60 [ ! -e /sys/kernel/livepatch/hp_test_careful ]
        let_go
        ended stubborn
}

testcase_a_user_is_not_allowed_to_force_and_root_is() {
        eventually 60 bash -c '! grep -q hp_test_careful /proc/modules'
        sit stubborn hard
        begin apply stall.hpb
        eventually 60 names_blocker stubborn.service
        sleep 16
        run as_user hotpatchctl force "$job"
        expect_status 4
        transition_runs
        eventually 60 force_says 0
        expect_output 'gives up what makes live patching safe'
        eventually 60 grep -qx 0 /sys/kernel/livepatch/hp_test_stall/transition
        expect_file /var/lib/hotpatch/forced '^MODULE=hp_test_stall$'
        expect_file /var/lib/hotpatch/forced '^CALLER_UID=0$'
        expect_journal MESSAGE_ID=54828fd165d64f3fa8ed8015f6a9a3e9 HOTPATCH_CALLER_UID=0
        eventually 60 bash -c 'hotpatchctl --json=short list | grep -q "\"state\":\"active\""'
        run hotpatchctl status
        expect_output 'was forced; nothing more is applied before the restart'
        expect_output 'Restart the machine'
}

testcase_nothing_more_is_applied_also_by_a_new_daemon() {
        systemctl restart hotpatchd.service
        run hotpatchctl apply careful.hpb
        expect_status 7
        expect_output 'before the restart'
        run hotpatchctl plan careful.hpb
        expect_output 'before the restart'
        no_module=hp_test_careful
        refuse_file /proc/modules "$no_module"
}

# While it was put in by force its module is not pinned: it can be taken out.
testcase_a_patch_that_was_forced_in_can_be_removed() {
        let_go
        ended stubborn
        run hotpatchctl remove test-stall
        expect_status 0
        refuse_file /proc/modules hp_test_stall
        run hotpatchctl status
        expect_output 'was forced'
}

. "$(dirname "$0")/lib.sh"
