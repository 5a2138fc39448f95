# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of who sources this, and of tools/lib
#
# For tests of several machines at the same time: guests in the background that are reached by ssh through ports of
# 127.0.0.1, with keys made for this run. They wait until they are told to end, and then tools/vm says whether
# their kernels had anything to complain of. The guest's side is lib-fleet-guest.sh.

. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/common.sh"
. "$top/tools/lib/packages.sh"
. "$top/tools/lib/vm-image.sh"
. "$top/tools/lib/patch.sh"

fleet_packages='openssh-server python3 python3-apt sudo systemd-journal-remote'
declare -A fleet_port=() fleet_guest=()
number=0 failed=0

# fleet_open: make $fleet, the folder of this run, with the keys; fleet/guest is in each guest as /run/fleet
fleet_open() {
        need_packages openssh-client jq
        fleet=$(mktemp -d "${TMPDIR:-/tmp}/hotpatch-fleet-XXXXXX")
        cleanup_paths+=("$fleet")
        trap 'fleet_kill; cleanup' EXIT
        mkdir "$fleet/guest"
        ssh-keygen -q -t ed25519 -N '' -C test -f "$fleet/key"
        ssh-keygen -q -t ed25519 -N '' -C test -f "$fleet/guest/host.key"
        cp "$fleet/key.pub" "$top/tests/faults/lib-fleet-guest.sh" "$top/tests/vm/lib-guest.sh" "$top/tests/vm/lib-baseline.sh" \
                "$fleet/guest/"
        cat >"$fleet/ssh_config" <<CONFIG
Host *
        HostName 127.0.0.1
        User user
        IdentityFile $fleet/key
        IdentitiesOnly yes
        UserKnownHostsFile $fleet/known_hosts
        StrictHostKeyChecking yes
        ConnectTimeout 10
CONFIG
}

# fleet_prepare: call prepare(), in a shell of its own, which ends at the first failing command; without it there is no test
fleet_prepare() {
        local status=0

        (set -e; prepare) >"$fleet/log" 2>&1 &
        wait $! || status=$?
        ((status == 0)) || { report "prepare" $status; fleet_done; }
}

# free_port: one of 127.0.0.1 below those that the kernel gives away by itself
free_port() {
        local port

        while :; do
                port=$((20000 + RANDOM % 12000))
                [[ " ${fleet_port[*]} " != *" $port "* ]] || continue
                grep -qi ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 || break
        done
        echo $port
}

# fleet_start NAME KERNEL [OPTION…]: of tools/vm
fleet_start() {
        local name=$1 kernel=$2 port
        shift 2

        port=$(free_port)
        fleet_port[$name]=$port
        # A word for ssh, as it looks the port up.
        printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 "$fleet/guest/host.key.pub")" >>"$fleet/known_hosts"
        sed -i "1i Host $name\n        Port $port" "$fleet/ssh_config"
        "$top/tools/vm" --kernel "$kernel" --with "$fleet_packages" --forward "$port:22" --memory 512 --timeout 5400 \
                --put "$fleet/guest:/run/fleet" "$@" -- bash /run/fleet/lib-fleet-guest.sh "$name" \
                >"$fleet/$name.log" 2>&1 </dev/null &
        fleet_guest[$name]=$!
}

# on NAME COMMAND…: as root in that guest; the words go through one shell there
on() {
        local name=$1
        shift
        ssh -F "$fleet/ssh_config" "$name" sudo "$@" </dev/null
}

# fleet_wait SECONDS NAME…: until they are there
fleet_wait() {
        local end=$((SECONDS + $1)) name
        shift

        for name in "$@"; do
                until on "$name" test -e /run/fleet-up >/dev/null 2>&1; do
                        kill -0 "${fleet_guest[$name]}" 2>/dev/null || { echo "the guest $name has ended"; return 1; }
                        ((SECONDS < end)) || { echo "the guest $name does not answer"; return 1; }
                        sleep 1
                done
        done
}

# fleet_end NAME…: they end; fails if tools/vm had something to say of one. Not in a pipe or a subshell: they are ours.
fleet_end() {
        local name status result=0

        for name in "$@"; do
                on "$name" touch /run/fleet-end || result=1
        done
        for name in "$@"; do
                status=0
                wait "${fleet_guest[$name]}" || status=$?
                unset "fleet_guest[$name]"
                ((status == 0)) || { echo "tools/vm of $name: status $status"; result=1; }
        done
        return $result
}

fleet_kill() {
        local name

        for name in "${!fleet_guest[@]}"; do
                kill "${fleet_guest[$name]}" 2>/dev/null
                wait "${fleet_guest[$name]}" 2>/dev/null
        done
        fleet_guest=()
}

# report NAME STATUS: with what $fleet/log says
report() {
        number=$((number + 1))
        if (($2 == 0)); then
                echo "ok $number - $1"
                sed -n 's/^note: /# /p' "$fleet/log"
        else
                failed=1
                echo "not ok $number - $1"
                tail -n 40 "$fleet/log" | cut -c -1500 | sed 's/^/#   /'
        fi
}

# check NAME FUNCTION [ARGUMENT]…: in a shell of its own, which ends at the first failing command
check() {
        local name=$1
        shift
        (
                set -eE
                trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: this failed: $BASH_COMMAND"' ERR
                "$@"
        ) >"$fleet/log" 2>&1 &
        # Not in a condition: there, set -e would have no effect.
        wait $!
        report "$name" $?
}

# check_here NAME FUNCTION [ARGUMENT]…: in this shell, for what starts and ends guests
check_here() {
        local name=$1
        shift
        "$@" >"$fleet/log" 2>&1
        report "$name" $?
}

# fleet_done NAME…: what the guests said, if something has failed; ends the test
# shellcheck disable=SC2120 # who sources this names them
fleet_done() {
        local name

        if ((failed)); then
                for name in "$@"; do
                        sed "s/^/# $name: /" "$fleet/$name.log" | tail -n 120 | cut -c -300
                done
        fi
        echo "1..$number"
        exit $failed
}
