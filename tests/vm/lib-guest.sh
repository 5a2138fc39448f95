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

# nothing_to_do: end a testcase for which there is nothing to be tested; unlike a skip it is not reported
nothing_to_do() {
        exit 78
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

# log_mark, and log_since_mark: kernel messages after it; kernel_said REGEX: one of them
log_mark() {
        mark="mark $RANDOM$RANDOM"
        echo "$mark" >/dev/kmsg
}
log_since_mark() {
        dmesg | sed "1,/$mark/d"
}
kernel_said() {
        grep -Eq -- "$1" <<<"$(log_since_mark)"
}

# expect_file PATH REGEX / refuse_file PATH REGEX
expect_file() {
        grep -Eq -- "$2" "$1" || fail "expected /$2/ in $1, which says: $(head -c 500 "$1")"
}

refuse_file() {
        ! grep -Eq -- "$2" "$1" || fail "did not expect /$2/ in $1"
}

# eventually SECONDS COMMAND…: try it every fifth of a second until it succeeds. The seconds only say when to give up, on
# a machine that is busy with other things: what must not take long is no matter for a scenario.
eventually() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                ((SECONDS < end)) || fail "this did not come true: $*"
                sleep 0.2
        done
}

# No `| grep -q` here and in scenarios: it leaves at the first match, what is written to it after that ends by SIGPIPE, and
# the pipe has failed. A here-string is read from a file.

# expect_journal FIELD=VALUE…: there is such an entry of this boot, or will be: most come from somebody who was waked up
expect_journal() {
        eventually 60 in_journal . "$@"
}

# in_journal REGEX [FIELD=VALUE…]: one of these entries of this boot has such a message
in_journal() {
        journalctl --sync
        grep -Eq -- "$1" <<<"$(journalctl -b -q -o cat "${@:2}")"
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

# expect_crash SECONDS COMMAND…: that makes the kernel panic by itself within that time. All is prepared before: the
# command may never return.
expect_crash() {
        prepare_restart
        "${@:2}" &
        sleep "$1"
        rm -f /var/lib/scenario/restarting
        fail "the machine is still there after $1 seconds"
}

# boot_number: 1 for the first boot of this guest; also those count in which it died before any testcase
boot_number() {
        sed -n 's/.*\<vm\.boot=\([0-9]*\).*/\1/p' /proc/cmdline
}

# note_boot, and expect_boots N: so many boots have begun since then
note_boot() {
        mkdir -p /var/lib/scenario
        boot_number >/var/lib/scenario/boot
}
expect_boots() {
        local n=$(($(boot_number) - $(</var/lib/scenario/boot)))

        ((n == $1)) || fail "expected $1 boots, there were $n"
}

# ---- with '--power-cuts' as well ----

# journal_on_console: from now on everything that is written to the journal is in the kernel's log too, in one row with
# the kernel's own lines, and so on the console
journal_on_console() {
        sysctl -qw kernel.printk_devkmsg=on
        dmesg -n 8
        mkdir -p /run/systemd/journald.conf.d
        printf '[Journal]\nForwardToKMsg=yes\nMaxLevelKMsg=debug\n' >/run/systemd/journald.conf.d/console.conf
        systemctl restart systemd-journald.service
}

# cut_power_at NUMBER REGEX COMMAND…: end the testcase with a power cut while COMMAND runs, when so many lines that match
# have come out of the console; what no flush has brought to the disk is lost
cut_power_at() {
        local number=$1 regex=$2
        shift 2
        journal_on_console
        prepare_restart
        echo "hotpatch-vm: cut the power at line $number of: $regex" >/dev/kmsg
        "$@" || :
        sleep 20
        rm -f /var/lib/scenario/restarting
        fail "there was no line $number of /$regex/"
}
