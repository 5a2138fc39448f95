#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real conflicts on a real kernel are seen before it is touched, by name; and a transaction is all or nothing.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 300
# shellcheck disable=SC2154 # top, kernel, status and output come from lib.sh and lib-guest.sh

# variant NAME FUNCTION [SED…]: the livepatch written by hand, as a module NAME that replaces FUNCTION and says NAME
variant() {
        sed -e "s/loadavg_proc_show/$2/; s/\"handwritten.n\"/\"$1\\\\n\"/" "${@:3}" \
                "$top/tests/data/handwritten/handwritten.c" >"$work/$1.c"
}

# bundle NAME [OPTION…]: the bundle NAME.hpb, id hp-NAME without its "hp_", of the module NAME
bundle() {
        local id=${1//_/-}

        hotpatchctl --quiet bundle create --root "$root" --id "$id" --title "Test $id" --severity low "${@:2}" \
                --output "$folder/$id.hpb" "$work/$1.ko"
        hotpatchctl --quiet bundle sign --key "$folder/keys/signer.key" "$folder/$id.hpb"
}

# The module with a signature as scripts/sign-file appends it, by a key that no kernel has.
append_signature() {
        local key=$work/site

        openssl req -quiet -x509 -newkey rsa:2048 -nodes -keyout "$key.key" -out "$key.pem" -days 30 \
                -subj '/CN=A site of its own' 2>/dev/null ||
                openssl req -x509 -newkey rsa:2048 -nodes -keyout "$key.key" -out "$key.pem" -days 30 \
                        -subj '/CN=A site of its own'
        openssl cms -sign -binary -noattr -nocerts -md sha256 -outform DER -in "$1" -out "$work/p7" \
                -signer "$key.pem" -inkey "$key.key"
        {
                cat "$work/p7"
                printf '\0\0\2\0\0\0\0\0'
                printf '%08x' "$(stat -c %s "$work/p7")" | sed 's/../\\x&/g' | xargs -0 printf
                printf '~Module signature appended~\n'
        } >>"$1"
}

prepare() {
        local state='static struct klp_state states[] = { { .id = 77, .version = VERSION }, {} };'

        folder=$1
        work=$(mktemp -d)
        hotpatchctl --quiet key generate "$folder/keys"
        variant foreign loadavg_proc_show
        variant hp_cmdline cmdline_proc_show
        variant hp_uptime uptime_proc_show
        variant hp_again cmdline_proc_show
        variant hp_signed cmdline_proc_show
        variant hp_all version_proc_show -e 's/\.objs = objects,/&\n\t.replace = true,/'
        variant hp_veto filesystems_proc_show -e 's/\.funcs = functions,/&\n\t\t.callbacks.pre_patch = veto,/' \
                -e 's/^static struct klp_object/static int veto(struct klp_object *o) { return -EPERM; }\n\n&/'
        variant hp_state_2 filesystems_proc_show -e 's/\.objs = objects,/&\n\t.states = states,/' \
                -e "s/^static struct klp_patch/${state/VERSION/2}\n\n&/"
        variant hp_state_1 uptime_proc_show -e 's/\.objs = objects,/&\n\t.states = states,/' \
                -e "s/^static struct klp_patch/${state/VERSION/1}\n\n&/"
        cp "$top/tests/data/handwritten/prober.c" "$work/"
        (cd "$work" && echo "obj-m := $(echo *.c | sed 's/\.c/.o/g')") >"$work/Kbuild"
        build_kbuild "$work" "$2" "$work"
        kernel_root "$2"
        root=$REPLY
        append_signature "$work/hp_signed.ko"
        bundle hp_cmdline
        bundle hp_uptime
        bundle hp_signed
        bundle hp_all
        bundle hp_veto --requires hp-uptime
        bundle hp_state_2
        bundle hp_state_1
        bundle hp_again --supersedes hp-cmdline
        cp "$work/foreign.ko" "$work/prober.ko" "$folder/"
        rm -rf "$work" "$folder"/keys/*.key
}

# nothing_happened: of what a refused or undone transaction could leave
nothing_happened() {
        no_livepatch
        refuse_file /proc/modules '^hp_'
        [[ ! -e /var/lib/hotpatch/intent ]] || fail "an intent is left"
        [[ -z $(ls -A /var/lib/hotpatch/admitted) ]] || fail "admitted: $(ls -A /var/lib/hotpatch/admitted)"
}

# both_refuse ERROR REGEX ID… [OPTION…]: plan and apply refuse so, with the same sentence
both_refuse() {
        local error=$1 regex=$2 planned applied
        shift 2

        run hotpatchctl --json=short plan "$@"
        ((status != 0)) || fail "plan $* is not refused"
        planned=$(grep '^{' <<<"$output" | tail -n 1 | jq -r '.refusal.name + ": " + .refusal.message')
        [[ $planned == "org.hotpatch.Error.$error: "* ]] || fail "plan says $planned"
        grep -Eq -- "$regex" <<<"$planned" || fail "plan says $planned, not $regex"
        run hotpatchctl --json=short apply "$@"
        applied=$(grep '^{' <<<"$output" | tail -n 1 | jq -r '.error.name + ": " + .error.message')
        [[ $applied == "$planned" ]] || fail "apply says $applied, plan says $planned"
}

testcase_the_conditions_of_a_good_one() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        hotpatchctl stage hp-*.hpb
        run hotpatchctl plan hp-cmdline
        expect_status 0
        expect_output 'cmdline_proc_show +added +now'
        expect_output 'ok +reliable-stacks +yes'
        expect_output 'ok +other-patchers +none'
        expect_output 'ok +signature hp_cmdline +none +any'
        expect_output 'can be applied'
        nothing_happened
}

testcase_an_ordinary_user_may_ask_and_not_do() { # once
        run as_user hotpatchctl plan hp-cmdline hp-uptime
        expect_status 0
        expect_output 'the machine'
        run as_user hotpatchctl apply --dry-run hp-cmdline
        expect_status 0
        expect_output 'can be applied'
        run as_user hotpatchctl --no-ask-password --json=short apply --allow-replace-foreign hp-all
        expect_status 4
        expect_output 'AccessDenied|InteractiveAuthorizationRequired'
        run as_user hotpatchctl plan hp-nobody
        expect_status 3
        expect_output 'hp-nobody'
        run as_user hotpatchctl remove --dry-run hp-nobody
        ((status != 0))
        expect_output "There is no patch 'hp-nobody'"
        run hotpatchctl list --dry-run
        expect_status 2
        nothing_happened
}

testcase_a_function_that_a_kprobe_has() {
        insmod prober.ko
        both_refuse FunctionBusy "'uptime_proc_show' of 'vmlinux', which a kprobe" hp-uptime
        run hotpatchctl plan hp-uptime
        expect_output 'NO +function vmlinux:uptime_proc_show .*kprobe_ftrace_handler'
        rmmod prober
        run hotpatchctl plan hp-uptime
        expect_status 0
        nothing_happened
}

testcase_what_the_policy_forbids() { # once
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '[Policy]\nForbid=nf_tables vmlinux:up*\n' >/etc/hotpatch/hotpatchd.conf.d/forbid.conf
        systemctl restart hotpatchd.service
        both_refuse ForbiddenByPolicy "'uptime_proc_show' of 'vmlinux', and the policy .*'vmlinux:up" hp-uptime
        hotpatchctl plan hp-cmdline
        both_refuse ForbiddenByPolicy "'hp-uptime'" hp-cmdline hp-uptime
        printf '[Policy]\nForbid=mm/\n' >/etc/hotpatch/hotpatchd.conf.d/forbid.conf
        systemctl restart hotpatchd.service
        both_refuse ForbiddenByPolicy 'does not say which source file' hp-cmdline
        printf '[Policy]\nForbid=mm/, fs/\n' >/etc/hotpatch/hotpatchd.conf.d/forbid.conf
        systemctl restart hotpatchd.service
        both_refuse ForbiddenByPolicy 'cannot be read' hp-cmdline
        rm /etc/hotpatch/hotpatchd.conf.d/forbid.conf
        systemctl restart hotpatchd.service
        hotpatchctl plan hp-cmdline
        nothing_happened
}

testcase_three_of_which_the_last_fails_are_none() {
        run hotpatchctl --json=short apply hp-veto hp-cmdline hp-uptime
        ((status != 0)) || fail "the veto did not count"
        expect_output 'org.hotpatch.Error.RefusedByModule'
        refuse_file /proc/cmdline hp_cmdline
        refuse_file /proc/uptime hp_uptime
        nothing_happened
        # without it, in the order of need
        run hotpatchctl apply hp-uptime hp-cmdline
        expect_status 0
        expect_file /proc/cmdline '^hp_cmdline$'
        expect_file /proc/uptime '^hp_uptime$'
        hotpatchctl remove hp-uptime hp-cmdline
        nothing_happened
}

testcase_overlaps_and_superseding() {
        hotpatchctl apply hp-cmdline
        both_refuse Conflict "'cmdline_proc_show' of 'vmlinux', which the active patch 'hp-cmdline'" hp-signed
        both_refuse Conflict "'hp-again' supersedes 'hp-cmdline'" hp-cmdline hp-again
        run hotpatchctl plan hp-again
        expect_status 0
        expect_output 'cmdline_proc_show +kept'
        hotpatchctl apply hp-again
        expect_file /proc/cmdline '^hp_again$'
        refuse_file /proc/modules '^hp_cmdline '
        run hotpatchctl remove --dry-run hp-again
        expect_status 0
        expect_output 'can be removed'
        expect_file /proc/cmdline '^hp_again$'
        hotpatchctl remove hp-again
        nothing_happened
}

testcase_system_states() {
        hotpatchctl apply hp-state-2
        both_refuse SystemStateIncompatible "state 77 in version 1, and 'hp-state-2' has it in version 2" hp-state-1
        # … and the kernel would have said so
        systemctl restart hotpatchd.service
        both_refuse SystemStateIncompatible "state 77" hp-state-1
        both_refuse SystemStateIncompatible "does not know the system state 77 of 'hp-state-2'" \
                --allow-replace-foreign hp-all
        hotpatchctl remove hp-state-2
        nothing_happened
}

testcase_a_foreign_livepatch_is_replaced_with_consent() {
        insmod foreign.ko
        eventually 60 grep -qx 0 /sys/kernel/livepatch/foreign/transition
        expect_file /proc/loadavg '^foreign$'
        hotpatchctl apply hp-cmdline
        both_refuse WouldReplaceOthers "take out 'foreign', which is not ours, and 'hp-cmdline'" hp-all
        run hotpatchctl plan --allow-replace-foreign hp-all
        expect_status 0
        expect_output "note +replaces +'hp-cmdline', 'foreign'"
        expect_output 'loadavg_proc_show +dropped'
        hotpatchctl apply --allow-replace-foreign hp-all
        expect_file /proc/version '^hp_all$'
        refuse_file /proc/loadavg foreign
        refuse_file /proc/cmdline hp_cmdline
        refuse_file /proc/modules '^hp_cmdline '
        # his to unload
        expect_file /proc/modules '^foreign '
        eventually 60 rmmod foreign
        run hotpatchctl list
        expect_output '^hp-all +active'
        hotpatchctl remove hp-all
        nothing_happened
}

testcase_a_kernel_that_wants_signed_modules() {
        echo 1 >/sys/module/module/parameters/sig_enforce
        both_refuse ModuleSignatureRequired "'hp_cmdline' .* is not signed, .*module.sig_enforce" hp-cmdline
        both_refuse ModuleSignatureRequired \
                "signed by 'A site of its own' with the serial number [0-9a-f]+, which is in none" hp-signed
        nothing_happened
        # The kernel agrees.
        run insmod foreign.ko
        expect_output 'Key was rejected|Required key'
}

. "$(dirname "$0")/lib.sh"
