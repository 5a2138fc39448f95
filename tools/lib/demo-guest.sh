#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's half of tools/demo: what an administrator does.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=demo-steps.sh
. ./demo-steps.sh

# of KEY: what tests/fixes says of the fix
of() {
        jq -r ".$1" fix.json
}
id=$(of id)
function=$(of 'functions[0]')

# behaviour old|new: what the probe sees; it is a plain system call or two
behaviour() {
        show ./probe
        [[ $seen == "$(of "$1")" ]] || give_up "expected to see: $(of "$1")"
}

heading "A stock Debian kernel: $(of title)"
show uname -r
behaviour old

heading 'The vendor is not trusted yet'
show_status not-0 hotpatchctl verify fix.hpb

heading 'The administrator trusts the vendor'
mkdir -p /etc/hotpatch/trust.d
show cp root.pem revocation.crl /etc/hotpatch/trust.d/
show hotpatchctl verify fix.hpb
must_show "$id"

heading 'What would it do?'
show hotpatchctl plan fix.hpb
must_show "$function"

heading 'Do it'
show hotpatchctl apply fix.hpb

heading 'The new behaviour, without a restart'
behaviour new
show uptime --pretty
show find /sys/kernel/livepatch -mindepth 3 -type d
must_show "$function"

heading 'Everybody can see it'
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
behaviour old
show ls -A /sys/kernel/livepatch
[[ -z $seen ]] || give_up 'something is still patched'

heading 'A bundle in which one bit was changed'
show_status not-0 hotpatchctl verify tampered.hpb
show_status not-0 hotpatchctl apply tampered.hpb
must_show 'changed after the bundle was signed'
behaviour old

heading 'An ordinary user who tries it'
install -o user -m 600 fix.hpb /home/user/fix.hpb
show_status 4 runuser -l user -c 'hotpatchctl --no-ask-password apply fix.hpb'
behaviour old
