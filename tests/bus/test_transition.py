#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 230
"""A transition that does not end: who blocks it, what systemd is asked to do, and force."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from hotpatchtest import (BUILD, ERROR, JOB, MANAGER, PATIENCE, ROOT, World, main, read, refused, wait_for, write)

BLOCKERS = {'debug': 'on', 'tasks': [
    {'tid': 300, 'stack': ['hp_function', 'vfs_read', 'ksys_read']},
    {'tid': 17, 'stack': ['schedule', 'hp_function']},
    {'tid': 4711, 'stack': ['nobody']}]}


class Systemd:
    def __init__(self, w, *tempers):
        self.log_path = os.path.join(w.bus.directory, 'systemd.log')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log_path)
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(__file__), 'freezermock.py'), w.bus.address,
             w.machine.root, self.log_path, *tempers], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            raise AssertionError('the mock of systemd did not start')

    def calls(self, *names):
        with contextlib.suppress(FileNotFoundError):
            lines = [json.loads(line) for line in read(self.log_path).decode().splitlines()]
            return [c for c in lines if not names or c[0] in names]
        return []

    def release(self):
        self.process.send_signal(signal.SIGUSR1)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def add_task(w, tid, comm, state='S', flags=0, unit=None, patch_state=0):
    folder = 'proc/%d/task/%d/' % (tid, tid)
    w.machine.write(folder + 'stat', '%d (%s) %s 1 1 1 0 -1 %d 0 0\n' % (tid, comm, state, flags))
    w.machine.write(folder + 'cgroup', '0::/%s\n' % ('system.slice/' + unit if unit else ''))
    w.machine.write(folder + 'patch_state', '%d\n' % patch_state)
    if unit:
        w.machine.write('fake/tasks/%s/%d' % (unit, tid), '')


def world(pki, *tempers, config='', tasks=True, systemd=True):
    w = World(pki)
    w.machine.write('etc/hotpatch/hotpatchd.conf.d/50-transition.conf', '[Transition]\n' + config)
    w.machine.write('fake/blockers.json', json.dumps(BLOCKERS))
    w.systemd = w.add(Systemd(w, *tempers)) if systemd else None
    if tasks:
        add_task(w, 300, 'web', unit='web.service')
        add_task(w, 301, 'web helper', unit='web.service')
        add_task(w, 200, 'sshd', unit='ssh.service')
        add_task(w, 17, 'kworker/0:1', flags=0x00200000)
        add_task(w, 9, 'done', unit='other.service', patch_state=1)
    w.machine.kernel.stall = True
    return w.start()


def show_functions(w):
    """What sysfs has of a livepatch; the made-up kernel leaves it out."""
    folder = w.machine.path('sys/kernel/livepatch/hp_one')
    wait_for('the livepatch', lambda: os.path.isdir(folder))
    os.makedirs(folder + '/vmlinux/hp_function,1')


def begin(w, **bundle):
    w.machine.stage('hp-one', **bundle)
    job = w.root.apply('hp-one')
    show_functions(w)
    return job


def blockers(w, job):
    return [tuple(x if isinstance(x, str) else int(x) for x in b) for b in w.root.job(job[1])['Blockers']]


def named(w, job, n=4):
    return wait_for('the blockers', lambda: len(blockers(w, job)) == n and blockers(w, job))


def finish_stalled(w, job):
    w.machine.kernel.stall = False
    assert w.root.finish(job)[0] == 'done'


def test_blockers_are_named_with_unit_function_and_advice(pki):
    with world(pki, config='FreezeAfterSec=0\n') as w:
        job = begin(w)
        begun = time.monotonic()
        found = named(w, job)
        assert time.monotonic() - begun < 3, time.monotonic() - begun
        assert [b[:4] for b in found] == [(200, 200, 'sshd', 'ssh.service'), (300, 300, 'web', 'web.service'),
                                          (301, 301, 'web helper', 'web.service'),
                                          (17, 17, 'kworker/0:1', 'kernel thread')], found
        wait_for('the function', lambda: blockers(w, job)[1][5] == 'hp_function')
        found = blockers(w, job)
        assert found[1][4] == 'sleeping' and 'restart web.service' in found[1][6], found
        assert found[3][4:6] == ('sleeping', 'hp_function') and 'kernel thread' in found[3][6], found
        assert found[2][4:6] == ('', ''), found
        assert w.root.job(job[1])['BlockersNote'] == ''
        changed = [p for path, _, p in w.root.properties if path == job[1] and 'Blockers' in p]
        assert changed and len(changed[-1]['Blockers']) == 4, changed
        assert w.systemd.calls('StartUnit') == [['StartUnit', 'hotpatch-blockers.service', 'replace']]
        assert w.systemd.calls('FreezeUnit') == []
        finish_stalled(w, job)
        assert len(w.root.job(job[1])['Blockers']) == 0


def test_without_systemd_they_are_named_all_the_same(pki):
    for tempers, note in ((None, 'systemd does not start'), (['refuse-start'], 'not found'),
                          (['start-fails'], "ended as 'failed'")):
        with world(pki, *(tempers or ()), config='FreezeAfterSec=2\n', systemd=tempers is not None) as w:
            job = begin(w)
            found = named(w, job)
            assert found[1][2:6] == ('web', 'web.service', '', ''), found
            wait_for('the note', lambda: note in w.root.job(job[1])['BlockersNote'])
            finish_stalled(w, job)


def test_a_kernel_that_does_not_come_back_is_told(pki):
    """A module's init that hangs: nothing can end that, but it is said what the job waits for."""
    with world(pki, tasks=False, systemd=False) as w:
        w.machine.kernel.stall = False
        w.machine.configure(transition='1s')
        w.root.call('Reload')
        w.machine.write('fake/insert-hangs', '')
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        (who,) = wait_for('the name', lambda: blockers(w, job))
        assert who[0] > 0 and who[2:6] == ('load', 'hotpatchd.service', '', ''), who
        assert who[6].startswith("the kernel has not come back from loading module 'hp_one': wait, or restart"), who
        assert w.root.job(job[1])['State'] == 'loading'
        out = subprocess.run([os.path.join(BUILD, 'ctl/hotpatchctl'), 'status'], capture_output=True, text=True, check=False,
                             env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=w.bus.address)).stdout
        assert "has not come back from loading module 'hp_one'" in ' '.join(out.split()), out
        os.unlink(w.machine.path('fake/insert-hangs'))
        wait_for('nobody', lambda: blockers(w, job) == [])


def test_a_mute_systemd_holds_nothing_up(pki):
    with world(pki, 'mute', config='FreezeAfterSec=1\nTimeoutSec=5\n') as w:
        job = begin(w)
        named(w, job)
        result, name, message = w.root.finish(job)
        assert (result, name) == ('failed', 'TransitionStalled'), (result, name)
        assert w.machine.livepatches() == [] and w.machine.leftovers() == []


def test_nonsense_from_the_reader_is_no_stack(pki):
    for text in ('', '{', '[]', '{"debug": 1, "tasks": []}', '{"debug": "on", "tasks": [1]}',
                 '{"debug": "on", "tasks": [{"tid": -1, "stack": []}]}',
                 '{"debug": "on", "tasks": [{"tid": 300, "stack": [300]}]}', '[' * 100000):
        with world(pki, config='FreezeAfterSec=0\n') as w:
            w.machine.write('fake/blockers.json', text)
            job = begin(w)
            assert named(w, job)[1][4:6] == ('', '')
            wait_for('the reader', lambda: w.systemd.calls('StartUnit'))
            time.sleep(0.3)
            assert blockers(w, job)[1][4:6] == ('', '')
            finish_stalled(w, job)


def test_the_error_names_the_worst(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=4\n') as w:
        result, name, message = w.root.finish(begin(w))
        assert (result, name) == ('failed', 'TransitionStalled'), (result, name)
        assert "kernel thread 'kworker/0:1' (17) in hp_function, 2 tasks of web.service ('web' and others) in " \
            "hp_function, 'sshd' (200) of ssh.service" in message, message


def test_units_are_frozen_and_thawed_one_after_the_other(pki):
    with world(pki, config='FreezeAfterSec=2\nFreezeExclude=cache*.service\n') as w:
        add_task(w, 400, 'db', unit='db.service')
        add_task(w, 401, 'cached', unit='cache-a.service')
        add_task(w, 402, 'disk', state='D', unit='disk.service')
        add_task(w, 403, 'disk', unit='disk.service')
        job = begin(w)
        wait_for('thawing', lambda: len(w.systemd.calls('ThawUnit')) == 2)
        # Not the excluded one, not the built-in ones, not where a task is deaf to the freezer.
        assert w.systemd.calls('FreezeUnit', 'ThawUnit') == [
            ['FreezeUnit', 'db.service', 'listed'], ['ThawUnit', 'db.service'],
            ['FreezeUnit', 'web.service', 'listed'], ['ThawUnit', 'web.service']], w.systemd.calls()
        wait_for('the list to go', lambda: not os.path.exists(w.machine.path('run/hotpatch/frozen')))
        wait_for('those that changed over', lambda: len(blockers(w, job)) == 5)
        finish_stalled(w, job)


def test_what_somebody_else_froze_is_left_alone(pki):
    with world(pki, 'frozen', config='FreezeAfterSec=1\nTimeoutSec=4\n') as w:
        assert w.root.finish(begin(w))[0] == 'failed'
        assert w.systemd.calls('Get') and w.systemd.calls('FreezeUnit', 'ThawUnit') == []


def frozen_list(w):
    with contextlib.suppress(FileNotFoundError):
        return read(w.machine.path('run/hotpatch/frozen')).decode().split()
    return []


def test_a_killed_daemon_thaws_at_its_next_start(pki):
    with world(pki, 'slow-freeze', config='FreezeAfterSec=1\n') as w:
        begin(w)
        wait_for('freezing', lambda: w.systemd.calls('FreezeUnit'))
        w.daemon.kill()
        assert frozen_list(w) == ['web.service']
        w.machine.kernel.stall = False
        w.daemon.start()
        wait_for('thawing', lambda: w.systemd.calls('ThawUnit') == [['ThawUnit', 'web.service']])
        wait_for('the list to go', lambda: frozen_list(w) == [])


def test_a_list_that_nobody_wrote_thaws_only_units(pki):
    with world(pki, tasks=False) as w:
        w.daemon.kill()
        write(w.machine.path('run/hotpatch/frozen'), 'a.service\n../x\n\nb c.service\nno-type\na.service\n\xff\n')
        w.daemon.start()
        wait_for('thawing', lambda: frozen_list(w) == [])
        assert w.systemd.calls('ThawUnit') == [['ThawUnit', 'a.service']], w.systemd.calls()


def test_a_daemon_that_is_told_to_stop_thaws_first(pki):
    with world(pki, 'never-freeze', config='FreezeAfterSec=1\n') as w:
        begin(w)
        wait_for('freezing', lambda: w.systemd.calls('FreezeUnit'))
        w.daemon.process.terminate()
        wait_for('an attempt to thaw', lambda: len(w.systemd.calls('ThawUnit')) >= 2)
        assert w.daemon.process.poll() is None and frozen_list(w) == ['web.service']
        w.systemd.release()
        assert w.daemon.process.wait(PATIENCE) == 0
        assert frozen_list(w) == []


def test_a_list_that_cannot_be_written_is_written_later(pki):
    """Or the next start would thaw what an administrator has frozen meanwhile."""
    with world(pki, 'never-freeze', config='FreezeAfterSec=1\n') as w:
        begin(w)
        wait_for('an attempt to thaw', lambda: w.systemd.calls('ThawUnit'))
        path = w.machine.path('run/hotpatch/frozen')
        os.rename(path, w.machine.path('fake/frozen'))
        os.makedirs(path + '/x')  # nothing replaces or unlinks that
        attempts = len(w.systemd.calls('ThawUnit'))
        w.systemd.release()
        wait_for('thawing', lambda: len(w.systemd.calls('ThawUnit')) > attempts)
        time.sleep(0.3)
        os.rmdir(path + '/x')
        os.rmdir(path)
        os.rename(w.machine.path('fake/frozen'), path)
        wait_for('the list to go', lambda: frozen_list(w) == [])
        assert w.daemon.stop() == 0


def test_a_slow_freeze_is_given_up(pki):
    with world(pki, 'slow-freeze', config='FreezeAfterSec=1\nTimeoutSec=6\n') as w:
        job = begin(w)
        wait_for('thawing', lambda: w.systemd.calls('ThawUnit'))
        wait_for('the list to go', lambda: frozen_list(w) == [])
        assert w.root.finish(job)[0] == 'failed'


# --- force ---

def force(client, job, **kwargs):
    return client.call('Force', interface=JOB, path=str(job[1]), signature='', **kwargs)


def make_force_file(w, module='hp_one'):
    w.machine.write('sys/kernel/livepatch/%s/force' % module, '0\n')


def forced(w):
    return read(w.machine.path('sys/kernel/livepatch/hp_one/force')).strip() == b'1'


def wait_until_stalled():
    """As long as the kernel itself tries."""
    time.sleep(15.5)


def reboot(w):
    return [tuple(map(str, r)) for r in w.root.get(ROOT, MANAGER, 'RebootRequired')]


def test_force_ends_a_stalled_transition_and_stops_patching(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n[Baseline]\nEnable=yes\n') as w:
        job = begin(w, force_safe=True)
        named(w, job)
        make_force_file(w)
        with refused('NotStalled'):
            force(w.root, job)
        wait_until_stalled()
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/forced')) and reboot(w) == []
        force(w.root, job)
        assert forced(w)
        text = read(w.machine.path('var/lib/hotpatch/forced')).decode()
        assert 'ID=hp-one\n' in text and 'MODULE=hp_one\n' in text and 'CALLER_UID=0\n' in text, text
        assert reboot(w) == [('forced', "The transition of module 'hp_one' was forced; nothing more is applied "
                              'before the restart')], reboot(w)
        # The next restart is booked, see test_baseline.py.
        assert str(w.root.get(ROOT, MANAGER, 'BaselineState')) == 'due'
        finish_stalled(w, job)
        assert w.root.patches()['hp-one'] == 'active'
        # Nothing more is applied, by a new daemon too; what is there can be taken out.
        w.daemon.stop()
        w.daemon.start()
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        result, name, message = w.root.finish(w.root.apply('hp-two'))
        assert (result, name) == ('failed', 'ForcedUntilReboot'), (result, name)
        plan = json.loads(w.root.call('Plan', ['hp-two'], {}))
        assert plan['refusal']['name'] == ERROR + 'ForcedUntilReboot', plan['refusal']
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        # Another boot.
        write(w.machine.path('var/lib/hotpatch/forced'), text.replace('BOOT_ID=', 'BOOT_ID=0')[:0] + '\n'.join(
            'BOOT_ID=' + '0' * 31 + '1' if line.startswith('BOOT_ID=') else line for line in text.split('\n')))
        assert reboot(w) == []
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'


def test_force_needs_the_vendors_word(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n') as w:
        job = begin(w)
        named(w, job)
        make_force_file(w)
        wait_until_stalled()
        with refused('NotForceSafe'):
            force(w.root, job)
        assert not forced(w) and not os.path.exists(w.machine.path('var/lib/hotpatch/forced'))
        finish_stalled(w, job)
        with refused('NotStalled'):
            force(w.root, job)


def test_force_of_a_removal_pins_the_module(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n', tasks=False) as w:
        w.machine.kernel.stall = False
        assert w.root.finish(begin(w, force_safe=True))[0] == 'done'
        w.machine.kernel.stall = True
        w.machine.kernel.held = 10000
        add_task(w, 300, 'web', unit='web.service', patch_state=1)
        job = w.root.remove('hp-one')
        named(w, job, 1)
        make_force_file(w)
        wait_until_stalled()
        force(w.root, job)
        w.machine.kernel.stall = False
        result, name, message = w.root.finish(job)
        assert (result, name) == ('failed', 'PinnedUntilReboot'), (result, name, message)
        assert 'was forced' in message, message
        assert [r[0] for r in reboot(w)] == ['forced', 'pinned'], reboot(w)
        told = [[str(r[0]) for r in c['RebootRequired']] for _, i, c in w.root.properties
                if i == MANAGER and 'RebootRequired' in c]
        assert told[-1] == ['forced', 'pinned'], told
        said = subprocess.run([os.path.join(BUILD, 'ctl/hotpatchctl'), 'status'], stdout=subprocess.PIPE, check=True,
                              text=True, env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=w.bus.address)).stdout
        assert "'hp_one' was forced" in said and "'hp_one' has no effect any more but stays in memory" in said, said
        # It is not wanted any more: the next start of the machine does not bring it back.
        assert 'hp-one' not in os.listdir(w.machine.path('var/lib/hotpatch/admitted'))
        assert not [f for f in os.listdir(w.machine.path('var/lib/hotpatch/admitted')) if f.endswith('.record')]


def test_a_force_that_fails_does_not_undo_the_one_before(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n') as w:
        job = begin(w, force_safe=True)
        named(w, job)
        make_force_file(w)
        wait_until_stalled()
        force(w.root, job)
        finish_stalled(w, job)
        before = read(w.machine.path('var/lib/hotpatch/forced'))
        w.machine.kernel.stall = True
        add_task(w, 300, 'web', unit='web.service', patch_state=1)
        job = w.root.remove('hp-one')
        named(w, job, 2)
        wait_until_stalled()
        os.unlink(w.machine.path('sys/kernel/livepatch/hp_one/force'))
        with refused('NotStalled'):
            force(w.root, job)
        assert read(w.machine.path('var/lib/hotpatch/forced')) == before
        w.machine.kernel.stall = False


def fixed_cves(w):
    return read(w.machine.path('run/hotpatch/fixed-cves')).decode().splitlines()[1:]


def test_a_second_force_does_not_make_the_first_look_fixed(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n', tasks=False) as w:
        w.machine.kernel.stall = False
        w.machine.stage('hp-two', force_safe=True, functions=(('vmlinux', 'hp_other'),), fixes=[
            {'id': 'CVE-2026-0002', 'severity': 'important', 'summary': 'A hole'}])
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        wait_for('the file', lambda: fixed_cves(w) == ['CVE-2026-0002'])
        w.machine.kernel.stall = True
        add_task(w, 300, 'web', unit='web.service')
        job = begin(w, force_safe=True)
        named(w, job, 1)
        make_force_file(w)
        wait_until_stalled()
        force(w.root, job)
        finish_stalled(w, job)
        assert w.root.patches()['hp-one'] == 'active'
        wait_for('the other alone', lambda: fixed_cves(w) == ['CVE-2026-0002'])
        w.machine.kernel.stall = True
        w.machine.kernel.held = 10000
        add_task(w, 300, 'web', unit='web.service', patch_state=1)
        job = w.root.remove('hp-two')
        named(w, job, 1)
        make_force_file(w, 'hp_two')
        wait_until_stalled()
        force(w.root, job)
        w.machine.kernel.stall = False
        assert w.root.finish(job)[1] == 'PinnedUntilReboot'
        assert w.root.patches()['hp-one'] == 'active'
        wait_for('nothing', lambda: fixed_cves(w) == [])
        assert [r[0] for r in reboot(w)] == ['forced', 'forced', 'pinned'], reboot(w)
        text = read(w.machine.path('var/lib/hotpatch/forced')).decode()
        for line in ('ID=hp-one', 'ID=hp-two', 'MODULE=hp_one', 'MODULE=hp_two', 'PINNED=hp_two'):
            assert text.splitlines().count(line) == 1, text
        # By a new daemon neither.
        w.daemon.stop()
        w.daemon.start()
        assert w.root.patches()['hp-one'] == 'active' and fixed_cves(w) == []


def test_force_is_a_question_of_its_own(pki):
    for temper, allowed in (('deny', False), ('challenge', False), ('allow', True)):
        with World(pki, polkit=temper) as w:
            w.machine.write('etc/hotpatch/hotpatchd.conf.d/50-transition.conf',
                            '[Transition]\nFreezeAfterSec=0\nTimeoutSec=0\n')
            add_task(w, 300, 'web', unit='web.service')
            w.machine.kernel.stall = True
            w.start()
            job = begin(w, force_safe=True)
            named(w, job, 1)
            make_force_file(w)
            wait_until_stalled()
            if allowed:
                force(w.client(65534), job)
            else:
                with refused('AccessDenied', 'InteractiveAuthorizationRequired'):
                    force(w.client(65534), job)
            assert forced(w) == allowed
            asked = [q for q in w.polkit.log() if q.get('action')]
            assert asked[-1]['action'] == 'org.hotpatch.hotpatch1.force', asked
            assert asked[-1]['details'] == {'patches': 'hp-one'}, asked
            finish_stalled(w, job)


def test_what_cannot_be_written_down_is_not_forced(pki):
    with world(pki, config='FreezeAfterSec=0\nTimeoutSec=0\n') as w:
        job = begin(w, force_safe=True)
        named(w, job)
        make_force_file(w)
        wait_until_stalled()
        os.mkdir(w.machine.path('var/lib/hotpatch/forced'))
        with refused('StateDamaged'):
            force(w.root, job)
        assert not forced(w)
        os.rmdir(w.machine.path('var/lib/hotpatch/forced'))
        os.unlink(w.machine.path('sys/kernel/livepatch/hp_one/force'))
        with refused('NotStalled'):
            force(w.root, job)
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/forced')), 'the record stayed'
        finish_stalled(w, job)


main([
    test_blockers_are_named_with_unit_function_and_advice,
    test_without_systemd_they_are_named_all_the_same,
    test_a_kernel_that_does_not_come_back_is_told,
    test_a_mute_systemd_holds_nothing_up,
    test_nonsense_from_the_reader_is_no_stack,
    test_the_error_names_the_worst,
    test_units_are_frozen_and_thawed_one_after_the_other,
    test_what_somebody_else_froze_is_left_alone,
    test_a_killed_daemon_thaws_at_its_next_start,
    test_a_list_that_nobody_wrote_thaws_only_units,
    test_a_daemon_that_is_told_to_stop_thaws_first,
    test_a_list_that_cannot_be_written_is_written_later,
    test_a_slow_freeze_is_given_up,
    test_force_ends_a_stalled_transition_and_stops_patching,
    test_force_needs_the_vendors_word,
    test_force_of_a_removal_pins_the_module,
    test_a_force_that_fails_does_not_undo_the_one_before,
    test_a_second_force_does_not_make_the_first_look_fixed,
    test_force_is_a_question_of_its_own,
    test_what_cannot_be_written_down_is_not_forced,
])
