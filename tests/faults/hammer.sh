#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A patch is applied and removed again and again while every processor is busy with system calls, those into the
# patched function among them: nothing is lost, and nothing grows.
# HOTPATCH_CYCLES=300 in the environment makes it the long form of `tools/test faults`.
# kernels: 6.1.0-50-cloud-amd64
# options: --timeout 7200
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

prepare() {
        echo "${HOTPATCH_CYCLES:-10}" >"$1/cycles"
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        gcc -O2 -Wall -o "$1/hammer" "$top/tests/faults/hammer.c"
}

# The figures of every cycle would make cold caches of every cycle: at most about sixty times.
is_measured() {
        local every=$(($2 / 60 + 1))
        # The first cycles fill caches that stay.
        (($1 >= 3 && $1 % every == 0))
}

# measure: descriptors and PSS in KiB of hotpatchd, modules, slab in KiB that cannot be reclaimed, kmem caches, KiB of
# vmalloc (where modules lie), process id
measure() {
        local pid
        pid=$(systemctl show -P MainPID hotpatchd.service)
        sync
        echo 3 >/proc/sys/vm/drop_caches
        echo "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" \
                "$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup")" \
                "$(wc -l </proc/modules)" \
                "$(sed -n 's/^SUnreclaim: *\([0-9]*\) kB/\1/p' /proc/meminfo)" \
                "$(($(wc -l </proc/slabinfo) - 2))" \
                "$(sed -n 's/^VmallocUsed: *\([0-9]*\) kB/\1/p' /proc/meminfo)" "$pid"
}

testcase_every_cycle_ends_and_takes_effect() {
        local cycles cycle
        cycles=$(<cycles)

        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d
        cp keys/root.pem /etc/hotpatch/trust.d/test.pem
        printf '[Service]\nIdleTimeoutSec=0\n' >/etc/hotpatch/hotpatchd.conf.d/hammer.conf
        systemctl restart hotpatchd.service
        # Always there, and out of the way when a command has to run: under emulation a cycle takes long enough.
        nice ./hammer >hammer.count &
        echo $! >hammer.pid
        for ((cycle = 1; cycle <= cycles; cycle++)); do
                hotpatchctl --quiet apply version.hpb
                expect_file /proc/version 'the second line is new'
                hotpatchctl --quiet remove hp-example-version-line
                refuse_file /proc/version 'second line'
                ! is_measured "$cycle" "$cycles" || measure >>figures
                ((cycle % 50 != 0)) || echo "hammer: $cycle cycles" >/dev/console
        done
        kill -0 "$(<hammer.pid)" || fail "the hammer died"
        kill "$(<hammer.pid)"
        # Too few for a trend are no measurement.
        (($(wc -l <figures) >= 6))
}

# growth COLUMN: of the mean of the last third of the cycles over that of the first
growth() {
        awk -v column="$1" '{ v[NR] = $column }
                END { k = int((NR + 2) / 3)
                      for (i = 1; i <= k; i++) { first += v[i]; last += v[NR - k + i] }
                      printf "%d\n", (last - first) / k }' figures
}

# expect_growth WHAT COLUMN LIMIT
expect_growth() {
        local found
        found=$(growth "$2")
        echo "note: $1: $(head -n 1 figures | cut -d ' ' -f "$2") at first, grown by $found, at most $3"
        ((found <= $3)) || { cat figures; fail "$1 grew by $found, more than $3"; }
}

testcase_nothing_grows() {
        local cycles
        cycles=$(<cycles)

        [[ $(cut -d ' ' -f 7 figures | sort -u | wc -l) == 1 ]] || fail "hotpatchd was restarted"
        expect_growth descriptors 1 0
        expect_growth modules 3 0
        expect_growth 'kmem caches' 5 0
        # What is compared lies two thirds of the cycles apart. malloc keeps some pages, as many as it likes at first; of
        # 300 cycles a leak of a KiB in each is seen.
        expect_growth 'PSS in KiB' 2 $((64 + cycles / 3))
        # A module has at least five pages there.
        expect_growth 'vmalloc in KiB' 6 $((128 + cycles))
        # Journald and the bus work beside it.
        expect_growth 'slab in KiB' 4 $((1024 + 2 * cycles))
        no_livepatch
}

. "$(dirname "$0")/lib.sh"
