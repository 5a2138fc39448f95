#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Three machines and Ansible: the collection out of its package, over ssh, against the real daemon on stock kernels. A
# machine is set up; a hotpatch goes from the canary to the rings; a second run changes nothing, and what that costs is
# counted; a poisoned hotpatch stops at the canary, which is as it was before; and a baseline restarts a machine.
#
# The machines: 'one' (the canary), 'two' (ring1) and 'three' (ring2). On each a program reads /proc/version every other second: the
# kernel of who has the poisoned hotpatch warns of that, and tools/vm fails for it on the two others.
# shellcheck disable=SC2154 # variables of lib-fleet.sh
set -uo pipefail

# shellcheck source=lib-fleet.sh
. "$(dirname "$(readlink -f "$0")")/lib-fleet.sh"

kernel=6.1.0-50-cloud-amd64
new=6.1.0-56-cloud-amd64
machines=(one two three)
part=${1:-}
place=usr/share/ansible/collections/ansible_collections/hotpatch/hotpatch

prepare() {
        need_packages ansible-core gpg dpkg-dev
        use_author_tools
        hotpatchctl --quiet key generate "$fleet/keys"
        build_show_bundle "$fleet/good.hpb" "$fleet/keys" devinfo_show $kernel $new
        build_bundle "$fleet/poison.hpb" "$fleet/keys" "$top/tests/data/patches/trial" $kernel
        . "$top/tests/faults/lib-baseline.sh"
        make_repository "$fleet/repository" $new
        echo bad-warn >"$fleet/guest/workload"
        cp "$author_debs"/hotpatch_*.deb "$fleet/hotpatch.deb"
        mkdir "$fleet/collections"
        ln -s "$author_root/${place%%/ansible_collections*}/ansible_collections" "$fleet/collections/ansible_collections"
        write_inventory
        write_site
}

write_inventory() {
        cat >"$fleet/inventory" <<'INVENTORY'
[canary]
one
[ring1]
two
[ring2]
three
[ring3]
INVENTORY
        cat >>"$fleet/inventory" <<INVENTORY
[all:vars]
ansible_ssh_common_args=-F $fleet/ssh_config
ansible_python_interpreter=/usr/bin/python3
hotpatch_soak=5
INVENTORY
}

# What an administrator would write. Trials are short, so that the test is.
write_site() {
        cat >"$fleet/site.yml" <<SITE
- hosts: all
  gather_facts: false
  become: true
  roles:
    - role: hotpatch.hotpatch.hotpatch
      vars:
        hotpatch_package_files: [$fleet/hotpatch.deb]
        hotpatch_trust_anchors: [$fleet/keys/root.pem, $fleet/keys/revocation.crl]
        hotpatch_timers: {hotpatch-audit: 'OnCalendar=Sun 04:00'}
        hotpatch_settings:
          Trial: {MaxSec: 15s}
SITE
        printf -- '- hosts: all\n  gather_facts: false\n  become: true\n  tasks:\n    - ansible.builtin.ping:\n' >"$fleet/ping.yml"
        cat >"$fleet/info.yml" <<'INFO'
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - hotpatch.hotpatch.hotpatch_info:
INFO
}

# play NAME STATUS ARGUMENT…: of ansible-playbook; the result of each task is a line of $fleet/NAME.json, with the time at
# which it came
play() {
        local name=$1 expected=$2 status=0 line
        shift 2

        # One way to the target for a task instead of three, and guests are slow.
        HOME=$fleet ANSIBLE_PIPELINING=1 ANSIBLE_TIMEOUT=120 ANSIBLE_HOME=$fleet/.ansible ANSIBLE_COLLECTIONS_PATH=$fleet/collections LC_ALL=C.UTF-8 \
                PYTHONDONTWRITEBYTECODE=1 ANSIBLE_NOCOLOR=1 \
                ANSIBLE_STDOUT_CALLBACK=record ANSIBLE_CALLBACK_PLUGINS=$top/ansible/tests/callback \
                /usr/bin/ansible-playbook -i "$fleet/inventory" "$@" 2>"$fleet/$name.err" </dev/null |
                while IFS= read -r line; do
                        # Of a loop, that of each item.
                        [[ $line != '{'* ]] || jq -c --argjson at "$EPOCHREALTIME" '. as $task | (.results // [{}])[] |
                                ($task | del(.results)) + . + {_at: $at, _host: $task._host, _task: $task._task}' <<<"$line"
                done >"$fleet/$name.json" || status=$?
        # What it did, for who reads the log of a failure.
        jq -r '"\(._host) \(._task): changed \(.changed) \(.msg // "")"' "$fleet/$name.json"
        tail -n 5 "$fleet/$name.err"
        [[ $status == "$expected" ]]
}

# said NAME FILTER: is that so of the list of the results of a play?
said() {
        jq -es "$2" "$fleet/$1.json" >/dev/null
}

# active NAME IDS: these hotpatches are in force on that machine, and no other
active() {
        local found

        found=$(on "$1" hotpatchctl --json=short list | jq -r '[.[] | select(.state == "active") | .id] | sort | join(" ")')
        [[ $found == "$2" ]]
}

# ---- what is tested ----

machines_come_up() {
        local machine options

        for machine in "${machines[@]}"; do
                case $machine in
                # The canary's kernel is to warn.
                one) options=(--allow-oops) ;;
                # It has its kernel installed, for a baseline.
                two)
                        options=()
                        [[ $part == rollout ]] || options=(--own-kernel --reboots 1 --memory 1024 --put "$fleet/repository:/srv/new")
                        ;;
                *) options=() ;;
                esac
                fleet_start "$machine" $kernel ${options[@]+"${options[@]}"}
        done
        fleet_wait 900 "${machines[@]}"
}

ssh_and_one_module() {
        play ping 0 "$fleet/ping.yml"
        play info 0 -l canary "$fleet/info.yml"
        # Nobody is trusted yet.
        said info 'length == 1 and (.[0].ineligible_reason | test("nobody is trusted")) and .[0].changed == false
                and .[0].round_trips == 2'
}

they_are_set_up() {
        play site 0 -l "$(IFS=,; echo "${machines[*]}")" "$fleet/site.yml"
}

a_machine_is_set_up() {
        # One has nothing of it yet.
        on three dpkg --purge hotpatch hotpatch-notifier hotpatch-dev
        play site 0 "$fleet/site.yml"
        said site 'map(select(._task | test("Install the packages"))) | map({(._host): .changed}) | add ==
                {one: false, two: false, three: true}'
        said site 'map(select(._task | test("Set the policy")) | .settings[].value) == ["15s", "15s", "15s"] or
                (map(select(._task | test("Set the policy")) | .changed) | all)'
        play site-again 0 "$fleet/site.yml"
        said site-again 'length > 0 and all(.changed != true)'
}

check_mode_shows_the_plan() {
        play check 0 -l canary --check --diff -e "{\"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        said check 'map(select(.plan)) | length == 1 and .[0].changed and (.[0].diff.after | test("devinfo_show"))'
        active one ""
}

a_rollout() {
        play rollout 0 -e "{\"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        # One after the other, the canary first.
        said rollout '[.[] | select(.job) | ._host] == ["one", "two", "three"]'
        said rollout 'all(.failed != true)'
        for machine in "${machines[@]}"; do
                active "$machine" hp-show-devinfo-show
                on "$machine" grep -q 'shown by a patch' /proc/devices
        done
}

a_second_run_changes_nothing() {
        local begin calls

        on one "systemd-run --quiet --unit=calls sh -c 'exec dbus-monitor --system --profile type=method_call,destination=org.hotpatch.Hotpatch1 >/run/calls'"
        sleep 3
        begin=$EPOCHREALTIME
        play again 0 -e "{\"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        said again 'length > 0 and all(.changed != true)'
        calls=$(on one grep -c '^mc' /run/calls)
        on one systemctl stop calls
        # The rings are one machine each, so that each has its part of the time for itself.
        jq -rs --argjson begin "$begin" '
                reduce (group_by(._host) | sort_by(map(._at) | max))[] as $h ({last: $begin, out: []};
                        ($h | map(._at) | max) as $over |
                        .out += ["note: no change on \($h[0]._host): \(($over - .last) * 10 | round / 10) s, " +
                                "\($h | length) tasks, \($h | map(.round_trips // 0) | add) round trips (" +
                                ([$h[] | select(.round_trips) | "\(.round_trips)"] | join(" + ")) + ")"] | .last = $over)
                | .out[]' "$fleet/again.json"
        echo "note: calls of org.hotpatch.Hotpatch1 seen by dbus-monitor on the canary: $calls"
        begin=$EPOCHREALTIME
        play ping 0 -l canary "$fleet/ping.yml"
        jq -r --argjson begin "$begin" '"note: one task that does nothing on the canary, with the start of Ansible: \((._at - $begin) * 10 | round / 10) s"' \
                "$fleet/ping.json"
}

poison_stops_at_the_canary() {
        play poison 2 -e "{\"hotpatch_bundles\": [\"$fleet/poison.hpb\"]}" hotpatch.hotpatch.rings
        said poison 'map(._host) | unique == ["one"]'
        said poison 'last | .failed and (tostring | test("was rolled back: .*warning"))'
        jq -rs '"note: " + (last | (.results[0].msg // .msg))' "$fleet/poison.json"
        # What was there before still is, and the others have not even got it.
        for machine in "${machines[@]}"; do
                active "$machine" hp-show-devinfo-show
        done
        for machine in two three; do
                [[ $(on "$machine" hotpatchctl --json=short list) != *test-trial* ]]
        done
        # A machine that is not well does not begin another.
        play sick 2 -l canary -e "{\"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        said sick 'all(.job == null) and (last | .failed)'
}

a_baseline_restarts_a_machine() {
        local boot

        on two bash -c "'. /run/fleet/lib-baseline.sh; use_repository /srv/new'"
        boot=$(on two cat /proc/sys/kernel/random/boot_id)
        play baseline 0 -l ring1 -e "{\"hotpatch_baseline\": true, \"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        [[ $(on two uname -r) == "$new" && $(on two cat /proc/sys/kernel/random/boot_id) != "$boot" ]]
        # It is made for that kernel, too.
        active two hp-show-devinfo-show
        play baseline-again 0 -l ring1 -e "{\"hotpatch_baseline\": true, \"hotpatch_bundles\": [\"$fleet/good.hpb\"]}" hotpatch.hotpatch.rings
        said baseline-again 'length > 0 and all(.changed != true)'
}

baseline() {
        check "a baseline, with the restart that it needs" a_baseline_restarts_a_machine
        check_here "the machine of the first ring ends, and its kernel has nothing to complain of" fleet_end two
        fleet_done "${machines[@]}"
}

case $part in
'') ;;
rollout) ;;
baseline) machines=(two) ;;
*) echo "usage: $0 [rollout|baseline]" >&2; exit 2 ;;
esac
fleet_open
fleet_prepare
check_here "the machines come up" machines_come_up
((failed == 0)) || fleet_done "${machines[@]}"
if [[ -n $part ]]; then
        check "a role configures them" they_are_set_up
        [[ $part != baseline ]] || baseline
else
        check "ansible reaches them, and a module asks the daemon" ssh_and_one_module
        check "a role installs and configures, and the second time changes nothing" a_machine_is_set_up
        check "check mode shows the daemon's plan and does nothing" check_mode_shows_the_plan
fi
check "a rollout from the canary to the rings" a_rollout
check "a second run changes nothing" a_second_run_changes_nothing
check "a poisoned hotpatch stops at the canary, which is as it was before" poison_stops_at_the_canary
check_here "the machine of the second ring ends, and its kernel has nothing to complain of" fleet_end three
check_here "the canary ends" fleet_end one
if [[ -n $part ]]; then
        check_here "the machine of the first ring ends, and its kernel has nothing to complain of" fleet_end two
        fleet_done "${machines[@]}"
fi
baseline
