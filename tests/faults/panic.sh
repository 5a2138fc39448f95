#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Patches that panic in the middle of their insertion, 5, 15 and 60 s after it, in a transition, and when they are put back:
# after each crash the machine comes up at the first attempt and without them, after two they are quarantined.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# options: --reboots 20 --timeout 900
# shellcheck disable=SC2154 # output and status come from lib-guest.sh

prepare() {
        local s

        cp "$top"/tests/vm/lib-{crash,stall}.sh "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        for s in 5 15 60; do
                panic_bundle "$1/panic-$s.hpb" "$1/keys" "$s" "PANIC_AFTER $s" "$2"
        done
        panic_bundle "$1/panic-0.hpb" "$1/keys" 0 'PANIC_AT_ONCE 1' "$2"
        panic_bundle "$1/panic-restored.hpb" "$1/keys" restored 'PANIC_RESTORED 1' "$2"
        build_stall "$1" "$2" "$top/tests/data/patches/stall"
        rm "$1"/keys/*.key
}

# In the guest they lie beside the scenario.
# shellcheck source=../vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"
# shellcheck source=../vm/lib-stall.sh
. "$(dirname "$0")/lib-stall.sh"

# next_crash COMMAND…: what was in force stays on this machine, whatever comes
next_crash() {
        content $version
        note_boot
        expect_crash 120 "$@"
}

# came_back: the crash was one, the machine came up at the first attempt, with what was in force
came_back() {
        expect_boots 1
        in_force
        on_trial $version
        settled
        patch $version '"strikes":\[\]'
}

# struck ID: once, and told why; it is out, and may be tried again
struck() {
        [[ ! -e /sys/module/${1//-/_} ]] || fail "it is in the kernel"
        patch "$1" '"state":"staged".*"wanted":false,"quarantined":false,"strikes":\["The machine went down[^"]*"\]'
        run hotpatchctl status
        expect_output "Not in force, because the machine went down while it was new: $1"
        run hotpatchctl show "$1"
        expect_output 'Strikes: +The machine went down without a shutdown while the patch'
        refuse_output 'Quarantine'
        run hotpatchctl plan "$1"
        expect_status 0
}

# quarantined ID: two strikes; nobody but an administrator takes that back, and no restart does
quarantined() {
        [[ ! -e /sys/module/${1//-/_} ]] || fail "it is in the kernel"
        patch "$1" '"state":"staged".*"wanted":false,"quarantined":true,"strikes":\["The[^"]*","The[^"]*"\]'
        run hotpatchctl status
        expect_output "Quarantined, because the machine went down with it twice: .*$1"
        run hotpatchctl show "$1"
        expect_output 'Strikes: +The machine went down without a shutdown while the patch'
        expect_output "Quarantine: .*hotpatchctl release $1"
        run hotpatchctl apply "$1"
        ((status != 0))
        expect_output 'is quarantined on this machine'
        [[ ! -e /sys/module/${1//-/_} ]] || fail "it is in the kernel"
        run as_user hotpatchctl --no-ask-password release "$1"
        expect_status 4
        patch "$1" '"quarantined":true'
        run hotpatchctl release "$1"
        expect_status 0
        patch "$1" '"quarantined":false,"strikes":\[\]'
        run hotpatchctl plan "$1"
        expect_status 0
}

testcase_what_is_good_is_in_force() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        trials_last
        run hotpatchctl apply version.hpb
        expect_status 0
        in_force
        next_crash hotpatchctl apply panic-0.hpb
}

# Nothing that was to be done after the insertion was done.
testcase_a_panic_in_the_insertion_is_one_strike() {
        came_back
        # It was not admitted yet, so its strike is all that is left of it.
        run hotpatchctl status
        expect_output "A bundle 'hp-panic-0' that is not here has a strike: The machine went down"
        hotpatchctl stage panic-0.hpb
        struck hp-panic-0
        run hotpatchctl show hp-panic-0
        expect_output 'while the patch was being applied'
        next_crash hotpatchctl apply hp-panic-0
}

testcase_and_a_second_one_the_end_of_it() {
        came_back
        quarantined hp-panic-0
        # On a slow machine its time is over before it was admitted.
        hotpatchctl stage panic-5.hpb
        next_crash hotpatchctl apply hp-panic-5
}

testcase_a_panic_after_5_s_is_one_strike() {
        came_back
        struck hp-panic-5
        next_crash hotpatchctl apply hp-panic-5
}

testcase_and_a_second_after_5_s_the_end_of_it() {
        came_back
        quarantined hp-panic-5
        next_crash hotpatchctl apply panic-15.hpb
}

testcase_a_panic_after_15_s_is_one_strike() {
        came_back
        struck hp-panic-15
        next_crash hotpatchctl apply hp-panic-15
}

testcase_and_a_second_after_15_s_the_end_of_it() {
        came_back
        quarantined hp-panic-15
        next_crash hotpatchctl apply panic-60.hpb
}

testcase_a_panic_after_60_s_is_one_strike() {
        came_back
        struck hp-panic-60
        run hotpatchctl show hp-panic-60
        expect_output 'while the patch was on trial after it had been applied'
        next_crash hotpatchctl apply hp-panic-60
}

testcase_and_a_second_after_60_s_the_end_of_it() {
        came_back
        quarantined hp-panic-60
        # Next: a crash in a transition, which lasts because somebody sits in the old function.
        content $version
        insmod hp_stall.ko
        configure 'FreezeAfterSec=0' 'TimeoutSec=0'
        sit stubborn hard
        hotpatchctl stage stall.hpb
        begin apply test-stall
        eventually 60 transition_runs
        [[ -e /var/lib/hotpatch/intent ]]
        note_boot
        restart_by_crash
}

testcase_a_crash_in_a_transition_leaves_nothing() {
        came_back
        patch test-stall '"state":"staged".*"wanted":false,"quarantined":false,"strikes":\["The machine went down[^"]*"\]'
        run hotpatchctl show test-stall
        expect_output 'while the patch was being applied'
        [[ ! -e /sys/module/hp_test_stall ]]
        run hotpatchctl apply panic-restored.hpb
        expect_status 0
        note_boot
        # It works, until it is put back.
        restart_orderly
}

testcase_a_patch_that_panics_while_it_is_restored_is_given_up_after_two_crashes() {
        # Two that it took down.
        expect_boots 3
        note_boot
        no_livepatch
        patch hp-panic-restored '"wanted":true,"quarantined":true,"strikes":\["[^"]*","[^"]*"\].*"restore_result":"quarantined"'
        run hotpatchctl show hp-panic-restored
        expect_output 'Strikes: +The machine went down without a shutdown while the patch, put back at its start, was on trial'
        # It was in the kernel as well, and nobody knows whose fault it was.
        patch $version '"quarantined":true'
        settled
        run hotpatchctl remove hp-panic-restored $version
        expect_status 0
        restart_orderly
}

testcase_and_the_next_start_is_a_quiet_one() {
        no_livepatch
        settled
        expect_boots 1
}

. "$(dirname "$0")/lib.sh"
