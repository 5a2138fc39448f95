# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What testcases may use; sourced in the guest by lib.sh. A testcase ends at its first failing command,
# so a plain command is an assertion too; these add a sentence that says what was expected.

fail() {
        echo "$*"
        exit 1
}

skip() {
        echo "$*"
        exit 77
}

# run COMMAND…: run it whatever comes of it; $status and $output (both streams) tell
run() {
        status=0
        output=$("$@" 2>&1) || status=$?
        printf '$ %s\n%s\n[%s]\n' "$*" "$output" "$status"
}

# as_user COMMAND…: the same command as the ordinary user, in a login session
as_user() {
        runuser -l user -c "$(printf '%q ' "$@")" </dev/null
}

# expect_status NUMBER: of the last run
expect_status() {
        [[ $status == "$1" ]] || fail "expected exit status $1, got $status"
}

# expect_output REGEX / refuse_output REGEX: in the output of the last run
expect_output() {
        grep -Eq -- "$1" <<<"$output" || fail "expected /$1/ in the output"
}

refuse_output() {
        ! grep -Eq -- "$1" <<<"$output" || fail "did not expect /$1/ in the output"
}

# log_mark, and log_since_mark: kernel messages after it
log_mark() {
        mark="mark $RANDOM$RANDOM"
        echo "$mark" >/dev/kmsg
}
log_since_mark() {
        dmesg | sed "1,/$mark/d"
}

# expect_file PATH REGEX / refuse_file PATH REGEX
expect_file() {
        grep -Eq -- "$2" "$1" || fail "expected /$2/ in $1, which says: $(head -c 500 "$1")"
}

refuse_file() {
        ! grep -Eq -- "$2" "$1" || fail "did not expect /$2/ in $1"
}

# eventually SECONDS COMMAND…: try it every fifth of a second until it succeeds
eventually() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                ((SECONDS < end)) || fail "this did not come true: $*"
                sleep 0.2
        done
}

# expect_journal FIELD=VALUE…: there is such an entry of this boot
expect_journal() {
        journalctl --sync
        journalctl -b -o json "$@" | grep -q . || fail "no journal entry with $*"
}

# no_livepatch: nothing is patched and no job is left behind
no_livepatch() {
        [[ -z $(ls /sys/kernel/livepatch) ]] || fail "still in the kernel: $(ls /sys/kernel/livepatch)"
}

# ---- for scenarios with '# options: --reboots N' ----

# prepare_restart [KERNEL [WORDS]]: the next boot has this kernel and these words on its command line, and goes on
# with the next testcase
prepare_restart() {
        /usr/lib/hotpatch-vm/next "$@"
        mkdir -p /var/lib/scenario
        # shellcheck disable=SC2154 # from lib.sh
        echo "$testcase" >/var/lib/scenario/restarting
        sync
}

# restart_orderly [KERNEL [WORDS]]: end the testcase with a restart
restart_orderly() {
        prepare_restart "$@"
        systemctl reboot --no-block
        sleep 300
}

# restart_by_crash: end the testcase with a panic, as the kernel itself makes one; what is not on the disk is lost
restart_by_crash() {
        prepare_restart "$@"
        sysctl -qw kernel.sysrq=1
        echo c >/proc/sysrq-trigger
        sleep 300
}

# wait_for_crash SECONDS [KERNEL [WORDS]]: the kernel will panic by itself within that time
wait_for_crash() {
        local seconds=$1
        shift
        prepare_restart "$@"
        sleep "$seconds"
        rm -f /var/lib/scenario/restarting
        fail "the machine is still there after $seconds seconds"
}
