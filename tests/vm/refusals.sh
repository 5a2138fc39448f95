#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad bundles and bad moments: each is refused by its name, with a sentence and a remedy, and nothing stays.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 550
# shellcheck disable=SC2154 # top, kernel, status and output come from lib.sh and lib-guest.sh

# The livepatch written by hand as five modules that cannot be applied for different reasons, and itself.
# Next to each lies the name of the function that it replaces.
build_refusal_modules() {
        local source=$top/tests/data/handwritten/handwritten.c work module

        work=$(mktemp -d)
        cp "$source" "$work/handwritten.c"
        cp "$source" "$work/virtio_blk.c" # of that name the guest has a module in use
        sed 's/loadavg_proc_show/no_such_function/' "$source" >"$work/no_such_function.c"
        sed 's/loadavg_proc_show/sched_clock/' "$source" >"$work/not_traceable.c"
        sed '/^MODULE_INFO(livepatch/d' "$source" >"$work/no_livepatch.c"
        (cd "$work" && echo "obj-m := $(echo *.c | sed 's/\.c/.o/g')") >"$work/Kbuild"
        build_kbuild "$work" "$2" "$1"
        for module in "$work"/*.c; do
                sed -n 's/.*\.old_name = "\(.*\)".*/\1/p' "$module" >"$1/$(basename "$module" .c).function"
        done
        rm -rf "$work"
}

prepare() {
        local work

        work=$(mktemp -d)
        hotpatchctl --quiet key generate "$work/keys"
        build_bundle "$work/version.hpb" "$work/keys" "$top/module/examples/version-line" "$2"
        build_bundle "$work/pktgen.hpb" "$work/keys" "$top/module/examples/pktgen-line" "$2"
        build_refusal_modules "$work" "$2"
        "$top/tests/data/make-refusals" "$work/version.hpb" "$work/pktgen.hpb" "$work" "$1"
        rm -rf "$work"
}

new='hotpatch: the second line is new'
bad=0

main_pid() {
        systemctl show -P MainPID hotpatchd.service
}

# complain TEXT…: say what is wrong and go on with the next case; ended by `no_complaints`
complain() {
        echo "WRONG: $*"
        bad=$((bad + 1))
}

no_complaints() {
        ((bad == 0)) || fail "$bad wrong"
        nothing_stayed
}

# nothing_stayed: of what a refused bundle could leave behind
nothing_stayed() {
        local left
        no_livepatch
        refuse_file /proc/modules '^(hp_|handwritten|no_|not_)'
        refuse_file /proc/version "$new"
        [[ ! -e /var/lib/hotpatch/intent ]] || fail "an intent is left behind"
        left=$(find /run/hotpatch /var/lib/hotpatch -path '*/load/*' -o -path '*/spool/*' -o -path '*/admitted/*' \
                -o -name '.*' -o -name '*.tmp')
        [[ -z $left ]] || fail "left behind: $left"
        [[ $(main_pid) == "$(cat pid)" ]] || fail "the daemon is another one"
        [[ $(systemctl show -P NRestarts hotpatchd.service) == 0 ]] || fail "the daemon was restarted"
}

# refuses ERROR EXIT-STATUS VERB ARGUMENT…: the command is refused so, in JSON and in words
refuses() {
        local error=$1 expected=$2 found=0 answer
        shift 2

        answer=$(hotpatchctl --json=short "$@" 2>words) || found=$?
        if ! jq -e --arg name "org.hotpatch.Error.$error" '.error // .refusal | .name == $name and
                        (.message | length > 10) and (.remedy | length > 10)' <<<"$answer" >/dev/null; then
                complain "$*: expected $error, got: $answer"
        elif ((found != expected)); then
                complain "$*: expected exit status $expected, got $found"
        elif [[ -s words ]] && ! grep -q "^  Remedy: " words || LC_ALL=C grep -q '[^[:print:][:space:]]' words; then
                complain "$*: it said: $(cat -v words)"
        fi
}

# refuse_cases REGEX VERB…: give each VERB each bundle whose "GROUP NAME " in the table begins so
refuse_cases() {
        local name error expected verb
        grep -Eq "^($1)" cases || fail "no case is called '$1'"
        while read -r _ name error expected; do
                for verb in "${@:2}"; do
                        refuses "$error" "$expected" "$verb" "$name.hpb"
                done
        done < <(grep -E "^($1)" cases)
        no_complaints
}

testcase_the_good_one_is_good() {
        mkdir -p /etc/hotpatch/trust.d
        cp root.pem lists.crl /etc/hotpatch/trust.d/
        # Some testcases do not talk to it for long, and it is to stay the same.
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '[Service]\nIdleTimeoutSec=1h\n' >/etc/hotpatch/hotpatchd.conf.d/stay.conf
        systemctl restart hotpatchd.service
        main_pid >pid
        hotpatchctl verify good.hpb
        hotpatchctl plan good.hpb
        nothing_stayed
}

testcase_archives() { # once
        refuse_cases 'archive ' apply
}

testcase_truncated_at_every_block() { # once
        local size
        size=$(stat -c %s good.hpb)
        cp good.hpb cut.hpb
        for ((size -= 512; size >= 512; size -= 512)); do
                truncate -s "$size" cut.hpb
                hotpatchctl --json=short bundle verify --trust root.pem cut.hpb 2>/dev/null >answer &&
                        complain "$size bytes are accepted"
                grep -q '"org.hotpatch.Error.BundleTruncated"' answer || complain "$size bytes: $(cat answer)"
        done
        no_complaints
}

testcase_sizes() { # once
        local peak=/sys/fs/cgroup/system.slice/hotpatchd.service/memory.peak size before after
        refuse_cases 'sizes ' apply
        before=$(cat $peak)
        for size in $(((64 << 20) + 1)) $(((1 << 31) - 1)) $(((1 << 31) + 1)) $(((1 << 32) + 512)); do
                cp good.hpb holes.hpb
                truncate -s "$size" holes.hpb
                refuses BundleTooLarge 5 apply holes.hpb
                refuses BundleTooLarge 5 verify holes.hpb
        done
        after=$(cat $peak)
        ((after - before < 8 << 20)) || complain "memory: $before before, $after after"
        cp good.hpb holes.hpb
        truncate -s $((64 << 20)) holes.hpb
        refuses BundleTrailingData 5 bundle verify holes.hpb
        rm holes.hpb
        no_complaints
}

testcase_signatures() { # once
        refuse_cases 'signatures ' apply
}

testcase_manifests() { # once
        refuse_cases 'manifests ' apply
}

testcase_other_machines_and_modules() {
        refuse_cases 'machines |modules ' apply plan
}

testcase_the_same_by_verify() { # once
        refuse_cases 'archive (text|half|type-link) |signatures .*(expired|revoked|ber|one-bit) ' verify stage
}

testcase_bundles_for_other_kernels_are_verified() {
        hotpatchctl verify other-release.hpb
        hotpatchctl verify other-build-id.hpb
}

testcase_no_names_but_files() { # once
        local name
        mkfifo fifo.hpb
        ln -s /nowhere dangling.hpb
        for name in /dev/zero /dev/null ./fifo.hpb . ./dangling.hpb /proc/kmsg; do
                run timeout 30 hotpatchctl --json=short apply "$name"
                ((status == 5 || status == 3 || status == 2 || status == 1)) || complain "$name: exit status $status"
        done
        no_complaints
}

testcase_an_ordinary_user_may_not() { # once
        local verb
        cp good.hpb /home/user/
        for verb in apply verify plan stage; do
                run as_user hotpatchctl --no-ask-password --json=short "$verb" good.hpb
                expect_status 4
                expect_output 'org.freedesktop.DBus.Error.(InteractiveAuthorizationRequired|AccessDenied)'
        done
        systemctl mask --runtime --now polkit.service
        run as_user hotpatchctl --no-ask-password --json=short apply good.hpb
        systemctl unmask --runtime polkit.service
        expect_status 4
        expect_output 'org.hotpatch.Error.AuthorizationUnavailable'
        nothing_stayed
}

testcase_a_job_at_a_time() {
        local first second=0
        hotpatchctl apply good.hpb >first &
        first=$!
        eventually 60 [ -e /sys/kernel/livepatch/hp_version_line ] || true
        hotpatchctl --json=short apply pktgen.hpb >second || second=$?
        wait $first
        # When the machine is slow the first has ended by then.
        if ((second == 0)); then
                hotpatchctl remove hp-example-pktgen-line
        else
                ((second == 6)) || fail "exit status $second"
                expect_file second 'org.hotpatch.Error.Busy|org.hotpatch.Error.TransitionInProgress'
        fi
        expect_file /proc/version "$new"
}

testcase_applied_already() {
        run hotpatchctl --json=short apply good.hpb
        expect_status 0
        jq -e '.changed == false and .reason != null' <<<"$(tail -n 1 <<<"$output")"
        run hotpatchctl --json=short remove hp-example-version-line
        expect_status 0
        jq -e '.changed == true' <<<"$(tail -n 1 <<<"$output")"
        rm -f /var/lib/hotpatch/spool/*
        nothing_stayed
}

testcase_a_livepatch_of_other_people_from_one_end_to_the_other() {
        run hotpatchctl apply stream-2.hpb
        expect_status 0
        expect_file /proc/loadavg '^handwritten$'
        [[ ! -e /sys/module/handwritten/notes/.note.hotpatch ]]
        run hotpatchctl show handwritten
        expect_output 'loadavg_proc_show'
        systemctl restart hotpatchd.service
        main_pid >pid
        expect_file /proc/loadavg '^handwritten$'
        run hotpatchctl list
        expect_output '^handwritten +active'
        run hotpatchctl remove handwritten
        expect_status 0
        refuse_file /proc/loadavg handwritten
        nothing_stayed
}

testcase_a_stream_does_not_go_back() {
        refuses Downgrade 7 apply stream-1.hpb
        refuses SequenceReused 7 apply stream-2-else.hpb
        no_complaints
}

testcase_a_file_that_is_rewritten_while_it_is_read() { # once
        local flipper
        cp good.hpb moving.hpb
        while :; do
                dd if=payload-one-bit.hpb of=moving.hpb conv=notrunc bs=4096 status=none
                dd if=good.hpb of=moving.hpb conv=notrunc bs=4096 status=none
        done &
        flipper=$!
        for _ in 1 2 3 4 5 6; do
                run hotpatchctl --json=short apply moving.hpb
                if ((status == 0)); then
                        expect_file /proc/version "$new"
                        hotpatchctl remove hp-example-version-line
                else
                        expect_status 5
                        # The signatures of the two differ, and one read may see a part of each.
                        expect_output 'org.hotpatch.Error.(PayloadMismatch|Signature)'
                fi
        done
        kill $flipper
        nothing_stayed
}

testcase_after_all_this_the_good_one_is_applied() {
        hotpatchctl apply good.hpb
        expect_file /proc/version "$new"
        hotpatchctl remove hp-example-version-line
        nothing_stayed
        run systemctl --failed --no-legend --plain
        [[ -z $output ]]
}

. "$(dirname "$0")/lib.sh"
