#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "Your first own bundle" of the README, command by command: what a new user is told to do works.
# kernels: 6.1.0-50-cloud-amd64
# seconds: 40
# shellcheck disable=SC2154 # scenario_file and output are lib.sh's and lib-guest.sh's

# readme_blocks LANGUAGE: the fenced blocks of that language in the walk-through, one after the other
readme_blocks() {
        sed -n '/^## Your first own bundle/,/^## Folders/p' "$1/README.md" |
                awk -v fence="\`\`\`$2" '$0 == fence { on = 1; next } /^```/ { on = 0 } on'
}

prepare() {
        local top work
        top=$(cd "$(dirname "$scenario_file")/../.." && pwd)
        work=$(mktemp -d)

        ln -s "$top/build" "$top/module" "$top/tools" "$work/"
        readme_blocks "$top" sh | grep -v '^tools/vm ' >"$work/commands"
        readme_blocks "$top" text >"$1/promised"
        (cd "$work" && bash -eu commands)
        cp -r "$work/my-patch" "$1/"
        rm -rf "$work"
}

testcase_the_commands_work() {
        cp -r my-patch /root/
        run sh -ex /root/my-patch/try.sh
        expect_status 0
        printf '%s\n' "$output" >output
        no_livepatch
}

# Times, keys and what is left out differ; every other promised line must really be there.
testcase_the_output_is_as_promised() {
        local line missing=0

        sed -i -E 's/\([0-9.]+ s\)/(SECONDS)/' output promised
        while IFS= read -r line; do
                case $line in
                *…* | '' | *'unexported symbol'* | my-patch/*) continue ;;
                esac
                grep -qxF -- "$line" output || { echo "not said: $line"; missing=1; }
        done <promised
        [[ $missing == 0 ]] || { sed 's/^/> /' output; fail "the README shows what is not so"; }
}

testcase_the_command_line_was_hidden_from_users_while_the_patch_was_active() {
        # Before, while it is active (nothing), and after its removal.
        [[ $(grep -c '^+ runuser' output) == 3 ]]
        [[ $(grep -cxF -- "$(cat /proc/cmdline)" output) == 2 ]]
}

. "$(dirname "$0")/lib.sh"
