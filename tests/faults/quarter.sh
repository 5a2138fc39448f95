#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine lives a quarter in minutes: hotpatches, the baseline that the daily timer begins, a restart in the window by
# systemd-logind, and the month after it.
# kernels: 6.1.0-50-cloud-amd64
# options: --own-kernel --reboots 3 --timeout 2400
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

new=6.1.0-56-cloud-amd64

# show_bundle FILE KEYS ID FUNCTION BASELINE RELEASE…: replaces that function; made for that baseline, if one is named
show_bundle() {
        local folder bundle_options=()

        folder=$(mktemp -d)
        cp "$top"/tests/data/patches/show/* "$folder"
        # shellcheck disable=SC2034 # for build_bundle
        [[ -z $5 ]] || bundle_options=(--baseline "$5")
        sed -i "s/hp-show-FUNCTION/$3/; s/test-show-FUNCTION/$3/; s/FUNCTION/$4/; s/MODULE/$4/" "$folder/patch.json"
        build_bundle "$1" "$2" "$folder" "${@:6}"
        rm -rf "$folder"
}

prepare() {
        cp "$top/tests/vm/lib-baseline.sh" "$top/tests/vm/lib-crash.sh" "$1/"
        hotpatchctl --quiet key generate "$1/keys"
        # The baseline of long ago that this machine is at: the next one has what was fixed since.
        show_bundle "$1/contained.hpb" "$1/keys" hp-contained swap_show 2026.01 "$2"
        show_bundle "$1/fits.hpb" "$1/keys" hp-fits devinfo_show 2026.01 "$2" $new
        show_bundle "$1/own.hpb" "$1/keys" hp-own slab_show '' "$2"
        show_bundle "$1/next.hpb" "$1/keys" hp-next show_softirqs '' $new
        make_repository "$1/repository" $new
        rm "$1"/keys/*.key
}

# In the guest they lie beside the scenario.
# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"
# shellcheck source=../vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

in_proc() {
        expect_file "/proc/$1" 'shown by a patch'
}

testcase_a_machine_that_plans_nothing() {
        trust_vendor
        use_repository repository
        [[ $(uname -r) == 6.1.0-50-cloud-amd64 ]]
        run hotpatchctl status
        expect_status 0
        expect_output "Baselines are not planned.*Enable=yes"
        [[ $(systemctl is-active hotpatch-baseline.timer) == active ]]
        run hotpatchctl apply contained.hpb fits.hpb own.hpb
        expect_status 0
        in_proc swaps
        in_proc devices
        in_proc slabinfo
        # They are one transaction, and so one trial.
        content hp-own
}

testcase_the_year_is_switched_on() {
        configure $'[Baseline]\nEnable=yes\nTrialSec=1min'
        run hotpatchctl calendar
        expect_status 0
        expect_output '4 restarts a year instead of 12'
        run hotpatchctl is-current
        expect_status 0
}

# The daemon is not made to look: the clock of the machine shows another day, and systemd starts what is due.
testcase_the_baseline_day() {
        set_clock $(($(seconds_of "$(next_baseline day) 00:00") - 60))
        baseline_is idle
        set_clock $(($(date +%s) + 13 * 3600))
        expect_baseline 300 downloaded
        expect_journal MESSAGE_ID=4c5a574009a149c2be0eca7c87b3f256 _SYSTEMD_UNIT=hotpatchd.service
        [[ -n $(compgen -G '/var/cache/apt/archives/linux-image-*.deb') ]]
        run hotpatchctl baseline
        expect_status 0
        expect_output "Fetched.*kernel $new"
        [[ ! -e /boot/vmlinuz-$new ]]
}

testcase_the_window() {
        begin=$(seconds_of "$(calendar '[.[].months[] | select(.state == "downloaded")][0].window_begin')")
        set_clock $((begin - 30))
        baseline_is downloaded
        [[ ! -e /boot/vmlinuz-$new ]]
        expect_baseline 1500 scheduled
        [[ -s /boot/vmlinuz-$new && -s /boot/initrd.img-$new && -s /boot/vmlinuz-6.1.0-50-cloud-amd64 ]]
        [[ $(readlink /vmlinuz) == boot/vmlinuz-$new ]]
        [[ -e /run/reboot-required ]]
        nothing_was_denied "Setting up linux-image-$new"
        run hotpatchctl needs-reboot
        expect_status 0
        run hotpatchctl reboot
        expect_output 'calendar|planned|scheduled'
        in_proc swaps
        # systemd-logind has it, five minutes ahead; they pass as well.
        expect_restart 400 true
}

testcase_the_new_kernel() {
        [[ $(uname -r) == "$new" ]]
        expect_baseline 300 reached
        [[ $(property BaselineReached) == "$(calendar '[.[].months[] | select(.state == "reached")][0].month')" ]]
        run hotpatchctl status
        expect_status 0
        # what fits is in force here, too,
        in_proc devices
        patch hp-fits '"state":"active".*"wanted":true'
        # what is in this kernel is not wanted any more,
        refuse_file /proc/swaps 'shown by a patch'
        patch hp-contained '"state":"staged".*"wanted":false'
        expect_output 'hp-contained.*retired by baseline'
        # and what nobody said anything about is kept, and said.
        patch hp-own '"wanted":true.*"restore_result":"other-kernel"'
        expect_output 'Kept for another kernel.*hp-own'
        run hotpatchctl needs-reboot
        expect_status 11
        settled
}

testcase_the_next_month() {
        set_clock $(($(date +%s) + 30 * 86400))
        run hotpatchctl calendar
        expect_status 0
        run hotpatchctl apply next.hpb
        expect_status 0
        in_proc softirqs
        in_proc devices
        [[ ! -e /run/systemd/shutdown/scheduled ]]
        settled
}

. "$(dirname "$0")/lib.sh"
