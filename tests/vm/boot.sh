#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages on a stock kernel, before anything is patched: the ground the other scenarios stand on.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 140
# shellcheck disable=SC2154 # output comes from lib-guest.sh

testcase_the_wanted_kernel_runs() {
        [[ $(uname -r) == "$HOTPATCH_KERNEL" ]]
        [[ -d /sys/kernel/livepatch ]]
}

testcase_systemd_runs_without_failed_units() {
        eventually 60 systemctl is-system-running
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
}

testcase_dbus_and_polkit_answer() {
        busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ListNames >/dev/null
        run busctl get-property org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority \
                org.freedesktop.PolicyKit1.Authority BackendName
        expect_status 0
}

testcase_our_packages_are_installed_and_whole() { # once
        local package
        for package in hotpatch hotpatch-dev hotpatch-notifier; do
                run dpkg-query -W -f '${db:Status-Status}' "$package"
                expect_output '^installed$'
                run dpkg --verify "$package"
                [[ -z $output ]]
        done
}

testcase_the_service_answers_on_the_bus() {
        run busctl get-property org.hotpatch.Hotpatch1 /org/hotpatch/Hotpatch1 \
                org.hotpatch.Hotpatch1.Manager Version
        expect_status 0
        expect_output '^s "[0-9.]+"$'
        run as_user hotpatchctl status
        expect_status 0
}

testcase_an_ordinary_guest_has_no_posture() {
        local row

        # The other way round than in secure-boot.sh.
        hotpatchctl --json=short check >answer || true
        for row in 'secure-boot missing off: not started by UEFI' 'lockdown missing none' 'tpm2 missing none' \
                'module-signatures missing not required'; do
                jq -r '.checks[] | .check + " " + .verdict + " " + .found' answer | grep -Fx "$row"
        done
}

testcase_systemd_finds_no_fault_in_our_units() { # once
        local unit
        for unit in $(dpkg -L hotpatch | grep -E '^/(usr/)?lib/systemd/system/[^/]+\.(service|timer|socket|target)$'); do
                # It reports other packages' units as well; ours must not be among them.
                run systemd-analyze verify --man=no "$unit"
                refuse_output "${unit##*/}"
        done
}

testcase_the_notifier_waits_for_desktops() { # once
        run systemctl --global is-enabled hotpatch-notifier.service
        expect_output '^enabled$'
        run hotpatch-notifier --version
        expect_status 0
}

testcase_the_sandbox_of_the_service_is_tight() {
        # Tenths: 3.0 is what systemd-logind has.
        run systemd-analyze security --no-pager --threshold=30 hotpatchd.service
        expect_status 0
}

testcase_every_message_has_a_catalog_entry() { # once
        local id count=0
        for id in $(sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' /usr/lib/systemd/catalog/hotpatch.catalog); do
                run journalctl --dump-catalog "$id"
                expect_status 0
                expect_output '^Defined-By: |^Subject: '
                count=$((count + 1))
        done
        ((count >= 5))
}

testcase_the_manual_pages_and_the_completion_are_there() { # once
        local page
        for page in man1/hotpatchctl.1 man1/hotpatch-module.1 man1/hotpatch-notifier.1 man5/hotpatch-bundle.5 man5/hotpatch-trust.5 \
                man5/org.hotpatch.Hotpatch1.5 man8/hotpatchd.8; do
                [[ -s /usr/share/man/$page.gz ]] || fail "no $page"
        done
        [[ -s /usr/share/bash-completion/completions/hotpatchctl ]]
}

testcase_the_packages_can_be_removed_and_leave_nothing() { # once
        local left
        run dpkg --purge hotpatch hotpatch-dev hotpatch-notifier
        expect_status 0
        run find /etc/systemd/user -name 'hotpatch*'
        [[ -z $output ]]
        for left in /var/lib/hotpatch /run/hotpatch /usr/libexec/hotpatch /usr/share/hotpatch; do
                [[ ! -e $left ]] || fail "$left is still there: $(find "$left" | head)"
        done
        run systemctl list-unit-files 'hotpatch*' --no-legend
        [[ -z $output ]]
}

. "$(dirname "$0")/lib.sh"
