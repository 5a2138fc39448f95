#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A module without an exit function, and one whose removal was forced: the kernel keeps both for ever, and hotpatchd says so.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-stall.sh" "$1/"
        build_stall "$1" "$2" "$top/tests/data/patches/stall-back"
        permanent_bundle "$1/permanent.hpb" "$1/keys" "$2"
        rm "$1"/keys/*.key
}

# permanent_bundle OUT KEYS RELEASE: one whose module has no exit function. Ours all have, so this is made with a runtime
# that lacks it.
permanent_bundle() {
        local work runtime

        work=$(mktemp -d)
        runtime=$work/usr/share/hotpatch/module
        mkdir -p "${runtime%/*}"
        cp -r "$author_root/usr/share/hotpatch/module" "$runtime"
        sed -i '/^module_exit(/d' "$runtime/runtime.c"
        author_root=$work build_bundle "$1" "$2" "$top/module/examples/version-line" "$3"
        rm -rf "$work"
}

# In the guest it lies beside the scenario.
# shellcheck source=../vm/lib-stall.sh
. "$(dirname "$0")/lib-stall.sh"

# force_works: not in the first 15 seconds of a transition
force_works() {
        run hotpatchctl force "$job"
        ((status == 0))
}

# says REGEX COMMAND…: it says so; without a pipe, see lib-guest.sh
says() {
        grep -Eq -- "$1" <<<"$("${@:2}")"
}

testcase_a_module_without_an_exit_function_stays() {
        local module=/sys/module/hp_version_line

        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        run hotpatchctl apply permanent.hpb
        expect_status 0
        expect_file /proc/version 'the second line is new'
        expect_file /proc/modules '^hp_version_line .*\[permanent\]'
        run hotpatchctl remove hp-example-version-line
        ((status != 0))
        expect_output 'hp_version_line.* has no effect any more but cannot be unloaded'
        refuse_file /proc/version 'second line'
        no_livepatch
        [[ $(<$module/refcnt) == 0 ]]
        # It is not wanted any more, and told also by a daemon that only sees it lying there.
        [[ -z $(find /var/lib/hotpatch/admitted -name '*.record') ]]
        run hotpatchctl status
        expect_output 'hp_version_line.* stays in memory'
        systemctl restart hotpatchd.service
        run hotpatchctl status
        expect_output 'hp_version_line.* stays in memory'
        run hotpatchctl apply permanent.hpb
        ((status != 0))
        [[ -e $module ]]
}

testcase_a_removal_that_is_forced_pins_the_module() {
        insmod hp_stall.ko
        configure 'FreezeAfterSec=0' 'TimeoutSec=0'
        run hotpatchctl apply stall-back.hpb
        expect_status 0
        # Sits in the new function now, and keeps it from being taken out.
        sit stubborn hard
        begin remove test-stall-back
        eventually 60 names_blocker '"stubborn.service","sleeping","hp_back_hard"'
        eventually 60 force_works
        eventually 60 [ ! -e /sys/kernel/livepatch/hp_test_back ]
        eventually 60 says "hp_test_back' has no effect any more but stays in memory" hotpatchctl status
        # The job gives the kernel a second more to drop it, and says so then.
        eventually 60 says 'hp_test_back.* stays in memory until the restart' hotpatchctl history
        [[ $(cat /sys/module/hp_test_back/refcnt) == 1 ]]
        expect_file /var/lib/hotpatch/forced '^PINNED=hp_test_back$'
        # It is not wanted any more.
        [[ -z $(find /var/lib/hotpatch/admitted -name '*.record') ]]
        systemctl restart hotpatchd.service
        run hotpatchctl status
        expect_output 'hp_test_back.*stays in memory'
        echo 1 >/sys/module/hp_test_back/parameters/release
        ended stubborn
}

. "$(dirname "$0")/lib.sh"
