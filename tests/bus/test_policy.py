#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is configured, where it comes from, how it is read again; the switch that forbids hotpatches."""

import json
import os
import signal
import time

from hotpatchtest import JOB, MANAGER, NO_OPTIONS, NOBODY, ROOT, World, main, refused, wait_for
from test_ctl import ctl, ctl_json
from test_restore import patch, reboot, restore

DROP_IN = 'etc/hotpatch/hotpatchd.conf.d/50-site.conf'


def settings(client):
    return {s['key']: s for s in json.loads(client.call('GetPolicy'))['settings']}


def switch(w, value):
    w.machine.write(DROP_IN, '# who decided it\n[Policy]\nHotpatch=%s\n' % value)


def test_everybody_may_see_what_is_configured(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=0', 'Nonsense=1'])
        w.machine.write(DROP_IN, '[Policy]\nForbid=mm/\nRequire=tmp2\n')
        w.start()
        c = w.client(NOBODY)
        got = settings(c)
        assert got['MaxSec']['value'] == '0' and got['MaxSec']['default'] == '24h', got['MaxSec']
        assert got['MaxSec']['sources'] == ['/etc/hotpatch/hotpatchd.conf:8'], got['MaxSec']
        assert got['Forbid']['sources'] == ['/%s:2' % DROP_IN] and got['Forbid']['value'] == 'mm/', got['Forbid']
        assert got['Months'] == {'section': 'Baseline', 'key': 'Months', 'value': '1 4 7 10', 'default': '1 4 7 10',
                                 'sources': [], 'unreadable': False}, got['Months']
        assert got['Require']['unreadable'] and 'tpm2' in got['Require']['value'], got['Require']
        warnings = json.loads(c.call('GetPolicy'))['warnings']
        assert len(warnings) == 2 and any("unknown key 'Nonsense'" in x for x in warnings), warnings
        # … and the same for people
        out, _ = ctl(w, 'policy', user=NOBODY)
        line = next(x for x in out.splitlines() if ' Forbid ' in x)
        assert 'mm/' in line and '/%s:2' % DROP_IN in line, out
        assert 'strictest value' in out and "'Nonsense'" in out, out
        assert ctl_json(w, 'policy')[0]['settings'][0]['key'] == 'SignaturesMin'
        ctl(w, 'policy', 'forget', code=2)


def test_it_is_read_again(pki):
    with World(pki).start() as w:
        assert settings(w.root)['Hotpatch']['value'] == 'yes' and w.root.get(ROOT, MANAGER, 'Denied') == ''
        for again in (lambda: w.root.call('Reload'), lambda: os.kill(w.daemon.process.pid, signal.SIGHUP),
                      lambda: ctl(w, 'policy', 'reload')):
            switch(w, 'no')
            assert settings(w.root)['Hotpatch']['value'] == 'yes'
            w.root.properties.clear()
            again()
            wait_for('the new policy', lambda: settings(w.root)['Hotpatch']['value'] == 'no')
            assert '/%s:3' % DROP_IN in w.root.get(ROOT, MANAGER, 'Denied')
            wait_for('the signal', lambda: any('/%s:3' % DROP_IN in str(p.get('Denied')) for _, _, p in w.root.properties))
            os.unlink(w.machine.path(DROP_IN))
            w.root.call('Reload')
            assert w.root.get(ROOT, MANAGER, 'Denied') == ''
        # a file that cannot be read is the strictest, and repaired by the next reload
        w.machine.write(DROP_IN, '[Policy\n')
        w.root.call('Reload')
        assert 'cannot be read' in w.root.get(ROOT, MANAGER, 'Denied')
        os.unlink(w.machine.path(DROP_IN))
        w.root.call('Reload')
        assert settings(w.root)['Hotpatch']['value'] == 'yes'


def test_reading_again_needs_authorization(pki):
    with World(pki, 'deny').start() as w:
        c = w.client(NOBODY)
        switch(w, 'no')
        with refused('AccessDenied'):
            c.call('Reload')
        assert settings(c)['Hotpatch']['value'] == 'yes'
        assert 'org.hotpatch.hotpatch1.manage' in str(w.polkit.log()), w.polkit.log()
    with World(pki, 'allow').start() as w:
        switch(w, 'no')
        c = w.client(NOBODY)
        c.call('Reload')
        assert settings(c)['Hotpatch']['value'] == 'no'
    with World(pki).start() as w:
        with refused('AuthorizationUnavailable'):
            w.client(NOBODY).call('Reload')


def test_denied_is_refused_by_name(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        switch(w, 'no')
        w.root.call('Reload')
        result, name, message = w.root.finish(w.root.apply('hp-two'))
        assert (result, name) == ('failed', 'HotpatchDenied') and '/%s:3' % DROP_IN in message, (result, name, message)
        plan = json.loads(w.client(NOBODY).call('Plan', ['hp-two'], NO_OPTIONS))
        assert plan['refusal']['name'].endswith('.HotpatchDenied') and 'policy reload' in plan['refusal']['remedy'], plan
        # What is in force stays, says so first, and can be removed.
        out, _ = ctl(w, 'status')
        assert 'not allowed on this machine' in out.splitlines()[0] and 'policy reload' in out, out
        assert ctl_json(w, 'status')[0]['denied'], out
        ctl(w, 'apply', 'hp-two', code=7)
        assert w.root.patches()['hp-one'] == 'active'
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        switch(w, 'yes')
        w.root.call('Reload')
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'


def test_denied_is_not_restored(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=0'])
        w.start()
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        switch(w, 'no')
        reboot(w)
        w.root = w.client()
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['RestoreResult'] == 'denied' and got['Wanted'], got
        assert '/%s:3' % DROP_IN in got['RestoreReason'], got
        # nothing is missing where nothing is allowed
        assert restore(w, '--check')[0] == 0
        assert 'not-loaded' not in [str(f[0]) for f in w.root.get(ROOT, MANAGER, 'Findings')]
        switch(w, 'yes')
        reboot(w)
        assert patch(w, 'hp-one')['RestoreResult'] == 'restored'


def test_a_job_keeps_what_it_began_with(pki):
    """The time limit of a transition is the one of the moment it was asked for."""
    with World(pki) as w:
        w.machine.configure(transition='2s', trial=['MaxSec=0'])
        w.machine.kernel.stall = True
        w.start()
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.call('Get', JOB, 'State', interface='org.freedesktop.DBus.Properties',
                                                   path=str(job[1]), signature='ss') == 'transition')
        w.machine.configure(transition='0', trial=['MaxSec=0'])
        w.root.call('Reload')
        assert settings(w.root)['TimeoutSec']['value'] == '0'
        began = time.monotonic()
        assert w.root.finish(job)[:2] == ('failed', 'TransitionStalled')
        assert time.monotonic() - began < 60


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
