#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A baseline on a machine with needrestart(1), which hooks into apt: it is run, asks nothing and restarts nothing.
# kernels: 6.1.0-50-cloud-amd64
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

# A package whose program is another file with each version, so that what runs is the old one.
prepare() {
        local package version

        cp "$top/tests/vm/lib-baseline.sh" "$1/"
        mkdir "$1/debs"
        for package in "${packages_needrestart[@]}"; do
                fetch_deb "$package"
                cp "$REPLY" "$1/debs/"
        done
        for version in 1 2 3 4; do
                make_package "$1/repository-$version" site-service $version \
                        'cp /usr/bin/sleep /usr/bin/site-service.new; mv /usr/bin/site-service.new /usr/bin/site-service'
                sign_repository "$1/repository-$version"
        done
}

# shellcheck source=../vm/lib-baseline.sh
. "$(dirname "$0")/lib-baseline.sh"

pid() {
        systemctl show --value -p MainPID site-service.service
}

runs_an_old_file() {
        [[ $(readlink "/proc/$(pid)/exe") == *' (deleted)' ]]
}

# install_as_baseline VERSION
install_as_baseline() {
        use_repository "repository-$1"
        run hotpatchctl baseline plan
        expect_status 0
        expect_output "site-service +upgrade +[0-9] +$1"
        run hotpatchctl baseline install
        expect_status 0
        [[ $(dpkg-query -W -f='${Version}' site-service) == "$1" ]]
}

# only_listed MARK: in the journal of the package manager's unit, after that
only_listed() {
        journalctl --sync
        run journalctl -b -q -o cat _SYSTEMD_UNIT=hotpatch-baseline.service "--after-cursor=$1"
        expect_output 'Services to be restarted:'
        expect_output 'systemctl restart site-service.service'
        refuse_output 'Restarting services'
}

cursor() {
        journalctl --sync
        journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'
}

# What it does without us: the site wants each service restarted.
testcase_needrestart_is_there_and_restarts() {
        run env DEBIAN_FRONTEND=noninteractive dpkg -i debs/*.deb
        expect_status 0
        mkdir -p /etc/needrestart/conf.d
        echo "\$nrconf{restart} = 'a';" >/etc/needrestart/conf.d/site.conf
        use_repository repository-1
        apt-get -qq update
        apt-get -qq -y install site-service
        printf '[Service]\nExecStart=/usr/bin/site-service infinity\n' >/etc/systemd/system/site-service.service
        systemctl daemon-reload
        systemctl start site-service.service
        before=$(pid)
        use_repository repository-2
        apt-get -qq update
        run env DEBIAN_FRONTEND=noninteractive apt-get -y install site-service
        expect_status 0
        expect_output 'Restarting services'
        [[ $(pid) != "$before" && $(pid) != 0 ]]
}

testcase_in_a_baseline_it_only_lists() {
        local before mark

        baselines DeadlineSec=60d Busy=
        before=$(pid) mark=$(cursor)
        install_as_baseline 3
        only_listed "$mark"
        [[ $(pid) == "$before" ]]
        runs_an_old_file
}

# Its default is to ask.
testcase_nor_does_it_ask() {
        local before mark

        echo "\$nrconf{restart} = 'i';" >/etc/needrestart/conf.d/site.conf
        before=$(pid) mark=$(cursor)
        install_as_baseline 4
        only_listed "$mark"
        [[ $(pid) == "$before" ]]
        runs_an_old_file
}

. "$(dirname "$0")/lib.sh"
