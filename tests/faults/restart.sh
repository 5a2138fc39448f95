#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The restart of a baseline on a real systemd-logind: who holds it up, puts it off, calls it off or sets his own over it
# is waited for, counted, noticed or left alone; then the machine restarts by itself. And a machine that takes no hotpatches.
# kernels: 6.1.0-50-cloud-amd64
# options: --reboots 1
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

# The baseline of these tests: one package that asks for a restart.
prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        make_package "$1/repository" site-base 1 ''
        make_package "$1/repository" site-base 2 'touch /run/reboot-required'
        sign_repository "$1/repository"
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

# policy DEADLINE LINE…: of section [Baseline]
policy() {
        baselines "DeadlineSec=$1" DeferMaxSec=10d "${@:2}"
}

waits_for() {
        [[ $(schedule waits_for) == *"$1"* ]]
}

is_not_in_logind() {
        [[ -z $(logind_has) ]]
}

in_a_minute() {
        set_clock $(($(date +%s) + 61))
}

# somebody WHAT MODE: who holds an inhibitor until nobody_any_more
somebody() {
        systemd-run -q --unit=somebody systemd-inhibit --what="$1" --mode="$2" --who=tape --why='the tape is being written' \
                sleep infinity
        eventually 30 eval "systemd-inhibit --list | grep -q tape"
}
nobody_any_more() {
        systemctl stop somebody.service
        eventually 30 eval "! systemd-inhibit --list | grep -q tape"
}

testcase_an_installation_by_hand_and_a_block_inhibitor() {
        # After the restart the clock is right again.
        stay_in_the_month
        use_repository repository
        apt-get -qq update
        apt-get -qq -y install site-base=1
        rm -f /run/reboot-required
        policy 60d Busy=inhibitors Deferrals=2
        somebody sleep:shutdown block
        run hotpatchctl baseline plan
        expect_status 0
        expect_output 'site-base +upgrade +1 +2'
        run hotpatchctl baseline install
        expect_status 0
        expect_output 'restart needed'
        expect_baseline 60 scheduled
        to_the_hand_over
        eventually 60 waits_for "The restart waits for 'tape' (the tape is being written)"
        is_not_in_logind
        run hotpatchctl reboot
        expect_output 'planned by the calendar'
        expect_output "tape"
        expect_journal 'MESSAGE=The restart waits for '\''tape'\'' (the tape is being written)'
}

testcase_released_it_is_handed_over() {
        nobody_any_more
        to_the_hand_over
        eventually 60 is_handed_over
        [[ $(logind_has) == "reboot $(property RebootSchedule | cut -d ' ' -f 1)" ]]
        in_journal 'The machine restarts for baseline' _SYSTEMD_UNIT=hotpatchd.service
}

testcase_a_daemon_that_was_killed_finds_it_again() {
        local before
        before=$(logind_has)
        systemctl kill -s KILL hotpatchd.service
        expect_baseline 60 scheduled
        [[ $(logind_has) == "$before" && $(schedule waits_for) == '' ]]
        in_a_minute
        sleep 2
        [[ $(logind_has) == "$before" ]]
        # And one that was not there while it was called off notices it.
        systemctl stop hotpatchd.service
        shutdown -c
        eventually 60 waits_for "called off, as 'shutdown -c' does"
        is_not_in_logind
        expect_file /var/lib/hotpatch/baseline-state '^DEFERRALS=1$'
        in_journal 'The restart was put off for baseline' _SYSTEMD_UNIT=hotpatchd.service
}

testcase_somebody_elses_schedule_stays() {
        local theirs
        to_the_hand_over
        eventually 60 is_handed_over
        shutdown -P +60
        theirs=$(logind_has)
        [[ $theirs == 'poweroff '* ]]
        in_a_minute
        eventually 60 waits_for "Somebody else has scheduled 'poweroff'"
        run hotpatchctl reboot schedule
        expect_status 6
        expect_output 'Somebody else has scheduled'
        run hotpatchctl reboot cancel
        expect_status 0
        [[ $(logind_has) == "$theirs" ]]
        shutdown -c
}

to_the_desk() {
        busctl call org.freedesktop.login1 /org/freedesktop/login1/seat/seat0 org.freedesktop.login1.Seat SwitchTo u 2
        eventually 30 grep -qx tty2 /sys/class/tty/tty0/active
}

# A person at the machine's own screen: an active, local session, as polkit and logind see it.
at_desk() {
        to_the_desk
        run systemd-run -q --pipe --wait --collect -p PAMName=login -p User=user -p TTYPath=/dev/tty2 -p Environment=XDG_VTNR=2 \
                -p Environment=XDG_SEAT=seat0 -p Environment=XDG_SESSION_CLASS=user "$@"
}

testcase_a_user_defers_until_the_budget_is_spent() {
        run as_user hotpatchctl reboot defer +3h
        expect_status 4
        at_desk hotpatchctl reboot defer "$(date -u -d "@$(($(planned) + 3600))" +'%Y-%m-%d %H:%M')"
        expect_status 0
        expect_file /var/lib/hotpatch/baseline-state '^DEFERRALS=2$'
        at_desk hotpatchctl reboot defer "$(date -u -d "@$(($(planned) + 3600))" +'%Y-%m-%d %H:%M')"
        expect_status 7
        expect_output 'The restart was put off 2 times, as often as is allowed'
        # Nor is there another way around it.
        to_the_hand_over
        eventually 60 is_handed_over
        shutdown -c
        in_a_minute
        eventually 60 waits_for 'comes all the same: The restart was put off 2 times'
        eventually 60 is_handed_over
        at_desk hotpatchctl reboot cancel
        expect_status 4
        run hotpatchctl reboot cancel
        expect_status 0
        is_not_in_logind
}

testcase_who_is_logged_in_is_waited_for_until_the_deadline() {
        policy 60d Busy=users Deferrals=2
        to_the_desk
        systemd-run -q --unit=desk -p PAMName=login -p User=user -p TTYPath=/dev/tty2 -p Environment=XDG_VTNR=2 \
                -p Environment=XDG_SEAT=seat0 -p Environment=XDG_SESSION_CLASS=user sleep infinity
        eventually 30 eval 'loginctl --no-legend | grep -q user'
        to_the_hand_over
        eventually 60 waits_for 'The restart waits: user is logged in'
        is_not_in_logind
        # The shortest deadline there is; it has been over since the second day of the month.
        policy 1d Busy=users
        to_the_hand_over
        eventually 60 is_handed_over
}

testcase_wrong_input() {
        local words
        for words in 'schedule yesterday' 'schedule soon' 'defer' 'later' 'cancel now' 'defer +0h' 'schedule +40d'; do
                # shellcheck disable=SC2086 # words
                run hotpatchctl reboot $words
                [[ $status == [27] ]] || fail "status $status"
        done
        for words in 'plan no-such-bundle' 'install ../x' 'mend x' 'instal'; do
                # shellcheck disable=SC2086 # words
                run hotpatchctl baseline $words
                # shellcheck disable=SC2086 # words
                run as_user hotpatchctl baseline $words
        done
        run as_user hotpatchctl baseline install
        expect_status 4
        run as_user hotpatchctl reboot schedule
        expect_status 4
}

testcase_without_the_posture_that_is_required() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        printf '[Policy]\nRequire=secure-boot tpm2\n' >/etc/hotpatch/hotpatchd.conf.d/60-posture.conf
        hotpatchctl policy reload
        run hotpatchctl status
        expect_output '^ *Safety: Not eligible for hotpatches: secure-boot: '
        run hotpatchctl check
        expect_status 7
        run hotpatchctl apply version.hpb
        expect_status 7
        expect_output 'Remedy'
        run hotpatchctl calendar
        run hotpatchctl motd
        rm /etc/hotpatch/hotpatchd.conf.d/60-posture.conf
        hotpatchctl policy reload
}

# A delay inhibitor is logind's own business: it has its seconds, and the machine goes down.
testcase_the_machine_restarts_by_itself() {
        somebody shutdown delay
        expect_planned_restart
}

testcase_the_baseline_is_reached() {
        expect_baseline 60 reached
        [[ $(schedule restart) == '' ]]
        run hotpatchctl calendar
        expect_output 'reached'
}

. "$(dirname "$0")/lib.sh"
