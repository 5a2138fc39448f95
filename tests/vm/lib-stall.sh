# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of lib.sh
#
# For the scenarios about transitions that do not end: the module in tests/data/stall, a bundle for it, and
# tasks that sit in it.

# build_stall FOLDER RELEASE PATCHFOLDER: FOLDER/hp_stall.ko, and a signed bundle for it beside it
build_stall() {
        local work name

        work=$(mktemp -d)
        name=$(basename "$3")
        [[ -e $1/keys ]] || hotpatchctl --quiet key generate "$1/keys"
        [[ -e $1/hp_stall.ko ]] || build_kbuild "$top/tests/data/stall" "$2" "$1"
        build_module "$3" "$2" "$work"
        kernel_root "$2" && ln -s "$REPLY/boot" "$work/boot"
        # The kernel as it is installed, with a module of ours more.
        mkdir -p "$work/lib/modules/$2/updates"
        ln -s "$REPLY/lib/modules/$2"/* "$work/lib/modules/$2/" 2>/dev/null || true
        cp "$1/hp_stall.ko" "$work/lib/modules/$2/updates/"
        hotpatchctl --quiet bundle create --patch "$3/patch.json" --root "$work" --output "$1/$name.hpb" "$work"/*.ko
        hotpatchctl --quiet bundle sign --key "$1/keys/signer.key" "$1/$name.hpb"
        rm -rf "$work"
}

# configure LINE…: of the section [Transition]
configure() {
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '%s\n' '[Transition]' "$@" >/etc/hotpatch/hotpatchd.conf.d/50-test.conf
        systemctl restart hotpatchd.service
}

# sit UNIT PLACE…: a service whose processes sit in these places
sit() {
        local unit=$1
        shift
        systemd-run --quiet --unit "$unit" --property CollectMode=inactive-or-failed \
                bash -c 'for place in "$@"; do cat "/proc/hp_stall/$place" & done; wait' bash "$@"
        eventually 60 sitting "$unit" $#
}

# sitting UNIT N: not only started: in such a function
sitting() {
        local n=0 pid

        for pid in $(<"/sys/fs/cgroup/system.slice/$1.service/cgroup.procs"); do
                ! grep -Eqs '(hp_stall|hp_back)_' "/proc/$pid/stack" || n=$((n + 1))
        done
        ((n == $2))
}

nobody_sits() {
        ! grep -Eqs 'hp_stall_' /proc/[0-9]*/stack
}

# let_go: everybody goes, and the next who come sit again
let_go() {
        echo release >/proc/hp_stall/control
        echo stop >/proc/hp_stall/control
        eventually 60 nobody_sits
        echo hold >/proc/hp_stall/control
}

blockers() {
        busctl --json=short get-property org.hotpatch.Hotpatch1 "/org/hotpatch/Hotpatch1/job/$1" \
                org.hotpatch.Hotpatch1.Job Blockers
}

# begin ACTION ARGUMENT…: start a job without waiting for it; $job is its number
begin() {
        job=$(hotpatchctl --json --no-wait "$@" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p' | head -n 1)
        [[ $job ]] || fail "no job"
}

names_blocker() {
        grep -Eq -- "$1" <<<"$(blockers "$job")"
}

# ended NAME…: those services have ended, and their names are free
ended() {
        local name

        for name; do
                eventually 60 bash -c "! systemctl is-active --quiet $name.service && ! systemctl list-units --all |
                        grep -q $name.service"
        done
}

running_job() {
        busctl --json=short call org.hotpatch.Hotpatch1 /org/hotpatch/Hotpatch1 org.hotpatch.Hotpatch1.Manager \
                ListJobs | grep -o '\[[0-9]*,"[a-z]*","[a-z]*"' | grep -v finished | grep -o '[0-9]*' | tail -n 1
}

transition_runs() {
        [[ $(cat /sys/kernel/livepatch/hp_test_stall/transition) == 1 ]]
}
