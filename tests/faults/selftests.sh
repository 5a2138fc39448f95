#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The kernel's own livepatch selftests pass while hotpatchd watches, and hotpatchd names their patches and
# touches none. They come out of the source package of the kernel, now, and are not stored.
# kernels: 6.1.0-50-cloud-amd64
# options: --timeout 2400
# shellcheck disable=SC2154 # variables of lib.sh and lib-guest.sh

source_version=6.1.176-1

prepare() {
        local file

        PYTHONPATH=$top/tools/lib python3 - "$source_version" "$1/source" <<'PYTHON'
import pathlib, sys
from kernelsource import unpack
unpack(sys.argv[1], pathlib.Path(sys.argv[2]), '*/lib/livepatch/*', '*/tools/testing/selftests/livepatch/*')
PYTHON
        for file in "$1"/source/lib/livepatch/*.c; do
                echo "obj-m += $(basename "$file" .c).o"
        done >"$1/source/lib/livepatch/Kbuild"
        rm -f "$1/source/lib/livepatch/Makefile"
        mkdir "$1/modules"
        build_kbuild "$1/source/lib/livepatch" "$2" "$1/modules"
        mv "$1/source/tools/testing/selftests/livepatch" "$1/selftests"
        rm -rf "$1/source"
}

testcase_the_modules_of_the_selftests_are_found() {
        mkdir -p "/lib/modules/$(uname -r)/updates"
        cp modules/*.ko "/lib/modules/$(uname -r)/updates/"
        depmod -a
        (($(find modules -name '*.ko' | wc -l) >= 10))
}

# Every second somebody asks, as a desktop or a monitor would.
testcase_all_selftests_pass_while_hotpatchd_watches() {
        local script watcher passed

        (while sleep 1; do hotpatchctl list; done >watched 2>&1) &
        watcher=$!
        for script in selftests/test-*.sh; do
                (cd selftests && bash "./${script##*/}") >>selftests.log 2>&1 || echo "FAILED $script" >>selftests.log
        done
        kill "$watcher"
        cat selftests.log
        ! grep -E '^FAILED|not ok$|SKIP' selftests.log
        passed=$(grep -cE '^TEST: .* \.\.\. *ok$' selftests.log)
        ((passed == 22)) || fail "$passed of 22 passed"
}

testcase_hotpatchd_named_the_patches_and_did_nothing_to_them() {
        systemctl is-active hotpatchd.service
        [[ $(systemctl show -P NRestarts hotpatchd.service) == 0 ]]
        grep -q '^test_klp_livepatch .*active' watched
        # "The kernel has a livepatch that somebody else loaded"
        expect_journal _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=71cac759b60b441992069f81135209a0
        run journalctl -b _SYSTEMD_UNIT=hotpatchd.service -o cat
        # no job was ever begun
        run journalctl -b -q _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=218b90ea61b446abbe8694e4c42fc4c3
        [[ -z $output ]]
        no_livepatch
}

. "$(dirname "$0")/lib.sh"
