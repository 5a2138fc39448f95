#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What hotpatchctl needs a real system for: a person without root at a terminal, the journal, and a
# service that cannot be started. The rest is in tests/bus/test_ctl.py.
# kernels: 6.1.0-50-cloud-amd64
# seconds: 60
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        local tree lib
        tree=$(cd "$(dirname "$scenario_file")/../.." && pwd)
        for lib in common packages vm-image patch; do
                # shellcheck source=/dev/null
                . "$tree/tools/lib/$lib.sh"
        done

        use_author_tools
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$tree/module/examples/version-line" "$2"
}

trust_the_vendor() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        install -m 644 version.hpb /tmp/version.hpb
}

patch=hp-example-version-line

testcase_root_applies_and_the_history_tells() {
        trust_the_vendor
        run hotpatchctl apply /tmp/version.hpb
        expect_status 0
        expect_output "^$patch is now in force"
        expect_file /proc/version 'second line'
        journalctl --sync
        run hotpatchctl history
        expect_status 0
        expect_output " applied +$patch "
        run hotpatchctl apply /tmp/version.hpb
        expect_status 0
        expect_output '^Nothing to do: '
}

testcase_without_a_terminal_nobody_can_be_asked() {
        run as_user hotpatchctl remove "$patch"
        expect_status 4
        expect_output 'Remedy: Run the command in a terminal'
        run as_user hotpatchctl status
        expect_status 0
        expect_file /proc/version 'second line'
}

# at_terminal PASSWORD COMMAND: the user runs it at a terminal and types the password when asked for one.
# Not before: the agent reads only what comes after it has turned the echo off.
at_terminal() {
        local folder=/tmp/terminal

        rm -rf "$folder"
        install -d -o user "$folder"
        run bash -c "echo_is_off() {
                        local terminal
                        for terminal in /dev/pts/[0-9]*; do
                                stty -F \$terminal -a 2>/dev/null
                        done | grep -c -e ' -echo ' >$folder/terminals
                }
                until [[ -e $folder/ended ]]; do
                        sleep 0.2
                        if [[ ! -e $folder/typed ]] && grep -qs Password: $folder/shown; then
                                until echo_is_off || [[ -e $folder/ended ]]; do sleep 0.2; done
                                echo $1
                                touch $folder/typed
                        fi
                done |
                { runuser -l user -c \"script -qefc '$2' $folder/shown\"; r=\$?; touch $folder/ended; exit \$r; }"
}

testcase_a_person_at_a_terminal_is_asked_for_a_password() {
        local password=not-a-secret
        echo "root:$password" | chpasswd
        at_terminal "$password" "hotpatchctl --no-ask-password remove $patch"
        expect_status 4
        refuse_output 'AUTHENTICATING'
        at_terminal "$password" "hotpatchctl remove $patch"
        expect_status 0
        expect_output 'AUTHENTICATION COMPLETE'
        expect_output "$patch.* is now out of the running kernel"
        refuse_output "$password"
        refuse_file /proc/version 'second line'
        no_livepatch
}

testcase_the_history_believes_only_hotpatchd() {
        # The MESSAGE_ID of "applied", from outside of hotpatchd's unit: by root, and by anybody.
        local forged=$'MESSAGE=Forged\nHOTPATCH_PATCH=forged\nMESSAGE_ID=ff2519a772ec483eaa691056a43bb381'
        logger --journald <<<"$forged"
        runuser -u user -- logger --journald <<<"$forged"
        expect_journal HOTPATCH_PATCH=forged
        run hotpatchctl history
        expect_output " removed +$patch "
        refuse_output '[Ff]orged'
}

testcase_who_may_not_read_the_journal_is_told() {
        run as_user hotpatchctl history
        expect_status 4
        expect_output 'systemd-journal'
        usermod -aG systemd-journal user
        run as_user hotpatchctl history -n 1
        expect_status 0
        expect_output "$patch"
}

testcase_a_masked_service_is_out_of_reach() {
        systemctl stop hotpatchd.service
        systemctl mask hotpatchd.service
        run hotpatchctl status
        expect_status 9
        expect_output 'Safety: NOT KNOWN'
        expect_output 'Running: Linux'
        expect_output 'To do: .*masked'
        run hotpatchctl list
        expect_status 9
        expect_output 'Remedy: '
        systemctl unmask hotpatchd.service
        run hotpatchctl status
        expect_status 0
}

. "$(dirname "$0")/lib.sh"
