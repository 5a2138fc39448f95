#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 30
"""The machine starts again: what is restored, what is not, and what speaks against a bundle.

hotpatch-restore is the real one, run beside the daemon's test program on the same made-up machine. A restart
is played: the modules are gone, /run is empty, and the boot id in the state directory is another one.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time

from hotpatchtest import (BUILD, DAEMON, PATCH, RELEASE, Pki, World, main, read, refused, tar_member, wait_for, warn, write)

OTHER_RELEASE = '6.1.0-51-cloud-amd64'
BOOT = open('/proc/sys/kernel/random/boot_id', encoding='ascii').read().strip()


def restore(w, what='--restore'):
    """Run hotpatch-restore. Return: (exit status, what it said)."""
    run = subprocess.run([DAEMON, '--root', w.machine.root, what], capture_output=True, text=True, timeout=120)
    return run.returncode, run.stderr


def state_files(w):
    for folder, _, files in os.walk(w.machine.path('var/lib/hotpatch')):
        for name in files:
            if folder.endswith(('trials', 'hotpatch')) and name != 'lock':
                yield os.path.join(folder, name)


class Boots:
    number = 0


def power_off(w, clean, keep=()):
    """The end of this boot. @clean: by a shutdown. @keep: modules that are built in."""
    if w.daemon and w.daemon.process.poll() is None:
        w.daemon.kill()
    if clean:
        assert restore(w, '--clean')[0] == 0
    Boots.number += 1
    other = '%032x' % (0xb007 << 64 | Boots.number)
    for path in state_files(w):
        text = read(path).decode().replace('BOOT_ID=' + BOOT.replace('-', ''), 'BOOT_ID=' + other)
        # A transaction has the boot in its name, and is a file's name.
        write(path, text, 0o600)
    for module in w.machine.livepatches():
        shutil.rmtree(w.machine.path('sys/kernel/livepatch', module))
    for module in set(w.machine.loaded()) - set(keep):
        shutil.rmtree(w.machine.path('sys/module', module))
    shutil.rmtree(w.machine.path('run/hotpatch'), ignore_errors=True)


def reboot(w, clean=True, keep=()):
    power_off(w, clean, keep)
    status, said = restore(w)
    assert status == 0, said
    w.daemon.start()
    w.root = w.client()
    return said


def applied(pki, *ids, **extra):
    w = World(pki).start()
    for i in ids:
        w.machine.stage(i, **extra)
        result = w.root.finish(w.root.apply(i))
        assert result[0] == 'done', result
    return w


def patch(w, i):
    return {str(k): v for k, v in w.root.call('GetAll', PATCH, interface='org.freedesktop.DBus.Properties',
                                              path='/org/hotpatch/Hotpatch1/patch/' + i.replace('-', '_2d'),
                                              signature='s').items()}


def trials(w):
    return os.listdir(w.machine.path('var/lib/hotpatch/trials'))


def strikes(w, i):
    return len(patch(w, i)['Strikes'])


def test_after_a_shutdown_all_is_as_before(pki):
    with applied(pki, 'hp-one') as w:
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        reboot(w)
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'active'}, w.root.patches()
        got = patch(w, 'hp-one')
        assert got['RestoreResult'] == 'restored' and got['RestoreReason'] == '' and got['Wanted'], got
        assert not got['Quarantined'] and len(got['Strikes']) == 0, got
        assert restore(w, '--check') == (0, ''), restore(w, '--check')
        assert w.machine.leftovers() == [], w.machine.leftovers()
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'


def test_nothing_to_do(pki):
    with World(pki).start() as w:
        reboot(w)
        assert w.machine.loaded() == []
        assert restore(w, '--check')[0] == 0


def test_again_in_the_same_boot_changes_nothing(pki):
    with applied(pki, 'hp-one') as w:
        reboot(w)
        w.daemon.kill()
        before = sorted(trials(w))
        assert restore(w)[0] == 0
        assert sorted(trials(w)) == before
        w.daemon.start()
        w.root = w.client()
        assert w.root.patches() == {'hp-one': 'active'}
        assert patch(w, 'hp-one')['RestoreResult'] == 'present'


def test_beside_a_running_daemon_it_does_nothing(pki):
    with applied(pki, 'hp-one') as w:
        status, said = restore(w)
        assert status != 0 and 'another hotpatchd' in said, said
        assert w.root.patches() == {'hp-one': 'active'}


def test_two_at_once(pki):
    """Somebody starts it by hand while the machine does: one works, the other says so and touches nothing."""
    with applied(pki, 'hp-one') as w:
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        power_off(w, True)
        w.machine.write('fake/insert-msec', '500\n')
        both = [subprocess.Popen([DAEMON, '--root', w.machine.root, '--restore'], stderr=subprocess.PIPE, text=True)
                for _ in range(2)]
        said = [(p.communicate(timeout=60)[1], p.returncode) for p in both]
        assert sorted(status for _, status in said) == [0, 1], said
        assert any(status == 1 and 'another hotpatchd or hotpatch-restore is at work' in text
                   for text, status in said), said
        assert w.machine.loaded() == ['hp_one', 'hp_two'], w.machine.loaded()
        report = read(w.machine.path('run/hotpatch/restored')).decode()
        assert report.count('RESULT=restored') == 2, report
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_off_switches(pki):
    def command_line(w):
        w.machine.write('proc/cmdline', 'quiet hotpatch=off\n')

    def file(w):
        w.machine.write('etc/hotpatch/disable', '')
    for switch in (command_line, file):
        with applied(pki, 'hp-one') as w:
            switch(w)
            said = reboot(w)
            assert 'Nothing is restored' in said, said
            assert w.machine.loaded() == []
            assert patch(w, 'hp-one')['Wanted']
            assert restore(w, '--check')[0] == 0


def set_release(w, i, release):
    """As if it had been admitted when another kernel ran."""
    path = w.machine.path('var/lib/hotpatch/admitted/%s.record' % i)
    write(path, re.sub('RELEASE=.*', 'RELEASE=' + release, read(path).decode()), 0o600)


def test_what_the_policy_forbids_meanwhile(pki):
    """An administrator who forbids an object after the patch was applied is heard at the next start."""
    with applied(pki, 'hp-one') as w:
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/50-forbid.conf', '[Policy]\nForbid=vmlinux:hp_f*\n')
        reboot(w)
        assert w.machine.loaded() == ['hp_two'], w.machine.loaded()
        got = patch(w, 'hp-one')
        assert got['RestoreResult'] == 'forbidden' and "'vmlinux:hp_f*'" in got['RestoreReason'], got
        assert got['Wanted'] and len(got['Strikes']) == 0, got
        status, said = restore(w, '--check')
        assert status == 0 and 'forbidden by the policy' in said, said
        os.unlink(w.machine.path('etc/hotpatch/hotpatchd.conf.d/50-forbid.conf'))
        reboot(w)
        assert w.machine.loaded() == ['hp_one', 'hp_two'], w.machine.loaded()


def test_another_kernel(pki):
    with applied(pki, 'hp-one') as w:
        w.machine.write('proc/sys/kernel/osrelease', '6.1.0-51-cloud-amd64\n')
        reboot(w)
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['RestoreResult'] == 'other-kernel' and got['Wanted'], got
        assert '6.1.0-50-cloud-amd64' in got['RestoreReason'], got
        assert restore(w, '--check')[0] == 0
        w.machine.write('proc/sys/kernel/osrelease', '6.1.0-50-cloud-amd64\n')
        reboot(w)
        assert w.root.patches() == {'hp-one': 'active'}


def test_another_kernel_that_it_serves_too(pki):
    """It goes on being wanted, under the kernel that runs, and back again."""
    with applied(pki, 'hp-one', releases=(RELEASE, OTHER_RELEASE)) as w:
        for release in (OTHER_RELEASE, RELEASE):
            w.machine.write('proc/sys/kernel/osrelease', release + '\n')
            before = read(w.machine.path('var/lib/hotpatch/admitted/hp-one.record')).decode()
            reboot(w)
            got = patch(w, 'hp-one')
            assert w.root.patches() == {'hp-one': 'active'} and got['RestoreResult'] == 'restored' and got['Wanted'], got
            record = read(w.machine.path('var/lib/hotpatch/admitted/hp-one.record')).decode()
            assert 'RELEASE=' + release in record and record == re.sub('RELEASE=.*', 'RELEASE=' + release, before), record
            assert restore(w, '--check') == (0, ''), restore(w, '--check')
        # Whatever speaks against it, it is not for a kernel that it does not serve.
        w.machine.write('proc/sys/kernel/osrelease', '6.1.0-99-cloud-amd64\n')
        os.unlink(w.machine.path('etc/hotpatch/trust.d/test.pem'))
        reboot(w)
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['RestoreResult'] == 'other-kernel' and got['Wanted'], got
        assert restore(w, '--check')[0] == 0


def test_another_kernel_where_it_is_forbidden(pki):
    with applied(pki, 'hp-one', releases=(RELEASE, OTHER_RELEASE)) as w:
        w.machine.write('proc/sys/kernel/osrelease', OTHER_RELEASE + '\n')
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/50-forbid.conf', '[Policy]\nForbid=vmlinux:hp_f*\n')
        reboot(w)
        assert w.machine.loaded() == [] and patch(w, 'hp-one')['RestoreResult'] == 'forbidden'


def test_another_build_of_the_same_release(pki):
    with applied(pki, 'hp-one') as w:
        notes = w.machine.path('sys/kernel/notes')
        write(notes, read(notes)[:-1] + b'\0')
        reboot(w)
        assert w.machine.loaded() == []
        assert patch(w, 'hp-one')['RestoreResult'] == 'other-kernel'
        assert restore(w, '--check')[0] == 0


def test_a_failure_stops_only_what_requires_it(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-a', functions=(('vmlinux', 'hp_function'),))
        w.machine.stage('hp-b', functions=(('vmlinux', 'hp_other'),), requires=['hp-a'])
        w.machine.stage('hp-c', functions=(('vmlinux', 'hp_third'),))
        for i in ('hp-a', 'hp-b', 'hp-c'):
            assert w.root.finish(w.root.apply(i))[0] == 'done'
        folder = w.machine.path('var/lib/hotpatch/admitted')
        bundle = [f for f in os.listdir(folder) if f.startswith('hp-a.') and f.endswith('.hpb')][0]
        data = bytearray(read(os.path.join(folder, bundle)))
        data[-1500] ^= 1
        write(os.path.join(folder, bundle), bytes(data), 0o600)
        reboot(w)
        assert w.machine.loaded() == ['hp_c'], w.machine.loaded()
        assert patch(w, 'hp-a')['RestoreResult'] == 'failed'
        assert 'hp-a' in patch(w, 'hp-b')['RestoreReason'], patch(w, 'hp-b')
        status, said = restore(w, '--check')
        assert status != 0 and "'hp-a'" in said and "'hp-b'" in said and "'hp-c'" not in said, said


def test_what_the_kernel_refuses_is_not_on_trial(pki):
    with applied(pki, 'hp-one') as w:
        w.machine.write('fake/insert-errno', '22\n')
        reboot(w)
        assert patch(w, 'hp-one')['RestoreResult'] == 'failed'
        assert trials(w) == [], trials(w)
        w.machine.write('fake/insert-errno', '0\n')
        reboot(w, clean=False)
        assert strikes(w, 'hp-one') == 0
        assert w.root.patches() == {'hp-one': 'active'}


def test_two_crashes_after_a_restore(pki):
    with applied(pki, 'hp-one') as w:
        reboot(w)
        assert trials(w) == [BOOT.replace('-', '') + '-restore-1'], trials(w)
        reboot(w, clean=False)
        assert w.root.patches() == {'hp-one': 'active'} and strikes(w, 'hp-one') == 1
        reboot(w, clean=False)
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['Quarantined'] and got['Wanted'], got
        assert got['RestoreResult'] == 'quarantined' and len(got['Strikes']) == 2, got
        assert all('The machine went down without a shutdown' in s for s in got['Strikes']), got
        # said, and no reason to go back to an older kernel
        status, said = restore(w, '--check')
        assert status == 0 and 'quarantined' in said, said
        # nor by hand
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'Quarantined') and 'went down' in result[2], result
        w.root.call('Release', ['hp-one'], {})
        with refused('NotQuarantined'):
            w.root.call('Release', ['hp-one'], {})
        assert not patch(w, 'hp-one')['Quarantined']
        reboot(w)
        assert w.root.patches() == {'hp-one': 'active'}


def test_power_cuts_after_a_restore(pki):
    """Where a panic leaves a dump and there is none, it takes four of them; a dump is a panic."""
    with applied(pki, 'hp-one') as w:
        w.machine.write('sys/module/pstore/parameters/backend', 'efi_pstore\n')
        w.machine.write('sys/kernel/kexec_crash_loaded', '0\n')
        reboot(w, keep=('pstore',))
        for n in (1, 2, 3):
            reboot(w, clean=False, keep=('pstore',))
            got = patch(w, 'hp-one')
            assert w.root.patches() == {'hp-one': 'active'} and len(got['Strikes']) == n, got
            assert not got['Quarantined'] and 'as after a power cut' in got['Strikes'][-1], got
        reboot(w, clean=False, keep=('pstore',))
        assert w.machine.loaded() == ['pstore'] and patch(w, 'hp-one')['Quarantined']

        w.root.call('Release', ['hp-one'], {})
        reboot(w, keep=('pstore',))
        reboot(w, clean=False, keep=('pstore',))
        w.machine.write('var/lib/systemd/pstore/17/dmesg.txt', 'Panic#1 Part1')
        reboot(w, clean=False, keep=('pstore',))
        assert 'power cut' in patch(w, 'hp-one')['Strikes'][0]
        assert 'power cut' not in patch(w, 'hp-one')['Strikes'][1]
        assert not patch(w, 'hp-one')['Quarantined']
        # Old by now; but one that nobody has moved yet is not.
        w.machine.write('sys/fs/pstore/dmesg-efi-17', 'Panic#1 Part1')
        reboot(w, clean=False, keep=('pstore',))
        assert patch(w, 'hp-one')['Quarantined']


def dumps(w):
    # While it is written there is another file for a moment.
    (trial,) = (f for f in os.listdir(w.machine.path('var/lib/hotpatch/trials')) if not f.startswith('.'))
    return b'DUMPS=1' in read(w.machine.path('var/lib/hotpatch/trials', trial))


def test_a_crash_kernel_that_is_loaded_after_the_restore(pki):
    """It keeps the dump elsewhere, so none is no power cut: seen at the start of the daemon, and later."""
    with applied(pki, 'hp-one') as w:
        w.machine.write('sys/module/pstore/parameters/backend', 'efi_pstore\n')
        w.machine.write('sys/kernel/kexec_crash_loaded', '0\n')
        reboot(w, keep=('pstore',))
        assert dumps(w)
        w.daemon.kill()
        w.machine.write('sys/kernel/kexec_crash_loaded', '1\n')
        w.daemon.start()
        w.root = w.client()
        wait_for('the word of the daemon', lambda: not dumps(w))
        w.machine.write('sys/kernel/kexec_crash_loaded', '0\n')
        reboot(w, clean=False, keep=('pstore',))
        got = patch(w, 'hp-one')
        assert len(got['Strikes']) == 1 and 'power cut' not in got['Strikes'][0], got
        assert dumps(w)
        w.machine.write('sys/kernel/kexec_crash_loaded', '1\n')
        wait_for('the next look', lambda: not dumps(w))


def test_a_bad_sign_takes_out_only_what_it_names(pki):
    with World(pki) as w:
        w.machine.open_log()
        w.start()
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        for i in ('hp-one', 'hp-two'):
            assert w.root.finish(w.root.apply(i))[0] == 'done'
        reboot(w)
        assert len(trials(w)) == 2, trials(w)
        w.daemon.kill()
        w.machine.say('------------[ cut here ]------------', 'something is odd',
                      'WARNING: CPU: 0 PID: 1 at a.c:1 new_hp_function+0x1/0x2 [hp_one]', 'CPU: 0 PID: 1 Comm: a',
                      '---[ end trace 0000000000000000 ]---')
        w.daemon.start()
        w.root = w.client()
        wait_for('the rollback', lambda: w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'})
        assert strikes(w, 'hp-one') == 1 and strikes(w, 'hp-two') == 0
        assert patch(w, 'hp-two')['Wanted'] and len(trials(w)) == 1, trials(w)
        gone = w.root.get('/org/hotpatch/Hotpatch1', 'org.hotpatch.Hotpatch1.Manager', 'RolledBack')
        assert [str(i) for i, _, _ in gone] == ['hp-one'], gone


def test_a_crash_with_what_a_rollback_has_brought_back(pki):
    """It has been in force before, so it is restored; and each crash is a strike."""
    with World(pki) as w:
        w.machine.open_log()
        w.start()
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        for i in ('hp-one', 'hp-two'):
            assert w.root.finish(w.root.apply(i))[0] == 'done'
        w.machine.say(*warn('hp_two'))
        wait_for('the rollback', lambda: w.machine.loaded() == ['hp_one'] and w.root.patches()['hp-one'] == 'active' and
                 len(trials(w)) == 1)
        assert strikes(w, 'hp-one') == 0
        reboot(w, clean=False)
        got = patch(w, 'hp-one')
        assert got['RestoreResult'] == 'restored' and got['TrialKind'] == 'restore', got
        assert len(got['Strikes']) == 1 and 'put back in the place of one that had failed' in got['Strikes'][0], got
        reboot(w, clean=False)
        assert patch(w, 'hp-one')['Quarantined'] and w.machine.loaded() == []


def test_a_quarantine_brings_back_what_was_superseded(pki):
    with applied(pki, 'hp-one') as w:
        w.machine.stage('hp-two', supersedes=['hp-one'])
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        reboot(w)
        assert w.root.patches()['hp-two'] == 'active'
        reboot(w, clean=False)
        assert w.machine.livepatches() == ['hp_two'] and strikes(w, 'hp-two') == 1
        reboot(w, clean=False)
        assert w.machine.livepatches() == ['hp_one'], (w.machine.livepatches(), patch(w, 'hp-one'))
        assert patch(w, 'hp-two')['Quarantined'] and w.root.patches()['hp-one'] == 'active'


def open_apply(w, i):
    """An Apply that stands in its transition."""
    w.machine.kernel.stall = True
    w.machine.stage(i)
    job = w.root.apply(i)
    wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')


def test_a_crash_in_an_apply(pki):
    with World(pki).start() as w:
        for n in (1, 2):
            open_apply(w, 'hp-one')
            w.machine.kernel.stall = False
            # Only a little: FakeKernel must not end it before the machine goes down.
            w.machine.kernel.delay = 60
            reboot(w, clean=False)
            w.machine.kernel.delay = 0.05
            got = patch(w, 'hp-one')
            assert w.machine.loaded() == [] and not got['Wanted'], got
            assert len(got['Strikes']) == n and got['Quarantined'] == (n == 2), got
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/intent'))
        # another build under the same id has a clean sheet
        w.machine.stage('hp-one', title='Another build')
        assert strikes(w, 'hp-one') == 0
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def hotpatchctl(w, *args):
    run = subprocess.run([os.path.join(BUILD, 'ctl/hotpatchctl'), *args], capture_output=True, text=True, timeout=60,
                         env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'LC_ALL': 'C.UTF-8'}, check=False)
    return run.returncode, run.stdout + run.stderr


def test_a_strike_against_what_was_never_staged(pki):
    """The machine went down while a file was applied: nothing of it is here, but what speaks against it is told."""
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        job = w.root.apply_file(w.machine.bundle('hp-one'))
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        reboot(w, clean=False)
        assert w.root.patches() == {}, w.root.patches()
        sentence = "A bundle 'hp-one' that is not here has a strike: The machine went down"
        status, said = hotpatchctl(w, 'status')
        assert sentence in said, said
        status, said = hotpatchctl(w, 'show', 'hp-one')
        assert status != 0 and sentence in said and 'hotpatchctl release' in said, said
        w.machine.stage('hp-one', title='Another content of the same id')
        assert w.root.patches() == {'hp-one': 'staged'} and strikes(w, 'hp-one') == 0
        assert sentence in hotpatchctl(w, 'status')[1]
        w.root.call('Release', ['hp-one'], {})
        assert 'not here' not in hotpatchctl(w, 'status')[1]


def test_a_shutdown_in_an_apply_is_no_strike(pki):
    with World(pki).start() as w:
        open_apply(w, 'hp-one')
        reboot(w, clean=True)
        assert w.machine.loaded() == [] and strikes(w, 'hp-one') == 0
        assert w.root.patches() == {'hp-one': 'staged'}


def test_the_daemon_settles_it_when_nothing_is_restored(pki):
    with World(pki).start() as w:
        open_apply(w, 'hp-one')
        power_off(w, clean=False)
        w.daemon.start()
        w.root = w.client()
        assert strikes(w, 'hp-one') == 1


def test_a_transition_that_does_not_end_is_left_behind(pki):
    with applied(pki, 'hp-one') as w:
        w.machine.kernel.stall = True
        reboot(w)
        assert patch(w, 'hp-one')['RestoreResult'] == 'unfinished', patch(w, 'hp-one')
        assert w.root.patches() == {'hp-one': 'transition'}
        assert restore(w, '--check')[0] != 0
        w.machine.kernel.stall = False
        wait_for('the end of the transition', lambda: w.root.patches() == {'hp-one': 'active'})
        wait_for('the report', lambda: patch(w, 'hp-one')['RestoreResult'] == 'restored')
        assert restore(w, '--check')[0] == 0


def stalled(pki):
    """hp-one's transition does not end at the start of the machine; hp-two and hp-three (which requires it) come behind it."""
    w = applied(pki, 'hp-one')
    w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
    w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-two'])
    for i in ('hp-two', 'hp-three'):
        assert w.root.finish(w.root.apply(i))[0] == 'done'
    w.machine.kernel.stall = True
    reboot(w)
    assert [patch(w, i)['RestoreResult'] for i in ('hp-one', 'hp-two', 'hp-three')] == ['unfinished', 'postponed', 'postponed']
    return w


def test_what_was_postponed_is_put_back(pki):
    with stalled(pki) as w:
        assert w.machine.loaded() == ['hp_one']
        # Nobody is kept out meanwhile.
        assert all(j[2] == 'finished' for j in w.root.call('ListJobs'))
        w.machine.kernel.stall = False
        wait_for('the rest', lambda: set(w.root.patches().values()) == {'active'})
        wait_for('the report', lambda: patch(w, 'hp-three')['RestoreResult'] == 'restored')
        assert patch(w, 'hp-two')['RestoreResult'] == 'restored' and patch(w, 'hp-two')['TrialKind'] == 'restore'
        rest = [j for j in w.root.call('ListJobs') if j[1] == 'restore']
        assert len(rest) == 2 and all(j[4] == 'done' for j in rest), rest
        assert len(trials(w)) == 3 and w.machine.leftovers() == []
        assert restore(w, '--check')[0] == 0
        # Once: another daemon has nothing to do.
        w.daemon.kill()
        w.daemon.start()
        w.root = w.client()
        assert [j for j in w.root.call('ListJobs') if j[1] == 'restore'] == []


def test_what_was_postponed_and_is_refused(pki):
    """By the rules of a restore, and once: what requires it stays out, too."""
    with stalled(pki) as w:
        w.machine.write('fake/insert-errno-hp_two', '22\n')
        w.machine.kernel.stall = False
        wait_for('the end', lambda: [patch(w, i)['RestoreResult'] for i in ('hp-two', 'hp-three')] == ['failed'] * 2)
        assert "requires 'hp-two'" in patch(w, 'hp-three')['RestoreReason'], patch(w, 'hp-three')
        os.unlink(w.machine.path('fake/insert-errno-hp_two'))
        w.daemon.kill()
        w.daemon.start()
        w.root = w.client()
        assert w.machine.loaded() == ['hp_one'] and len(trials(w)) == 1, (w.machine.loaded(), trials(w))
        assert [j for j in w.root.call('ListJobs') if j[1] == 'restore'] == []
        assert patch(w, 'hp-two')['Wanted'] and strikes(w, 'hp-two') == 0


def test_what_was_postponed_and_cannot_be_looked_at(pki):
    """The job is given up: the others are seen to, and it does not pass a trial."""
    with stalled(pki) as w:
        w.machine.write('fake/open-fails', '1000 sys/kernel/livepatch/hp_two/transition\n')
        w.machine.kernel.stall = False
        wait_for('the end of the job', lambda: [j[4] for j in w.root.call('ListJobs') if j[1] == 'restore'] == ['failed'], 60)
        assert len(trials(w)) == 1, trials(w)
        os.unlink(w.machine.path('fake/open-fails'))
        # By what it requires, which can be looked at again, or not yet.
        wait_for('the other', lambda: patch(w, 'hp-three')['RestoreResult'] in ('restored', 'failed'))
        got = patch(w, 'hp-two')
        assert got['RestoreResult'] == 'failed' and got['RestoreReason'], got


def test_what_was_postponed_and_is_switched_off_meanwhile(pki):
    with stalled(pki) as w:
        w.machine.write('etc/hotpatch/disable', '')
        w.machine.kernel.stall = False
        wait_for('the end', lambda: patch(w, 'hp-two')['RestoreResult'] == 'failed')
        assert 'switched off' in patch(w, 'hp-two')['RestoreReason'] and w.machine.loaded() == ['hp_one']


def test_killed_while_it_puts_back_what_was_postponed(pki):
    """Not a second time, whoever did it; the next start of the machine restores it, and nobody has a strike for a kill."""
    with stalled(pki) as w:
        w.machine.write('fake/insert-msec', '2000\n')
        w.machine.kernel.stall = False
        wait_for('the job', lambda: [j for j in w.root.call('ListJobs') if j[1] == 'restore'])
        wait_for('the record of its trial', lambda: len(trials(w)) == 2)
        assert patch(w, 'hp-two')['RestoreResult'] == 'unfinished', patch(w, 'hp-two')
        w.daemon.kill()
        os.unlink(w.machine.path('fake/insert-msec'))
        w.daemon.start()
        w.root = w.client()
        wait_for('the other', lambda: patch(w, 'hp-three')['RestoreResult'] == 'failed' or 'hp_two' in w.machine.loaded())
        assert patch(w, 'hp-two')['RestoreResult'] == 'failed'
        reboot(w)
        wait_for('all', lambda: set(w.root.patches().values()) == {'active'})
        assert strikes(w, 'hp-two') == 0


def test_killed_while_the_kernel_ends_it(pki):
    """What the daemon was putting back comes into force without it, and the next one says so."""
    with stalled(pki) as w:
        w.machine.write('fake/insert-msec', '1000\n')
        w.machine.kernel.stall = False
        wait_for('the job', lambda: [j for j in w.root.call('ListJobs') if j[1] == 'restore'])
        w.machine.kernel.stall = True
        wait_for('the transition', lambda: w.root.patches()['hp-two'] == 'transition')
        w.daemon.kill()
        os.unlink(w.machine.path('fake/insert-msec'))
        w.daemon.start()
        w.root = w.client()
        assert patch(w, 'hp-two')['RestoreResult'] == 'unfinished', patch(w, 'hp-two')
        w.machine.kernel.stall = False
        wait_for('all', lambda: set(w.root.patches().values()) == {'active'})
        wait_for('the report', lambda: [patch(w, i)['RestoreResult'] for i in ('hp-one', 'hp-two', 'hp-three')] == ['restored'] * 3)
        # hp-three's.
        assert len([j for j in w.root.call('ListJobs') if j[1] == 'restore']) == 1, w.root.call('ListJobs')


def superseded(w):
    """The folders of superseded patches: transaction and what is in it."""
    top = w.machine.path('var/lib/hotpatch/superseded')
    return {i: sorted(os.listdir(os.path.join(top, i))) for i in os.listdir(top)}


def stalled_behind(w, *more):
    """hp-x stalls at the start of the machine; hp-two, which was on trial, has taken the place of hp-one."""
    w.machine.open_log()
    w.start()
    w.machine.stage('hp-x', functions=(('vmlinux', 'hp_other'),))
    w.machine.stage('hp-one')
    w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-one'])
    w.machine.stage('hp-two', supersedes=['hp-one'])
    for i in ('hp-x', 'hp-one', *more, 'hp-two'):
        assert w.root.finish(w.root.apply(i))[0] == 'done'
    w.machine.kernel.stall = True
    reboot(w)
    assert [patch(w, i)['RestoreResult'] for i in ('hp-x', *more, 'hp-two')] == ['unfinished'] + ['postponed'] * (1 + len(more)), \
        [patch(w, i)['RestoreReason'] for i in ('hp-x', *more, 'hp-two')]


def test_what_was_postponed_fails_its_trial(pki):
    """What it had superseded comes back, although its trial began long after the start of the machine, or in a later boot."""
    for boots in (1, 2):
        with World(pki) as w:
            stalled_behind(w)
            if boots == 2:
                (name, files), = superseded(w).items()
                power_off(w, clean=True)
                top = w.machine.path('var/lib/hotpatch/superseded')
                # power_off() gives names of files no other boot.
                os.rename(os.path.join(top, name), os.path.join(top, name.replace(BOOT.replace('-', ''), 'b' * 32)))
                assert restore(w)[0] == 0
                w.daemon.start()
                w.root = w.client()
                assert superseded(w) == {name: files} and len(files) == 2, (name, superseded(w))
                assert patch(w, 'hp-two')['RestoreResult'] == 'postponed', patch(w, 'hp-two')
            w.machine.kernel.stall = False
            wait_for('the rest', lambda w=w: patch(w, 'hp-two')['RestoreResult'] == 'restored')
            assert patch(w, 'hp-two')['TrialKind'] == 'restore' and w.root.patches()['hp-two'] == 'active'
            w.machine.say(*warn('hp_two'))
            wait_for('the rollback', lambda w=w: w.root.patches().get('hp-one') == 'active')
            assert sorted(w.machine.loaded()) == ['hp_one', 'hp_x'] and w.root.patches()['hp-two'] == 'staged', w.root.patches()


def test_what_was_postponed_is_refused_and_fails_later(pki):
    """It is still wanted and has never passed: what it superseded is kept until it has."""
    with World(pki) as w:
        stalled_behind(w)
        before = superseded(w)
        w.machine.write('fake/insert-errno-hp_two', '22\n')
        w.machine.kernel.stall = False
        wait_for('the end', lambda: patch(w, 'hp-two')['RestoreResult'] == 'failed')
        assert superseded(w) == before and len(trials(w)) == 1, superseded(w)
        os.unlink(w.machine.path('fake/insert-errno-hp_two'))
        reboot(w)
        assert patch(w, 'hp-two')['RestoreResult'] == 'restored', patch(w, 'hp-two')
        w.machine.say(*warn('hp_two'))
        wait_for('the rollback', lambda: w.root.patches().get('hp-one') == 'active')


def test_what_was_postponed_is_named_on_its_way_in(pki):
    """It turns around at once, however long its transition would take."""
    with World(pki) as w:
        stalled_behind(w)
        w.machine.write('fake/insert-msec', '1000\n')
        w.machine.kernel.stall = False
        wait_for('the job', lambda: [j for j in w.root.call('ListJobs') if j[1] == 'restore'])
        w.machine.kernel.stall = True
        wait_for('the transition', lambda: w.root.patches()['hp-two'] == 'transition')
        os.unlink(w.machine.path('fake/insert-msec'))
        begun = time.monotonic()
        w.machine.say(*warn('hp_two'))
        wait_for('it to be out', lambda: 'hp_two' not in w.machine.loaded())
        assert time.monotonic() - begun < 10, 'it was waited for'
        w.machine.kernel.stall = False
        wait_for('the rollback', lambda: w.root.patches().get('hp-one') == 'active')
        assert w.root.patches()['hp-two'] == 'staged' and strikes(w, 'hp-two') == 1
        job, = (j for j in w.root.call('ListJobs') if j[1] == 'restore')
        assert job[4] == 'failed' and job[5].endswith('TrialFailed'), job


def test_how_long_it_is_on_trial(pki):
    """As its manifest asks, like everything that is put back."""
    with applied(pki, 'hp-one') as w:
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),), trial={'seconds': 200})
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        w.machine.kernel.stall = True
        reboot(w)
        w.machine.kernel.stall = False
        wait_for('the rest', lambda: patch(w, 'hp-two')['RestoreResult'] == 'restored')
        until = [int(patch(w, i)['TrialUntilUSec']) / 1e6 - time.time() for i in ('hp-one', 'hp-two')]
        assert 570 < until[0] <= 600 and 170 < until[1] <= 200, until


def test_what_requires_a_postponed_one_that_superseded(pki):
    with World(pki) as w:
        stalled_behind(w, 'hp-three')
        w.machine.kernel.stall = False
        wait_for('the rest', lambda: [patch(w, i)['RestoreResult'] for i in ('hp-two', 'hp-three')] == ['restored'] * 2)
        assert sorted(w.machine.loaded()) == ['hp_three', 'hp_two', 'hp_x'], w.machine.loaded()


def test_a_damaged_strike_is_a_quarantine(pki):
    with applied(pki, 'hp-one') as w:
        digest = re.search('DIGEST=(.*)', read(w.machine.path('var/lib/hotpatch/admitted/hp-one.record')).decode())[1]
        write(w.machine.path('var/lib/hotpatch/strikes/hp-one.' + digest), 'x', 0o600)
        reboot(w)
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['Quarantined'] and got['RestoreResult'] == 'quarantined', got
        w.root.call('Release', ['hp-one'], {})
        reboot(w)
        assert w.root.patches() == {'hp-one': 'active'}


CA_CONFIG = '''[ca]
default_ca=c
[c]
dir=.
database=$dir/index.txt
serial=$dir/serial
crlnumber=$dir/crlnumber
new_certs_dir=.
default_md=sha256
policy=p
unique_subject=no
[p]
commonName=supplied
'''


class DatedPki(Pki):
    """Certificates that begin and end when they are told to, and can be revoked."""

    def __init__(self, directory, leaf_end):
        os.makedirs(directory, exist_ok=True)
        for name, text in (('ca.cnf', CA_CONFIG), ('index.txt', ''), ('serial', '1000\n'), ('crlnumber', '01\n')):
            write(os.path.join(directory, name), text)
        self.leaf_end = leaf_end
        super().__init__(directory)

    def ca(self, *args):
        self.openssl('ca', '-config', 'ca.cnf', '-batch', *args)

    def make(self, name, issuer, extensions):
        write(self.path(name + '.ext'), '[e]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
              + extensions + '\n')
        self.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', name + '.key')
        self.openssl('req', '-new', '-key', name + '.key', '-subj', '/CN=Hotpatch Test ' + name, '-out', name + '.csr')
        by = issuer or name
        self.ca('-in', name + '.csr', '-out', name + '.pem', '-notext', '-keyfile', by + '.key', '-startdate',
                '20200101000000Z', '-enddate', self.leaf_end if name == 'leaf' else '20490101000000Z',
                '-extfile', name + '.ext', '-extensions', 'e',
                *(['-selfsign'] if issuer is None else ['-cert', issuer + '.pem']))


def signed_again(w, i, pki, admitted):
    """The admitted bundle with another signature over the same manifest, and another time of admission."""
    folder = w.machine.path('var/lib/hotpatch/admitted')
    bundle = [f for f in os.listdir(folder) if f.startswith(i + '.') and f.endswith('.hpb')][0]
    data = read(os.path.join(folder, bundle))
    size = int(data[124:135], 8)
    manifest = data[512:512 + size]
    rest = 512 + -(-size // 512) * 512
    signature = int(data[rest + 124:rest + 135], 8)
    module = data[rest + 512 + -(-signature // 512) * 512:]
    write(os.path.join(folder, bundle), tar_member('manifest.json', manifest)
          + tar_member('manifest.json.p7s', pki.sign(manifest)) + module, 0o600)
    path = os.path.join(folder, i + '.record')
    write(path, re.sub('ADMITTED_USEC=.*', 'ADMITTED_USEC=%d' % (admitted * 1000000), read(path).decode()), 0o600)
    write(w.machine.path('etc/hotpatch/trust.d/test.pem'), read(pki.path('root.pem')))


def test_an_expired_certificate_is_no_obstacle_and_a_revoked_one_is(pki):
    with tempfile.TemporaryDirectory() as directory, applied(pki, 'hp-one') as w:
        old = DatedPki(directory, '20200301000000Z')
        signed_again(w, 'hp-one', old, 1580515200)  # in February 2020
        reboot(w)
        assert w.root.patches() == {'hp-one': 'active'}, patch(w, 'hp-one')
        # admitted when it had ended already: that cannot have been
        signed_again(w, 'hp-one', old, 1590000000)
        reboot(w)
        assert 'expired' in patch(w, 'hp-one')['RestoreReason'], patch(w, 'hp-one')
        signed_again(w, 'hp-one', old, 1580515200)
        old.ca('-revoke', 'leaf.pem', '-keyfile', 'ca.key', '-cert', 'ca.pem')
        old.ca('-gencrl', '-out', 'ca.crl', '-crldays', '30', '-keyfile', 'ca.key', '-cert', 'ca.pem')
        write(w.machine.path('etc/hotpatch/trust.d/ca.crl'), read(old.path('ca.crl')))
        reboot(w)
        got = patch(w, 'hp-one')
        assert w.machine.loaded() == [] and got['RestoreResult'] == 'failed', got
        assert 'revoked' in got['RestoreReason'], got
        assert restore(w, '--check')[0] != 0


def said_clean(w):
    texts = [read(w.machine.path('var/lib/hotpatch/trials', name)).decode() for name in trials(w)]
    return [line for text in texts for line in text.split() if line.startswith('CLEAN=')]


def test_a_shutdown_that_does_not_restart_the_kernel(pki):
    """systemctl soft-reboot: everything is stopped and started again in the same boot. Who goes on watching takes the
    shutdown back, or the crash that follows would be none."""
    for who in 'hotpatchd', 'hotpatch-restore':
        with applied(pki, 'hp-one') as w:
            w.daemon.kill()
            assert restore(w, '--clean')[0] == 0 and said_clean(w) == ['CLEAN=1']
            if who == 'hotpatchd':
                w.daemon.start()
            else:
                assert restore(w)[0] == 0
            assert said_clean(w) == ['CLEAN=0'], who
            reboot(w, clean=False)
            assert w.root.patches() == {'hp-one': 'staged'} and strikes(w, 'hp-one') == 1, who


def test_releasing_is_a_decision(pki):
    with World(pki, polkit='deny').start() as w:
        with refused('AccessDenied'):
            w.client(65534).call('Release', ['hp-one'], {})
        with refused('InvalidArgs'):
            w.root.call('Release', ['../x'], {})
        with refused('InvalidArgs'):
            w.root.call('Release', [], {})
        with refused('NotQuarantined'):
            w.root.call('Release', ['hp-one'], {})



if __name__ == '__main__':
    main([f for n, f in list(globals().items()) if n.startswith('test_')])
