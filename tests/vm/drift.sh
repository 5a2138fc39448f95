#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is done behind the daemon's back is seen, named, told and survived: state deleted, modules loaded, removed and
# disabled by hand, other people's livepatches and hooks, a changed byte, drivers that come, go, fail and are updated.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# seconds: 290
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

# A driver in two versions, and the bundle that was made for the first.
prepare_driver() {
        local work root_boot version

        work=$(mktemp -d)
        for version in 1 2; do
                mkdir "$work/$version" "$1/driver$version"
                sed "s/define VERSION 1/define VERSION $version/" "$top/tests/data/driver/hpt_driver.c" \
                        >"$work/$version/hpt_driver.c"
                cp "$top/tests/data/driver/Kbuild" "$work/$version/"
                build_kbuild "$work/$version" "$2" "$1/driver$version"
        done
        build_module "$top/tests/data/driver-patch" "$2" "$work"
        local module=$REPLY
        # Bundles name the build of each module; here it is "installed" for that.
        kernel_root "$2"
        root_boot=$REPLY/boot
        mkdir -p "$work/root/boot" "$work/root/lib/modules/$2/kernel"
        ln -s "$root_boot"/* "$work/root/boot/"
        cp "$1/driver1/hpt_driver.ko" "$work/root/lib/modules/$2/kernel/"
        hotpatchctl --quiet bundle create --patch "$top/tests/data/driver-patch/patch.json" --root "$work/root" \
                --output "$1/driver.hpb" "$module"
        hotpatchctl --quiet bundle sign --key "$1/keys/signer.key" "$1/driver.hpb"
        rm -rf "$work"
}

prepare() {
        hotpatchctl --quiet key generate "$1/keys"
        build_bundle "$1/version.hpb" "$1/keys" "$top/module/examples/version-line" "$2"
        build_bundle "$1/pktgen.hpb" "$1/keys" "$top/module/examples/pktgen-line" "$2"
        build_kbuild "$top/tests/data/handwritten" "$2" "$1"
        build_kbuild "$top/tests/data/hook" "$2" "$1"
        prepare_driver "$1" "$2"
        rm "$1"/keys/*.key
}

version=hp-example-version-line
pktgen=hp-example-pktgen-line
driver=hp-test-driver
new='hotpatch: the second line is new'
audit_status=10

main_pid() {
        systemctl show -P MainPID hotpatchd.service
}

# found KIND / not_found KIND: there is such a finding, for everybody, or soon will be: hotpatchd is waked up by the kernel's log
found() {
        eventually 60 has_finding "$1"
}

not_found() {
        eventually 60 lacks_finding "$1"
}

has_finding() {
        jq -e --arg kind "$1" '.findings[] | select(.kind == $kind)' <<<"$(as_user hotpatchctl --json=short status)"
}

lacks_finding() {
        jq -e --arg kind "$1" '[.findings[] | select(.kind == $kind)] == []' \
                <<<"$(as_user hotpatchctl --json=short status)"
}

# told KIND: the journal has a record of it from hotpatchd
told() {
        expect_journal _SYSTEMD_UNIT=hotpatchd.service _UID=0 "HOTPATCH_FINDING=$1"
}

# healthy: kernel, records, store and journal agree
healthy() {
        run hotpatchctl audit
        expect_status 0
        expect_output 'kernel, records and store agree'
}

drifted() {
        run hotpatchctl audit
        expect_status $audit_status
        expect_output 'do NOT agree'
        [[ -z ${1:-} ]] || expect_output "$1"
}

testcase_a_healthy_machine_agrees() {
        mkdir -p /etc/hotpatch/trust.d /etc/hotpatch/hotpatchd.conf.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        # Not what is looked at here.
        printf '[Trial]\nMaxSec=0\n' >/etc/hotpatch/hotpatchd.conf.d/test.conf
        systemctl restart hotpatchd.service
        healthy
        hotpatchctl apply version.hpb
        healthy
        expect_output "$version +patched +yes +good +1 +vmlinux +applied "
        run as_user hotpatchctl --no-ask-password audit
        expect_status 4
        run as_user hotpatchctl --json=short status
        jq -e '.findings == []' <<<"$output"
        run hotpatchctl audit --since=now
        expect_status 2
        systemctl is-enabled hotpatch-audit.timer
        systemctl start hotpatch-audit.service
}

testcase_the_daemon_stays_for_what_it_watches() {
        printf '[Trial]\nMaxSec=0\n[Service]\nIdleTimeoutSec=1s\n' >/etc/hotpatch/hotpatchd.conf.d/test.conf
        systemctl restart hotpatchd.service
        local pid
        pid=$(main_pid)
        sleep 8
        [[ $(main_pid) == "$pid" ]]
        printf '[Trial]\nMaxSec=0\n' >/etc/hotpatch/hotpatchd.conf.d/test.conf
        systemctl restart hotpatchd.service
        not_found killed
}

testcase_a_tripwire_is_told_with_its_name_to_all() {
        cp /bin/cat /run/intruder
        timeout 120 hotpatchctl monitor >monitor.log 2>&1 &
        local monitor=$!
        eventually 60 grep -q Listening monitor.log
        local before
        before=$(date +%s%N)
        /run/intruder /proc/version >/dev/null
        eventually 60 grep -q 'TRIPWIRE.*EXAMPLE-1), 1 time' monitor.log
        echo "told after $((($(date +%s%N) - before) / 1000000)) ms"
        kill "$monitor" || true
        expect_journal _SYSTEMD_UNIT=hotpatchd.service PRIORITY=1 HOTPATCH_CVE=EXAMPLE-1 "HOTPATCH_PATCH=$version"
        run hotpatchctl history
        expect_output 'tripped.*EXAMPLE-1'
        run as_user hotpatchctl status
        expect_output '^ +Safety: ALERT'
        expect_output 'TRIPPED 1 time'
}

testcase_hits_while_the_daemon_was_away_are_told_once() {
        systemctl stop hotpatchd.service
        /run/intruder /proc/version >/dev/null
        /run/intruder /proc/version >/dev/null
        systemctl start hotpatchd.service
        eventually 60 in_journal 'EXAMPLE-1\): 3 times since it was loaded, 2 of them' -u hotpatchd.service
        systemctl restart hotpatchd.service
        hotpatchctl status >/dev/null
        sleep 2
        journalctl --sync
        [[ $(journalctl -b -o cat -u hotpatchd.service | grep -c '3 times since it was loaded') == 1 ]]
}

testcase_a_flood_of_hits_is_few_messages() {
        local before
        journalctl --sync
        before=$(journalctl -b -o cat -u hotpatchd.service | grep -c '^Tripwire' || true)
        for _ in $(seq 12); do
                /run/intruder /proc/version >/dev/null
                sleep 1.1
        done
        journalctl --sync
        local after
        after=$(journalctl -b -o cat -u hotpatchd.service | grep -c '^Tripwire')
        echo "messages: $before, $after"
        ((after - before >= 1 && after - before <= 7))
        # What was held back is told by its number.
        eventually 150 in_journal ': 15 times since' -u hotpatchd.service
}

testcase_a_killed_daemon_says_so_and_goes_on() {
        kill -9 "$(main_pid)"
        eventually 60 systemctl is-active hotpatchd.service
        found killed
        told killed
        expect_file /proc/version "$new"
        run hotpatchctl list
        expect_output "^$version +active"
        # That is good to know and no drift.
        healthy
        systemctl restart hotpatchd.service
        not_found killed
}

testcase_a_patch_disabled_by_hand_is_noticed_at_once() {
        timeout 120 hotpatchctl monitor >monitor.log 2>&1 &
        local monitor=$!
        eventually 60 grep -q Listening monitor.log
        echo 0 >/sys/kernel/livepatch/hp_version_line/enabled
        eventually 60 grep -q 'Findings=.*is wanted, but its module.*loaded without effect' monitor.log
        kill "$monitor" || true
        told not-in-force
        run as_user hotpatchctl status
        expect_output '^ +Safety: ALERT'
        drifted "not-in-force|loaded without effect"
        run systemctl start hotpatch-audit.service
        ((status != 0))
        [[ $(systemctl show -P ExecMainStatus hotpatch-audit.service) == "$audit_status" ]]
        systemctl reset-failed hotpatch-audit.service
}

testcase_a_module_removed_by_hand_is_missed() {
        eventually 60 rmmod hp_version_line
        found not-loaded
        told not-loaded
        drifted 'not in the kernel'
        run hotpatchctl apply version.hpb
        expect_status 0
        healthy
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=6078e7349b04471d8e77c5a18fdbf727 HOTPATCH_FINDING=not-loaded
        hotpatchctl remove "$version"
}

testcase_a_module_loaded_by_hand_is_adopted_by_its_note() {
        hotpatchctl bundle extract version.hpb extracted
        insmod "extracted/hp_version_line-$(uname -r).ko"
        eventually 60 grep -qx 0 /sys/kernel/livepatch/hp_version_line/transition
        run as_user hotpatchctl list
        expect_output "^$version +active"
        found unrecorded
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=32e0b5a5593949569e836044ab61db59 "HOTPATCH_PATCH=$version"
        drifted "$version +patched +no record"
        # Nobody verified it, so nothing is claimed of it.
        run hotpatchctl --json=short show "$version"
        jq -e '.fixes == [] and .foreign == false and .digest == null' <<<"$output"
        run as_user hotpatchctl --no-ask-password remove "$version"
        expect_status 4
        # Its bundle is verified and fits what is loaded: the record is all that was missing.
        run hotpatchctl --json=short plan version.hpb
        jq -e '[.steps[].action] == ["commit"]' <<<"$output"
        run hotpatchctl apply version.hpb
        expect_status 0
        healthy
        run hotpatchctl remove "$version"
        expect_status 0
        no_livepatch
        refuse_file /proc/modules '^hp_'
        healthy
}

testcase_deleted_state_is_survived() {
        hotpatchctl apply version.hpb pktgen.hpb
        rm -rf /var/lib/hotpatch/*
        found unrecorded
        systemctl restart hotpatchd.service
        run hotpatchctl list
        expect_output "^$version +active"
        expect_output "^$pktgen +active"
        expect_file /proc/version "$new"
        drifted 'no record'
        run hotpatchctl remove "$version" "$pktgen"
        expect_status 0
        no_livepatch
        hotpatchctl apply version.hpb
        healthy
}

testcase_records_lost_without_a_trace_are_known_to_the_journal() {
        systemctl stop hotpatchd.service
        rm /var/lib/hotpatch/admitted/*.record
        echo 0 >/sys/kernel/livepatch/hp_version_line/enabled
        eventually 60 [ ! -e /sys/kernel/livepatch/hp_version_line ]
        eventually 60 rmmod hp_version_line
        # Anybody may write such records, also root, but not in hotpatchd's name.
        printf 'MESSAGE=x\nMESSAGE_ID=ff2519a772ec483eaa691056a43bb381\nHOTPATCH_PATCH=hp-forged\n' | logger --journald
        as_user sh -c "printf 'MESSAGE=x\nMESSAGE_ID=ff2519a772ec483eaa691056a43bb381\nHOTPATCH_PATCH=hp-forged\n_UID=0\n' | logger --journald"
        systemctl start hotpatchd.service
        journalctl --sync
        run hotpatchctl audit
        expect_status $audit_status
        expect_output "By the journal the patch '$version' was applied"
        refuse_output forged
        hotpatchctl apply version.hpb
        healthy
}

testcase_a_changed_byte_in_the_store_is_found() {
        local file size byte
        file=$(echo /var/lib/hotpatch/admitted/$version.*.hpb)
        size=$(stat -c %s "$file")
        cp "$file" saved
        byte=$(dd if="$file" bs=1 skip=$((size - 4096)) count=1 status=none | od -An -tu1)
        # shellcheck disable=SC2059 # the format is the byte
        printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$file" bs=1 seek=$((size - 4096)) conv=notrunc status=none
        drifted "is not as it was admitted"
        found bundle-changed
        told bundle-changed
        cp saved "$file"
        healthy
        mv "$file" saved
        drifted 'not in the store'
        mv saved "$file"
        cp version.hpb "/var/lib/hotpatch/spool/hp-other.hpb"
        drifted "staged as 'hp-other'"
        rm /var/lib/hotpatch/spool/hp-other.hpb
        healthy
        not_found staged-refused
}

testcase_other_peoples_livepatches_are_named_and_left_alone() {
        insmod handwritten.ko
        eventually 60 grep -qx 0 /sys/kernel/livepatch/handwritten/transition
        found foreign
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=71cac759b60b441992069f81135209a0 HOTPATCH_MODULE=handwritten
        drifted 'handwritten +patched +not ours'
        run hotpatchctl remove handwritten
        ((status != 0))
        expect_file /proc/loadavg 'patched|hand'
        [[ $(cat /sys/kernel/livepatch/handwritten/enabled) == 1 ]]
        echo 0 >/sys/kernel/livepatch/handwritten/enabled
        eventually 60 [ ! -e /sys/kernel/livepatch/handwritten ]
        eventually 60 rmmod handwritten
        not_found foreign
}

testcase_a_hook_is_named_by_function_and_handler() {
        insmod hook.ko
        run as_user hotpatchctl status
        expect_output "The function 'loadavg_proc_show' of 'vmlinux' is redirected by 'kprobe_ftrace_handler'"
        told hook
        drifted
        rmmod hook
        not_found hook
        # On a function of a patch that is wanted and not in force.
        echo 0 >/sys/kernel/livepatch/hp_version_line/enabled
        eventually 60 [ ! -e /sys/kernel/livepatch/hp_version_line ]
        eventually 60 rmmod hp_version_line
        insmod hook.ko function=version_proc_show
        drifted "'version_proc_show', which the patch '$version' replaces, is redirected by 'kprobe_ftrace_handler'"
        run hotpatchctl apply version.hpb
        expect_status 7
        rmmod hook
        hotpatchctl apply version.hpb
        healthy
}

install_driver() {
        mkdir -p "/lib/modules/$(uname -r)/updates"
        cp "$1" "/lib/modules/$(uname -r)/updates/hpt_driver.ko"
        depmod -a
}

testcase_a_module_that_comes_later_is_patched_and_told() {
        install_driver driver1/hpt_driver.ko
        hotpatchctl apply driver.hpb
        run hotpatchctl show $driver
        expect_output 'hpt_driver \(when it is loaded\)'
        modprobe hpt_driver
        expect_file /proc/hpt_driver 'new answer'
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=472e27e8e28849b5ae361967cd4c758c HOTPATCH_OBJECT=hpt_driver "HOTPATCH_PATCH=$driver"
        run hotpatchctl show $driver
        expect_output 'hpt_driver \(patched\)'
        healthy
        rmmod hpt_driver
        eventually 60 sh -c "hotpatchctl show $driver | grep -q 'when it is loaded'"
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=7312e2e0454e4b319630112b46333ea7 HOTPATCH_OBJECT=hpt_driver
        healthy
}

testcase_a_module_whose_init_fails_is_left_again() {
        journalctl --sync
        local before
        before=$(journalctl -b -o cat MESSAGE_ID=7312e2e0454e4b319630112b46333ea7 | wc -l)
        run modprobe hpt_driver fail=1
        ((status != 0))
        eventually 60 sh -c "journalctl --sync; [ \$(journalctl -b -o cat MESSAGE_ID=7312e2e0454e4b319630112b46333ea7 | wc -l) -gt $before ]"
        run hotpatchctl show $driver
        expect_output 'when it is loaded'
        healthy
        modprobe hpt_driver
        expect_file /proc/hpt_driver 'new answer'
        rmmod hpt_driver
}

testcase_an_update_on_disk_is_found_and_a_refusal_told() {
        install_driver driver2/hpt_driver.ko
        # Nobody asks: depmod wakes the daemon.
        eventually 60 in_journal . _SYSTEMD_UNIT=hotpatchd.service HOTPATCH_FINDING=driver-update
        found driver-update
        drifted "The file of the module 'hpt_driver' is another build"
        run modprobe hpt_driver
        ((status != 0))
        found target-refused
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=4dbd1597374a4b50a999e6d5d541b243 HOTPATCH_OBJECT=hpt_driver
        run as_user hotpatchctl status
        expect_output "The kernel refused to load the module 'hpt_driver'"
        # It is not forgotten by a restart, and the remedy ends it.
        systemctl restart hotpatchd.service
        found target-refused
        hotpatchctl remove $driver
        modprobe hpt_driver
        expect_file /proc/hpt_driver 'old answer of version 2'
        rmmod hpt_driver
        rm "/lib/modules/$(uname -r)/updates/hpt_driver.ko"
        depmod -a
        not_found target-refused
        healthy
}

testcase_a_good_module_of_the_kernel_is_as_it_was_packaged() {
        # Packed on disk or not: its build-id is read, and fits.
        hotpatchctl apply pktgen.hpb
        modprobe pktgen
        healthy
        not_found driver-update
        run hotpatchctl show $pktgen
        expect_output 'pktgen \(patched\)'
        rmmod pktgen
        hotpatchctl remove $pktgen
}

testcase_nothing_is_left() {
        hotpatchctl remove $version
        no_livepatch
        refuse_file /proc/modules '^(hp_|hook|handwritten)'
        healthy
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
}

. "$(dirname "$0")/lib.sh"
