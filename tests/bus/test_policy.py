#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is configured, where it comes from, how it is read again; the switch that forbids hotpatches."""

import json
import os
import signal
import tempfile
import time

from hotpatchtest import JOB, MANAGER, NO_OPTIONS, NOBODY, ROOT, World, main, read, refused, wait_for
from test_calendar import policy, remember, seconds, year
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


def checked(w, text, code, user=NOBODY):
    """What 'policy check' says of a drop-in of that text."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, '50-site.conf')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        out, _ = ctl(w, 'policy', 'check', path, code=code, user=user)
    return out.replace(folder + '/', '')


def test_a_file_is_looked_at_before_it_is_put_in_place(pki):
    with World(pki).start() as w:
        assert checked(w, '[Policy]\nRing=a\n[Baseline]\nWindow=Sat 02:00\n', 0) == 'Nothing in it would be ignored.\n'
        out = checked(w, '[Policy]\nHotptach=yes\n\n[Baseline]\nWindow=25:00\n', 11)
        assert "50-site.conf:2: unknown key 'Hotptach' in section [Policy]" in out, out
        assert "50-site.conf:5: 'Window' of [Baseline] must be a calendar event" in out and len(out.splitlines()) == 2, out
        assert '50-site.conf:1: ' in checked(w, '[Policy\n', 11)
        # Each value is fine, and together they are not.
        assert 'begins after its deadline' in checked(w, '[Baseline]\nDay=first Tue\nWindow=Mon 22:00\nDeadlineSec=1d\n', 11)
        # What is written there goes to a terminal.
        assert '\x1b' not in checked(w, '[Policy]\n\x1b[31mRing=a\n', 11)
        assert settings(w.root)['Ring']['sources'] == [] and 'warnings' not in w.root.properties
        # The daemon is not asked, and need not be there.
        assert w.daemon.stop() == 0
        checked(w, '[Policy]\nRing=a\n', 0)
        assert 'Is a directory' in ctl(w, 'policy', 'check', '/', code=1)[1]
        ctl(w, 'policy', 'check', '/nowhere', code=3)
        ctl(w, 'policy', 'check', code=2)
        ctl(w, 'policy', 'reload', 'now', code=2)


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
        ctl(w, 'is-current', code=11)
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        ctl(w, 'is-current', code=11)  # hp-two waits
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        switch(w, 'no')
        w.root.call('Reload')
        result, name, message = w.root.finish(w.root.apply('hp-two'))
        assert (result, name) == ('failed', 'HotpatchDenied') and '/%s:3' % DROP_IN in message, (result, name, message)
        plan = json.loads(w.client(NOBODY).call('Plan', ['hp-two'], NO_OPTIONS))
        assert plan['refusal']['name'].endswith('.HotpatchDenied') and 'policy reload' in plan['refusal']['remedy'], plan
        # What is in force stays, says so first, and can be removed.
        ctl(w, 'is-current', code=11)
        out, _ = ctl(w, 'motd')
        assert 'not allowed on this machine' in out and 'policy reload' in out, out
        out, _ = ctl(w, 'status')
        assert 'not allowed on this machine' in out.splitlines()[0] and 'policy reload' in out, out
        assert ctl_json(w, 'status')[0]['denied'], out
        ctl(w, 'apply', 'hp-two', code=7)
        assert w.root.patches()['hp-one'] == 'active'
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        switch(w, 'yes')
        w.root.call('Reload')
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        w.root.call('EndTrial', ['hp-two'], NO_OPTIONS)
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        ctl(w, 'is-current', user=NOBODY)
        assert ctl_json(w, 'is-current')[0]['current'] and ctl(w, 'motd') == ('', '')
        assert ctl(w, 'needs-reboot', code=11)[0] == 'No restart is needed\n'
        assert ctl_json(w, 'needs-reboot', code=11) == [{'needed': False, 'reasons': []}]


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


SECURE_BOOT = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'


def checks(client):
    return {str(c[0]): [str(x) for x in c[1:5]] + [bool(c[5]), bool(c[6])] for c in client.call('CheckEligibility')}


def test_a_machine_without_the_posture_is_refused(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=0'])
        w.start()
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        got = checks(c)
        assert len(got) == 13 and got['livepatch'] == ['ok', 'supported', 'supported', '', True, False], got
        assert got['stack-traces'][0] == 'ok' and got['enrolment'][1] == '1 trust anchor', got
        assert got['secure-boot'][:2] == ['missing', 'off: not started by UEFI'] and got['secure-boot'][4:] == [False, False]
        assert c.get(ROOT, MANAGER, 'Eligible') and c.get(ROOT, MANAGER, 'IneligibleReason') == ''
        out, _ = ctl(w, 'check', user=NOBODY)
        assert out.splitlines()[-1].endswith('eligible for hotpatches') and 'NOT' not in out, out
        # … until the site requires it
        w.machine.write(DROP_IN, '[Policy]\nRequire=secure-boot\n')
        w.root.properties.clear()
        w.root.call('Reload')
        wait_for('the signal', lambda: any(p.get('Eligible') == 0 for _, _, p in w.root.properties))
        assert checks(c)['secure-boot'][4:] == [True, True]
        assert c.get(ROOT, MANAGER, 'IneligibleReason') == 'secure-boot: off: not started by UEFI, needed: on'
        assert 'firmware' in c.get(ROOT, MANAGER, 'IneligibleRemedy')
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'NotEligible') and 'secure-boot: off' in result[2], result
        plan = json.loads(c.call('Plan', ['hp-one'], NO_OPTIONS))
        assert plan['refusal']['name'].endswith('.NotEligible') and 'hotpatchctl check' in plan['refusal']['remedy']
        out, _ = ctl(w, 'check', code=7)
        assert 'NOT eligible' in out.splitlines()[-1] and 'Switch Secure Boot on' in out, out
        (answer,) = ctl_json(w, 'check', code=7)
        assert not answer['eligible'] and [x['check'] for x in answer['checks'] if x['blocks']] == ['secure-boot'], answer
        out, _ = ctl(w, 'status')
        because = year(w.root, 2026)['policy']['monthly_because']
        assert because.startswith('this machine is not eligible for hotpatches (secure-boot: off'), because
        assert year(w.root, 2026)['restarts'] == 12
        assert 'Not eligible for hotpatches' in out.splitlines()[0] and 'secure-boot: off' in out.splitlines()[0] and 'Switch Secure Boot on' in out, out
        # The next look sees what was repaired, nobody has to say so.
        os.makedirs(os.path.dirname(w.machine.path(SECURE_BOOT)))
        with open(w.machine.path(SECURE_BOOT), 'wb') as f:
            f.write(b'\6\0\0\0\1')
        assert checks(c)['secure-boot'][0] == 'ok' and year(w.root, 2026)['restarts'] == 4
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def test_what_nothing_works_without_is_always_required(pki):
    with World(pki).start() as w:
        w.machine.write('run/systemd/container', 'lxc')
        assert checks(w.root)['virtualization'][:2] == ['missing', 'container: lxc']
        os.unlink(w.machine.path('run/systemd/container'))
        os.unlink(w.machine.path('etc/hotpatch/trust.d/test.pem'))
        assert w.root.get(ROOT, MANAGER, 'IneligibleReason') == 'enrolment: nobody is trusted, needed: a trust anchor'
        w.machine.write('etc/hotpatch/trust.d/test.pem', 'no certificate')
        assert 'test.pem' in w.root.get(ROOT, MANAGER, 'IneligibleReason')
        switch(w, 'no')
        w.root.call('Reload')
        assert w.root.get(ROOT, MANAGER, 'IneligibleReason').startswith("policy: 'Hotpatch=no' is set at ")
        assert 'policy reload' in w.root.get(ROOT, MANAGER, 'IneligibleRemedy')


def test_a_baseline_that_was_missed(pki):
    with World(pki) as w:
        remember(w, ['2025.01 reached %d' % seconds(2025, 1, 22)], REACHED='2025.01')
        w.start()
        w.machine.stage('hp-one')
        row = checks(w.root)['baseline']
        assert row[0] == 'missing' and row[1].startswith('2025.01, and 20') and 'baseline install' in row[3], row
        assert w.root.get(ROOT, MANAGER, 'Eligible')
        # It is what a baseline repairs, and no reason for twelve of them.
        w.machine.write(DROP_IN, '[Policy]\nRequire=baseline\n')
        w.root.call('Reload')
        assert not w.root.get(ROOT, MANAGER, 'Eligible') and year(w.root, 2026)['restarts'] == 4
        assert w.root.finish(w.root.apply('hp-one'))[:2] == ('failed', 'NotEligible')
        out, _ = ctl(w, 'is-current', code=11)
        assert 'Not eligible' in out, out
    with World(pki) as w:
        remember(w, ['2025.01 reached %d' % seconds(2025, 1, 22)], REACHED='2025.01', NAME='2025.04', PHASE='installed',
                 KERNEL='6.1.0-56-cloud-amd64',
                 BOOT_ID=read('/proc/sys/kernel/random/boot_id').decode().strip().replace('-', ''))
        w.start()
        out, _ = ctl(w, 'needs-reboot')
        assert '2025.04 is installed' in out, out
        out, _ = ctl(w, 'is-current', code=11)
        assert '2025.04 is installed' in out, out
        out, _ = ctl(w, 'status')
        # What is missing now is the restart, and not another installation.
        assert 'hotpatchctl reboot schedule' in out and 'hotpatchctl baseline install' not in out, out
    with World(pki) as w:
        policy(w)
        w.start()
        assert checks(w.root)['baseline'][:2] == ['ok', 'none yet, none missed'], checks(w.root)


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
