# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# How tools/demo talks, on the host and in the guest: a heading, a command with its real output, and a
# check that fails loudly.

if [[ -t 1 || ${HOTPATCH_DEMO_BOLD:-} == yes ]]; then
        bold=$'\e[1m' plain=$'\e[0m'
else
        bold='' plain=''
fi

heading() {
        printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

# words WORD…: the words as a shell would read them
words() {
        local word

        for word in "$@"; do
                [[ $word =~ ^[A-Za-z0-9_./=:,+-]+$ ]] || word=${word@Q}
                printf ' %s' "$word"
        done
}

# show COMMAND…: print it, run it; output is kept in $seen, the exit status must be 0
show() {
        show_status 0 "$@"
}

# show_status STATUS COMMAND…: the same with another expected exit status; "not-0" for any failure
show_status() {
        local expected=$1 file status=0
        shift

        printf '%s$%s%s\n' "$bold" "$(words "$@")" "$plain"
        file=$(mktemp)
        # Both streams, as they come; pipefail hands on the command's status.
        "$@" 2>&1 | tee "$file" || status=$?
        seen=$(<"$file")
        rm -f "$file"
        case $expected in
        not-0) ((status != 0)) || give_up "this had to be refused, and was not" ;;
        *) ((status == expected)) || give_up "exit status $status, expected $expected" ;;
        esac
}

# must_show REGEX / must_not_show REGEX: in the output of the last command
must_show() {
        grep -Eq -- "$1" <<<"$seen" || give_up "expected to see: $1"
}

must_not_show() {
        ! grep -Eq -- "$1" <<<"$seen" || give_up "did not expect to see: $1"
}

give_up() {
        printf '\nFAILED: %s\n' "$*"
        exit 1
}
