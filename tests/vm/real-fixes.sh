#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fixes that Debian's kernels really got, made from its source packages: a probe sees what each changes.
# kernels: 6.1.0-50-cloud-amd64 6.12.107+deb12-cloud-amd64
# more kernels: 6.1.0-47-amd64
# seconds: 360
# shellcheck disable=SC2154 # top, status and output come from lib.sh and lib-guest.sh

# For each fix of this kernel: NAME.hpb, NAME.probe, NAME.json, and what hotpatch-build said and returned.
prepare() {
        local name status

        hotpatchctl --quiet key generate "$1/keys"
        gcc -O2 -static -o "$1/read-code" "$top/tests/vm/read-code.c"
        for name in $(fixes_of "$2"); do
                cp "$top/tests/fixes/$name/fix.json" "$1/$name.json"
                gcc -O2 -static -o "$1/$name.probe" "$top/tests/fixes/$name/probe.c"
                status=0
                build_fix "$1/$name.hpb" "$1/keys" "$name" >"$1/$name.built" || status=$?
                echo "$status" >"$1/$name.status"
                # Only a fix that has to be refused may be: its testcase looks at the reason.
                ((status == 0)) || jq -e .refused "$1/$name.json"
        done
        # The private keys stay here.
        rm "$1"/keys/*.key
}

# of NAME KEY: a value of its description
of() {
        jq -r ".$2" "$1.json"
}

# expect_probe NAME old|new
expect_probe() {
        run "./$1.probe"
        expect_status 0
        [[ $output == "$(of "$1" "$2")" ]] || fail "expected the $2 behaviour, '$(of "$1" "$2")'"
}

# expect_redirected NAME: the functions of its description are redirected, and no others
expect_redirected() {
        local object want

        object=$(of "$1" object)
        want=$(jq -r '.functions | sort | join(" ")' "$1.json")
        [[ $(ls /sys/kernel/livepatch) == *$'\n'* ]] && fail "more than one patch: $(ls /sys/kernel/livepatch)"
        output=$(cd /sys/kernel/livepatch/* && find . -mindepth 2 -type d | sort)
        [[ $(sed "s,^\./$object/\(.*\)\,.*,\1," <<<"$output" | tr '\n' ' ') == "$want " ]] ||
                fail "expected '$want' of '$object', found: $output"
}

apply() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        run hotpatchctl apply "$1.hpb"
        expect_status 0
}

remove() {
        run hotpatchctl remove "$(of "$1" id)"
        expect_status 0
        no_livepatch
}

# whole_life NAME: old, new, old
whole_life() {
        expect_probe "$1" old
        apply "$1"
        expect_redirected "$1"
        expect_probe "$1" new
        remove "$1"
        expect_probe "$1" old
}

# without_module NAME: its module is not loaded
without_module() {
        ! grep -q "^$1 " /proc/modules || rmmod "$1"
}

# originals BUNDLE: a line "OBJECT FUNCTION SIZE SHA256 MASKED" for each
originals() {
        tar -xOf "$1" manifest.json |
                jq -r '.targets[].objects[] | .name as $object | .originals[] |
                       [$object, (.function | split(",")[0]), .size, .sha256, .masked // "-"] | join(" ")'
}

# in_memory OBJECT FUNCTION SIZE SHA256 MASKED: one of the functions of that name has that digest
in_memory() {
        local number=0

        while ./read-code "$1" "$2" $number "$3" "$5" >code; do
                [[ $(sha256sum <code) != "$4 "* ]] || return 0
                number=$((number + 1))
        done
        fail "none of the $number functions $2 of $1 in memory is the original of the bundle"
}

# Where KASLR put it, with alternatives, static branches and return thunks as this processor has them.
testcase_the_originals_are_the_code_that_runs() {
        local bundle object line lines=0

        for bundle in *.hpb; do
                for object in $(originals "$bundle" | cut -d ' ' -f 1 | sort -u); do
                        [[ $object == vmlinux ]] || modprobe "$object"
                done
                while read -r line; do
                        # shellcheck disable=SC2086 # words
                        in_memory $line
                        lines=$((lines + 1))
                done < <(originals "$bundle")
        done
        ((lines > 0)) || fail "no bundle has originals"
}

testcase_fsmount_refuses_an_internal_file_system() { # on: 6.1.0-50-cloud-amd64
        [[ $(tar -xOf fsmount.hpb manifest.json | jq -r '.targets[].objects[].originals[].source' | sort -u) == \
                fs/namespace.c ]] || fail "fsmount.hpb does not say that it is all of fs/namespace.c"
        whole_life fsmount
}

# patch_said: what the patch module said in the kernel log since the mark
patch_said() {
        log_since_mark | sed -n 's/.*hp_fsmount_watched: \(self-test\|before\|behind\)/\1/p' | tr '\n' ','
}

testcase_an_authors_file_is_called_and_sees_the_attempt() { # on: 6.1.0-50-cloud-amd64
        local wires=/sys/module/hp_fsmount_watched/hotpatch/tripwires

        expect_probe fsmount-watched old
        log_mark
        apply fsmount-watched
        # On trial it is asked again, at the begin and then now and then.
        [[ $(patch_said) =~ ^"self-test,before the patch,behind the patch,"("self-test,")*$ ]] || fail "it said: $(patch_said)"
        expect_redirected fsmount-watched
        expect_file $wires '^FSMOUNT-INTERNAL 0$'
        expect_probe fsmount-watched new
        expect_file $wires '^FSMOUNT-INTERNAL 1$'
        eventually 60 kernel_said 'tripwire FSMOUNT-INTERNAL'
        log_mark
        remove fsmount-watched
        [[ $(patch_said) =~ ^("self-test,")*"before the removal,behind the removal,"$ ]] || fail "it said: $(patch_said)"
        expect_probe fsmount-watched old
}

testcase_the_hint_of_an_immutable_file_stays() { # on: 6.12.107+deb12-cloud-amd64
        whole_life rw-hint
}

testcase_a_module_is_patched_when_the_probe_loads_it() { # on: 6.12.107+deb12-cloud-amd64
        without_module sch_sfq
        apply sfq-quantum
        expect_probe sfq-quantum new
        expect_redirected sfq-quantum
        remove sfq-quantum
        expect_probe sfq-quantum old
}

testcase_a_module_is_patched_that_is_loaded() { # on: 6.12.107+deb12-cloud-amd64
        modprobe sch_sfq
        whole_life sfq-quantum
}

testcase_source_routing_needs_a_privilege() { # on: 6.1.0-47-amd64
        whole_life ip-options
}

testcase_an_inlined_function_is_patched_in_its_caller() { # on: 6.1.0-47-amd64
        whole_life ipc-addid
}

testcase_vsock_is_patched_before_it_is_loaded() { # on: 6.1.0-47-amd64
        without_module vsock
        apply vsock-buffer
        expect_probe vsock-buffer new
        expect_redirected vsock-buffer
        remove vsock-buffer
        expect_probe vsock-buffer old
}

testcase_vsock_is_patched_after_it_is_loaded() { # on: 6.1.0-47-amd64
        modprobe vsock
        whole_life vsock-buffer
}

testcase_two_functions_change_together() { # on: 6.1.0-47-amd64
        modprobe binfmt_misc
        whole_life binfmt-misc
}

testcase_a_function_that_ftrace_cannot_reach_is_refused() { # on: 6.1.0-47-amd64
        expect_file process-preds.status '^10$'
        [[ ! -e process-preds.hpb ]] || fail "there is a bundle all the same"
        jq -e --arg rule "$(of process-preds refused)" '.. | objects | select(.rule? == $rule)' process-preds.built
        expect_probe process-preds old
}

testcase_nothing_is_left_behind() {
        no_livepatch
        run systemctl --failed --no-legend --plain
        [[ -z $output ]] || fail "failed units"
}

. "$(dirname "$0")/lib.sh"
