#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "Your own patch" of the README and "A patch by hand" of the author's guide, command by command: what a new user is
# told to do works.
# kernels: 6.1.0-50-cloud-amd64
# seconds: 60
# shellcheck disable=SC2154 # scenario_file, output, cache and author_root are set by what sources this

# blocks FILE SECTION FENCE: the fenced blocks with that word in a section, one after the other
blocks() {
        awk -v heading="## $2" -v fence="\`\`\`$3" '
                $0 == heading { here = 1; next }
                /^## / && !on { here = 0 }
                here && $0 == fence { on = 1; next }
                /^```/ { on = 0 }
                on' "$1"
}

# author_wrapper FILE: hotpatch-build as installed, with what it would find in /usr/share and keep in the home
author_wrapper() {
        cat >"$1" <<END
#!/bin/sh
exec '$author_root/usr/bin/hotpatch-build' --cache '$cache/hotpatch-build' --runtime '$author_root/usr/share/hotpatch/module' "\$@"
END
        chmod 755 "$1"
}

prepare() {
        local top work
        top=$(cd "$(dirname "$scenario_file")/../.." && pwd)
        work=$(mktemp -d)

        ln -s "$top/build" "$top/module" "$top/tools" "$work/"
        blocks "$top/doc/author-guide.md" 'A patch by hand' sh | grep -v '^tools/vm ' >"$work/commands"
        blocks "$top/doc/author-guide.md" 'A patch by hand' text >"$1/promised"
        (cd "$work" && bash -eu commands)
        cp -r "$work/my-patch" "$1/"

        mkdir "$work/bin" "$1/own"
        author_wrapper "$work/bin/hotpatch-build"
        blocks "$top/README.md" 'Your own patch' sh >"$work/own"
        (cd "$1/own" && PATH=$work/bin:$PATH bash -eu "$work/own")
        blocks "$top/README.md" 'Your own patch' 'sh machine' >"$1/own/machine"
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
        [[ $missing == 0 ]] || { sed 's/^/> /' output; fail "the guide shows what is not so"; }
}

testcase_the_command_line_was_hidden_from_users_while_the_patch_was_active() {
        # Before, while it is active (nothing), and after its removal.
        [[ $(grep -c '^+ runuser' output) == 3 ]]
        [[ $(grep -cxF -- "$(cat /proc/cmdline)" output) == 2 ]]
}

# After the other one, which shows the numbers of jobs.
testcase_the_patch_of_the_readme_works() {
        cd own || return
        # shellcheck disable=SC2016 # sed's and the machine's, not ours
        sed -i 's/^[^#]*cat .proc.cmdline/echo "[$(&)]"/; s/  *#.*//' machine
        run sh -eu machine
        expect_status 0
        expect_output 'cmdline is now in force'
        expect_output '^\[\]$'
        expect_output '^\[console='
        no_livepatch
}

. "$(dirname "$0")/lib.sh"
