#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 60
"""A restart of the machine, lost or damaged state, a disk that refuses, a kernel that is busy for a while."""

import json
import os
import subprocess
import time

from hotpatchtest import (DAEMON, JOB, MANAGER, NO_OPTIONS, PATIENCE, ROOT, World, foreign, main, notes, read, refused, remove_tree, wait_for,
                          write)


def apply_one(w):
    w.machine.stage('hp-one')
    assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def forget_kernel(w, module='hp_one'):
    """What is left of a module after the machine restarted: nothing."""
    remove_tree(w.machine.kernel.path(module))
    remove_tree(w.machine.path('sys/module', module))


def record(w, bundle_id='hp-one'):
    return w.machine.path('var/lib/hotpatch/admitted', bundle_id + '.record')


def test_a_patch_of_before_the_restart_can_be_removed(pki):
    """It is wanted and not loaded: to be forgotten."""
    with World(pki).start() as w:
        apply_one(w)
        w.daemon.kill()
        forget_kernel(w)
        w.daemon.start()
        result = w.root.finish(w.root.remove('hp-one'))
        assert result[0] == 'done', result
        assert not os.path.exists(record(w))
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_a_damaged_intent_does_not_keep_the_daemon_away(pki):
    """It is told in the journal and kept for a person to look at; everything but changes works."""
    with World(pki).start() as w:
        apply_one(w)
        w.daemon.kill()
        intent = w.machine.path('var/lib/hotpatch/intent')
        write(intent, b'FORMAT=1\nTYPE=app', 0o600)
        w.daemon.start()
        assert w.root.patches() == {'hp-one': 'active'}
        result = w.root.finish(w.root.remove('hp-one'))
        assert result[:2] == ('failed', 'StateDamaged'), result
        assert read(intent) == b'FORMAT=1\nTYPE=app'
        assert w.root.patches() == {'hp-one': 'active'}
        os.unlink(intent)
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'


def test_nothing_is_applied_beside_a_record_that_cannot_be_read(pki):
    """It may stand for what is superseded: both would be in force."""
    with World(pki).start() as w:
        apply_one(w)
        write(record(w), b'FORMAT=1\nnonsense', 0o600)
        w.machine.stage('hp-two')
        result = w.root.finish(w.root.apply('hp-two'))
        assert result[:2] == ('failed', 'StateDamaged'), result
        assert 'hp-one.record' in result[2], result
        assert read(record(w)) == b'FORMAT=1\nnonsense'


def test_a_record_that_cannot_be_written_is_undone(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        blocked = w.machine.path('var/lib/hotpatch/admitted/.#hp-one.record')
        os.makedirs(blocked)
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'StateUnwritable'), result
        assert w.machine.loaded() == []
        os.rmdir(blocked)
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_what_was_replaced_comes_back(pki):
    """The kernel drops the old patches with the transition; then the record cannot be written."""
    with World(pki).start() as w:
        apply_one(w)
        w.machine.kernel.delay = 1
        w.machine.kernel.replacing = 'hp_two'
        w.machine.stage('hp-two', replace=True, supersedes=['hp-one'])
        os.makedirs(w.machine.path('var/lib/hotpatch/admitted/.#hp-two.record'))
        result = w.root.finish(w.root.apply('hp-two'))
        assert result[:2] == ('failed', 'StateUnwritable'), result
        assert result[2].endswith("; patch 'hp-one', which was replaced, is in force again"), result
        assert w.machine.livepatches() == w.machine.loaded() == ['hp_one']
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()
        os.rmdir(w.machine.path('var/lib/hotpatch/admitted/.#hp-two.record'))
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_what_was_replaced_and_is_lost_is_named(pki):
    """The kernel does not take it any more; and what is not ours nobody can bring back."""
    with World(pki).start() as w:
        apply_one(w)
        foreign(w.machine, 'of_others')
        w.machine.kernel.delay = 1
        w.machine.kernel.replacing = 'hp_two'
        w.machine.stage('hp-two', replace=True, supersedes=['hp-one'])
        os.makedirs(w.machine.path('var/lib/hotpatch/admitted/.#hp-two.record'))
        job = w.root.apply('hp-two', **{'allow-replace-foreign': True})
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.machine.write('fake/insert-errno', '22\n')
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'StateUnwritable'), result
        assert "the livepatch 'of_others', which is not ours and was replaced, is not in force any more" in result[2], result
        assert '; what it had replaced could not be brought back: ' in result[2], result
        assert w.machine.livepatches() == [] and w.machine.loaded() == ['of_others'], w.machine.loaded()
        # It is wanted all the same.
        assert os.path.exists(record(w))
        os.rmdir(w.machine.path('var/lib/hotpatch/admitted/.#hp-two.record'))
        assert w.machine.leftovers() == [], w.machine.leftovers()


def undo_in_vain(w):
    """A transition that stalls and is turned around, and a module that the kernel does not give back. Return: the job."""
    w.machine.configure(transition='1s')
    w.machine.kernel.stall = True
    w.machine.write('fake/remove-errno', '16\n')
    w.start()
    w.machine.stage('hp-one')
    return w.root.apply('hp-one')


def test_what_a_job_that_was_given_up_left_is_not_written_over(pki):
    """Its intent is all that the next start has; until then nothing else is begun."""
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two')
        w.machine.kernel.stall = True
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        os.makedirs(record(w))  # can neither be written nor removed
        w.machine.kernel.stall = False
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'StateUnwritable'), result
        os.rmdir(record(w))
        intent = read(w.machine.path('var/lib/hotpatch/intent'))
        assert b'ID=hp-one' in intent
        result = w.root.finish(w.root.apply('hp-two'))
        assert result[:2] == ('failed', 'JobUnfinished') and 'next start of hotpatchd' in result[2], result
        assert read(w.machine.path('var/lib/hotpatch/intent')) == intent
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        wait_for('the end', lambda: not w.machine.leftovers())
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'


def test_undo_is_patient(pki):
    """The kernel says EBUSY for seconds, as it does while somebody else's transition runs."""
    with World(pki) as w:
        job = undo_in_vain(w)
        wait_for('reversing', lambda: w.root.job(job[1])['State'] == 'reversing')
        try:
            wait_for('nothing', lambda: w.root.job(job[1])['State'] != 'reversing', 3)
            raise RuntimeError('gave up: %r' % (w.root.job(job[1]),))
        except AssertionError:
            pass
        os.unlink(w.machine.path('fake/remove-errno'))
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TransitionStalled'), result
        assert w.machine.loaded() == [] and w.machine.leftovers() == []


def test_undo_ends_with_a_module_that_cannot_be_unloaded(pki):
    """It has no exit function: out of force is all that can be had, and nothing is left open."""
    with World(pki) as w:
        job = undo_in_vain(w)
        wait_for('the end', lambda: w.root.job(job[1])['State'] == 'finished', 60)
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TransitionStalled'), result
        assert w.machine.loaded() == ['hp_one'] and w.machine.livepatches() == []
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_undo_tells_of_a_module_that_is_held(pki):
    """Somebody keeps a reference of what is out of force: the machine has to be restarted, and that is signalled."""
    with World(pki) as w:
        w.machine.configure(transition='1s')
        w.machine.kernel.stall = True
        w.machine.kernel.held = 3600
        w.start()
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.machine.write('sys/module/hp_one/notes/.note.hotpatch', notes('hp-one', 1, (('vmlinux', 'hp_function'),)))
        wait_for('the end', lambda: w.root.job(job[1])['State'] == 'finished', 60)
        assert w.machine.loaded() == ['hp_one'] and w.machine.livepatches() == []
        told = [[str(r[0]) for r in c['RebootRequired']] for _, _, c in w.root.properties if 'RebootRequired' in c]
        assert told and told[-1] == ['pinned'], told


def test_a_removal_ends_with_a_module_that_cannot_be_unloaded(pki):
    """It is out of force and forgotten, and the reason is named."""
    with World(pki).start() as w:
        apply_one(w)
        w.machine.write('fake/remove-errno', '16\n')
        job = w.root.remove('hp-one')
        wait_for('the end', lambda: w.root.job(job[1])['State'] == 'finished', 60)
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'PinnedUntilReboot'), result
        assert not os.path.exists(record(w)) and w.machine.loaded() == ['hp_one']
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_a_module_without_an_exit_function_stays_and_is_told(pki):
    """The kernel says so beforehand: nobody waits for it, and the machine has to be restarted."""
    with World(pki).start() as w:
        apply_one(w)
        w.machine.write('sys/module/hp_one/notes/.note.hotpatch', notes('hp-one', 1, (('vmlinux', 'hp_function'),)))
        w.machine.write('proc/modules', 'hp_one 16384 1 [permanent], Live 0x0000000000000000 (OEK)\n')
        result = w.root.finish(w.root.remove('hp-one'))
        assert result[:2] == ('failed', 'PinnedUntilReboot'), result
        assert not os.path.exists(record(w)) and w.machine.loaded() == ['hp_one']
        assert w.machine.leftovers() == [], w.machine.leftovers()
        assert [str(r) for r, _ in w.root.get(ROOT, MANAGER, 'RebootRequired')] == ['pinned']


def test_a_removal_that_was_cancelled_too_late_is_finished(pki):
    """The patch is out before the transition is turned around: not half removed, but removed."""
    with World(pki).start() as w:
        kernel = w.machine.kernel
        apply_one(w)
        kernel.stall = True
        job = w.root.remove('hp-one')
        wait_for('unpatching', lambda: kernel.known['hp_one'][0] == 0)
        end = kernel.end
        kernel.end = lambda module, enabled: end(module, 0)
        w.root.call('Cancel', interface=JOB, path=job[1])
        assert w.root.finish(job)[0] == 'done'
        assert w.machine.loaded() == [] and not os.path.exists(record(w))
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_what_is_superseded_leaves_although_a_look_failed(pki):
    """One read of sysfs fails while it is on its way out: it is not turned around, or both would be in force."""
    with World(pki).start() as w:
        kernel = w.machine.kernel
        apply_one(w)
        w.machine.stage('hp-two', supersedes=['hp-one'])
        end = kernel.end
        kernel.end = lambda module, enabled: end(module, enabled) if enabled else None
        job = w.root.apply('hp-two')
        wait_for('unpatching', lambda: kernel.known['hp_one'][0] == 0)
        w.machine.write('fake/open-fails', '1 sys/module/hp_one/initstate\n')
        wait_for('the failure', lambda: not os.path.exists(w.machine.path('fake/open-fails')))
        time.sleep(0.3)  # to turn it around would be at once
        kernel.end = end
        assert w.root.finish(job)[0] == 'done'
        assert w.machine.livepatches() == w.machine.loaded() == ['hp_two'], w.machine.loaded()
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'}, w.root.patches()
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_a_second_daemon_leaves_the_work_of_the_first_alone(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        second = subprocess.run([DAEMON, '--root', w.machine.root], timeout=PATIENCE, capture_output=True,
                                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=w.bus.address))
        assert second.returncode == 1 and b'another hotpatchd' in second.stderr, second
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'


def test_somebody_empties_the_state_directory(pki):
    """rm -rf /var/lib/hotpatch/*: what is in force is seen, and the daemon goes on without a restart."""
    with World(pki).start() as w:
        apply_one(w)
        state = w.machine.path('var/lib/hotpatch')
        for gone in ('the content', 'all of it'):
            remove_tree(state)
            if gone == 'the content':
                os.makedirs(state, 0o700, exist_ok=True)
            # The played kernel shows no note: it is in force, and nobody knows whose it is.
            assert w.root.patches() == {'hp_one': 'active'}, w.root.patches()
            assert os.stat(os.path.join(state, 'spool')).st_mode & 0o7777 == 0o700
            w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
            assert w.root.finish(w.root.apply('hp-two')) == ('done', '', '')
            assert os.path.exists(os.path.join(state, 'admitted/hp-two.record'))
            assert w.root.finish(w.root.remove('hp-two')) == ('done', '', '')
            second = subprocess.run([DAEMON, '--root', w.machine.root], timeout=PATIENCE, capture_output=True,
                                    env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=w.bus.address))
            assert second.returncode == 1 and b'another hotpatchd' in second.stderr, second
        assert w.machine.leftovers() == [], w.machine.leftovers()


def test_the_state_directory_cannot_be_made_again(pki):
    with World(pki).start() as w:
        apply_one(w)
        path = w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        bundle = w.machine.path('fake/hp-two.hpb')
        assert os.path.exists(path)
        remove_tree(w.machine.path('var/lib/hotpatch'))
        w.machine.write('var/lib/hotpatch', 'in the way')
        with refused('StateUnwritable'):
            w.root.apply_file(bundle)
        assert w.machine.loaded() == ['hp_one']


def test_without_tracefs(pki):
    with World(pki).start() as w:
        remove_tree(w.machine.path('sys/kernel/tracing'))
        w.machine.stage('hp-one')
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'TracingUnavailable'), result
        refusal = json.loads(w.root.call('Plan', ['hp-one'], NO_OPTIONS))['refusal']
        assert refusal['message'] == result[2], refusal


main([f for n, f in list(globals().items()) if n.startswith('test_')])
