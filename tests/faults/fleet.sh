#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What scanners, fleets and desktops see of a real machine: the published files, OVAL, VEX, metrics under their sandbox,
# records that arrive elsewhere with all their fields, and the notifier as a unit of a user's own systemd.
# kernels: 6.1.0-50-cloud-amd64
# packages: openscap-scanner openscap-common systemd-journal-remote dbus-user-session
# seconds: 120
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        # shellcheck disable=SC2034 # for build_bundle
        bundle_options=(--fix CVE-2026-0001)
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        cp "$top/doc/examples/hotpatch-oval.xml" "$1/"
        gcc -O2 -Wall -D_GNU_SOURCE -o "$1/notice-desk" "$top/tests/faults/notice-desk.c" -lsystemd
        rm "$1"/keys/*.key
}

fixed=/run/hotpatch/fixed-cves
textfile=/var/lib/prometheus/node-exporter

vulnerable() {
        oscap oval eval hotpatch-oval.xml | grep -x "Definition oval:org.hotpatch.sample:def:1: $1"
}

testcase_a_scanner_calls_the_machine_vulnerable() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        hotpatchctl list >/dev/null
        run cat "$fixed"
        refuse_output CVE
        vulnerable true
        run hotpatchctl vex
        expect_status 3
}

testcase_a_hotpatch_makes_it_safe_in_the_eyes_of_the_scanner() {
        hotpatchctl apply version.hpb
        eventually 10 grep -qx CVE-2026-0001 "$fixed"
        run cat "$fixed"
        expect_output "^# kernel $(uname -r) boot $(cat /proc/sys/kernel/random/boot_id)\$"
        vulnerable false
        run hotpatchctl vex
        expect_status 0
        expect_output "pkg:deb/debian/linux-image-$(uname -r)@[0-9.-]+\?arch=amd64"
}

# as_none FILE: the user may not read it
as_none() {
        run as_user cat "$1"
        expect_output 'Permission denied'
}

testcase_everybody_may_read_that_and_list_nothing() {
        run as_user cat "$fixed" /run/hotpatch/status.json
        expect_status 0
        run as_user ls /run/hotpatch
        expect_status 2
        [[ $(stat -c %a /run/hotpatch) == 711 ]]
        for file in /run/hotpatch/*; do
                [[ $file == "$fixed" || $file == /run/hotpatch/status.json || -d $file ]] || as_none "$file"
        done
}

testcase_the_claim_goes_with_the_daemon() {
        systemctl stop hotpatchd.service
        [[ ! -e $fixed && ! -e /run/hotpatch/status.json ]]
        vulnerable true
        hotpatchctl list >/dev/null
        eventually 10 grep -qx CVE-2026-0001 "$fixed"
        # Killed, it cannot take the files away itself.
        mkdir -p /run/systemd/system/hotpatchd.service.d
        printf '[Service]\nRestart=no\n' >/run/systemd/system/hotpatchd.service.d/test.conf
        systemctl daemon-reload
        systemctl kill -s KILL hotpatchd.service
        eventually 10 sh -c "[ ! -e $fixed ]"
        rm -r /run/systemd/system/hotpatchd.service.d
        systemctl daemon-reload
        systemctl reset-failed hotpatchd.service
        hotpatchctl list >/dev/null
        eventually 10 grep -qx CVE-2026-0001 "$fixed"
}

testcase_metrics_are_off_and_work_when_they_are_switched_on() {
        run systemctl is-enabled hotpatch-metrics.timer
        expect_output '^disabled$'
        systemctl start hotpatch-metrics.service # its condition fails: there is no collector
        [[ ! -e $textfile/hotpatch.prom ]]
        mkdir -p "$textfile"
        systemctl enable --now hotpatch-metrics.timer
        systemctl start hotpatch-metrics.service
        run cat "$textfile/hotpatch.prom"
        expect_output '^hotpatch_up 1$'
        expect_output '^hotpatch_patches\{state="active"\} 1$'
        expect_output '^hotpatch_fixes_in_force 2$'
        [[ $(stat -c '%a %U' "$textfile/hotpatch.prom") == '644 root' ]]
        [[ $(ls -A "$textfile") == hotpatch.prom ]]
        systemctl disable --now hotpatch-metrics.timer
}

testcase_the_weekly_audit_runs_in_its_sandbox() {
        systemctl start hotpatch-audit.service
        run systemctl show -P Result hotpatch-audit.service
        expect_output '^success$'
        for unit in hotpatch-audit hotpatch-metrics hotpatch-baseline; do
                run systemd-analyze verify --man=no "$unit.timer"
                [[ -z $output ]]
        done
}

testcase_records_arrive_elsewhere_with_their_fields() {
        mkdir -p /var/log/journal/remote
        systemd-run --unit=receiver /lib/systemd/systemd-journal-remote --listen-http=127.0.0.1:19532 \
                --split-mode=none --output=/var/log/journal/remote/here.journal
        eventually 30 grep -q ':4C4C ' /proc/net/tcp # 19532
        /lib/systemd/systemd-journal-upload --url=http://127.0.0.1:19532 --save-state=/run/upload --follow=no
        run journalctl --file=/var/log/journal/remote/here.journal -o json _SYSTEMD_UNIT=hotpatchd.service \
                MESSAGE_ID=ff2519a772ec483eaa691056a43bb381
        # A field that a record has twice is a list.
        expect_output '"HOTPATCH_CVE":\["EXAMPLE-1","CVE-2026-0001"\]'
        expect_output '"HOTPATCH_PATCH":"hp-example-version-line"'
        systemctl stop receiver.service
}

# unit COMMAND…: of the user's own systemd
unit() {
        as_user systemctl --user "$@"
}

# service_status UNIT FIELD: of the status in /proc of its main process
service_status() {
        sed -n "s/^$2:[[:space:]]*//p" "/proc/$(unit show -P MainPID "$1")/status"
}

testcase_a_desktop_begins_and_the_notifier_with_it() {
        local pid

        cp notice-desk /usr/local/bin/
        loginctl enable-linger user
        eventually 60 test -S /run/user/1000/bus
        as_user systemd-run --user --quiet --unit=desk --property=StandardOutput=append:/home/user/notices \
                /usr/local/bin/notice-desk
        # What a desktop does when it is up; nobody may start that target by hand.
        mkdir -p /etc/systemd/user
        printf '[Unit]\nBindsTo=graphical-session.target\nBefore=graphical-session.target\n' \
                >/etc/systemd/user/test-session.target
        unit daemon-reload
        unit start test-session.target
        eventually 60 unit is-active hotpatch-notifier.service
        # In its sandbox, not in the one for machines that forbid it.
        run unit is-active hotpatch-notifier-plain.service
        expect_output '^inactive$'
        [[ $(service_status hotpatch-notifier.service Seccomp) == 2 ]]
        [[ $(service_status hotpatch-notifier.service NoNewPrivs) == 1 ]]
        [[ $(service_status hotpatch-notifier.service Uid) == 1000* ]]
        pid=$(unit show -P MainPID hotpatch-notifier.service)
        for space in user mnt net ipc; do
                [[ $(readlink "/proc/$pid/ns/$space") != "$(readlink /proc/1/ns/$space)" ]] || fail "it shares '$space' with the system"
        done
        [[ -z $(ls -A "/proc/$pid/root/home") && -z $(ls -A "/proc/$pid/root/tmp") ]]
        echo "note: the notifier under a user's systemd: PSS $(sed -n 's/^Pss: *//p' "/proc/$pid/smaps_rollup")"
        run as_user systemd-analyze --user verify --man=no hotpatch-notifier.service
        expect_status 0
}

testcase_it_tells_of_a_fix() {
        hotpatchctl remove hp-example-version-line
        hotpatchctl apply version.hpb
        eventually 60 grep -q '^1 Security fix applied | ' /home/user/notices
        expect_file /home/user/notices CVE-2026-0001
        [[ $(unit show -P NRestarts hotpatch-notifier.service) == 0 ]]
        run journalctl -b -q -p notice _SYSTEMD_USER_UNIT=hotpatch-notifier.service
        refuse_output 'not shown'
}

testcase_without_namespaces_the_plain_one_takes_over() {
        local before

        before=$(cat /proc/sys/user/max_user_namespaces)
        unit stop hotpatch-notifier.service
        echo 0 >/proc/sys/user/max_user_namespaces
        unit start hotpatch-notifier.service || :
        eventually 60 unit is-active hotpatch-notifier-plain.service
        [[ $(service_status hotpatch-notifier-plain.service Seccomp) == 2 ]]
        echo "$before" >/proc/sys/user/max_user_namespaces
        # It ends with the desktop.
        unit stop test-session.target graphical-session.target
        eventually 60 eval '! unit is-active hotpatch-notifier-plain.service'
}

. "$(dirname "$0")/lib.sh"
