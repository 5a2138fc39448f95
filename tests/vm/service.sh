#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The service as systemd, D-Bus and polkit see it: sandbox, activation, who may, what a crash leaves.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 220
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        build_kbuild "$top/tests/data/handwritten" "$2" "$1"
        cp "$top/tests/vm/lib-stall.sh" "$1/"
        build_stall "$1" "$2" "$top/tests/data/patches/stall"
        rm "$1"/keys/*.key
}

# In the guest it lies beside the scenario.
# shellcheck source=lib-stall.sh
. "$(dirname "$0")/lib-stall.sh"

version=hp-example-version-line
new='hotpatch: the second line is new'
rules=/etc/polkit-1/rules.d/50-hotpatch-operators.rules

main_pid() {
        systemctl show -P MainPID hotpatchd.service
}

testcase_the_service_is_enabled_and_runs() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        systemctl is-enabled hotpatchd.service
        systemctl is-active hotpatchd.service
        run systemd-analyze verify --man=no hotpatchd.service
        [[ -z $output ]]
        run systemd-analyze security --no-pager hotpatchd.service
        expect_output 'exposure level for hotpatchd.service: [012]\.'
}

testcase_its_sandbox_is_closed_where_it_should_be() {
        local pid in
        # It may have left, as it does when nobody asks for anything.
        hotpatchctl list >/dev/null
        pid=$(main_pid)
        # sys_module, syslog, dac_read_search and nothing else
        expect_file "/proc/$pid/status" '^CapBnd:[[:space:]]0000000400010004$'
        expect_file "/proc/$pid/status" '^NoNewPrivs:[[:space:]]1$'
        in="nsenter --target $pid --mount --net"
        run $in touch /etc/hotpatch-test
        expect_output 'Read-only file system'
        run $in sh -c 'echo 1 >/proc/sys/kernel/sysrq'
        expect_output 'Read-only file system'
        run $in sh -c 'echo 1 >/sys/kernel/profiling'
        expect_output 'Read-only file system|Permission denied|Directory nonexistent'
        run $in sh -c 'ls -A /home /root'
        refuse_output user
        run $in cat /proc/net/dev
        refuse_output eth0
        # Of sysfs, what is mounted there included, two folders can be written.
        run awk '$5 ~ "^/sys(/|$)" && $6 ~ /^rw/ { print $5 }' "/proc/$pid/mountinfo"
        [[ $(sort <<<"$output") == /sys/kernel/livepatch$'\n'/sys/module ]] || fail "these can be written: $output"
        run $in sh -c 'echo 1 >/sys/kernel/mm/ksm/run'
        expect_output 'Read-only file system'
        $in test -w /sys/kernel/livepatch
        $in head -n 1 /proc/kallsyms
        $in head -c 1 /sys/kernel/tracing/available_filter_functions
}

testcase_it_leaves_when_idle_and_the_bus_brings_it_back() { # once
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '[Service]\nIdleTimeoutSec=1s\n' >/etc/hotpatch/hotpatchd.conf.d/test.conf
        systemctl restart hotpatchd.service
        eventually 60 sh -c '! systemctl is-active hotpatchd.service'
        run systemctl show -P Result hotpatchd.service
        expect_output '^success$'
        run hotpatchctl list
        expect_status 0
        systemctl is-active hotpatchd.service
        rm /etc/hotpatch/hotpatchd.conf.d/test.conf
        systemctl restart hotpatchd.service
}

testcase_a_site_rule_lets_a_group_apply_and_nothing_more() { # once
        cp version.hpb /home/user/
        run as_user hotpatchctl --no-ask-password apply version.hpb
        expect_status 4
        groupadd --force hotpatch
        usermod -aG hotpatch user
        cp /usr/share/doc/hotpatch/examples/50-hotpatch-operators.rules $rules
        chmod 0644 $rules
        systemctl restart polkit.service
        run as_user hotpatchctl --no-ask-password apply version.hpb
        expect_status 0
        expect_file /proc/version "$new"
        run as_user hotpatchctl --no-ask-password remove "$version"
        expect_status 4
        expect_file /proc/version "$new"
        expect_journal _SYSTEMD_UNIT=hotpatchd.service HOTPATCH_CALLER_UID=1000
        hotpatchctl remove "$version"
        rm $rules
        systemctl restart polkit.service
}

testcase_without_polkit_only_root_may() {
        cp version.hpb /home/user/
        systemctl mask --runtime --now polkit.service
        run as_user hotpatchctl --no-ask-password apply version.hpb
        expect_status 4
        expect_output 'polkit'
        run hotpatchctl apply version.hpb
        expect_status 0
        systemctl unmask --runtime polkit.service
}

testcase_a_tripwire_is_an_alarm() {
        # The example calls a program of this name an exploit.
        cp /bin/cat /run/intruder
        /run/intruder /proc/version
        run hotpatchctl --json=short show "$version"
        expect_output '"tripped": ?[1-9]'
        eventually 60 sh -c "journalctl -b -p alert _SYSTEMD_UNIT=hotpatchd.service | grep -q 'Tripwire'"
        systemctl is-active hotpatchd.service
        [[ $(systemctl show -P NRestarts hotpatchd.service) == 0 ]]
}

testcase_a_killed_service_adopts_what_is_active() {
        local before
        before=$(main_pid)
        kill -9 "$before"
        eventually 60 sh -c "systemctl is-active hotpatchd.service && [ \$(systemctl show -P MainPID hotpatchd.service) != $before ]"
        run hotpatchctl list
        expect_output "$version +active"
        run hotpatchctl remove "$version"
        expect_status 0
        no_livepatch
        refuse_file /proc/modules '^hp_'
}

# A task that nothing wakes holds the transition open: the kill cannot come too late.
testcase_a_service_killed_in_a_transition_undoes_it() {
        insmod hp_stall.ko
        configure 'FreezeAfterSec=0' 'TimeoutSec=0'
        sit stubborn hard
        begin apply stall.hpb
        eventually 60 transition_runs
        kill -9 "$(main_pid)"
        eventually 60 [ ! -e /sys/module/hp_test_stall ]
        eventually 60 systemctl is-active hotpatchd.service
        eventually 60 [ ! -e /var/lib/hotpatch/intent ]
        echo release >/proc/hp_stall/control
        ended stubborn
        [[ $(cat /proc/hp_stall/soft) == old ]] || fail "it is half undone"
        echo hold >/proc/hp_stall/control
        run hotpatchctl list
        refuse_output 'test-stall +active'
        # and nothing stands in the way of the next one
        run hotpatchctl apply stall.hpb
        expect_status 0
        [[ $(cat /proc/hp_stall/soft) == new ]] || fail "not patched"
        run hotpatchctl remove test-stall
        expect_status 0
        rmmod hp_stall
        rm /etc/hotpatch/hotpatchd.conf.d/50-test.conf
        systemctl restart hotpatchd.service
}

testcase_patches_of_others_are_shown_and_left_alone() { # once
        insmod handwritten.ko
        eventually 60 grep -qx 0 /sys/kernel/livepatch/handwritten/transition
        run hotpatchctl list
        expect_output '^handwritten +active'
        run hotpatchctl remove handwritten
        ((status != 0))
        expect_file /proc/loadavg handwritten
        echo 0 >/sys/kernel/livepatch/handwritten/enabled
        eventually 60 [ ! -e /sys/kernel/livepatch/handwritten ]
        eventually 60 rmmod handwritten
}

testcase_nothing_failed() {
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
        no_livepatch
        [[ -z $(ls -A /run/hotpatch/load) && ! -e /var/lib/hotpatch/intent ]]
}

# of_packages ACTION PACKAGE…: dpkg has nothing to complain about
of_packages() {
        run dpkg "$@"
        expect_status 0
        refuse_output '[Ff]ailed|[Rr]efused|[Ee]rror|[Ww]arning|not empty'
}

testcase_a_removed_package_leaves_no_unit_behind() { # once
        mkdir -p /var/lib/prometheus/node-exporter /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        hotpatchctl apply version.hpb
        systemctl enable --now hotpatch-metrics.timer
        systemctl start hotpatch-metrics.service
        [[ -e /var/lib/prometheus/node-exporter/hotpatch.prom ]]
        systemctl start hotpatch-boot-check.service
        of_packages --remove hotpatch hotpatch-notifier hotpatch-dev
        expect_output '^hotpatch: in force until the machine restarts.*: hp_version_line$'
        # What an enabled unit had linked stays until a purge, as with any package.
        run systemctl list-units --all --no-legend --plain 'hotpatch*'
        [[ -z $(sed '/not-found inactive dead/d' <<<"$output") ]]
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
        run busctl --system status org.hotpatch.Hotpatch1
        ((status != 0))
        [[ ! -e /run/hotpatch/fixed-cves && ! -e /var/lib/prometheus/node-exporter/hotpatch.prom ]]
        expect_file /proc/version "$new"
}

testcase_a_purge_leaves_what_is_the_administrators() { # once
        of_packages --purge hotpatch hotpatch-notifier
        run find / -xdev -path /proc -prune -o -path /run/scenario -prune -o -path '*/lib/hotpatch-vm' -prune -o \
                -iname '*hotpatch*' -print
        [[ $output == /etc/hotpatch ]] || fail "left behind: $output"
        [[ ! -e /run/hotpatch ]]
        run find /etc/hotpatch -mindepth 1 -printf '%P\n'
        [[ $(sort <<<"$output") == trust.d$'\n'trust.d/revocation.crl$'\n'trust.d/root.pem ]]
}

. "$(dirname "$0")/lib.sh"
