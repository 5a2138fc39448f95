#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's half of tools/demo: what an administrator does.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=demo-steps.sh
. ./demo-steps.sh

new='hotpatch: the second line is new'
id=hp-example-version-line

heading 'A stock Debian kernel: the old behaviour'
show cat /proc/version
must_not_show "$new"

heading 'The vendor is not trusted yet'
show_status not-0 hotpatchctl verify version-line.hpb

heading 'The administrator trusts the vendor'
mkdir -p /etc/hotpatch/trust.d
show cp root.pem revocation.crl /etc/hotpatch/trust.d/
show hotpatchctl verify version-line.hpb
must_show "$id"

heading 'What would it do?'
show hotpatchctl plan version-line.hpb
must_show version_proc_show

heading 'Do it'
show hotpatchctl apply version-line.hpb

heading 'The new behaviour, without a restart'
show cat /proc/version
must_show "$new"
show uptime --pretty
show cat /sys/kernel/livepatch/hp_version_line/enabled
must_show '^1$'

heading 'Everybody can see it (this example counts each reading of /proc/version as an attack, to show its tripwire)'
show hotpatchctl status
must_show "$id"
show hotpatchctl list
must_show 'active'

heading 'It is on record'
journalctl --sync
show journalctl -u hotpatchd.service -b --no-pager -o cat "HOTPATCH_PATCH=$id"
must_show "$id"
show hotpatchctl history
must_show "$id"

heading 'Take it out again'
show hotpatchctl remove "$id"
show cat /proc/version
must_not_show "$new"
show ls -A /sys/kernel/livepatch
[[ -z $seen ]] || give_up 'something is still patched'

heading 'A bundle in which one bit was changed'
show_status not-0 hotpatchctl verify tampered.hpb
show_status not-0 hotpatchctl apply tampered.hpb
must_show 'changed after the bundle was signed'
show cat /proc/version
must_not_show "$new"

heading 'An ordinary user who tries it'
install -o user -m 600 version-line.hpb /home/user/version-line.hpb
show_status 4 runuser -l user -c 'hotpatchctl --no-ask-password apply version-line.hpb'
show cat /proc/version
must_not_show "$new"
