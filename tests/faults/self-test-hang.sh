#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A self-test that does not come back is a bad sign after a minute; the patch is out of force, and its module is kept by
# the test that still runs.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/self-test.hpb" "$1/keys" "$top/tests/data/patches/self-test" "$2"
        rm "$1"/keys/*.key
}

self=/sys/module/hp_self_test

is_out_of_force() {
        ! grep -q 'not for everybody' /proc/version
}

stays_in_memory() {
        grep -q 'hp_self_test.*stays in memory' <<<"$(hotpatchctl status)"
}

nobody_holds_it() {
        [[ $(<$self/refcnt) == 0 ]]
}

testcase_a_self_test_that_hangs_takes_the_patch_out_of_force() {
        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        printf '%s\n' '[Trial]' CheckIntervalSec=1 >/etc/hotpatch/hotpatchd.conf.d/50-test.conf
        run hotpatchctl apply self-test.hpb
        expect_status 0
        expect_file /proc/version 'not for everybody'
        echo 1 >$self/parameters/hang
        # A minute, and what it takes on a machine that is busy.
        eventually 200 is_out_of_force
        in_journal "the self-test of module 'hp_self_test' did not answer within 60 seconds" -u hotpatchd -p alert
        eventually 60 stays_in_memory
        [[ $(<$self/refcnt) == 1 ]]
        # The machine is well: other modules come and go.
        modprobe pktgen
        rmmod pktgen
}

testcase_when_it_ends_the_module_can_go() {
        echo 0 >$self/parameters/hang
        eventually 60 nobody_holds_it
        systemctl restart hotpatchd
        hotpatchctl list
        eventually 60 [ ! -e $self ]
        run hotpatchctl status
        refuse_output 'stays in memory'
}

. "$(dirname "$0")/lib.sh"
