#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apply, Remove and Cancel from end to end, on a kernel that obeys, stalls or refuses."""

import errno
import os
import random

import dbus
from hotpatchtest import (JOB, NO_OPTIONS, PATCH, World, main, refused, wait_for)


def clean(w, loaded=()):
    assert w.machine.loaded() == sorted(loaded), w.machine.loaded()
    assert w.machine.leftovers() == [], w.machine.leftovers()


def test_apply_and_remove_a_staged_bundle(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one')) == ('done', '', '')
        assert w.root.patches() == {'hp-one': 'active'}
        clean(w, ['hp_one'])
        assert os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))
        assert w.root.finish(w.root.remove('hp-one')) == ('done', '', '')
        assert w.root.patches() == {'hp-one': 'staged'}
        clean(w)
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))


def test_apply_a_file_and_stage_one(pki):
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one')
        job = w.root.apply_file(path)
        assert w.root.finish(job)[0] == 'done'
        assert w.root.job(job[1])['Patches'] == ['hp-one']
        assert w.root.apply_file(w.machine.bundle('hp-two'), 'Stage') == 'hp-two'
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}
        w.root.finish(w.root.remove('hp-one'))
        assert w.root.patches() == {'hp-two': 'staged'}


def test_the_job_tells_how_it_goes(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.patches() == {'hp-one': 'transition'})
        got = w.root.job(job[1])
        assert got['State'] == 'transition' and got['Result'] == '' and got['Type'] == 'apply', got
        assert 0.2 <= got['Progress'] < 1, got
        with refused('Busy'):
            w.root.remove('hp-one')
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'
        got = w.root.job(job[1])
        assert got['State'] == 'finished' and got['Progress'] == 1.0 and got['ErrorName'] == '', got
        (listed,) = w.root.call('ListJobs')
        assert listed[:5] == (job[0], 'apply', 'finished', 1.0, 'done'), listed
        states = [c['State'] for p, i, c in w.root.properties if i == JOB and 'State' in c]
        assert states[-1] == 'finished' and 'transition' in states, states
        states = [c['State'] for p, i, c in w.root.properties if i == PATCH and 'State' in c]
        assert states[-1] == 'active' and 'transition' in states, states


def test_a_stalled_transition_is_reversed(pki):
    with World(pki) as w:
        w.machine.configure(transition='1s')
        w.machine.kernel.stall = True
        w.start()
        w.machine.stage('hp-one')
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'TransitionStalled'), result
        assert w.root.patches() == {'hp-one': 'staged'}
        clean(w)


def test_cancel_during_the_transition_undoes_it(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.patches() == {'hp-one': 'transition'})
        w.root.call('Cancel', interface=JOB, path=str(job[1]))
        assert w.root.finish(job)[:2] == ('cancelled', 'Cancelled')
        clean(w)
        with refused('NotCancellable'):
            w.root.call('Cancel', interface=JOB, path=str(job[1]))


def test_cancel_while_loading_undoes_it(pki):
    with World(pki).start() as w:
        w.machine.write('fake/insert-msec', '500\n')
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('loading', lambda: w.root.job(job[1])['State'] == 'loading')
        w.root.call('Cancel', interface=JOB, path=str(job[1]))
        assert w.root.finish(job)[:2] == ('cancelled', 'Cancelled')
        clean(w)


def test_a_load_that_lasts_is_told(pki):
    """A short one is not: nobody is told anything while a module is on its way. So this one goes on until it was seen."""
    with World(pki).start() as w:
        w.machine.write('fake/insert-hangs', '')
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the signal', lambda: any(c.get('State') == 'loading' for p, i, c in w.root.properties if i == JOB))
        assert w.root.patches() == {'hp-one': 'applying'}
        os.unlink(w.machine.path('fake/insert-hangs'))
        assert w.root.finish(job)[0] == 'done'
        wait_for('the patch', lambda: any(c.get('State') == 'active' for p, i, c in w.root.properties if i == PATCH))


def test_cancel_before_the_kernel_is_touched(pki):
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one', padding=20 << 20)
        job = w.root.apply_file(path)
        w.root.call('Cancel', interface=JOB, path=str(job[1]))
        assert w.root.finish(job)[:2] == ('cancelled', 'Cancelled')
        clean(w)


def test_the_kernel_refuses(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        for number, name in ((errno.EEXIST, 'ModuleNameInUse'), (errno.EKEYREJECTED, 'ModuleSignatureRequired'),
                             (errno.EINVAL, 'RefusedByKernel')):
            w.machine.write('fake/insert-errno', '%d\n' % number)
            result = w.root.finish(w.root.apply('hp-one'))
            assert result[:2] == ('failed', name), result
            clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}


def test_somebody_else_loads_a_module_of_that_name_just_before(pki):
    """Ours is refused then, and undoing must not take out his."""
    with World(pki).start() as w:
        w.machine.write('fake/insert-msec', '500\n')
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('loading', lambda: w.root.job(job[1])['State'] == 'loading')
        w.machine.write('sys/module/hp_one/initstate', 'live\n')
        w.machine.write('sys/module/hp_one/refcnt', '1\n')
        w.machine.write('sys/kernel/livepatch/hp_one/transition', '0\n')
        w.machine.write('sys/kernel/livepatch/hp_one/enabled', '1\n')
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'ModuleNameInUse'), result
        clean(w, ['hp_one'])
        assert w.machine.livepatches() == ['hp_one'] and w.root.patches() == {
            'hp-one': 'staged', 'hp_one': 'active'}, w.root.patches()


def test_several_bundles_are_all_or_nothing(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),), requires=['hp-one'])
        w.machine.stage('hp-bad', functions=(('vmlinux', 'hp_missing'),))
        result = w.root.finish(w.root.apply('hp-two', 'hp-one', 'hp-bad'))
        assert result[:2] == ('failed', 'FunctionNotFound'), result
        clean(w)
        assert w.root.finish(w.root.apply('hp-two', 'hp-one'))[0] == 'done'
        assert w.root.patches() == {'hp-bad': 'staged', 'hp-one': 'active', 'hp-two': 'active'}
        assert w.root.finish(w.root.remove('hp-one', 'hp-two'))[0] == 'done'
        clean(w)


def test_a_later_bundle_stalls_and_the_first_goes_too(pki):
    with World(pki) as w:
        w.machine.configure(transition='1s')
        w.start()
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),), requires=['hp-one'])
        job = w.root.apply('hp-one', 'hp-two')
        wait_for('the first', lambda: 'hp_one' in w.machine.livepatches())
        original = w.machine.kernel.look

        def look():
            w.machine.kernel.stall = 'hp_two' in w.machine.livepatches()
            original()
        w.machine.kernel.look = look
        assert w.root.finish(job)[:2] == ('failed', 'TransitionStalled')
        clean(w)
        # Backwards: what requires another patch leaves before it. The made-up kernel renames what it has let go.
        gone = [f for f in os.listdir(w.machine.path('fake')) if f.startswith('removed-')]
        gone.sort(key=lambda f: os.stat(w.machine.path('fake', f)).st_ctime_ns)
        assert [f.split('-')[1] for f in gone] == ['hp_two', 'hp_one'], gone


def test_superseded_patches_are_removed(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one', stream='line')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.stage('hp-two', stream='line', sequence=2, supersedes=['hp-one'])
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done', w.root.removed
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'}
        clean(w, ['hp_two'])
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[0] == 'failed', result


def test_twice_is_nothing_to_do(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.root.finish(w.root.apply('hp-one'))
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[1] == 'AlreadyApplied', result
        clean(w, ['hp_one'])
        w.root.finish(w.root.remove('hp-one'))
        result = w.root.finish(w.root.remove('hp-one'))
        assert result[1] == 'NotApplied', result
        result = w.root.finish(w.root.remove('hp-nothing'))
        assert result[1] == 'NoSuchPatch', result


def test_a_downgrade_needs_the_option(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-two', stream='line', sequence=2)
        w.root.finish(w.root.apply('hp-two'))
        w.root.finish(w.root.remove('hp-two'))
        w.machine.stage('hp-one', stream='line')
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'Downgrade'), result
        job = w.root.call('Apply', ['hp-one'], dbus.Dictionary({'allow-downgrade': True}, signature='sv'))
        assert w.root.finish(job)[0] == 'done', w.root.removed


def test_switched_off_machines_still_remove(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.root.finish(w.root.apply('hp-one'))
        w.machine.write('etc/hotpatch/disable', '')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        result = w.root.finish(w.root.apply('hp-two'))
        assert result[:2] == ('failed', 'Disabled'), result
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        clean(w)


def test_a_removal_that_stalls_is_turned_around(pki):
    with World(pki) as w:
        w.machine.configure(transition='4s')
        w.start()
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.kernel.delay = 3600
        job = w.root.remove('hp-one')
        wait_for('reversing', lambda: w.root.job(job[1])['State'] == 'reversing')
        w.machine.kernel.delay = 0.05
        w.machine.kernel.known.clear()
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TransitionStalled'), result
        assert w.root.patches() == {'hp-one': 'active'}
        clean(w, ['hp_one'])


def test_two_applies_at_once(pki):
    with World(pki).start() as w:
        w.machine.kernel.delay = 0.5
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        first = w.root.begin('Apply', ['hp-one'], NO_OPTIONS)
        second = w.root.begin('Apply', ['hp-two'], NO_OPTIONS)
        with refused('Busy'):
            second.result()
        assert w.root.finish(first.result())[0] == 'done'
        clean(w, ['hp_one'])


def test_a_job_survives_its_caller(pki):
    with World(pki).start() as w:
        w.machine.kernel.delay = 0.5
        w.machine.stage('hp-one')
        c = w.client()
        c.apply('hp-one')
        c.close()
        wait_for('the patch', lambda: w.root.patches() == {'hp-one': 'active'})
        clean(w, ['hp_one'])


def test_whatever_is_asked_kernel_and_answers_agree(pki):
    """Calls of all kinds in a wild order, some at the same time."""
    dice = random.Random(os.environ.get('HOTPATCH_TEST_SEED', '1'))
    with World(pki).start() as w:
        w.machine.kernel.delay = 0.02
        functions = {'hp-one': 'hp_function', 'hp-two': 'hp_other', 'hp-three': 'hp_third'}
        for patch, function in functions.items():
            w.machine.stage(patch, functions=(('vmlinux', function),))
        calls = []
        for _ in range(400):
            method = dice.choice(('Apply', 'Apply', 'Remove', 'Plan', 'ListPatches', 'Stage', 'Cancel'))
            if method in ('Apply', 'Remove', 'Plan'):
                call = w.root.begin(method, dice.sample(sorted(functions), dice.randint(1, 3)), NO_OPTIONS)
            elif method == 'Stage':
                fd = os.open(w.machine.path('fake', dice.choice(sorted(functions)) + '.hpb'), os.O_RDONLY)
                call = w.root.begin(method, dbus.types.UnixFd(fd), NO_OPTIONS)
                os.close(fd)
            elif method == 'Cancel':
                jobs = w.root.call('ListJobs')
                if not jobs:
                    continue
                call = w.root.begin(method, interface=JOB, path='/org/hotpatch/Hotpatch1/job/%d' % jobs[-1][0])
            else:
                call = w.root.begin(method)
            calls.append(call)
            if dice.random() < 0.5:
                wait_for('the answer', lambda c=call: c.done)
        wait_for('all answers', lambda: all(c.done for c in calls))
        wait_for('the last job', lambda: all(str(j[2]) == 'finished' for j in w.root.call('ListJobs')))
        errors = {c.error.get_dbus_name().rpartition('.')[2] for c in calls if c.error}
        assert errors <= {'Busy', 'NotCancellable', 'LimitsExceeded'}, errors
        active = [i for i, state in w.root.patches().items() if state == 'active']
        clean(w, [i.replace('-', '_') for i in active])
        assert w.machine.livepatches() == w.machine.loaded()


def test_finished_jobs_are_forgotten_in_the_end(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-bad', functions=(('vmlinux', 'hp_missing'),))
        for _ in range(40):
            w.root.finish(w.root.apply('hp-bad'))
        numbers = [int(j[0]) for j in w.root.call('ListJobs')]
        assert numbers == list(range(8, 41)), numbers


main([f for n, f in list(globals().items()) if n.startswith('test_')])
