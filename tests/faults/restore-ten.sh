#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Ten patches come back at the start of the machine, in one go; when their signer is no longer good, none does.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# options: --reboots 4 --timeout 900
# shellcheck disable=SC2154 # output and status come from lib-guest.sh

prepare() {
        local f

        cp "$top/tests/vm/lib-crash.sh" "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        for f in "${show_functions[@]}"; do
                build_show_bundle "$1/show-$f.hpb" "$1/keys" "$f" "$2"
        done
        revocation_list "$1/keys" "$1/revoked.crl"
        rm "$1"/keys/*.key
}

# In the guest it lies beside the scenario.
# shellcheck source=../vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

patches() {
        find /sys/kernel/livepatch -mindepth 1 -maxdepth 1 | wc -l
}

testcase_ten_patches_are_applied() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        run hotpatchctl apply show-*.hpb
        expect_status 0
        (($(patches) == 10))
        restart_orderly
}

testcase_they_are_restored() {
        local ms

        (($(patches) == 10))
        settled
        ms=$((($(usec hotpatch-restore.service ExecMainExitTimestampMonotonic) - $(usec hotpatch-restore.service ExecMainStartTimestampMonotonic)) / 1000))
        echo "# restore of 10: $ms ms" >&2
        check_boot
        expect_status 0
        cp revoked.crl /etc/hotpatch/trust.d/revocation.crl
        restart_orderly
}

testcase_after_a_revocation_they_stay_out() {
        no_livepatch
        check_boot
        ((status != 0))
        expect_output "'hp-show-swap-show' is wanted and not in force: .*revoked"
        run hotpatchctl status
        expect_output 'Safety: ALERT: .* is wanted, but its module'
        cp keys/revocation.crl /etc/hotpatch/trust.d/revocation.crl
        restart_orderly
}

testcase_and_come_back_when_it_is_taken_back() {
        (($(patches) == 10))
        check_boot
        expect_status 0
        settled
}

. "$(dirname "$0")/lib.sh"
