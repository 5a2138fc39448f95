#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The state directory on a disk of its own, whose writes are recorded while patches are applied to a real kernel, superseded,
# rolled back and removed: every state that a power cut may have left is old or new.
# kernels: 6.1.0-50-cloud-amd64
# options: --log-disk 33 --allow-oops --timeout 3600
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

# replay-states reads with the code of this tree, so it is built here and not on the fly.
prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/trial.hpb" "$1/keys" "$top/tests/data/patches/trial" "$2"
        cp -r "$top/tests/data/patches/trial" "$1/two"
        sed -i 's/"test-trial"/"test-trial-two"/; s/"sequence": 1/"sequence": 2/; s/"hp_trial"/"hp_trial_two"/
                s/^{$/{ "supersedes": [ "test-trial" ],/' "$1/two/patch.json"
        build_bundle "$1/two.hpb" "$1/keys" "$1/two" "$2"
        rm -r "$1/two" "$1"/keys/*.key
        [[ -f $top/build/build.ninja ]] || meson setup "$top/build" "$top"
        ninja -C "$top/build" tests/faults/replay-states
        cp "$top/build/tests/faults/replay-states" "$1/"
}

# Behind it are the marks.
end=$((32 << 20))

disk() {
        local block

        for block in /sys/block/vd*; do
                [[ $(<"$block/serial") != "$1" ]] || echo "/dev/${block##*/}"
        done
}

# over NAME: the operation is over, and nothing of it is left to be done
over() {
        eventually 60 test ! -e /var/lib/hotpatch/intent
        ./replay-states mark "$(disk state)" $end "$1" /
}

trials_over() {
        [[ -z $(ls -A /var/lib/hotpatch/trials) ]]
}

testcase_patches_come_and_go_on_the_disk() {
        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        printf '[Trial]\nMaxSec=10\n' >/etc/hotpatch/hotpatchd.conf.d/50-test.conf
        systemctl stop hotpatchd.service
        mke2fs -q -t ext4 -b 4096 -E lazy_itable_init=0 "$(disk state)" $((end / 1024))k
        mount "$(disk state)" /var/lib/hotpatch
        rmdir /var/lib/hotpatch/lost+found
        sync
        hotpatchctl status
        over start
        hotpatchctl apply trial.hpb
        over apply
        eventually 200 trials_over
        over 'the trial passes'
        hotpatchctl stage two.hpb
        over stage
        hotpatchctl apply test-trial-two
        over supersede
        hotpatchctl remove test-trial-two
        over 'remove it on trial'
        hotpatchctl apply test-trial-two
        over 'apply again'
        cp /bin/cat bad-warn
        ./bad-warn /proc/version || :
        eventually 200 trials_over
        over 'roll back'
        systemctl stop hotpatchd.service
        umount /var/lib/hotpatch
}

testcase_every_state_of_the_disk_is_old_or_new() {
        modprobe loop
        run ./replay-states check "$(disk log)" $end ext4 1 /run/replay / all
        sed -n 's/^# /note: /p' <<<"$output"
        expect_status 0
        ! dmesg | grep -E 'EXT4-fs error|I/O error'
}

. "$(dirname "$0")/lib.sh"
