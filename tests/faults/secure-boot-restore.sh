#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# On a machine with Secure Boot a signed patch comes back at the start, through the same gate.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# options: --secure-boot --reboots 1 --timeout 900
# shellcheck disable=SC2154,SC2034 # variables from and for lib.sh, lib-guest.sh and tools/lib/patch.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        secure_boot_keys
        module_key=$REPLY/owner-modules.key
        build_bundle "$1/owner.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        rm "$1"/keys/*.key
}

patch=hp-example-version-line
new='hotpatch: the second line is new'

# in_force: and loaded as a signed module: O is not of the kernel's tree, K a livepatch, E would be without a signature
in_force() {
        expect_file /sys/kernel/security/lockdown '\[integrity\]'
        expect_file /proc/version "$new"
        [[ $(</sys/module/hp_version_line/taint) == OK ]] || fail "taint $(</sys/module/hp_version_line/taint)"
}

testcase_a_signed_patch_is_applied() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        run hotpatchctl apply owner.hpb
        expect_status 0
        in_force
        restart_orderly
}

testcase_it_is_restored_at_the_start() {
        in_force
        expect_journal MESSAGE_ID=417ac213474e4f02a32608b6de023ccb OBJECT_SYSTEMD_UNIT=hotpatch-restore.service _UID=0
        run hotpatchctl status
        expect_output "$patch: active.*restored at the start"
        run hotpatchctl check
        expect_status 0
        expect_output '^secure-boot +ok +on'
        hotpatchctl remove $patch
        refuse_file /proc/version "$new"
        no_livepatch
}

. "$(dirname "$0")/lib.sh"
