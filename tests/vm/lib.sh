# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The frame of a scenario in this folder, sourced at its end; README.md tells how a scenario is written.
#
# A scenario file runs twice. On the host it boots one guest for each kernel in its header and puts
# itself, this file and what its prepare() made into it. In the guest (HOTPATCH_SCENARIO is set there) it
# runs its testcase_* functions and prints TAP, which the host passes on under the kernel's name.

set -uo pipefail

scenario_file=$(readlink -f "$0")
scenario_name=$(basename "$scenario_file" .sh)
# In the guest: where the scenario and what prepare() made lie.
scenario_folder=/run/scenario

# testcases [RELEASE [once]]: the testcase_* functions in the order in which they stand in the file; those whose first
# line ends in "# on: RELEASE…" only for these kernels; those with "# once", which no kernel matters to, not if there
# has been one
testcases() {
        local name comment

        sed -nE 's/^testcase_([a-zA-Z0-9_]*) *\(\) *\{? *(.*)/\1 \2/p' "$scenario_file" |
                while read -r name comment; do
                        case $comment in
                        '# on: '*) [[ -z ${1:-} || " ${comment#*: } " == *" $1 "* ]] || continue ;;
                        '# once') [[ -z ${2:-} ]] || continue ;;
                        esac
                        echo "$name"
                done
}

# header KEY: the words of the header line "# KEY: words"
header() {
        sed -n "s/^# $1: *//p" "$scenario_file" | head -n 1
}

# ---- in the guest ----

# run_testcase "NAME [ARGUMENT]…": one testcase in a shell of its own, which ends at the first failing command
run_testcase() {
        local words

        read -ra words <<<"$1"
        (
                set -eE
                trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: this failed: $BASH_COMMAND"' ERR
                "testcase_${words[0]}" "${words[@]:1}"
        ) >"$scenario_folder/log" 2>&1 &
        wait $!
}

# Where a scenario that restarts the guest keeps what it has done: on the disk that outlives the restart.
scenario_state=/var/lib/scenario

# number of testcases that were reported before this boot, and whether one of them failed
read_state() {
        number=$(cat $scenario_state/number 2>/dev/null || echo 0)
        failed=$(cat $scenario_state/failed 2>/dev/null || echo 0)
}

# report NAME STATUS: with the seconds since it began, also if the guest restarted in it
report() {
        local begun seconds

        begun=$(cat $scenario_state/begun 2>/dev/null || true)
        seconds=$((EPOCHSECONDS - ${begun:-EPOCHSECONDS}))
        number=$((number + 1))
        if (($2 == 0)); then
                echo "ok $number - ${1//_/ } # $seconds s"
                # What was measured is worth knowing when it is well, too. After a restart there is no log.
                sed -n 's/^note: /# /p' "$scenario_folder/log" 2>/dev/null
        elif (($2 == 78)); then
                : # there was nothing to be tested, and so nothing is said
        elif (($2 == 77)); then
                echo "ok $number - ${1//_/ } # SKIP $(tail -n 1 "$scenario_folder/log")"
        else
                failed=1
                echo "not ok $number - ${1//_/ } # $seconds s"
                sed 's/^/#   /' "$scenario_folder/log"
                dmesg | tail -n 15 | sed 's/^/#   dmesg: /'
        fi
        echo "$number" >$scenario_state/number
        echo "$failed" >$scenario_state/failed
}

run_in_guest() {
        local name number failed status skip

        # shellcheck source=lib-guest.sh
        . "$scenario_folder/lib-guest.sh"
        cd "$scenario_folder" || exit 125
        mkdir -p $scenario_state
        read_state
        skip=$number
        # A testcase that ended with a restart had not failed until then.
        if [[ -e $scenario_state/restarting ]]; then
                report "$(cat $scenario_state/restarting)" 0
                rm -f $scenario_state/restarting
                skip=$number
        fi
        for name in "$@"; do
                ((skip-- <= 0)) || continue
                # shellcheck disable=SC2034 # for lib-guest.sh
                testcase=$name
                echo "$EPOCHSECONDS" >$scenario_state/begun
                # Not in a condition: there, set -e would have no effect in the testcase.
                run_testcase "$name"
                status=$?
                # It has told the machine to restart: that will come.
                [[ ! -e $scenario_state/restarting ]] || sleep 300
                report "$name" $status
        done
        [[ -z $(header model) ]] || write_trace
        echo "1..$number"
        exit "$failed"
}

# write_trace: what hotpatchd said in this boot, for compare_with_model
write_trace() {
        journalctl --sync
        journalctl -b -o json --all _SYSTEMD_UNIT=hotpatchd.service _UID=0 |
                grep -F HOTPATCH_TRANSACTION >"$scenario_folder/trace"
}

# ---- on the host ----

# compare_with_model RELEASE TRACE [--part]: is what hotpatchd did on that kernel a run of the model in doc/model? The header line
# "# model:" has the options of check-trace that say which patch is which.
compare_with_model() {
        local options log status=0 model

        model=$(dirname "$scenario_file")/../../doc/model
        read -ra options <<<"$(header model)"
        log=$("$model/check-trace" "$model" "${options[@]}" "${@:3}" <"$2" 2>&1) || status=$?
        if ((status == 0)); then
                echo "ok - $1: the model can do what hotpatchd did"
        else
                printf '%s\n' "$log" | sed 's/^/# /'
                echo "not ok - $1: the model can do what hotpatchd did"
        fi
        return $status
}

# flip_bit FILE OFFSET: what one bad bit on a disk or a wire does
flip_bit() {
        local byte

        byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1)
        # shellcheck disable=SC2059 # the format is the byte
        printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# run_prepare FOLDER RELEASE: prepare() of the scenario with the tools of the packages of this tree, and
# with the functions of tools/lib/patch.sh
run_prepare() {
        local library

        set -e
        for library in common packages vm-image patch secure-boot; do
                # shellcheck source=/dev/null
                . "$(dirname "$scenario_file")/../../tools/lib/$library.sh"
        done
        use_author_tools
        prepare "$1" "$2"
}

scenario_help() {
        cat <<HELP
Usage: $0 [--all] [--kernel RELEASE]… [TESTCASE]…

Run the scenario on each kernel that its header names, or on those given; all testcases, or those given. What no kernel
matters to ("# once") runs on the first of the header's only, but on each that is given.
--all adds the kernels that take too long for every run.

Kernels:   $(header kernels)
With --all: $(header 'more kernels')
Testcases: $(testcases | tr '\n' ' ')
HELP
}

# run_on_kernel RELEASE ONCE TESTCASE…: ONCE is for testcases
run_on_kernel() {
        local release=$1 once=$2 folder options guest='' status=0 testcases all=no begun=$SECONDS prepared
        shift 2
        testcases=("$@")

        (($# > 0)) || { all=yes; mapfile -t testcases < <(testcases "$release" "$once" |
                if declare -F expand_testcases >/dev/null; then expand_testcases; else cat; fi); }
        folder=$(mktemp -d)
        # shellcheck disable=SC2064 # now
        trap "rm -rf '$folder'" EXIT
        trap 'kill "$guest" 2>/dev/null; exit 143' TERM
        if declare -F prepare >/dev/null; then
                # Not in a condition: there set -e would not count.
                (kernel=$release run_prepare "$folder" "$release") >"$folder/prepare.log" 2>&1 &
                if ! wait $!; then
                        sed 's/^/# /' "$folder/prepare.log"
                        echo "not ok - $release: prepare"
                        rm -rf "$folder"
                        return 1
                fi
        fi
        prepared=$SECONDS
        cp "$scenario_file" "$folder/scenario.sh"
        cp "$(dirname "$scenario_file")/lib.sh" "$(dirname "$scenario_file")/lib-guest.sh" "$folder/"

        read -ra options <<<"$(header options)"
        [[ -z $(header packages) ]] || options+=(--with "$(header packages)")
        [[ -z $(header model) ]] || options+=(--get "$scenario_folder/trace:$folder/trace")
        "$(dirname "$scenario_file")/../../tools/vm" --kernel "$release" ${options[@]+"${options[@]}"} \
                --put "$folder:$scenario_folder" --env HOTPATCH_SCENARIO="$scenario_name" \
                --env HOTPATCH_KERNEL="$release" -- \
                bash "$scenario_folder/scenario.sh" "${testcases[@]}" >"$folder/output" 2>"$folder/errors" &
        guest=$!
        wait "$guest" || status=$?
        grep -v '^1\.\.' "$folder/output" | sed -E "s/^((not )?ok) [0-9]+ - /\1 - $release: /"
        echo "# $release: prepared in $((prepared - begun)) s, the guest took $((SECONDS - prepared)) s"
        if ((status != 0 && status != 1)) || ! grep -q '^1\.\.' "$folder/output"; then
                sed 's/^/# /' "$folder/errors"
                echo "not ok - $release: the guest ended well (tools/vm: status $status)"
                status=1
        fi
        # A few testcases alone may have no job in them, or none that is in the model.
        if [[ -n $(header model) && $all == yes ]]; then
                compare_with_model "$release" "$folder/trace" || status=1
        elif [[ -s $folder/trace ]]; then
                compare_with_model "$release" "$folder/trace" --part || status=1
        fi
        rm -rf "$folder"
        return $status
}

run_on_host() {
        local kernels=() names=() release share='' once='' failed=0

        while (($# > 0)); do
                case $1 in
                --kernel) kernels+=("${2:?--kernel wants a release}"); shift ;;
                --all) read -ra kernels <<<"$(header kernels) $(header 'more kernels')" ;;
                -h | --help) scenario_help; exit 0 ;;
                -*) echo "unknown option '$1', see --help" >&2; exit 2 ;;
                *)
                        # No pipe: grep -q leaves at the first match, and then the pipe has failed.
                        grep -qx -- "${1#testcase_}" <<<"$(testcases)" ||
                                { echo "no testcase '$1', see --help" >&2; exit 2; }
                        names+=("${1#testcase_}")
                        ;;
                esac
                shift
        done
        ((${#kernels[@]} > 0)) || { read -ra kernels <<<"$(header kernels)"; share=once; }
        for release in "${kernels[@]}"; do
                # Not in a condition either, for the sake of prepare().
                run_on_kernel "$release" "$once" ${names[@]+"${names[@]}"}
                (($? == 0)) || failed=1
                once=$share
        done
        exit $failed
}

if [[ -n ${HOTPATCH_SCENARIO:-} ]]; then
        run_in_guest "$@"
else
        run_on_host "$@"
fi
