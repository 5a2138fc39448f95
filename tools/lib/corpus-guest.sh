#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guest's half of tools/corpus --load: put one patch module after the other into the kernel, look
# whether it does harm, and take it out again. Says where it is before each step, so that the host knows
# what a dead guest was doing:
#
#     at NUMBER STEP              before a step
#     end NUMBER ok MILLISECONDS  the time of the transition
#     end NUMBER bad WORDS        what was wrong
#
# Standard input: lines "NUMBER MODULE OBJECT…"; an OBJECT to be loaded first, if it can be.
set -u
cd "$(dirname "$0")" || exit 125

# What no kernel says that is well; the livepatch core's own WARNs count as any other.
complaint='WARNING: |BUG:|Oops|general protection|Call Trace|stack guard|unreliable stack|kernel panic|rcu.*stall|hung_task|soft lockup'
# Bits of /proc/sys/kernel/tainted: bad page, oops, warning, lockup (Documentation/admin-guide/tainted-kernels).
harmed=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

milliseconds() {
        local now=${EPOCHREALTIME/[.,]/}
        echo "${now::-3}"
}

# wait_for SECONDS COMMAND…
wait_for() {
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                ((SECONDS < end)) || return 1
                sleep 0.05
        done
}

transition_over() {
        [[ ! -e $patch/transition || $(cat "$patch/transition" 2>/dev/null) == 0 ]]
}

gone() {
        [[ ! -e $patch ]]
}

unload() {
        rmmod "$name" 2>/dev/null
}

# sane STEP: the kernel said nothing bad since the last time
sane() {
        local words now

        words=$(dmesg -c | grep -E -m 1 -A 3 "$complaint" | cut -c -160 | tr '\n' ' ')
        now=$(cat /proc/sys/kernel/tainted)
        if [[ -n $words ]]; then
                problem="$1: $words"
                return 1
        fi
        if (((now & ~taint) & harmed)); then
                problem="$1: the kernel is tainted ($now)"
                return 1
        fi
}

# cycle: sets problem and returns 1 as soon as something is wrong
cycle() {
        local begin

        echo "at $number insert"
        # A kernel log that is not ours must not be taken for ours.
        dmesg -C
        taint=$(cat /proc/sys/kernel/tainted)
        begin=$(milliseconds)
        if ! output=$(insmod "./$module" 2>&1); then
                output+="; $(dmesg | grep -E -m 1 -A 1 "$complaint" || dmesg | grep -v 'taints kernel' | tail -n 2)"
                problem="insmod: ${output:0:300}"
                return 1
        fi
        echo "at $number transition"
        wait_for 90 transition_over || { problem="the transition did not end"; return 1; }
        took=$(($(milliseconds) - begin))
        echo "at $number exercise"
        output=$(timeout 150 ./exercise 2>&1) || { problem="exercise: $output"; return 1; }
        sane "patched" || return 1
        echo "at $number remove"
        echo 0 >"$patch/enabled" || { problem="it cannot be disabled"; return 1; }
        wait_for 90 gone || { problem="the transition back did not end"; return 1; }
        wait_for 30 unload || { problem="it cannot be unloaded"; return 1; }
        output=$(timeout 150 ./exercise 2>&1) || { problem="exercise after it: $output"; return 1; }
        sane "removed"
}

output=$(timeout 150 ./exercise 2>&1) || { echo "end 0 bad $output"; exit 1; }
while read -r number module objects; do
        name=$(modinfo -F name "./$module")
        patch=/sys/kernel/livepatch/$name
        for object in $objects; do
                [[ $object == vmlinux ]] || { echo "at $number modprobe"; modprobe -q "$object"; }
        done
        if cycle; then
                echo "end $number ok $took"
        else
                echo "end $number bad ${problem//$'\n'/ }"
                # The next one needs a kernel that is well.
                [[ ! -e $patch && $(($(cat /proc/sys/kernel/tainted) & harmed)) == 0 ]] || exit 0
        fi
done
