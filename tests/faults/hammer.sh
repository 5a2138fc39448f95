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

# measure: descriptors and PSS in KiB of hotpatchd, modules, slab in KiB that cannot be reclaimed, kmem caches
measure() {
        local pid
        pid=$(systemctl show -P MainPID hotpatchd.service)
        sync
        echo 3 >/proc/sys/vm/drop_caches
        echo "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" \
                "$(sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup")" \
                "$(wc -l </proc/modules)" \
                "$(sed -n 's/^SUnreclaim: *\([0-9]*\) kB/\1/p' /proc/meminfo)" \
                "$(($(wc -l </proc/slabinfo) - 2))" "$pid"
}

testcase_every_cycle_ends_and_takes_effect() {
        local cycles cycle
        cycles=$(<cycles)

        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d
        cp keys/root.pem /etc/hotpatch/trust.d/test.pem
        printf '[Service]\nIdleTimeoutSec=0\n' >/etc/hotpatch/hotpatchd.conf.d/hammer.conf
        systemctl restart hotpatchd.service
        ./hammer >hammer.count &
        echo $! >hammer.pid
        for ((cycle = 1; cycle <= cycles; cycle++)); do
                hotpatchctl --quiet apply version.hpb
                expect_file /proc/version 'the second line is new'
                hotpatchctl --quiet remove hp-example-version-line
                refuse_file /proc/version 'second line'
                # The first cycles fill caches that stay.
                ((cycle < 3)) || measure >>figures
        done
        kill -0 "$(<hammer.pid)" || fail "the hammer died"
        kill "$(<hammer.pid)"
        [[ $(wc -l <figures) == $((cycles - 2)) ]]
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
        echo "$1: $(head -n 1 figures | cut -d ' ' -f "$2") at first, grown by $found"
        ((found <= $3)) || { cat figures; fail "$1 grew by $found, more than $3"; }
}

testcase_nothing_grows() {
        local cycles
        cycles=$(<cycles)

        [[ $(cut -d ' ' -f 6 figures | sort -u | wc -l) == 1 ]] || fail "hotpatchd was restarted"
        expect_growth descriptors 1 0
        expect_growth modules 3 0
        expect_growth 'kmem caches' 5 0
        # malloc keeps some pages; a leak of one page in each cycle is more than that.
        expect_growth 'PSS in KiB' 2 $((128 + cycles))
        # Journald and the bus work beside it; a leak of two pages in each cycle is seen in 300 of them.
        expect_growth 'slab in KiB' 4 $((1024 + 4 * cycles))
        no_livepatch
}

. "$(dirname "$0")/lib.sh"
