#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power is cut at each line that hotpatchd and the kernel's livepatch code write while a patch is applied and
# tried, and what was not flushed to the disk is lost: afterwards the patch is in force, or it is out and has a strike.
# HOTPATCH_CUTS=4 draws so many of the lines, HOTPATCH_SEED=N draws others.
# kernels: 6.1.0-50-cloud-amd64
# options: --reboots 30 --power-cuts --timeout 600
# shellcheck disable=SC2154 # output and status come from lib-guest.sh

prepare() {
        cp "$top/tests/vm/lib-crash.sh" "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        rm "$1"/keys/*.key
        echo "${HOTPATCH_CUTS:-all} ${HOTPATCH_SEED:-1}" >"$1/sample"
}

# As many lines as there are: how many is only known in the guest. Nine were seen.
expand_testcases() {
        local name i last=$((${HOTPATCH_CUTS:-20}))

        while read -r name; do
                case $name in
                the_power_is_cut)
                        for ((i = 1; i <= last; i++)); do
                                echo "the_power_is_cut $i"
                                echo "afterwards_all_is_well $i"
                        done
                        ;;
                afterwards_all_is_well) ;;
                *) echo "$name" ;;
                esac
        done
}

lines='livepatch: |hotpatchd[[]'
state=/var/lib/scenario

# In the guest it lies beside the scenario.
# shellcheck source=../vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

# ---- what is asked again and again ----

# Of a bundle that was given as a file, and was not kept, only the record of the strikes is left.
strikes() {
        cat /var/lib/hotpatch/strikes/"$version".* 2>/dev/null | grep -c '^REASON=The machine went down' || :
}

nothing_is_left() {
        settled
        [[ -z $(find /var/lib/hotpatch -name '.#*') ]] || fail "left: $(find /var/lib/hotpatch -name '.#*')"
}

audit_finds_nothing() {
        run hotpatchctl audit
        expect_status 0
}

out() {
        refuse_file /proc/version "$line"
        no_livepatch
}

# One apply and its trial, and everything as it was before.
apply_and_remove() {
        run hotpatchctl apply version.hpb
        expect_status 0
        in_force
        eventually 200 trials_over
        audit_finds_nothing
        lines_so_far >applied
        run hotpatchctl remove "$version"
        expect_status 0
        run hotpatchctl release "$version"
        expect_status 0
        out
        nothing_is_left
}

# lines_so_far: the lines at which the power may be cut
lines_so_far() {
        dmesg --notime | sed "1,/${mark:-no mark}/d" | grep -E "$lines" || :
}

# place N: let point be the line number of the Nth cut
place() {
        point=$(sed -n "$1p" $state/points)
        [[ $point ]] || nothing_to_do
}

# ---- the story ----

testcase_the_lines_of_an_apply_are_counted() {
        local how seed n

        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d $state
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        printf '[Trial]\nMaxSec=5\n' >/etc/hotpatch/hotpatchd.conf.d/50-test.conf
        systemctl restart hotpatchd.service
        journal_on_console
        log_mark
        apply_and_remove
        sed -E 's/\[[0-9]+\]//' applied >$state/lines
        n=$(wc -l <$state/lines)
        sed 's/^/note: /' $state/lines
        ((n >= 8 && n <= 20)) || fail "there are $n lines"
        read -r how seed <sample
        if [[ $how == all ]]; then
                seq "$n" >$state/points
        else
                shuf -i "1-$n" -n "$how" --random-source=<(yes "$seed") | sort -n >$state/points
        fi
}

testcase_the_power_is_cut() {
        place "$1"
        out
        cut_power_at "$point" "$lines" hotpatchctl apply version.hpb
}

# first_line REGEX: which line of the counted ones is the first of this kind
first_line() {
        grep -nE -m 1 -- "$1" $state/lines | cut -d : -f 1
}

testcase_afterwards_all_is_well() {
        local n begun passed
        place "$1"
        begun=$(first_line 'livepatch: enabling patch')
        passed=$(first_line 'has passed')

        nothing_is_left
        audit_finds_nothing
        n=$(strikes)
        if grep -q "$line" /proc/version; then
                echo "note: line $point, $(sed -n "${point}p" $state/lines | cut -c -60): in force, $n strikes" | tee -a $state/outcomes
                in_force
                ((n == 0 && point >= passed))
        else
                echo "note: line $point, $(sed -n "${point}p" $state/lines | cut -c -60): out, $n strikes" | tee -a $state/outcomes
                out
                # The kernel is touched: the intent is on the disk. Until the trial has passed, that or its record is.
                ((point < passed))
                ((point < begun || n == 1))
                ((n <= 1))
        fi
        eventually 200 trials_over
        apply_and_remove
}

testcase_every_line_has_had_its_cut() {
        echo "note: $(wc -l <$state/lines) lines, $(wc -l <$state/outcomes) cuts"
        [[ $(wc -l <$state/outcomes) == "$(wc -l <$state/points)" ]]
}

testcase_a_cut_on_trial_is_a_strike() {
        cut_power_at "$(first_line 'livepatch: enabling patch')" "$lines" hotpatchctl apply version.hpb
}

testcase_so_is_the_second() {
        (($(strikes) == 1))
        cut_power_at "$(first_line 'patching complete')" "$lines" hotpatchctl apply version.hpb
}

testcase_and_then_it_is_quarantined() {
        out
        nothing_is_left
        (($(strikes) == 2))
        run hotpatchctl apply version.hpb
        ((status != 0))
        expect_output 'is quarantined on this machine'
        run hotpatchctl release "$version"
        expect_status 0
        apply_and_remove
}

. "$(dirname "$0")/lib.sh"
