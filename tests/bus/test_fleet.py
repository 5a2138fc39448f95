#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the fleet and scanners see: the published files, metrics, VEX."""

import json
import os
import stat
import subprocess

from hotpatchtest import BUILD, NOBODY, PATIENCE, RELEASE, World, main, read, wait_for, write

CTL = os.path.join(BUILD, 'ctl/hotpatchctl')
BOOT = read('/proc/sys/kernel/random/boot_id').decode().strip()


def fixed(w):
    """Lines of fixed-cves behind the first; None: it is not there."""
    try:
        first, *rest = read(w.machine.path('run/hotpatch/fixed-cves')).decode().splitlines()
    except FileNotFoundError:
        return None
    assert first == '# kernel %s boot %s' % (RELEASE, BOOT), first
    return rest


def status(w):
    try:
        return json.loads(read(w.machine.path('run/hotpatch/status.json')))
    except FileNotFoundError:
        return None


def fixes(*ids):
    return [{'id': i, 'severity': 'important', 'summary': 'A hole'} for i in ids]


def apply(client, *ids):
    result = client.finish(client.apply(*ids))
    assert result[0] == 'done', result


def test_the_files_say_what_is_in_force(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        assert fixed(w) == [] and status(w)['patches'] == []
        w.machine.stage('hp-one', fixes=fixes('CVE-2026-0002', 'CVE-2026-0001', 'GHSA-xxxx'))
        w.machine.stage('hp-two', fixes=fixes('CVE-2026-0002', 'CVE-2026-12345'), functions=(('vmlinux', 'hp_other'),))
        assert 'hp-one' in client.patches() and fixed(w) == []
        apply(client, 'hp-one')
        wait_for('one', lambda: fixed(w) == ['CVE-2026-0001', 'CVE-2026-0002'])
        apply(client, 'hp-two')
        wait_for('two', lambda: fixed(w) == ['CVE-2026-0001', 'CVE-2026-0002', 'CVE-2026-12345'])
        s = wait_for('both', lambda: len(status(w)['patches']) == 2 and status(w))
        assert s['kernel']['release'] == RELEASE and s['boot_id'] == BOOT and s['changed'], s
        assert s['fixed'] == ['CVE-2026-0001', 'CVE-2026-0002', 'CVE-2026-12345', 'GHSA-xxxx'], s
        one = s['patches'][0]
        assert one['id'] == 'hp-one' and one['trial'] and one['trial_until'] and one['module'] == 'hp_one', one
        assert one['fixes'] == ['CVE-2026-0002', 'CVE-2026-0001', 'GHSA-xxxx'] and one['applied'], one
        assert json.loads(client.call('GetStatus')) == s
        assert client.finish(client.remove('hp-one'))[0] == 'done'
        wait_for('one less', lambda: fixed(w) == ['CVE-2026-0002', 'CVE-2026-12345'])


def test_everybody_may_read_them_and_nothing_else(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'])
        run = w.machine.path('run/hotpatch')
        assert stat.S_IMODE(os.stat(run).st_mode) == 0o711
        for name in ('status.json', 'fixed-cves'):
            assert stat.S_IMODE(os.stat(os.path.join(run, name)).st_mode) == 0o644, name
        for name in set(os.listdir(run)) - {'status.json', 'fixed-cves'}:
            assert not stat.S_IMODE(os.stat(os.path.join(run, name)).st_mode) & 0o077, name


def test_a_patch_that_is_not_wholly_in_force_is_not_named(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        w.machine.stage('hp-one')
        w.machine.kernel.stall = True
        job = client.apply('hp-one')
        wait_for('the transition', lambda: client.patches()['hp-one'] == 'transition')
        assert fixed(w) == [] and status(w)['patches'] == []
        w.machine.kernel.stall = False
        w.machine.kernel.known['hp_one'][2] = True
        assert client.finish(job)[0] == 'done'
        wait_for('it', lambda: fixed(w) == ['CVE-2026-0001'])
        # Somebody disables it behind our back: as soon as anybody looks.
        write(w.machine.path('sys/kernel/livepatch/hp_one/enabled'), '0\n')
        wait_for('its end', lambda: client.patches() and fixed(w) == [])


def test_a_trial_that_ends_is_seen(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the trial', lambda: status(w)['patches'] and status(w)['patches'][0]['trial'])
        client.call('EndTrial', ['hp-one'], {}, signature='asa{sv}')
        wait_for('its end', lambda: not status(w)['patches'][0]['trial'])
        assert fixed(w) == ['CVE-2026-0001']


def test_they_go_with_the_daemon(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'])
        assert w.daemon.stop() == 0
        assert fixed(w) is None and status(w) is None
        # Killed, it cannot take them away; the next one does not let them stand.
        w.daemon.start()
        wait_for('the file again', lambda: fixed(w) == ['CVE-2026-0001'])
        w.daemon.kill()
        assert fixed(w) == ['CVE-2026-0001']
        write(w.machine.path('run/hotpatch/fixed-cves'), '# kernel %s boot %s\nCVE-2020-0001\n' % (RELEASE, BOOT))
        w.daemon.start()
        wait_for('the truth', lambda: fixed(w) == ['CVE-2026-0001'])


def test_what_cannot_be_written_is_taken_back(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        os.mkdir(w.machine.path('run/hotpatch/.#fixed-cves~'))
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('no file', lambda: fixed(w) is None and status(w) is None)
        os.rmdir(w.machine.path('run/hotpatch/.#fixed-cves~'))
        wait_for('the next look', lambda: client.patches() and fixed(w) == ['CVE-2026-0001'])


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
