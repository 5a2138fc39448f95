#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Patches on trial: one that behaves passes, one that gives a bad sign is taken out by itself, with the reason named and the
# old behaviour back.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 480
# options: --allow-oops --timeout 1200
# model: --patch test-trial --patch test-trial-two --supersedes --without test-self-test --released
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/trial.hpb" "$1/keys" "$top/tests/data/patches/trial" "$2"
        build_bundle "$1/self-test.hpb" "$1/keys" "$top/tests/data/patches/self-test" "$2"
        # The same with another line, to supersede it.
        cp -r "$top/tests/data/patches/trial" "$1/two"
        sed -i 's/"test-trial"/"test-trial-two"/; s/"sequence": 1/"sequence": 2/; s/"hp_trial"/"hp_trial_two"/
                s/^{$/{ "supersedes": [ "test-trial" ],/' "$1/two/patch.json"
        sed -i 's/trial: the first/trial: the second/' "$1/two/trial.c"
        build_bundle "$1/two.hpb" "$1/keys" "$1/two" "$2"
        rm -r "$1/two" "$1"/keys/*.key
        # A user's program that crashes under a name of his choice.
        gcc -O1 -Wall -o "$1/crash" -x c - <<'CRASH'
#include <stddef.h>
#include <sys/prctl.h>

int main(int argc, char *argv[]) {
        volatile int *volatile nowhere = NULL;

        prctl(PR_SET_NAME, argv[argc - 1]);
        return *nowhere;
}
CRASH
}

first='trial: the first'
second='trial: the second'
drop_in=/etc/hotpatch/hotpatchd.conf.d/50-test.conf

# policy LINE…: with these lines in [Trial], and nothing left of the testcase before
policy() {
        systemctl stop hotpatchd
        rm -rf /var/lib/hotpatch/strikes /etc/hotpatch/checks.d/*
        mkdir -p "${drop_in%/*}"
        printf '%s\n' '[Trial]' "$@" >"$drop_in"
        begun=$(date +%s)
}

apply() {
        run hotpatchctl apply "$1"
        expect_status 0
}

# misbehave HOW: a program of that name reads /proc/version
misbehave() {
        cp /bin/cat "bad-$1"
        "./bad-$1" /proc/version >/dev/null || :
}

# is_out: the patch is not in the kernel, and what it did is over
is_out() {
        [[ ! -e /sys/module/hp_trial && ! -e /sys/module/hp_trial_two && ! -e /sys/module/hp_self_test ]]
}

# said REGEX: the journal says so since policy(), at the level alert
said() {
        in_journal "$1" -u hotpatchd -p alert --since "@$begun"
}

# expect_rolled_back REGEX: it is taken out by itself, and that is why
expect_rolled_back() {
        eventually 60 is_out
        refuse_file /proc/version 'trial:'
        eventually 60 test ! -e /var/lib/hotpatch/intent
        eventually 60 said "$1"
        [[ -z $(ls /var/lib/hotpatch/trials) && -z $(ls /var/lib/hotpatch/superseded) ]]
        run hotpatchctl status
        expect_output 'test-(trial|self-test)'
        expect_output "$1"
        run hotpatchctl list
        refuse_output 'on trial'
}

testcase_the_machine_trusts_our_keys() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
}

testcase_a_trial_passes() {
        policy MaxSec=15
        apply trial.hpb
        expect_file /proc/version "$first"
        run hotpatchctl list
        expect_output 'on trial'
        [[ -n $(ls /var/lib/hotpatch/trials) ]]
        # Longer than the daemon would stay without.
        eventually 60 eval '[[ -z $(ls /var/lib/hotpatch/trials) ]]'
        eventually 60 in_journal 'has passed' -u hotpatchd --since "@$begun"
        expect_file /proc/version "$first"
        run hotpatchctl list
        refuse_output 'on trial'
        run hotpatchctl remove test-trial
        expect_status 0
}

testcase_a_warning_takes_the_patch_out() {
        local at reversed
        policy
        apply trial.hpb
        at=$(date +%s%3N)
        misbehave warn
        eventually 60 is_out
        expect_journal MESSAGE_ID=907a53aeab084bd1807f44915b8635d1 --since "@$begun"
        reversed=$(journalctl -b -n 1 --since "@$begun" -o json MESSAGE_ID=907a53aeab084bd1807f44915b8635d1 |
                sed -n 's/.*"__REALTIME_TIMESTAMP":"\([0-9]*\)[0-9]\{3\}".*/\1/p')
        # A second is the aim, and tools/bench measures it. This is to tell it from a look every now and then.
        echo "from the warning to the begin of the reversal: $((reversed - at)) ms"
        ((reversed - at < 30000))
        expect_rolled_back 'warning in bad_warn \[hp_trial\]: trial: a warning of the patch'
}

testcase_a_refcount_that_overflows_takes_it_out() {
        policy
        apply trial.hpb
        misbehave refcount
        expect_rolled_back 'refcount_t: addition on 0'
}

# Every one of these lines stands in the log of the kernel, in its own name.
testcase_names_of_programs_that_crash_are_no_sign() {
        local name
        policy Signs='kernel-log kernel-oops kernel-warning'
        # A user has his own folder, and may not look into ours.
        install -m 755 crash /usr/local/bin/crash
        apply trial.hpb
        log_mark
        for name in 'BUG: x' 'Oops: 0002 [#1]' 'int3: 0000 [#1]' 'WARNING: CPU: 0' 'kernel BUG at ' 'rcu: INFO: x'; do
                as_user /usr/local/bin/crash "$name" || :
        done
        log_since_mark >crashes
        grep -F 'Oops: 0002 [#1][' crashes
        (($(grep -c segfault crashes) == 6))
        # Longer than a report stays open.
        sleep 4
        expect_file /proc/version "$first"
        run hotpatchctl list
        expect_output 'on trial'
        run hotpatchctl remove test-trial
        expect_status 0
}

testcase_an_oops_in_a_kernel_thread_takes_it_out() {
        policy
        apply trial.hpb
        misbehave oops
        expect_rolled_back 'oops in bad_oops \[hp_trial\]: BUG: kernel NULL pointer dereference'
}

testcase_a_general_protection_fault_takes_it_out() {
        policy
        apply trial.hpb
        misbehave fault
        expect_rolled_back 'oops in bad_oops \[hp_trial\]'
}

testcase_new_taint_takes_it_out() {
        policy Signs=taint
        apply trial.hpb
        misbehave taint
        expect_rolled_back 'tainted: I '
}

testcase_a_service_that_fails_takes_it_out() { # once
        policy
        systemd-run --unit=web sleep 1000
        apply trial.hpb
        # hotpatchd has asked systemd what runs; who asks after it by the same bus is answered after it.
        busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Version
        systemctl kill -s SEGV web
        expect_rolled_back "the unit 'web.service', which was running before, has failed"
        systemctl reset-failed web
}

testcase_a_check_that_fails_takes_it_out() { # once
        policy CheckIntervalSec=2
        cat >/etc/hotpatch/checks.d/answer <<'CHECK'
#!/bin/sh
if [ -e /run/broken ]; then
        echo 'the answer is not what it was'
        exit 1
fi
echo 'all is well'
CHECK
        chmod 755 /etc/hotpatch/checks.d/answer
        apply trial.hpb
        eventually 60 in_journal 'all is well' -u hotpatch-check@answer.service
        expect_file /proc/version "$first"
        touch /run/broken
        expect_rolled_back "the check 'answer' failed: the answer is not what it was"
        eventually 60 in_journal 'the answer is not what it was' -u hotpatch-check@answer.service
        rm /run/broken
}

testcase_a_check_that_hangs_takes_it_out() { # once
        policy CheckIntervalSec=2
        mkdir -p /run/systemd/system/hotpatch-check@.service.d
        printf '%s\n' '[Service]' TimeoutStartSec=3 >/run/systemd/system/hotpatch-check@.service.d/short.conf
        systemctl daemon-reload
        printf '%s\n' '#!/bin/sh' 'sleep 1000' >/etc/hotpatch/checks.d/hang
        chmod 755 /etc/hotpatch/checks.d/hang
        apply trial.hpb
        expect_rolled_back "the check 'hang' failed"
}

testcase_a_check_that_others_can_write_is_not_run() { # once
        policy CheckIntervalSec=2 MaxSec=6
        printf '%s\n' '#!/bin/sh' 'exit 1' >/etc/hotpatch/checks.d/open
        chmod 777 /etc/hotpatch/checks.d/open
        apply trial.hpb
        eventually 60 in_journal "check 'open' was not run: others than root" -u hotpatchd --since "@$begun"
        eventually 60 in_journal 'has passed' -u hotpatchd --since "@$begun"
        run hotpatchctl remove test-trial
        expect_status 0
}

self=/sys/module/hp_self_test

# has_run N: the self-test ran so often
has_run() {
        (($(<$self/parameters/runs) >= $1))
}

testcase_the_patch_is_asked_whether_it_is_well_and_that_is_no_alarm() {
        policy MaxSec=10 CheckIntervalSec=1
        apply self-test.hpb
        # Once at the insertion, at the begin of the trial, and then each second.
        eventually 60 has_run 4
        expect_file $self/hotpatch/tripwires '^TEST-SELF 0$'
        run as_user tee $self/hotpatch/self_test <<<1
        expect_status 1
        eventually 60 in_journal 'has passed' -u hotpatchd --since "@$begun"
        run journalctl -b -q -u hotpatchd --since "@$begun" -o cat -p warning
        refuse_output 'ripwire|self-test'
        # What somebody else does is one.
        cp /bin/cat intruder
        ! ./intruder /proc/version
        expect_file $self/hotpatch/tripwires '^TEST-SELF 1$'
        eventually 60 said "Tripwire of patch 'test-self-test' was hit"
        run hotpatchctl remove test-self-test
        expect_status 0
}

testcase_a_self_test_that_begins_to_fail_takes_it_out() {
        policy CheckIntervalSec=1
        apply self-test.hpb
        expect_file /proc/version 'not for everybody'
        log_mark
        echo 1 >$self/parameters/fail_after
        expect_rolled_back "the self-test of module 'hp_self_test' failed: Input/output error"
        kernel_said "hotpatch: hp_self_test: self-test 'well' failed: error -5"
        refuse_file /proc/version 'not for everybody'
}

testcase_pressure_takes_it_out() {
        [[ -e /proc/pressure/memory ]] || skip "this kernel does not measure pressure"
        cat /proc/pressure/memory || skip "this kernel does not measure pressure"
        policy MemoryPressurePercent=1 Signs=pressure
        apply trial.hpb
        systemd-run --unit=hog -p MemoryHigh=8M -p MemorySwapMax=0 tail /dev/zero
        eventually 60 is_out || { cat /proc/pressure/memory; false; }
        systemctl stop hog
        expect_rolled_back 'all tasks have waited for memory'
}

# Nothing waits for memory yet, and half of it is in no counter.
testcase_a_leak_takes_it_out() {
        local files=()
        policy Signs=kernel-memory KernelMemoryPercent=5
        apply trial.hpb
        for _ in $(seq 80); do files+=(/proc/version); done
        cp /bin/cat bad-leak
        ./bad-leak "${files[@]}" >/dev/null
        expect_rolled_back 'the kernel keeps [0-9]+ MiB more memory for itself than before, more than 5 percent of all'
}

testcase_what_a_dead_daemon_missed_counts_at_its_next_start() { # once
        policy
        apply trial.hpb
        systemctl stop hotpatchd
        misbehave warn
        expect_file /proc/version "$first"
        systemctl start hotpatchd
        expect_rolled_back 'trial: a warning of the patch'
}

testcase_a_trial_goes_on_after_a_kill() { # once
        policy
        apply trial.hpb
        systemctl kill -s KILL hotpatchd
        eventually 60 systemctl is-active hotpatchd
        run hotpatchctl list
        expect_output 'on trial'
        misbehave warn
        expect_rolled_back 'trial: a warning of the patch'
}

testcase_a_superseded_patch_comes_back() { # once
        policy
        apply trial.hpb
        apply two.hpb
        expect_file /proc/version "$second"
        misbehave warn
        eventually 60 grep -q "$first" /proc/version
        eventually 60 test ! -e /var/lib/hotpatch/intent
        refuse_file /proc/version "$second"
        eventually 60 said 'warning in bad_warn \[hp_trial_two\]'
        # What comes back is watched as well, for what names it.
        run hotpatchctl list
        expect_output 'test-trial .*on trial'
        run hotpatchctl show test-trial
        expect_output 'it came back by a rollback, and only signs that name it count'
        run hotpatchctl remove test-trial
        expect_status 0
        [[ -z $(ls /var/lib/hotpatch/trials) ]]
}

. "$(dirname "$0")/lib.sh"
