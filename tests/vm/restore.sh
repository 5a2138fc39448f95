#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine that starts again and again: what was in force comes back before the network, what took the machine
# down does not. More of both is in tests/faults/panic.sh and tests/faults/restore-ten.sh.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# seconds: 390
# options: --reboots 16 --timeout 900
# shellcheck disable=SC2154 # output and status come from lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-crash.sh" "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        panic_bundle "$1/panic-5.hpb" "$1/keys" five 'PANIC_AFTER 5' "$2"
        revocation_list "$1/keys" "$1/revoked.crl"
}

# ---- what is asked again and again ----

# In the guest it lies beside the scenario.
# shellcheck source=lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

other_kernel() {
        if [[ $HOTPATCH_KERNEL == 6.1.0-50-* ]]; then echo 6.1.0-56-cloud-amd64; else echo 6.1.0-50-cloud-amd64; fi
}

# ---- the story ----

testcase_before_the_first_restart() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        [[ $(systemctl is-enabled hotpatch-restore.service) == enabled ]]
        [[ $(systemctl is-enabled hotpatch-boot-check.service) == enabled ]]
        [[ $(systemctl is-active hotpatch-restore.service) == active ]]
        [[ $(systemctl is-active hotpatch-shutdown.service) == active ]]
        run systemctl stop hotpatch-shutdown.service
        ((status != 0))
        run hotpatchctl apply version.hpb
        expect_status 0
        in_force
        # That this shutdown is one in order is noted without the unit that restores.
        systemctl mask --runtime hotpatch-restore.service
        restart_orderly
}

testcase_a_patch_is_restored_before_the_network() {
        in_force
        patch $version '"strikes":\[\].*"restore_result":"restored"'
        expect_journal MESSAGE_ID=417ac213474e4f02a32608b6de023ccb OBJECT_SYSTEMD_UNIT=hotpatch-restore.service _UID=0
        (($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) <= $(usec network-pre.target ActiveEnterTimestampMonotonic)))
        (($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) <= $(usec sysinit.target ActiveEnterTimestampMonotonic)))
        (($(usec local-fs.target ActiveEnterTimestampMonotonic) <= $(usec hotpatch-restore.service ExecMainStartTimestampMonotonic)))
        settled
        run as_user hotpatchctl status
        expect_status 0
        expect_output "$version: active.*restored at the start"
        run systemctl start boot-complete.target
        expect_status 0
        run hotpatchctl history
        expect_output restored
        content $version
}

testcase_the_word_on_the_command_line_switches_it_off() {
        restart_orderly "$HOTPATCH_KERNEL" hotpatch=off
}

testcase_then_nothing_is_restored() {
        no_livepatch
        run hotpatchctl status
        expect_output "switched off: 'hotpatch=off'"
        expect_output "$version: staged.*wanted but not in force"
        [[ $(systemctl show --value -p ConditionResult hotpatch-restore.service) == no ]]
        check_boot
        expect_status 0
        touch /etc/hotpatch/disable
        restart_orderly
}

testcase_nor_with_the_file() {
        no_livepatch
        run hotpatchctl status
        expect_output 'switched off: the file /etc/hotpatch/disable'
        check_boot
        expect_status 0
        rm /etc/hotpatch/disable
        restart_orderly "$(other_kernel)"
}

testcase_under_another_kernel_it_is_kept_and_named() {
        [[ $(uname -r) == "$(other_kernel)" ]]
        no_livepatch
        run hotpatchctl status
        expect_output "$version.*It is for the kernel '${HOTPATCH_KERNEL//+/.}'"
        expect_output "Kept for another kernel"
        check_boot
        expect_status 0
        expect_output 'kept for another kernel'
        trials_last
        restart_orderly "$HOTPATCH_KERNEL"
}

testcase_with_its_own_kernel_it_is_back() {
        in_force
        settled
        # again
        on_trial $version
        restart_by_crash
}

testcase_after_one_crash_on_trial_it_is_restored_once_more() {
        in_force
        patch $version '"quarantined":false,"strikes":\["The machine went down without a shutdown[^"]*"\]'
        settled
        on_trial $version
        restart_by_crash
}

testcase_after_two_it_is_quarantined() {
        no_livepatch
        patch $version '"wanted":true,"quarantined":true'
        run hotpatchctl status
        expect_output 'Quarantined, because the machine went down with it twice'
        run hotpatchctl show $version
        expect_output 'The machine went down without a shutdown while the patch, put back at its start, was on trial'
        check_boot
        expect_status 0
        run hotpatchctl apply $version
        ((status != 0))
        expect_output 'is quarantined on this machine'
        run as_user hotpatchctl --no-ask-password release $version
        expect_status 4
        run hotpatchctl release nobody-knows
        expect_status 0
        expect_output 'Nothing to do'
        run hotpatchctl release '../etc'
        expect_status 2
        run hotpatchctl release $version
        expect_status 0
        run hotpatchctl apply $version
        expect_status 0
        in_force
        content $version
        hotpatchctl stage panic-5.hpb
        note_boot
        expect_crash 60 hotpatchctl apply hp-panic-five
}

# panicked_once_more: the machine went down once, and came up at the first attempt
panicked_once_more() {
        expect_boots 1
        note_boot
        in_force
        settled
        [[ ! -e /sys/module/hp_panic_five ]] || fail "its patch is in the kernel"
}

testcase_a_crash_after_its_trial_is_no_strike() {
        panicked_once_more
        patch $version '"strikes":\[\]'
}

testcase_a_patch_that_panics_after_5_s_is_not_restored() {
        patch hp-panic-five '"state":"staged".*"wanted":false,"quarantined":false,"strikes":\["The machine went down[^"]*"\]'
        run hotpatchctl status
        expect_output 'the machine went down while it was new: hp-panic-five'
        content $version
        expect_crash 60 hotpatchctl apply hp-panic-five
}

testcase_and_a_second_time_it_is_quarantined() {
        panicked_once_more
        patch hp-panic-five '"state":"staged".*"wanted":false,"quarantined":true,"strikes":\["The machine went down[^"]*","The'
        run hotpatchctl apply hp-panic-five
        expect_output 'is quarantined'
        ((status != 0))
        run hotpatchctl show hp-panic-five
        expect_output 'went down without a shutdown while'
        expect_output 'hotpatchctl release hp-panic-five'
        cp revoked.crl /etc/hotpatch/trust.d/revocation.crl
        restart_orderly
}

testcase_after_a_revocation_it_stays_out() {
        no_livepatch
        check_boot
        ((status != 0))
        expect_output "'$version' is wanted and not in force: .*revoked"
        run systemctl start boot-complete.target
        ((status != 0))
        systemctl is-failed hotpatch-boot-check.service
        run hotpatchctl status
        expect_output 'Safety: ALERT: .* is wanted, but its module'
        expect_output 'wanted but not in force: .*revoked'
        cp keys/revocation.crl /etc/hotpatch/trust.d/revocation.crl
}

. "$(dirname "$0")/lib.sh"
