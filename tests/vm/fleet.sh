#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What scanners and fleets see of a real machine: the published files, OVAL, VEX, metrics under their sandbox, and records
# that arrive elsewhere with all their fields.
# kernels: 6.1.0-50-cloud-amd64
# seconds: 120
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

# Beside the packages of every guest: openscap-scanner, openscap-common, systemd-journal-remote.

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        # shellcheck disable=SC2034 # for build_bundle
        bundle_options=(--fix CVE-2026-0001)
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        cp "$top/doc/examples/hotpatch-oval.xml" "$1/"
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

testcase_everybody_may_read_that_and_list_nothing() {
        run as_user cat "$fixed" /run/hotpatch/status.json
        expect_status 0
        run as_user ls /run/hotpatch
        expect_status 2
        [[ $(stat -c %a /run/hotpatch) == 711 ]]
        run as_user cat /run/hotpatch/findings
        expect_output 'Permission denied'
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
        expect_output '^hotpatch_fixes_in_force 1$'
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
                --output=/var/log/journal/remote/here.journal
        eventually 10 sh -c 'ss -ltn | grep -q :19532 || grep -q :4C4C /proc/net/tcp'
        /lib/systemd/systemd-journal-upload --url=http://127.0.0.1:19532 --save-state=/run/upload --follow=no
        run journalctl --file=/var/log/journal/remote/here.journal -o json _SYSTEMD_UNIT=hotpatchd.service \
                MESSAGE_ID=ff2519a772ec483eaa691056a43bb381
        expect_output '"HOTPATCH_CVE":"CVE-2026-0001"'
        expect_output '"HOTPATCH_PATCH":"hp-example-version-line"'
        systemctl stop receiver.service
}

. "$(dirname "$0")/lib.sh"
