# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh
#
# For the scenarios in which a machine gets a baseline: '# options: --own-kernel --reboots N'. The guest has its kernel
# installed and boots what its own disk names; packages come from a signed repository in the guest, made of the
# archive's own; and the clock is moved, so that months pass in minutes.

# ---- in prepare(), on the host ----

# make_repository FOLDER RELEASE: a signed repository with this kernel and the package that follows the newest one
make_repository() {
        local folder=$1 release=$2 version

        mkdir -p "$folder"
        fetch_deb "linux-image-$release"
        version=$(dpkg-deb -f "$REPLY" Version)
        cp "$REPLY" "$folder/"
        fetch_deb "linux-image-${release#*-*-}=$version"
        cp "$REPLY" "$folder/"
        sign_repository "$folder"
}

# make_package FOLDER NAME VERSION POSTINST: a package with nothing in it but this script
make_package() {
        local tree

        need_packages dpkg-dev
        tree=$(mktemp -d)
        mkdir -p "$1" "$tree/DEBIAN"
        printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: made for a test\n' \
                "$2" "$3" >"$tree/DEBIAN/control"
        printf '#!/bin/sh\nset -e\n%s\n' "$4" >"$tree/DEBIAN/postinst"
        chmod 755 "$tree" "$tree/DEBIAN/postinst"
        dpkg-deb -Zgzip --root-owner-group -b "$tree" "$1/$2_$3_all.deb"
        rm -rf "$tree"
}

# make_vendor FOLDER: somebody to be trusted, without whom a machine is not eligible
make_vendor() {
        hotpatchctl --quiet key generate "$1/keys"
        rm "$1"/keys/*.key
}

# sign_repository FOLDER: the packages in it are a repository, signed by a new key, FOLDER/key.gpg
sign_repository() {
        local folder=$1 home

        need_packages gpg dpkg-dev
        home=$(mktemp -d)
        gpg --homedir "$home" --batch --quiet --passphrase '' --quick-generate-key 'Archive of the test' ed25519 sign never
        gpg --homedir "$home" --batch --quiet --export >"$folder/key.gpg"
        (
                cd "$folder" || exit
                dpkg-scanpackages --multiversion . 2>/dev/null >Packages
                printf 'Origin: Test\nSuite: stable\nCodename: test\nDate: %s\nSHA256:\n %s %s Packages\n' \
                        "$(date -u -R)" "$(sha256sum <Packages | cut -d ' ' -f 1)" "$(stat -c %s Packages)" >Release
                gpg --homedir "$home" --batch --quiet --clearsign --output InRelease Release
        )
        gpgconf --homedir "$home" --kill all
        rm -rf "$home"
}

# ---- in the guest ----

# use_repository FOLDER: apt knows this one and no other. It is copied from: so there is something to download.
use_repository() {
        mkdir -p /srv/repository
        cp "$1"/* /srv/repository/
        install -D -m 644 "$1/key.gpg" /etc/apt/keyrings/test.gpg
        rm -rf /etc/apt/sources.list.d/*
        echo 'deb [signed-by=/etc/apt/keyrings/test.gpg] copy:/srv/repository ./' >/etc/apt/sources.list
}

# trust_vendor: whose keys lie beside the scenario
trust_vendor() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
}

# configure TEXT: a drop-in of hotpatchd.conf(5), read at once; each call replaces the last
configure() {
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '%s\n' "$1" >/etc/hotpatch/hotpatchd.conf.d/50-scenario.conf
        hotpatchctl policy reload
}

# set_clock SECONDS: it is then so many seconds after 1970, and stays so over a restart, also over one that comes by a
# crash
set_clock() {
        local begun

        # What a testcase takes is told as if nothing had happened.
        begun=$(cat /var/lib/scenario/begun 2>/dev/null || date +%s)
        mkdir -p /var/lib/scenario
        echo $((begun + $1 - $(date +%s))) >/var/lib/scenario/begun
        date -s "@$1"
        mkdir -p /var/lib/hotpatch-vm
        echo "$1" >/var/lib/hotpatch-vm/clock
        sync
}

# property NAME: a string or number of the Manager
property() {
        busctl --json=short get-property org.hotpatch.Hotpatch1 /org/hotpatch/Hotpatch1 org.hotpatch.Hotpatch1.Manager "$1" |
                jq -r '.data | if type == "array" then map(tostring) | join(" ") else . end'
}

# baseline_is WORD: the property BaselineState
baseline_is() {
        [[ $(property BaselineState) == "$1" ]]
}

# nothing_was_denied REGEX: an installation is in the journal, and neither it nor the kernel speaks of something that the unit
# of the package manager was not allowed. It is no sandbox, and scripts of packages do not always fail with what they are denied.
nothing_was_denied() {
        journalctl --sync
        run journalctl -b -q -o cat _SYSTEMD_UNIT=hotpatch-baseline.service
        expect_output "$1"
        refuse_output '[Pp]ermission denied|[Oo]peration not permitted|[Rr]ead-only file system|EPERM|EACCES|EROFS|[Cc]annot (open|create|write)'
        echo "note: $(wc -l <<<"$output") lines of the package manager, and nothing was denied to it"
        # A profile of AppArmor, or a filter of system calls (AUDIT_SECCOMP of linux/audit.h)
        run sed -n '/apparmor="DENIED"\|audit: type=1326/p' <(journalctl -b -q -o cat -k)
        [[ -z $output ]]
}

# The clock that is moved is no measure, and neither is bash's SECONDS.
uptime_seconds() {
        cut -d . -f 1 /proc/uptime
}

# expect_baseline SECONDS WORD: it comes to that, by itself
expect_baseline() {
        local end=$(($(uptime_seconds) + $1))

        until baseline_is "$2"; do
                if (($(uptime_seconds) >= end)); then
                        cat /var/lib/hotpatch/baseline-state
                        journalctl -q -o short-precise -n 40 -u 'hotpatch*'
                        fail "expected baseline $2 within $1 seconds, it is $(property BaselineState): $(property BaselineText)"
                fi
                sleep 1
        done
}

# calendar FILTER: what jq finds in the calendars of this year and the next
calendar() {
        local year

        year=$(date +%Y)
        { hotpatchctl --json=short calendar "$year"; hotpatchctl --json=short calendar $((year + 1)); } | jq -rs "$1"
}

# seconds_of TIME: "2026-10-20T20:00:00Z" as seconds after 1970
seconds_of() {
        date -d "$1" +%s
}

# baselines [LINE…]: of section [Baseline]; each month has one, on its first day, and the window is open now and for hours
baselines() {
        configure "$(printf '[Baseline]\nEnable=yes\nMonths=1 2 3 4 5 6 7 8 9 10 11 12\nDay=1\n'
                printf 'Window=%s UTC\nWindowLengthSec=12h\n' "$(date -u -d '-1 hour' +%H:%M)"
                printf '%s\n' "$@")"
}

# stay_in_the_month: some days may pass, and no other baseline becomes due. Forwards if need be: what was signed today is
# not valid before; and the year of this machine begins then.
stay_in_the_month() {
        local day

        day=$(date +%-d)
        ((day == 1 || day >= 22)) || return 0
        set_clock "$(date -d "$(date +%Y-%m-02)$( ((day == 1)) || echo ' + 1 month')" +%s)"
        # The clock's change starts hotpatch-calendar.service, and that hotpatchd: not before the state is gone.
        systemctl mask --quiet --runtime --now hotpatchd.service
        rm -f /var/lib/hotpatch/baseline-state
        systemctl unmask --quiet --runtime hotpatchd.service
}

# install_baseline SHOWN: by hand; the plan shows that, and a restart is scheduled
install_baseline() {
        run hotpatchctl baseline plan
        expect_status 0
        expect_output "$1"
        run hotpatchctl baseline install
        expect_status 0
        expect_baseline 60 scheduled
}

# next_baseline KEY: name ("month"), "day", "window_begin" … of the first baseline that is to come
next_baseline() {
        calendar "[.[].months[] | select(.kind == \"baseline\" and .state == \"coming\")][0].$1"
}

# schedule KEY: of hotpatchctl's answer about the restart
schedule() {
        hotpatchctl --json=short reboot | jq -r ".$1 // \"\""
}
planned() {
        seconds_of "$(schedule restart)"
}

# What logind says: "reboot 1795300000000001", or nothing
logind_has() {
        busctl --json=short get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager \
                ScheduledShutdown | jq -r '.data | select(.[0] != "") | "\(.[0]) \(.[1])"'
}
# is_handed_over [TYPE]
is_handed_over() {
        [[ $(logind_has) == "${1:-reboot} "* ]] && grep -qx 'TAKEN_OVER=1' /var/lib/hotpatch/baseline-state
}

# Until five minutes before its time the daemon only waits; then it asks who works.
to_the_hand_over() {
        set_clock $(($(planned) - 299))
}

# expect_planned_restart [TYPE]: systemd-logind gets it, its time comes, and the machine restarts
expect_planned_restart() {
        to_the_hand_over
        eventually 60 is_handed_over "${1:-reboot}"
        expect_restart 180 set_clock "$(planned)"
}

# expect_restart SECONDS COMMAND…: the machine restarts by itself within that time, and goes on with the next testcase
expect_restart() {
        local end

        prepare_restart
        "${@:2}"
        end=$(($(uptime_seconds) + $1))
        while (($(uptime_seconds) < end)); do
                sleep 1
        done
        rm -f /var/lib/scenario/restarting
        fail "the machine is still there after $1 seconds: $(property BaselineState): $(property BaselineText) $(property RebootSchedule)"
}
