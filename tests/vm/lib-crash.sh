# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh
#
# For the scenarios about machines that go down: patches that panic, and questions that are asked at each start.

# panic_bundle OUT KEYS NAME DEFINE RELEASE: hp-panic-NAME
panic_bundle() {
        local folder

        folder=$(mktemp -d)
        cp "$top"/tests/data/patches/panic/* "$folder"
        sed -i "s/hp-panic/hp-panic-$3/; s/hp_panic\"/hp_panic_$3\"/; s/test-panic/test-panic-$3/" "$folder/patch.json"
        sed -i "0,/^#include/s//#define $4\n#include/" "$folder/panic.c"
        build_bundle "$1" "$2" "$folder" "$5"
        rm -rf "$folder"
}

# revocation_list KEYS OUT: the signer's certificate is no longer good
revocation_list() {
        local folder

        folder=$(mktemp -d)
        touch "$folder/index.txt"
        echo 01 >"$folder/number"
        printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s/index.txt\ncrlnumber=%s/number\ndefault_md=sha384\n' \
                "$folder" "$folder" >"$folder/ca.cnf"
        openssl ca -config "$folder/ca.cnf" -keyfile "$1/intermediate.key" -cert "$1/intermediate.pem" \
                -revoke "$1/signer.pem"
        openssl ca -config "$folder/ca.cnf" -keyfile "$1/intermediate.key" -cert "$1/intermediate.pem" \
                -gencrl -crldays 30 -out "$2"
        rm -rf "$folder"
}

version=hp-example-version-line
line='hotpatch: the second line is new'

# patch ID REGEX: what the list says about one patch
patch() {
        hotpatchctl --json=short list | tr '{' '\n' | grep "\"id\":\"$1\"" >"$scenario_folder/patch" ||
                fail "there is no patch $1"
        grep -Eq -- "$2" "$scenario_folder/patch" || fail "expected /$2/ of $1: $(cat "$scenario_folder/patch")"
}

in_force() {
        expect_file /proc/version "$line"
        patch $version '"state":"active".*"wanted":true'
}

# Nothing is half: no intent, no job, no module that is on its way.
settled() {
        [[ ! -e /var/lib/hotpatch/intent ]] || fail "an intent is open"
        [[ -z $(ls -A /run/hotpatch/load 2>/dev/null) ]] || fail "a load directory is left"
        ! grep -l 1 /sys/kernel/livepatch/*/transition 2>/dev/null || fail "a transition runs"
        run systemctl --failed --no-legend --plain
        refuse_output hotpatch
}

trials_over() {
        [[ -z $(ls -A /var/lib/hotpatch/trials) ]]
}

# How long a trial takes must not depend on how long this machine takes to start: they last until they are ended.
trials_last() {
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '[Trial]\nMinSec=1h\n' >/etc/hotpatch/hotpatchd.conf.d/50-trials.conf
        systemctl try-restart hotpatchd.service
}

on_trial() {
        patch "$1" '"trial_until":"'
}

# content PATCH: its trial has passed
content() {
        run hotpatchctl end-trial "$1"
        expect_status 0
        trials_over || fail "on trial: $(ls /var/lib/hotpatch/trials)"
}

check_boot() {
        run /usr/libexec/hotpatch/hotpatch-restore --check
}

# usec UNIT PROPERTY
usec() {
        systemctl show --value -p "$2" "$1"
}
