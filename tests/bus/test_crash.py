#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at each state of a job: the next daemon finishes or undoes, and says so."""

import os
import re
import shutil
import time

from hotpatchtest import (World, main, read, wait_for, write)


def clean(w, loaded=()):
    wait_for('the modules ' + ' '.join(loaded), lambda: w.machine.loaded() == sorted(loaded))
    wait_for('the end of the job', lambda: all(j[2] == 'finished' for j in w.root.call('ListJobs')))
    assert w.machine.leftovers() == [], w.machine.leftovers()


def restart(w):
    w.daemon.kill()
    w.daemon.start()


def last_job(w):
    return [str(x) for x in w.root.call('ListJobs')[-1][1:6]]


def crash_when(pki, state, prepare=None, setup=None):
    """Kill the daemon when its Apply is in this state. Return: the world, restarted."""
    w = World(pki)
    if prepare:
        prepare(w)
    w.start()
    w.machine.stage('hp-one', padding=16 << 20 if state == 'verifying' else 0)
    job = w.root.apply('hp-one')
    wait_for(state, lambda: w.root.job(job[1])['State'] == state)
    if setup:
        setup(w)
    restart(w)
    return w


def test_while_verifying(pki):
    with crash_when(pki, 'verifying') as w:
        clean(w)
        assert w.root.call('ListJobs') == []
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def test_while_loading(pki):
    def slow(w):
        w.machine.write('fake/insert-msec', '1000\n')

    def fast(w):
        w.machine.write('fake/insert-msec', '0\n')
    with crash_when(pki, 'loading', slow, fast) as w:
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def stalling(w):
    w.machine.kernel.stall = True


def test_while_an_old_loader_is_in_the_module(pki):
    """Its init takes longer than a reference of a pinned module is waited for: it is undone all the same."""
    with World(pki) as w:
        w.start()
        w.machine.stage('hp-one')
        w.machine.kernel.stall = True
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.daemon.kill()
        livepatch = w.machine.kernel.path('hp_one')
        os.rename(livepatch, w.machine.path('fake/coming'))
        w.machine.write('sys/module/hp_one/initstate', 'coming\n')
        w.daemon.start()
        time.sleep(17)
        assert w.root.call('ListJobs')[-1][4] == '', last_job(w)
        os.rename(w.machine.path('fake/coming'), livepatch)
        w.machine.write('sys/module/hp_one/initstate', 'live\n')
        clean(w)


def test_in_transition(pki):
    with crash_when(pki, 'transition', stalling) as w:
        clean(w)
        assert last_job(w)[0] == 'apply' and last_job(w)[4] == 'org.hotpatch.Error.Interrupted', last_job(w)
        assert w.root.patches() == {'hp-one': 'staged'}


def test_in_transition_that_ends_meanwhile(pki):
    """Patched, but nobody committed it: undone."""
    w = World(pki)
    with w:
        w.machine.kernel.stall = True
        w.start()
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.daemon.kill()
        w.machine.kernel.stall = False
        wait_for('patched', lambda: open(w.machine.kernel.path('hp_one', 'transition')).read() == '0\n')
        w.daemon.start()
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}


def test_while_reversing(pki):
    def short(w):
        w.machine.kernel.stall = True
        w.machine.kernel.held = 2
        w.machine.configure(transition='1s')
    with crash_when(pki, 'reversing', short) as w:
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}


def test_between_commit_and_the_end(pki):
    """All is written down, only the intent is still open: the patch stays."""
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        with open(w.machine.path('var/lib/hotpatch/intent'), 'rb') as f:
            intent = f.read()
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'
        w.daemon.kill()
        write(w.machine.path('var/lib/hotpatch/intent'), intent, 0o600)
        w.daemon.start()
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active'}


def test_the_state_directory_cannot_be_written_at_the_start(pki):
    """Killed between the last commit and the record of the trial. Without that record nothing is finished, but somebody
    must be able to look."""
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        intent = read(w.machine.path('var/lib/hotpatch/intent'))
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'
        w.daemon.kill()
        trials = w.machine.path('var/lib/hotpatch/trials')
        (name,) = os.listdir(trials)
        os.unlink(os.path.join(trials, name))
        # Where the next jobs would write theirs is something that cannot be replaced.
        in_the_way = [os.path.join(trials, '.#%s-%d' % (name.rsplit('-', 1)[0], n)) for n in range(1, 9)]
        for path in in_the_way:
            os.makedirs(os.path.join(path, 'x'))
        write(w.machine.path('var/lib/hotpatch/intent'), intent, 0o600)
        w.daemon.start()
        wait_for('the end of the job', lambda: all(j[2] == 'finished' for j in w.root.call('ListJobs')))
        (job,) = w.root.call('ListJobs')
        told = w.root.job(job[7])
        assert (job[1], told['Result']) == ('apply', 'failed'), job
        assert w.root.patches() == {'hp-one': 'active'}
        assert os.path.exists(w.machine.path('var/lib/hotpatch/intent'))
        for path in in_the_way:
            shutil.rmtree(path)
        restart(w)
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active'} and len(os.listdir(trials)) == 1


def test_the_clock_was_set_back(pki):
    """An old record from the future is not what an interrupted Apply has committed."""
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.daemon.kill()
        for d in ('sys/kernel/livepatch', 'sys/module'):
            shutil.rmtree(w.machine.path(d, 'hp_one'))
        path = w.machine.path('var/lib/hotpatch/admitted/hp-one.record')
        record = re.sub('APPLIED_USEC=[0-9]*', 'APPLIED_USEC=4102444800000000', read(path).decode())
        write(path, record, 0o600)
        for name in os.listdir(w.machine.path('var/lib/hotpatch/trials')):
            os.unlink(w.machine.path('var/lib/hotpatch/trials', name))
        w.daemon.start()
        w.root = w.client()
        w.machine.kernel.stall = True
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.daemon.kill()
        w.daemon.start()
        clean(w)
        assert read(path).decode() == record


def test_between_commit_and_the_removal_of_the_old_one(pki):
    """The new one is written down and the old one still in force: it goes, as it would have."""
    with World(pki).start() as w:
        kernel = w.machine.kernel
        w.machine.stage('hp-one', stream='line')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.stage('hp-two', stream='line', sequence=2, supersedes=['hp-one'])
        kernel.stall = True
        job = w.root.apply('hp-two')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        with open(w.machine.path('var/lib/hotpatch/intent'), 'rb') as f:
            intent = f.read()
        kernel.delay = 5
        kernel.stall = False
        wait_for('the removal of the old one', lambda: w.root.job(job[1])['State'] == 'disabling')
        w.daemon.kill()
        kernel.delay = 0.05
        write(kernel.path('hp_one', 'enabled'), '1\n')
        wait_for('patched', lambda: open(kernel.path('hp_one', 'transition')).read() == '0\n')
        write(w.machine.path('var/lib/hotpatch/intent'), intent, 0o600)
        w.daemon.start()
        clean(w, ['hp_two'])
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'}, w.root.patches()
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))


def test_after_the_transition_of_what_replaces_all(pki):
    """Nobody committed it, and nothing turns it around: it goes, and what it had replaced comes back."""
    with World(pki).start() as w:
        kernel = w.machine.kernel
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', replace=True, supersedes=['hp-one'])
        w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-one'])
        for i in ('hp-one', 'hp-three'):
            assert w.root.finish(w.root.apply(i))[0] == 'done'
        kernel.replacing = 'hp_two'
        kernel.stall = True
        job = w.root.apply('hp-two', **{'allow-replace-foreign': True})
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.daemon.kill()
        kernel.stall = False
        wait_for('the end of what was replaced', lambda: w.machine.livepatches() == ['hp_two'])
        # The one after it is killed, too, in the middle of bringing them back.
        kernel.delay = 1
        w.daemon.start()
        wait_for('hp-one on its way back', lambda: w.machine.livepatches() == ['hp_one'])
        w.daemon.kill()
        kernel.delay = 0.05
        w.daemon.start()
        clean(w, ['hp_one', 'hp_three'])
        assert sorted(w.machine.livepatches()) == ['hp_one', 'hp_three']
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged', 'hp-three': 'active'}, w.root.patches()
        result = last_job(w)
        assert result[3:5] == ['failed', 'org.hotpatch.Error.Interrupted'], result
        assert os.listdir(w.machine.path('var/lib/hotpatch/strikes')) == []


def test_an_intent_of_an_older_hotpatchd_is_read(pki):
    """It did not note what is replaced."""
    with crash_when(pki, 'transition', stalling, without_new_fields) as w:
        clean(w)
        assert last_job(w)[0] == 'apply' and last_job(w)[4] == 'org.hotpatch.Error.Interrupted', last_job(w)


def without_new_fields(w):
    path = w.machine.path('var/lib/hotpatch/intent')
    text = read(path).decode()
    assert 'REPLACED' not in text, text
    write(path, re.sub('(ORDER|CLEAN)=.*\n', '', text), 0o600)


def removal(pki, state, prepare):
    w = World(pki).start()
    w.machine.stage('hp-one')
    assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
    prepare(w)
    job = w.root.remove('hp-one')
    wait_for(state, lambda: w.root.job(job[1])['State'] == state)
    restart(w)
    return w


def test_a_removal_is_finished(pki):
    def slow(w):
        w.machine.kernel.delay = 1
    with removal(pki, 'disabling', slow) as w:
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}
        assert last_job(w)[0] == 'remove' and last_job(w)[3] == 'done', last_job(w)


def test_a_superseded_patch_is_still_removed(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one', stream='line')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.stage('hp-two', stream='line', sequence=2, supersedes=['hp-one'])
        w.machine.kernel.held = 1
        job = w.root.apply('hp-two')
        wait_for('the removal of the old one',
                 lambda: w.root.job(job[1])['State'] == 'disabling')
        restart(w)
        clean(w, ['hp_two'])
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'}


def test_an_intent_of_another_boot_is_closed(pki):
    with World(pki) as w:
        w.start()
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        path = w.machine.path('var/lib/hotpatch/intent')
        w.daemon.kill()
        boot = open('/proc/sys/kernel/random/boot_id').read().strip().replace('-', '')
        text = open(path).read()
        assert boot in text, text
        write(path, text.replace(boot, '0123456789abcdef' * 2), 0o600)
        w.daemon.start()
        assert not os.path.exists(path)
        assert w.root.patches()['hp-one'] == 'staged', w.root.patches()
        assert w.machine.loaded() == ['hp_one'], 'somebody else put it there, in this boot'


def test_a_restart_adopts_what_is_active(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.root.finish(w.root.apply('hp-one'))
        restart(w)
        assert w.root.patches() == {'hp-one': 'active'}
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        assert w.root.patches() == {'hp-one': 'active'}
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        assert w.root.patches() == {}, w.root.patches()


def test_sigterm_in_a_job_is_cleaned_up_at_the_next_start(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        assert w.daemon.stop() == 0
        w.daemon.start()
        clean(w)


main([f for n, f in list(globals().items()) if n.startswith('test_')])
