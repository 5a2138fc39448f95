#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job: a signed bundle goes in, the kernel changes, everybody can see it, and it comes out again.
# kernels: 6.1.0-50-cloud-amd64 6.1.0-56-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 200
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        hotpatchctl --quiet key generate --name Stranger "$1/stranger"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        build_bundle "$1/pktgen.hpb" "$1/keys" "$top/module/examples/pktgen-line" "$2"
        build_bundle "$1/stranger.hpb" "$1/stranger" "$top/module/examples/version-line" "$2"
        # The private keys stay here.
        rm "$1"/{keys,stranger}/*.key
        # Damage in one bit of the payload, and in one bit of the manifest.
        cp "$1/version.hpb" "$1/payload.hpb"
        flip_bit "$1/payload.hpb" $(($(stat -c %s "$1/version.hpb") - 4096))
        cp "$1/version.hpb" "$1/manifest.hpb"
        flip_bit "$1/manifest.hpb" 600
}

version=hp-example-version-line
pktgen=hp-example-pktgen-line
new='hotpatch: the second line is new'

testcase_without_a_root_certificate_nothing_is_trusted() {
        run hotpatchctl verify version.hpb
        expect_output 'NoTrustAnchors|no root certificate'
        ((status != 0))
        run hotpatchctl apply version.hpb
        ((status != 0))
        no_livepatch
}

testcase_with_it_the_bundle_is_trusted() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        run hotpatchctl verify version.hpb
        expect_status 0
        expect_output "$version"
}

testcase_the_plan_says_what_would_happen_and_does_nothing() {
        run hotpatchctl plan version.hpb
        expect_status 0
        expect_output 'version_proc_show'
        no_livepatch
        refuse_file /proc/version "$new"
}

testcase_the_ordinary_user_may_look_but_not_apply() { # once
        cp version.hpb /home/user/
        run as_user hotpatchctl list
        expect_status 0
        run as_user hotpatchctl --no-ask-password apply version.hpb
        expect_status 4
        no_livepatch
}

testcase_apply_changes_the_kernel() {
        refuse_file /proc/version "$new"
        run hotpatchctl apply version.hpb
        expect_status 0
        expect_file /proc/version "$new"
        expect_file /sys/kernel/livepatch/hp_version_line/enabled 1
        expect_file /sys/kernel/livepatch/hp_version_line/transition 0
}

testcase_everybody_can_see_it() {
        run as_user hotpatchctl status
        expect_status 0
        expect_output "$version"
        run as_user hotpatchctl --json list
        expect_status 0
        jq -e --arg id "$version" '.. | objects | select(.id? == $id)' <<<"$output" >/dev/null
        run as_user hotpatchctl show "$version"
        expect_output 'version_proc_show'
        expect_journal _SYSTEMD_UNIT=hotpatchd.service "HOTPATCH_PATCH=$version"
}

testcase_applying_again_is_nothing_to_do() {
        run hotpatchctl apply version.hpb
        expect_status 0
        expect_file /proc/version "$new"
}

testcase_a_restart_of_the_service_does_not_touch_the_patch() {
        systemctl restart hotpatchd.service
        run hotpatchctl list
        expect_output "$version"
        expect_file /proc/version "$new"
}

testcase_a_module_is_patched_before_it_is_loaded() {
        run hotpatchctl apply pktgen.hpb
        expect_status 0
        modprobe pktgen
        expect_file /proc/net/pktgen/pgctrl "$new"
}

testcase_the_ordinary_user_may_not_remove() { # once
        run as_user hotpatchctl --no-ask-password remove "$version"
        expect_status 4
        expect_file /proc/version "$new"
}

testcase_remove_brings_the_old_kernel_back() {
        run hotpatchctl remove "$version" "$pktgen"
        expect_status 0
        refuse_file /proc/version "$new"
        refuse_file /proc/net/pktgen/pgctrl "$new"
        no_livepatch
        refuse_file /proc/modules '^hp_'
}

testcase_removing_again_finds_nothing_to_remove() {
        run hotpatchctl remove "$version"
        expect_status 3
        expect_output 'no patch'
}

testcase_a_loaded_module_is_patched() {
        grep -q '^pktgen ' /proc/modules
        run hotpatchctl apply pktgen.hpb
        expect_status 0
        expect_file /proc/net/pktgen/pgctrl "$new"
        run hotpatchctl remove "$pktgen"
        expect_status 0
        refuse_file /proc/net/pktgen/pgctrl "$new"
}

testcase_two_bundles_are_one_transaction() {
        run hotpatchctl apply version.hpb pktgen.hpb
        expect_status 0
        expect_file /proc/version "$new"
        expect_file /proc/net/pktgen/pgctrl "$new"
        run hotpatchctl remove "$version" "$pktgen"
        expect_status 0
        no_livepatch
}

testcase_damaged_and_foreign_bundles_are_refused_by_name() { # once
        local row
        for row in payload:PayloadMismatch manifest:SignatureInvalid stranger:SignerNotTrusted; do
                run hotpatchctl --json=short apply "${row%:*}.hpb"
                ((status != 0))
                expect_output "org.hotpatch.Error.${row#*:}"
        done
        no_livepatch
        refuse_file /proc/version "$new"
}

testcase_history_tells_it_all() {
        run hotpatchctl history
        expect_status 0
        expect_output "$version"
        expect_output "$pktgen"
}

testcase_nothing_is_left_behind() {
        no_livepatch
        # Private copies of modules are kept only while they are being loaded.
        [[ -z $(ls -A /run/hotpatch/load 2>/dev/null) ]] || fail "left over: $(ls -A /run/hotpatch/load)"
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
}

. "$(dirname "$0")/lib.sh"
