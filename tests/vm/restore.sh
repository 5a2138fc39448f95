#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine that starts again and again: what was in force comes back before the network, what took the machine
# down does not.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# options: --reboots 24 --timeout 900
# shellcheck disable=SC2154 # output and status come from lib-guest.sh

# panic_bundle OUT KEYS NAME DEFINE RELEASE
panic_bundle() {
        local folder

        folder=$(mktemp -d)
        cp "$top"/tests/data/patches/panic/* "$folder"
        sed -i "s/hp-panic/hp-panic-$3/; s/hp_panic\"/hp_panic_$3\"/; s/test-panic/test-panic-$3/" "$folder/patch.json"
        sed -i "0,/^#include/s//#define $4\n#include/" "$folder/panic.c"
        build_bundle "$1" "$2" "$folder" "$5"
        rm -rf "$folder"
}

# revocation_list KEYS OUT: the signer's certificate is no longer good
revocation_list() {
        local folder

        folder=$(mktemp -d)
        touch "$folder/index.txt"
        echo 01 >"$folder/number"
        printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s/index.txt\ncrlnumber=%s/number\ndefault_md=sha384\n' \
                "$folder" "$folder" >"$folder/ca.cnf"
        openssl ca -config "$folder/ca.cnf" -keyfile "$1/intermediate.key" -cert "$1/intermediate.pem" \
                -revoke "$1/signer.pem"
        openssl ca -config "$folder/ca.cnf" -keyfile "$1/intermediate.key" -cert "$1/intermediate.pem" \
                -gencrl -crldays 30 -out "$2"
        rm -rf "$folder"
}

prepare() {
        local f

        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        for f in "${show_functions[@]}"; do
                build_show_bundle "$1/show-$f.hpb" "$1/keys" "$f" "$2"
        done
        panic_bundle "$1/panic-5.hpb" "$1/keys" five 'PANIC_AFTER 5' "$2"
        panic_bundle "$1/panic-15.hpb" "$1/keys" fifteen 'PANIC_AFTER 15' "$2"
        panic_bundle "$1/panic-early.hpb" "$1/keys" early 'PANIC_EARLY 100' "$2"
        revocation_list "$1/keys" "$1/revoked.crl"
}

# ---- what is asked again and again ----

version=hp-example-version-line
line='hotpatch: the second line is new'

# patch ID REGEX: what the list says about one patch
patch() {
        hotpatchctl --json=short list | tr '{' '\n' | grep "\"id\":\"$1\"" >"$scenario_folder/patch" ||
                fail "there is no patch $1"
        grep -Eq -- "$2" "$scenario_folder/patch" || fail "expected /$2/ of $1: $(cat "$scenario_folder/patch")"
}

in_force() {
        expect_file /proc/version "$line"
        patch $version '"state":"active".*"wanted":true'
}

# Nothing is half: no intent, no job, no module that is on its way.
settled() {
        [[ ! -e /var/lib/hotpatch/intent ]] || fail "an intent is open"
        [[ -z $(ls -A /run/hotpatch/load 2>/dev/null) ]] || fail "a load directory is left"
        ! grep -l 1 /sys/kernel/livepatch/*/transition 2>/dev/null || fail "a transition runs"
        run systemctl --failed --no-legend --plain
        refuse_output hotpatch
}

check_boot() {
        run /usr/libexec/hotpatch/hotpatch-restore --check
}

trials_over() {
        [[ -z $(ls -A /var/lib/hotpatch/trials) ]]
}

# usec UNIT PROPERTY
usec() {
        systemctl show --value -p "$2" "$1"
}

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
        run hotpatchctl apply version.hpb
        expect_status 0
        in_force
        restart_orderly
}

testcase_a_patch_is_restored_before_the_network() {
        in_force
        patch $version '"strikes":\[\].*"restore_result":"restored"'
        expect_journal MESSAGE_ID=417ac213474e4f02a32608b6de023ccb _SYSTEMD_UNIT=hotpatch-restore.service
        (($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) <= $(usec network-pre.target ActiveEnterTimestampMonotonic)))
        (($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) <= $(usec sysinit.target ActiveEnterTimestampMonotonic)))
        (($(usec local-fs.target ActiveEnterTimestampMonotonic) <= $(usec hotpatch-restore.service ExecMainStartTimestampMonotonic)))
        echo "restore of 1: $((($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) - $(usec hotpatch-restore.service ExecMainStartTimestampMonotonic)) / 1000)) ms" >>/var/lib/scenario/times
        settled
        run as_user hotpatchctl status
        expect_status 0
        expect_output "$version: active.*restored at the start"
        run systemctl start boot-complete.target
        expect_status 0
        run hotpatchctl history
        expect_output restored
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
        expect_output "$version.*It is for the kernel '$HOTPATCH_KERNEL'"
        expect_output "Kept for another kernel"
        check_boot
        expect_status 0
        expect_output 'kept for another kernel'
        restart_orderly "$HOTPATCH_KERNEL"
}

testcase_with_its_own_kernel_it_is_back() {
        in_force
        settled
        # on trial again
        ! trials_over
        restart_by_crash
}

testcase_after_one_crash_on_trial_it_is_restored_once_more() {
        in_force
        patch $version '"quarantined":false,"strikes":\["The machine went down without a shutdown'
        settled
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
        eventually 60 trials_over
        restart_by_crash
}

testcase_a_crash_after_the_trial_is_no_strike() {
        in_force
        patch $version '"strikes":\[\]'
        eventually 60 trials_over
        settled
        run hotpatchctl stage panic-5.hpb
        run hotpatchctl apply --no-wait hp-panic-five
        wait_for_crash 60
}

testcase_a_patch_that_panics_after_5_s_is_not_restored() {
        in_force
        patch hp-panic-five '"state":"staged".*"wanted":false,"quarantined":false,"strikes":\["The machine went down'
        settled
        run hotpatchctl status
        expect_output 'the machine went down while it was new: hp-panic-five'
        eventually 60 trials_over
        run hotpatchctl apply --no-wait hp-panic-five
        wait_for_crash 60
}

testcase_and_a_second_time_it_is_quarantined() {
        in_force
        patch hp-panic-five '"wanted":false,"quarantined":true'
        settled
        run hotpatchctl apply hp-panic-five
        expect_output 'is quarantined'
        ((status != 0))
        eventually 60 trials_over
        run hotpatchctl stage panic-15.hpb
        run hotpatchctl apply --no-wait hp-panic-fifteen
        wait_for_crash 90
}

testcase_so_is_one_that_panics_after_15_s() {
        in_force
        patch hp-panic-fifteen '"state":"staged".*"wanted":false,"quarantined":false,"strikes":\["The machine went down'
        settled
        eventually 60 trials_over
        # In its transition, or not long after: the module is there.
        hotpatchctl stage show-frag_show.hpb
        hotpatchctl apply --no-wait hp-show-frag-show
        eventually 30 test -e /sys/module/hp_show_frag_show
        restart_by_crash
}

testcase_a_crash_in_a_transition_leaves_all_or_nothing() {
        in_force
        settled
        patch hp-show-frag-show '"state":"staged".*"wanted":false.*The machine went down'
        eventually 60 trials_over
        # works when it is applied…
        # shellcheck disable=SC2016 # the other shell expands it
        eventually 200 bash -c '(($(cut -d. -f1 /proc/uptime) > 110))'
        run hotpatchctl apply panic-early.hpb
        expect_status 0
        # … and takes the machine down at each start, until it is quarantined
        restart_orderly
}

testcase_a_patch_that_panics_while_it_is_restored_is_given_up_after_two_starts() {
        no_livepatch
        patch hp-panic-early '"wanted":true,"quarantined":true,"strikes":\["[^"]*","[^"]*"\].*"restore_result":"quarantined"'
        # It was in the kernel as well, and nobody knows whose fault it was.
        patch $version '"quarantined":true'
        settled
        run hotpatchctl remove hp-panic-early $version
        expect_status 0
}

testcase_ten_patches_are_restored() {
        eventually 60 trials_over
        run hotpatchctl release hp-show-frag-show
        expect_status 0
        run hotpatchctl apply show-*.hpb
        expect_status 0
        (($(find /sys/kernel/livepatch -mindepth 1 -maxdepth 1 | wc -l) == 10))
        restart_orderly
}

testcase_and_that_takes_no_time_worth_mentioning() {
        local ms

        (($(find /sys/kernel/livepatch -mindepth 1 -maxdepth 1 | wc -l) == 10))
        settled
        ms=$((($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) - $(usec hotpatch-restore.service ExecMainStartTimestampMonotonic)) / 1000))
        echo "restore of 10: $ms ms" >>/var/lib/scenario/times
        sed 's/^/# /' /var/lib/scenario/times >&2
        check_boot
        expect_status 0
        # TCG, and one transition each
        ((ms < 60000))
}

testcase_after_a_revocation_they_stay_out() {
        cp revoked.crl /etc/hotpatch/trust.d/revocation.crl
        restart_orderly
}

testcase_and_the_boot_is_no_good_one() {
        no_livepatch
        check_boot
        ((status != 0))
        expect_output "'hp-show-swap-show' is wanted and not in force: .*revoked"
        run systemctl start boot-complete.target
        ((status != 0))
        systemctl is-failed hotpatch-boot-check.service
        run hotpatchctl status
        expect_output 'Safety: ALERT: .* is wanted, but its module'
        expect_output 'wanted but not in force: .*revoked'
        cp keys/revocation.crl /etc/hotpatch/trust.d/revocation.crl
}

. "$(dirname "$0")/lib.sh"
