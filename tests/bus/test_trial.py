#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 170
"""Trials: they pass, they fail by each sign, they outlive the daemon, and what was superseded comes back."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

from systemdmock import Systemd, failure

from hotpatchtest import (BUILD, JOB, MANAGER, NAME, NO_OPTIONS, NOBODY, PATCH, PATIENCE, ROOT,
                         World, foreign, main, notes, read, refused, wait_for, warn)

PATCH_PATH = ROOT + '/patch/'


OOPS = ('BUG: kernel NULL pointer dereference, address: 0000000000000000', 'Oops: 0002 [#1] PREEMPT SMP',
        'CPU: 0 PID: 1 Comm: a', 'RIP: 0010:somewhere+0x1/0x2', 'Call Trace:', ' kthread+0x1/0x2',
        '---[ end trace 0000000000000000 ]---')


def until(w, name):
    return int(w.root.get(PATCH_PATH + name.replace('-', '_2d'), PATCH, 'TrialUntilUSec'))


def all_records(w):
    folder = w.machine.path('var/lib/hotpatch/trials')
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield name, read(os.path.join(folder, name)).decode()


def records(w):
    """Trials, but for those of what a rollback has brought back."""
    return [name for name, text in all_records(w) if 'KIND=return\n' not in text]


def returned(w):
    """ids on a trial because a rollback has brought them back"""
    return [re.findall('^ID=(.*)$', text, re.M) for _, text in all_records(w) if 'KIND=return\n' in text]


def kind(w, name):
    return str(w.root.get(PATCH_PATH + name.replace('-', '_2d'), PATCH, 'TrialKind'))


def superseded(w):
    return os.listdir(w.machine.path('var/lib/hotpatch/superseded'))


def jobs(w, kind):
    return [j for j in w.root.call('ListJobs') if j[1] == kind]


def start(pki, *trial, **kwargs):
    w = World(pki, **kwargs)
    w.machine.configure(trial=trial)
    w.machine.open_log()
    return w.start()


def apply(w, *ids):
    assert w.root.finish(w.root.apply(*ids)) == ('done', '', '')


def rolled_back(w):
    return [(str(i), str(r)) for i, _, r in w.root.get(ROOT, MANAGER, 'RolledBack')]


def clean(w, loaded=()):
    # The folder of what was superseded goes right after the record.
    left = lambda: records(w) + superseded(w) + w.machine.leftovers()
    try:
        wait_for('the end of the rollback', lambda: not left())
    except AssertionError:
        raise AssertionError('left over: %s' % left()) from None
    assert w.machine.loaded() == sorted(loaded), w.machine.loaded()


def test_a_trial_passes(pki):
    with start(pki, 'MaxSec=1') as w:
        w.machine.stage('hp-one')
        before = time.time()
        apply(w, 'hp-one')
        assert before < until(w, 'hp-one') / 1e6 < time.time() + 1
        assert w.root.patches() == {'hp-one': 'active'} and len(records(w)) == 1
        assert w.root.trial() == (['hp-one'], 'passed', '')
        # Who is told may cut the power.
        assert not records(w)
        assert until(w, 'hp-one') == 0
        told = [int(c['TrialUntilUSec']) for _, i, c in w.root.properties if i == PATCH and 'TrialUntilUSec' in c]
        wait_for('the property', lambda: [1 for _, i, c in w.root.properties
                                          if i == PATCH and c.get('TrialUntilUSec') == 0] or told[-1:] == [0])
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active'} and rolled_back(w) == []


def test_the_bundle_says_how_long_and_the_policy_has_limits(pki):
    with start(pki, 'MinSec=100', 'MaxSec=1000') as w:
        for name, seconds, expected in (('hp-one', 10, 100), ('hp-two', 500, 500), ('hp-three', 5000, 1000)):
            w.machine.stage(name, functions=(('vmlinux', {'hp-one': 'hp_function', 'hp-two': 'hp_other',
                                                          'hp-three': 'hp_third'}[name]),), trial={'seconds': seconds})
            apply(w, name)
            assert abs(until(w, name) / 1e6 - time.time() - expected) < 20
        assert len(records(w)) == 3


def test_no_trials_by_policy(pki):
    with start(pki, 'MaxSec=0') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        assert until(w, 'hp-one') == 0 and records(w) == []
        w.machine.say(*warn('hp_one'))
        time.sleep(0.5)
        assert w.root.patches() == {'hp-one': 'active'}


def test_a_warning_in_the_patch_takes_it_out(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        said = time.monotonic()
        w.machine.say(*warn('hp_one'))
        wait_for('the rollback', lambda: jobs(w, 'rollback'))
        assert time.monotonic() - said < 5
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and 'something is odd' in reason, reason
        assert 'new_hp_function [hp_one]' in reason, reason
        (job,) = jobs(w, 'rollback')
        result = w.root.finish((job[0], job[7]))
        assert result[:2] == ('done', 'TrialFailed') and 'something is odd' in result[2], result
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'}
        assert rolled_back(w) == [('hp-one', reason)]
        assert ' rolled back ' in ctl(w, 'list')
        # Once more is allowed, and the list is about what is not in force.
        apply(w, 'hp-one')
        assert rolled_back(w) == []


def test_a_warning_about_nobody_is_no_sign(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.say(*warn('other'))
        w.machine.say(*warn('hp_one_more'))
        w.machine.say(*warn('hp_one'), priority=12)  # a program wrote it
        time.sleep(0.7)
        assert w.root.patches() == {'hp-one': 'active'} and not w.root.trials


def test_any_warning_is_a_sign_by_policy(pki):
    with start(pki, 'Signs=kernel-warning') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.say(*warn('other'))
        assert w.root.trial()[1] == 'failed'
        clean(w)


def test_an_oops_without_a_name_belongs_to_the_youngest(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        w.machine.say(*OOPS)
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-two'], 'failed') and 'oops in somewhere' in reason, reason
        wait_for('the end', lambda: w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'})
        # A name decides against age.
        w.root.call('Apply', ['hp-two'], NO_OPTIONS)
        wait_for('the trial', lambda: until(w, 'hp-two'))
        w.machine.say(*warn('hp_one'))
        assert w.root.trial()[:2] == (['hp-one'], 'failed')
        wait_for('the end', lambda: w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'})


def test_a_report_without_an_end_counts_too(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.say('INFO: task a:1 blocked for more than 120 seconds.', 'Call Trace:', ' x+0x1/0x2 [hp_one]')
        assert w.root.trial()[1] == 'failed'
        clean(w)


def test_the_whole_transaction_goes_and_who_requires_it(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-two'])
        apply(w, 'hp-one', 'hp-two')
        apply(w, 'hp-three')
        w.machine.say(*warn('hp_one'))
        ended = sorted((w.root.trial(), w.root.trial()))
        assert [e[:2] for e in ended] == [(['hp-one', 'hp-two'], 'failed'), (['hp-three'], 'ended')], ended
        clean(w)
        assert set(w.root.patches().values()) == {'staged'}


def test_what_was_superseded_comes_back(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert w.root.trial() == (['hp-one'], 'passed', '')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-two')
        assert w.machine.livepatches() == ['hp_two'] and len(superseded(w)) == 1
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()
        assert w.machine.livepatches() == ['hp_one']


def test_who_requires_what_comes_back_comes_back_with_it(pki):
    with start(pki, 'MaxSec=60') as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-one'])
        w.machine.stage('hp-four', functions=(('vmlinux', 'hp_other'),), requires=['hp-three'])
        for i in ('hp-one', 'hp-three', 'hp-four'):
            apply(w, i)
            w.root.call('EndTrial', [i], NO_OPTIONS)
            assert w.root.trial()[1] == 'passed'
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-two')
        assert sorted(w.machine.livepatches()) == ['hp_four', 'hp_three', 'hp_two']
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-two.hpb'))
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        clean(w, ['hp_four', 'hp_one', 'hp_three'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged', 'hp-three': 'active',
                                    'hp-four': 'active'}, w.root.patches()


def test_what_was_superseded_is_forgotten_when_the_trial_passes(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        assert w.root.trial() == (['hp-one'], 'ended', 'it was superseded')
        assert len(superseded(w)) == 1
        w.root.call('EndTrial', ['hp-two'], NO_OPTIONS)
        clean(w, ['hp_two'])


def test_what_was_superseded_cannot_come_back(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        assert w.root.trial()[1] == 'ended'
        w.machine.write('fake/insert-errno', '22\n')
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        (job,) = jobs(w, 'rollback')
        result = w.root.finish((job[0], job[7]))
        assert result[:2] == ('failed', 'TrialFailed') and result[2].count('could not be brought back') == 1, result
        clean(w)
        assert returned(w) == []
        # It is wanted all the same.
        assert os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))


def kill_worker(w):
    """Who writes a module down, to have it inserted, is killed, as for want of memory."""
    wait_for('the worker', lambda: os.path.exists(w.machine.path('fake/held')))
    subprocess.run(['pkill', '-KILL', '-P', str(w.daemon.process.pid)], check=True)
    os.unlink(w.machine.path('fake/hold'))


def test_what_was_superseded_comes_back_at_the_second_try(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        hold(w, 'hp_one.ko')
        w.machine.say(*warn('hp_two'))
        kill_worker(w)
        (job,) = wait_for('the rollback', lambda: jobs(w, 'rollback'))
        result = w.root.finish((job[0], job[7]))
        assert result[0] == 'done' and 'brought back' not in result[2], result
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()
        assert returned(w) == [['hp-one']], returned(w)


def test_what_is_back_stays_although_a_look_failed(pki):
    """The end of its transition could not be seen for a moment: nobody takes it out for that."""
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        end = w.machine.kernel.end
        w.machine.kernel.end = lambda module, enabled: end(module, enabled) if module != 'hp_one' else None
        w.machine.say(*warn('hp_two'))
        wait_for('the old one on its way', lambda: w.machine.livepatches() == ['hp_one'])
        before = os.stat(w.machine.path('sys/module/hp_one')).st_ino
        w.machine.write('fake/open-fails', '12 sys/kernel/livepatch/hp_one/transition\n')
        w.machine.kernel.end = end
        (job,) = wait_for('the rollback', lambda: jobs(w, 'rollback'))
        result = w.root.finish((job[0], job[7]))
        assert result[0] == 'done' and 'brought back' not in result[2], result
        assert not os.path.exists(w.machine.path('fake/open-fails'))
        clean(w, ['hp_one'])
        assert os.stat(w.machine.path('sys/module/hp_one')).st_ino == before
        assert returned(w) == [['hp-one']], returned(w)


def bring_back(w):
    """hp-one has passed its trial, and is there in the place of hp-two, which has not."""
    w.machine.stage('hp-one')
    w.machine.stage('hp-two', supersedes=['hp-one'])
    apply(w, 'hp-one')
    assert kind(w, 'hp-one') == 'apply'
    w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
    assert w.root.trial()[1] == 'passed' and kind(w, 'hp-one') == ''
    apply(w, 'hp-two')
    w.machine.say(*warn('hp_two'))
    assert w.root.trial()[:2] == (['hp-two'], 'failed')
    clean(w, ['hp_one'])
    assert returned(w) == [['hp-one']] and kind(w, 'hp-one') == 'return', returned(w)
    assert until(w, 'hp-one') / 1e6 > time.time()


def test_what_comes_back_is_on_trial_for_what_names_it(pki):
    with start(pki) as w:
        w.machine.write('proc/sys/kernel/tainted', '0\n')
        bring_back(w)
        # It is so on the disk.
        w.daemon.kill()
        w.machine.write('proc/sys/kernel/tainted', '32\n')
        w.daemon.start()
        w.root = w.client()
        assert kind(w, 'hp-one') == 'return'
        # An oops that names nobody would take out any other.
        w.machine.say(*OOPS)
        w.machine.say(*warn('hp_one'))
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and 'something is odd' in reason, reason
        clean(w)
        assert returned(w) == [] and w.root.patches() == {'hp-one': 'staged', 'hp-two': 'staged'}, w.root.patches()
        assert [i for i, _ in rolled_back(w)] == ['hp-one', 'hp-two'], rolled_back(w)


def test_what_comes_back_passes_its_trial(pki):
    """And a newer one that is on trial beside it is the one that what names nobody is held against."""
    with start(pki) as w:
        bring_back(w)
        w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),))
        apply(w, 'hp-three')
        w.machine.say(*OOPS)
        assert w.root.trial()[:2] == (['hp-three'], 'failed')
        clean(w, ['hp_one'])
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert w.root.trial() == (['hp-one'], 'passed', '')
        assert returned(w) == [] and kind(w, 'hp-one') == ''


def test_hotpatchctl_says_that_it_must_be_named(pki):
    with start(pki) as w:
        bring_back(w)
        assert ', for signs that name it' in ctl(w, 'status'), ctl(w, 'status')
        assert 'it came back by a rollback, and only signs that name it count' in ctl(w, 'show', 'hp-one')


def test_what_was_forbidden_meanwhile_does_not_come_back(pki):
    """What restore would leave out at the start of the machine is not put back by a rollback either."""
    drop_in = 'etc/hotpatch/hotpatchd.conf.d/50-site.conf'
    for path, text, why in (('etc/hotpatch/disable', '', 'hotpatching is switched off: the file /etc/hotpatch/disable exists'),
                            (drop_in, '[Policy]\nHotpatch=no\n', 'hotpatches are not allowed on this machine: '),
                            (drop_in, '[Policy]\nForbid=vmlinux:hp_function\n', "the policy of this machine forbids 'vmlinux:hp_function'")):
        with start(pki) as w:
            w.machine.stage('hp-one')
            w.machine.stage('hp-three', functions=(('vmlinux', 'hp_third'),), requires=['hp-one'])
            w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),), supersedes=['hp-one'])
            for i in ('hp-one', 'hp-three', 'hp-two'):
                apply(w, i)
            w.machine.write(path, text)
            w.root.call('Reload')
            w.machine.say(*warn('hp_two'))
            assert w.root.trial()[1] == 'ended'
            wait_for('the failure', lambda: any(t[:2] == (['hp-two'], 'failed') for t in w.root.trials))
            wait_for('the end', lambda: not w.machine.leftovers() and jobs(w, 'rollback')[0][2] == 'finished')
            (job,) = jobs(w, 'rollback')
            result = w.root.finish((job[0], job[7]))
            assert result[0] == 'failed' and "'hp-one', which it had superseded, is not put back: " in result[2] \
                and why in result[2], result
            assert w.machine.loaded() == [], w.machine.loaded()
            # It is wanted all the same.
            assert os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))


def test_it_fails_while_the_old_one_is_still_taken_out(pki):
    """The old one leaves as what the trial has superseded, although the trial is lost by then."""
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert w.root.trial()[1] == 'passed'
        w.machine.stage('hp-two', supersedes=['hp-one'])
        w.machine.kernel.held = 1.5
        w.root.apply('hp-two')
        wait_for('the trial', lambda: records(w))
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()


def replace_twice(w):
    """hp-one has passed; hp-two is on trial in its place, and hp-three is on the way into the place of that."""
    w.machine.stage('hp-one')
    apply(w, 'hp-one')
    w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
    assert w.root.trial()[1] == 'passed'
    w.machine.stage('hp-two', supersedes=['hp-one'])
    w.machine.stage('hp-three', supersedes=['hp-two'])
    apply(w, 'hp-two')
    w.machine.kernel.held = 1.5
    w.root.apply('hp-three')
    wait_for('the trial', lambda: len(records(w)) == 2)


def test_it_fails_while_a_newer_one_takes_its_place(pki):
    """What it had superseded does not come back on top of the newer one."""
    with start(pki) as w:
        replace_twice(w)
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        wait_for('the end', lambda: len(records(w)) == 1 and not w.machine.leftovers())
        assert w.machine.livepatches() == ['hp_three'], w.machine.livepatches()
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'staged', 'hp-three': 'active'}, w.root.patches()
        # Nor does what failed when the newer one fails too: what came before it is the last that was good.
        w.machine.kernel.held = 0
        w.machine.say(*warn('hp_three'))
        assert w.root.trial()[:2] == (['hp-three'], 'failed')
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged', 'hp-three': 'staged'}, w.root.patches()


def test_two_fail_one_upon_the_other(pki):
    """Both signs come before the first rollback: the older one is not put back to be taken out again."""
    with start(pki) as w:
        replace_twice(w)
        w.machine.say(*warn('hp_two'))
        w.machine.say(*warn('hp_three'))
        ended = sorted(w.root.trial()[:2] for _ in range(2))
        assert ended == [(['hp-three'], 'failed'), (['hp-two'], 'failed')], ended
        w.machine.kernel.held = 0
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged', 'hp-three': 'staged'}, w.root.patches()


def test_what_a_dependant_had_superseded_comes_back(pki):
    """It has to leave with what it requires; the one before it did not require that."""
    with start(pki) as w:
        w.machine.stage('hp-old', functions=(('vmlinux', 'hp_other'),))
        w.machine.stage('hp-new', functions=(('vmlinux', 'hp_other'),), supersedes=['hp-old'], requires=['hp-one'])
        w.machine.stage('hp-one')
        apply(w, 'hp-old')
        w.root.call('EndTrial', ['hp-old'], NO_OPTIONS)
        assert w.root.trial()[1] == 'passed'
        apply(w, 'hp-one')
        apply(w, 'hp-new')
        assert sorted(w.machine.livepatches()) == ['hp_new', 'hp_one']
        w.machine.say(*warn('hp_one'))
        ended = sorted(w.root.trial()[:2] for _ in range(2))
        assert ended == [(['hp-new'], 'ended'), (['hp-one'], 'failed')], ended
        clean(w, ['hp_old'])
        assert w.root.patches() == {'hp-old': 'active', 'hp-new': 'staged', 'hp-one': 'staged'}, w.root.patches()


def test_what_a_dependant_that_comes_back_had_superseded_is_kept(pki):
    """It goes on with its own trial, and what names it then brings the one before it back."""
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        w.machine.stage('hp-old', functions=(('vmlinux', 'hp_other'),))
        w.machine.stage('hp-new', functions=(('vmlinux', 'hp_other'),), supersedes=['hp-old'], requires=['hp-one'])
        for i in ('hp-one', 'hp-old', 'hp-two', 'hp-new'):
            apply(w, i)
        w.machine.say(*warn('hp_two'))
        wait_for('the failure', lambda: (['hp-two'], 'failed') in [t[:2] for t in w.root.trials])
        assert w.machine.loaded() == ['hp_new', 'hp_one'] and len(superseded(w)) == 1, (w.machine.loaded(), superseded(w))
        assert kind(w, 'hp-new') == 'apply' and kind(w, 'hp-one') == 'return', records(w)
        w.machine.say(*warn('hp_new'))
        wait_for('the other failure', lambda: (['hp-new'], 'failed') in [t[:2] for t in w.root.trials])
        clean(w, ['hp_old', 'hp_one'])
        assert w.root.patches() == {'hp-old': 'active', 'hp-new': 'staged', 'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()


def roll_back_in_vain(w):
    """hp-two has failed its trial, and hp-one, which it had superseded, is not where it was put. Return: where that is."""
    w.machine.stage('hp-one')
    w.machine.stage('hp-two', supersedes=['hp-one'])
    apply(w, 'hp-one')
    apply(w, 'hp-two')
    assert w.root.trial()[1] == 'ended'
    (folder,) = (w.machine.path('var/lib/hotpatch/superseded', t) for t in superseded(w))
    os.rename(folder, w.machine.path('fake/folder'))
    w.machine.write(os.path.relpath(folder, w.machine.root), 'in the way')
    w.machine.say(*warn('hp_two'))
    (job,) = wait_for('the rollback', lambda: jobs(w, 'rollback'))
    assert w.root.finish((job[0], job[7]))[:2] == ('failed', 'TrialFailed')
    return folder


def put_back(w, folder):
    os.unlink(folder)
    os.rename(w.machine.path('fake/folder'), folder)


def test_what_was_given_up_and_applied_again_stays(pki):
    """What the rollback could not finish does not take out at the next start what somebody wanted since."""
    with start(pki) as w:
        folder = roll_back_in_vain(w)
        put_back(w, folder)
        apply(w, 'hp-two')
        assert len(records(w)) == 1 and until(w, 'hp-two') > 0, records(w)
        w.daemon.kill()
        w.daemon.start()
        w.root = w.client()
        time.sleep(1)
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'}, w.root.patches()
        # What it had superseded the first time is still at hand.
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()


def test_what_was_superseded_stays_until_it_can_be_wanted_again(pki):
    with start(pki) as w:
        folder = roll_back_in_vain(w)
        assert len(records(w)) == 1, records(w)
        w.daemon.stop()
        put_back(w, folder)
        w.start()
        clean(w, ['hp_one'])
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()


def test_old_complaints_are_not_held_against_a_patch(pki):
    """The record of a patch came back, or that of its trial: the kernel's past is not its doing."""
    with World(pki) as w:
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 7 | 1 << 11))
        w.start()
        w.machine.stage('hp-one')
        w.machine.kernel.stall = True
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.patches() == {'hp-one': 'transition'})
        with open(w.machine.path('var/lib/hotpatch/intent'), 'rb') as f:
            intent = f.read()
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'
        w.daemon.kill()
        os.unlink(w.machine.path('var/lib/hotpatch/trials', *records(w)))
        w.machine.write('var/lib/hotpatch/intent', intent)
        w.start()
        wait_for('the trial', lambda: records(w))
        time.sleep(6)
        assert w.root.patches() == {'hp-one': 'active'} and not w.root.trials, w.root.trials


def test_what_gets_stuck_on_its_way_back_is_turned_around(pki):
    with World(pki) as w:
        w.machine.configure(transition='1s')
        w.machine.open_log()
        w.start()
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        w.machine.kernel.held = 1.5
        w.machine.say(*warn('hp_two'))
        wait_for('the bad one is out', lambda: w.machine.livepatches() == [])
        w.machine.kernel.stall = True
        w.machine.kernel.held = 0
        wait_for('the old one on its way', lambda: w.machine.livepatches() == ['hp_one'])
        w.machine.write('sys/module/hp_one/notes/.note.hotpatch', notes('hp-one', 1, (('vmlinux', 'hp_function'),)))
        (job,) = jobs(w, 'rollback')
        result = w.root.finish((job[0], job[7]))
        assert result[:2] == ('failed', 'TrialFailed') and 'did not end within' in result[2], result
        clean(w)
        assert os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-one.record'))


def test_a_removed_patch_is_not_on_trial(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        assert w.root.trial() == (['hp-one'], 'ended', 'it was removed')
        clean(w)
        w.machine.say(*warn('hp_one'))
        time.sleep(0.4)
        assert not w.root.trials


def test_ending_a_trial_needs_one_and_the_right(pki):
    with World(pki, 'deny') as w:
        w.start()
        w.machine.stage('hp-one')
        with refused('NotOnTrial'):
            w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        apply(w, 'hp-one')
        with refused('AccessDenied', 'InteractiveAuthorizationRequired'):
            w.client(NOBODY).call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert until(w, 'hp-one')
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert not until(w, 'hp-one')


def test_a_warning_during_the_transition_turns_it_around(pki):
    with start(pki) as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.patches() == {'hp-one': 'transition'})
        w.machine.say(*warn('hp_one'))
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TrialFailed') and 'something is odd' in result[2], result
        clean(w)


def say_before_commit(w, job, *lines):
    """The kernel says it when the patch is in force on every task and is about to be written down."""
    wait_for('the transition', lambda: w.root.job(job[1])['State'] == 'transition')
    hold(w, 'test-hp-two')  # the mark of its stream
    w.machine.kernel.stall = False
    wait_for('the commit', lambda: os.path.exists(w.machine.path('fake/held')))
    assert read(w.machine.kernel.path('hp_two', 'transition')) == b'0\n'
    w.machine.say(*lines)
    os.unlink(w.machine.path('fake/hold'))


def hold(w, name):
    w.machine.write('fake/hold.new', name + '\n')
    os.rename(w.machine.path('fake/hold.new'), w.machine.path('fake/hold'))


def admitted(w):
    return [f for f in os.listdir(w.machine.path('var/lib/hotpatch/admitted')) if 'hp-two' in f]


def test_a_warning_during_the_commit_takes_it_out(pki):
    with start(pki) as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-two')
        job = w.root.apply('hp-two')
        say_before_commit(w, job, *warn('hp_two'))
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TrialFailed') and 'something is odd' in result[2], result
        clean(w)
        assert w.root.patches() == {'hp-two': 'staged'} and admitted(w) == []


def replace_and_warn(w, module):
    """hp-two takes the place of all, among them hp-one on trial; before its commit the kernel warns of a module."""
    w.machine.stage('hp-one')
    apply(w, 'hp-one')
    w.machine.kernel.stall = True
    w.machine.kernel.replacing = 'hp_two'
    w.machine.stage('hp-two', replace=True, supersedes=['hp-one'])
    job = w.root.apply('hp-two')
    say_before_commit(w, job, *warn(module))
    return job


def test_a_warning_during_the_commit_of_what_replaces_all(pki):
    with start(pki) as w:
        job = replace_and_warn(w, 'hp_two')
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TrialFailed') and result[2].endswith('is in force again'), result
        assert w.machine.livepatches() == w.machine.loaded() == ['hp_one']
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'} and admitted(w) == []
        assert until(w, 'hp-one') > 0, 'its own trial goes on'


def test_the_trial_of_what_is_replaced_fails_during_the_commit(pki):
    """It is not brought back to be taken out at once."""
    with start(pki) as w:
        job = replace_and_warn(w, 'hp_one')
        assert w.root.finish(job)[:2] == ('cancelled', 'Cancelled')
        assert w.root.trial()[:2] == (['hp-one'], 'failed')
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'staged'}, w.root.patches()


def test_what_was_thrown_out_with_consent_comes_back(pki):
    """Ours, although the bundle does not supersede it; what is not ours is named."""
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        foreign(w.machine, 'of_others')
        w.machine.stage('hp-all', functions=(('vmlinux', 'hp_other'),), replace=True)
        w.machine.kernel.replacing = 'hp_all'
        assert w.root.finish(w.root.apply('hp-all', **{'allow-replace-foreign': True})) == ('done', '', '')
        assert w.machine.livepatches() == ['hp_all'] and len(superseded(w)) == 1
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        w.machine.say(*warn('hp_all'))
        (job,) = wait_for('the rollback', lambda: jobs(w, 'rollback'))
        result = w.root.finish((job[0], job[7]))
        assert result[0] == 'done' and "livepatch 'of_others', which is not ours" in result[2], result
        clean(w, ['hp_one', 'of_others'])
        assert w.machine.livepatches() == ['hp_one']
        assert w.root.patches()['hp-one'] == 'active' and w.root.patches()['hp-all'] == 'staged', w.root.patches()


def test_another_trial_fails_during_the_commit(pki):
    """What supersedes a patch that has to go is undone: it is not left at half of it, with both in force."""
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.kernel.stall = True
        w.machine.stage('hp-two', supersedes=['hp-one'])
        job = w.root.apply('hp-two')
        say_before_commit(w, job, *warn('hp_one'))
        result = w.root.finish(job)
        assert result[:2] == ('cancelled', 'Cancelled') and 'something is odd' in result[2], result
        assert w.root.trial()[:2] == (['hp-one'], 'failed')
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'staged'} and admitted(w) == []


def test_another_job_makes_room(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        apply(w, 'hp-one')
        w.machine.kernel.stall = True
        job = w.root.apply('hp-two')
        wait_for('the transition', lambda: w.root.patches()['hp-two'] == 'transition')
        w.machine.say(*warn('hp_one'))
        result = w.root.finish(job)
        assert result[:2] == ('cancelled', 'Cancelled') and 'something is odd' in result[2], result
        w.machine.kernel.stall = False
        assert w.root.trial()[:2] == (['hp-one'], 'failed')
        clean(w)


def test_new_taint(pki):
    with World(pki) as w:
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 6))
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 6 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 15))
        time.sleep(6)
        assert w.root.patches() == {'hp-one': 'active'}
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 6 | 1 << 9 | 1 << 5))
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and 'tainted: B' in reason, reason
        clean(w)


def test_pressure(pki):
    with World(pki) as w:
        w.machine.configure(trial=['IOPressurePercent=50'])
        w.machine.write('proc/pressure/io', 'some avg10=90.00 avg60=0.00\nfull avg10=49.99 avg60=0.00\n')
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        time.sleep(6)
        w.machine.write('proc/pressure/io', 'some avg10=90.00 avg60=0.00\nfull avg10=77.20 avg60=0.00\n')
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and 'disks 77 percent' in reason, reason


def meminfo(kept):
    """Of a gigabyte, when the kernel keeps so many MiB for itself."""
    return ('MemTotal: 1048576 kB\nMemFree: %d kB\nActive: 102400 kB\nInactive: 102400 kB\nKReclaimable: 20480 kB\n'
            % (1048576 - 225280 - kept * 1024))


def test_kernel_memory_grows(pki):
    """The trial that began before the growth is blamed, and a daemon that starts anew knows how it was."""
    with World(pki) as w:
        w.machine.configure(trial=['KernelMemoryPercent=10'])
        w.machine.write('proc/meminfo', meminfo(100))
        w.start()
        for name in 'hp-one', 'hp-two':
            w.machine.stage(name)
        apply(w, 'hp-one')
        # A peak at one look or two is no sign.
        w.machine.write('proc/meminfo', meminfo(210))
        time.sleep(6)
        w.machine.write('proc/meminfo', meminfo(190))
        w.daemon.kill()
        w.start()
        apply(w, 'hp-two')
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'active'}
        w.machine.write('proc/meminfo', meminfo(205))
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed'), (ids, result, reason)
        assert 'keeps 105 MiB more memory for itself than before, more than 10 percent' in reason, reason
        wait_for('the end of the rollback', lambda: len(records(w)) == 1 and not w.machine.leftovers())
        assert w.machine.loaded() == ['hp_two']


def three(w):
    for name, function in (('hp-one', 'hp_function'), ('hp-two', 'hp_other'), ('hp-three', 'hp_third')):
        w.machine.stage(name, functions=(('vmlinux', function),))
        apply(w, name)


def test_one_sign_takes_out_one_transaction(pki):
    """An oops taints the kernel and leaks; both stay when the patch that it named is out."""
    with World(pki) as w:
        w.machine.configure(trial=['KernelMemoryPercent=10'])
        w.machine.write('proc/sys/kernel/tainted', '0\n')
        w.machine.write('proc/meminfo', meminfo(100))
        w.machine.open_log()
        w.start()
        three(w)
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 7))
        w.machine.write('proc/meminfo', meminfo(250))
        w.machine.say(*warn('hp_two'))
        assert w.root.trial()[:2] == (['hp-two'], 'failed')
        time.sleep(17)  # three looks
        wait_for('nothing', lambda: True)
        assert w.root.trials == [] and w.machine.loaded() == ['hp_one', 'hp_three'], w.root.trials
        # Another bit is another sign, for one of them.
        w.machine.write('proc/sys/kernel/tainted', '%d\n' % (1 << 7 | 1 << 5))
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-three'], 'failed') and 'tainted: B (' in reason, reason
        time.sleep(6)
        clean_but(w, ['hp_one'])
        # And what leaked in addition, too.
        w.machine.write('proc/meminfo', meminfo(400))
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and 'keeps 150 MiB' in reason, reason


def clean_but(w, loaded):
    assert w.machine.loaded() == loaded and len(records(w)) == len(loaded), (w.machine.loaded(), records(w))


def test_the_ends_of_trials_are_no_looks(pki):
    """Three looks in a row are fifteen seconds, not three trials that end at once."""
    with World(pki) as w:
        w.machine.configure(trial=['IOPressurePercent=50', 'MaxSec=3'])
        w.machine.write('proc/pressure/io', 'some avg10=90.00 avg60=0.00\nfull avg10=77.20 avg60=0.00\n')
        w.start()
        three(w)
        for name in 'hp-one', 'hp-two', 'hp-three':
            assert w.root.trial() == ([name], 'passed', '')


def test_a_service_fails(pki):
    with World(pki) as w:
        systemd = w.add(Systemd(w.bus, ['web.service', 'hotpatchd.service']))
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        wait_for('the question', lambda: systemd.listed)
        systemd.fail('update.service')      # did not run
        systemd.fail('hotpatchd.service')   # ours
        time.sleep(0.3)
        assert w.root.patches() == {'hp-one': 'active'}
        systemd.fail('web.service')
        ids, result, reason = w.root.trial()
        assert (ids, result) == (['hp-one'], 'failed') and "'web.service'" in reason, reason
        clean(w)


def test_a_service_fails_in_the_transition(pki):
    """It ran before the kernel was touched. There is no trial yet: the Apply is turned around."""
    with World(pki) as w:
        systemd = w.add(Systemd(w.bus, ['web.service']))
        systemd.failed.append('old.service')
        w.start()
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        wait_for('the question', lambda: systemd.listed)
        systemd.fail('web.service')
        result = w.root.finish(job)
        assert result[:2] == ('failed', 'TrialFailed') and "'web.service', which was running before" in result[2], result
        clean(w)
        assert w.root.patches() == {'hp-one': 'staged'} and not w.root.trials


def test_a_service_fails_while_there_is_no_daemon(pki):
    with World(pki) as w:
        systemd = w.add(Systemd(w.bus, ['web.service', 'mail.service']))
        systemd.failed.append('old.service')
        w.start()
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        wait_for('two lists', lambda: all(b'SERVICE=web.service\n' in read(w.machine.path('var/lib/hotpatch/trials', name))
                                         for name in records(w)))
        w.daemon.kill()
        systemd.fail('web.service')
        systemd.failed.append('update.service')  # did not run
        w.daemon.start()
        ids, result, reason = w.root.trial()
        # The youngest, and nobody else after another restart: it is one sign.
        assert (ids, result) == (['hp-two'], 'failed') and "'web.service'" in reason, reason
        wait_for('the end', lambda: w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}
                 and not w.machine.leftovers())
        listed = systemd.listed
        w.daemon.kill()
        w.daemon.start()
        wait_for('the question', lambda: systemd.listed > listed)
        time.sleep(0.5)
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'} and not w.root.trials


def test_a_forged_failure_is_no_sign(pki):
    """A signal to hotpatchd alone would pass every match."""
    with World(pki) as w:
        systemd = w.add(Systemd(w.bus, ['web.service']))
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        wait_for('the question', lambda: systemd.listed)
        forger = w.client(NOBODY)
        forger.connection.send_message(failure('web.service', NAME))
        forger.connection.flush()
        time.sleep(0.5)
        assert w.root.patches() == {'hp-one': 'active'} and not w.root.trials


def check(w, name, mode=0o755):
    w.machine.write('etc/hotpatch/checks.d/' + name, '#!/bin/sh\n')
    os.chmod(w.machine.path('etc/hotpatch/checks.d', name), mode)
    return 'hotpatch-check@%s.service' % name


def test_checks_run_at_begin_at_intervals_and_at_the_end(pki):
    with World(pki) as w:
        w.machine.configure(trial=['CheckIntervalSec=1', 'MaxSec=3'])
        systemd = w.add(Systemd(w.bus))
        units = [check(w, 'web'), check(w, 'Data-base.2')]
        check(w, 'not-executable', 0o644)
        check(w, 'of-everybody', 0o777)
        check(w, '.hidden')
        check(w, 'odd name')
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        wait_for('the first run', lambda: sorted(systemd.started) == sorted(units))
        assert w.root.trial() == (['hp-one'], 'passed', '')
        assert set(systemd.started) == set(units)
        assert 3 <= systemd.started.count(units[0]) <= 6, systemd.started
        count = len(systemd.started)
        time.sleep(1.5)
        wait_for('nothing', lambda: True)
        assert len(systemd.started) == count


def test_a_check_fails(pki):
    with World(pki) as w:
        unit = None
        systemd = w.add(Systemd(w.bus))
        systemd.on_start = lambda u: w.machine.write('run/hotpatch/checks/web', 'a line\nno\x1b answer\n')
        unit = check(w, 'web')
        systemd.results[unit] = 'failed'
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        ended = w.root.trial()
        assert ended == (['hp-one'], 'failed', "the check 'web' failed: a line no? answer"), ended
        clean(w)


SELF_TEST = 'sys/module/hp_one/hotpatch/self_test'


def asked(w):
    with open(w.machine.path(SELF_TEST)) as f:
        return f.read() == '1'


def test_the_patch_is_asked_at_intervals(pki):
    with start(pki, 'MaxSec=8', 'CheckIntervalSec=1') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        for _ in range(2):
            w.machine.write(SELF_TEST, '')
            wait_for('the question', lambda: asked(w))
        assert w.root.trial() == (['hp-one'], 'passed', '')


def test_a_self_test_fails(pki):
    with start(pki, 'CheckIntervalSec=1') as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        apply(w, 'hp-one')
        apply(w, 'hp-two')
        # The made-up kernel's way to refuse a write. The sign is the older patch's, not the youngest's.
        os.makedirs(w.machine.path(SELF_TEST))
        assert w.root.trial() == (['hp-one'], 'failed',
                                  "the self-test of module 'hp_one' failed: Is a directory")
        wait_for('the end', lambda: w.root.patches() == {'hp-one': 'staged', 'hp-two': 'active'})


def test_the_last_self_test_decides(pki):
    with start(pki, 'MaxSec=3', 'CheckIntervalSec=3600') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        os.makedirs(w.machine.path(SELF_TEST))
        assert w.root.trial()[1] == 'failed'
        clean(w)


def test_self_tests_are_no_sign_by_policy(pki):
    with start(pki, 'MaxSec=3', 'CheckIntervalSec=1', 'Signs=checks') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        os.makedirs(w.machine.path(SELF_TEST))
        assert w.root.trial()[1] == 'passed'


def test_the_last_check_decides(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=1', 'CheckIntervalSec=1h'])
        systemd = w.add(Systemd(w.bus))
        unit = check(w, 'web')
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        wait_for('the first run', lambda: systemd.started)
        systemd.results[unit] = 'timeout'
        assert w.root.trial() == (['hp-one'], 'failed', "the check 'web' failed (timeout)")
        clean(w)


def test_checks_that_others_can_write_are_not_run(pki):
    with World(pki) as w:
        systemd = w.add(Systemd(w.bus))
        check(w, 'web')
        os.chmod(w.machine.path('etc/hotpatch/checks.d'), 0o777)
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        time.sleep(0.3)
        assert w.root.patches() == {'hp-one': 'active'} and not systemd.started


def test_without_systemd_checks_are_no_sign(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=2', 'CheckIntervalSec=1'])
        check(w, 'web')
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        assert w.root.trial() == (['hp-one'], 'passed', '')


def test_a_check_that_was_not_run_is_no_sign(pki):
    with World(pki) as w:
        w.machine.configure(trial=['MaxSec=2', 'CheckIntervalSec=1h'])
        results = ('skipped', 'dependency', 'canceled', 'assert', 'unsupported')
        systemd = w.add(Systemd(w.bus, results={check(w, result): result for result in results}))
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        assert w.root.trial() == (['hp-one'], 'passed', '')
        assert len(systemd.started) >= len(results), systemd.started


def ctl(w, *args, code=0):
    done = ctl_begin(w, *args)
    out, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == code, (args, done.returncode, out, err)
    return out + err


def ctl_begin(w, *args):
    environment = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'LC_ALL': 'C.UTF-8'}
    return subprocess.Popen([os.path.join(BUILD, 'ctl/hotpatchctl'), *args], env=environment, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_hotpatchctl_shows_a_trial_and_ends_it(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        ctl(w, 'apply', 'hp-one')
        clock = time.strftime('%H:%M', time.localtime(until(w, 'hp-one') / 1e6))
        assert 'active, on trial until ' + clock in ctl(w, 'list')
        assert 'active, important, fixes CVE-2026-0001, on trial until ' + clock in ctl(w, 'status')
        assert 'On trial: until' in ctl(w, 'show', 'hp-one')
        assert json.loads(ctl(w, 'list', '--json=short'))[0]['trial_until']
        ctl(w, 'end-trial', 'hp-one')
        assert 'trial' not in ctl(w, 'list') and 'trial' not in ctl(w, 'show', 'hp-one')
        assert 'hp-one' in ctl(w, 'end-trial', 'hp-one', code=3)
        assert json.loads(ctl(w, 'list', '--json=short'))[0]['trial_until'] is None


def test_hotpatchctl_tells_a_rollback_first(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        ctl(w, 'apply', 'hp-one')
        monitor = ctl_begin(w, 'monitor', '--json')
        time.sleep(0.5)
        w.machine.say(*warn('hp_one'))
        assert w.root.trial()[1] == 'failed'
        clean(w)
        first = ctl(w, 'status').splitlines()[0]
        assert "'hp-one' was taken out again" in first and 'kernel reported a warning' in first, first
        answer = json.loads(ctl(w, 'status', '--json=short'))
        assert answer['level'] == 'alert' and answer['rolled_back'][0]['patch'] == 'hp-one', answer
        monitor.send_signal(signal.SIGTERM)
        out, _ = monitor.communicate(timeout=PATIENCE)
        (ended,) = [e for e in map(json.loads, out.splitlines()) if e['event'] == 'trial-ended']
        assert ended['patches'] == ['hp-one'] and ended['result'] == 'failed', ended


def test_hotpatchctl_waits_for_a_trial(pki):
    with start(pki, 'MaxSec=2') as w:
        w.machine.stage('hp-one')
        out = ctl(w, 'apply', '--wait-trial', 'hp-one')
        assert 'The trial has passed' in out and until(w, 'hp-one') == 0, out
        ctl(w, 'remove', 'hp-one')
        waiting = ctl_begin(w, 'apply', '--wait-trial', 'hp-one')
        wait_for('the trial', lambda: w.root.patches()['hp-one'] == 'active' and until(w, 'hp-one'))
        w.machine.say(*warn('hp_one'))
        out, err = waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 8 and 'is out again: the kernel reported' in err, (waiting.returncode, out, err)
        ctl(w, 'apply', '--wait-trial', '--no-wait', 'hp-one', code=2)


def test_hotpatchctl_does_not_wait_without_a_trial(pki):
    with start(pki, 'MaxSec=0') as w:
        w.machine.stage('hp-one')
        assert 'passed' in ctl(w, 'apply', '--wait-trial', 'hp-one')


def test_the_daemon_stays_for_a_trial(pki):
    with World(pki) as w:
        w.machine.configure(idle='1s', trial=['MaxSec=4'])
        w.start()
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        time.sleep(3)
        assert w.daemon.process.poll() is None
        assert w.root.trial()[1] == 'passed'
        # What is in force is watched, see test_drift.py.
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        wait_for('the exit', lambda: w.daemon.process.poll() is not None, 10)


def test_a_trial_outlives_the_daemon(pki):
    with start(pki, 'MaxSec=100') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        end = until(w, 'hp-one')
        # A kernel says something when a livepatch goes in; from there on all counts.
        w.machine.say('something harmless')
        record = w.machine.path('var/lib/hotpatch/trials', records(w)[0])
        wait_for('the mark', lambda: b'KMSG_SEQUENCE=%d\n' % w.machine.log_sequence in read(record))
        w.daemon.kill()
        w.machine.say(*warn('hp_one'))  # while nobody looks
        w.start()
        assert until(w, 'hp-one') in (0, end)
        clean(w)
        assert [i for i, _ in rolled_back(w)] == ['hp-one']


def test_a_trial_passes_after_the_daemon_was_killed(pki):
    with start(pki, 'MaxSec=3') as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.daemon.kill()
        w.start()
        assert w.root.trial() == (['hp-one'], 'passed', '')
        clean(w, ['hp_one'])


def test_the_daemon_is_killed_in_the_rollback(pki):
    """Anywhere in it: what failed is out afterwards, and what it had superseded is back."""
    for delay in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        with start(pki) as w:
            w.machine.kernel.delay = 0.1
            w.machine.stage('hp-one')
            w.machine.stage('hp-two', supersedes=['hp-one'])
            apply(w, 'hp-one')
            apply(w, 'hp-two')
            w.machine.say(*warn('hp_two'))
            wait_for('the rollback', lambda: jobs(w, 'rollback'))
            time.sleep(delay)
            w.daemon.kill()
            w.start()
            wait_for('the rollback after %g s' % delay, lambda: w.root.patches() == {
                'hp-one': 'active', 'hp-two': 'staged'})
            clean(w, ['hp_one'])
            assert [i for i, _ in rolled_back(w)] == ['hp-two'], rolled_back(w)


def strikes(w):
    return sorted(f.split('.')[0] for f in os.listdir(w.machine.path('var/lib/hotpatch/strikes')))


def test_killed_in_the_rollback_nobody_else_is_blamed(pki):
    """What requires the failed patch leaves with it, has no strike, and comes back with what that had superseded."""
    for delay in (0.0, 0.15, 0.25, 0.35, 0.45, 0.6, 0.8):
        with start(pki) as w:
            w.machine.stage('hp-one')
            w.machine.stage('hp-two', supersedes=['hp-one'])
            w.machine.stage('hp-top', functions=(('vmlinux', 'hp_third'),), requires=['hp-one'])
            for i in ('hp-one', 'hp-top', 'hp-two'):
                apply(w, i)
            w.root.trials.clear()
            w.machine.kernel.delay = 0.2
            w.machine.say(*warn('hp_two'))
            wait_for('the rollback', lambda: jobs(w, 'rollback'))
            time.sleep(delay)
            w.daemon.kill()
            w.start()
            wait_for('the end of the rollback', lambda: len(records(w)) == 1 and not superseded(w) + w.machine.leftovers())
            assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged', 'hp-top': 'active'}, w.root.patches()
            assert kind(w, 'hp-top') == 'apply', records(w)
            assert strikes(w) == ['hp-two'] and [i for i, _ in rolled_back(w)] in (['hp-two'], []), (delay, strikes(w))
            assert all(t[0] == ['hp-two'] for t in w.root.trials if t[1] == 'failed'), w.root.trials


def test_an_intent_that_cannot_be_written_begins_one_trial(pki):
    """That of the rest of the Apply, past the return: only it is tried again, and a bad sign later finds all it needs."""
    with start(pki, 'MaxSec=60') as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', supersedes=['hp-one'])
        apply(w, 'hp-one')
        w.machine.kernel.stall = True
        job = w.root.apply('hp-two')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        blocked = w.machine.path('var/lib/hotpatch/.#intent')
        os.makedirs(blocked)
        w.machine.kernel.stall = False
        wait_for('the trial', lambda: len(records(w)) == 2)
        time.sleep(2.5)
        assert w.root.job(job[1])['State'] != 'finished' and len(records(w)) == 2
        os.rmdir(blocked)
        assert w.root.finish(job) == ('done', '', '')
        (trial,) = records(w)
        text = read(w.machine.path('var/lib/hotpatch/trials', trial)).decode().split()
        assert [line for line in text if line.startswith('ID=')] == ['ID=hp-two'], text
        assert w.machine.leftovers() == [], w.machine.leftovers()
        w.machine.say(*warn('hp_two'))
        wait_for('the rollback', lambda: jobs(w, 'rollback'))
        clean(w, ['hp_one'])
        assert len(jobs(w, 'rollback')) == 1, jobs(w, 'rollback')
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'staged'}, w.root.patches()


def test_a_rollback_cannot_be_cancelled(pki):
    with start(pki) as w:
        w.machine.kernel.delay = 0.5
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        w.machine.say(*warn('hp_one'))
        (job,) = wait_for('the rollback', lambda: jobs(w, 'rollback'))
        assert w.root.patches() == {'hp-one': 'reversing'}
        with refused('NotCancellable'):
            w.root.call('Cancel', interface=JOB, path=str(job[7]))
        with refused('Busy'):
            w.root.apply('hp-one')
        clean(w)


if __name__ == '__main__':
    main([f for name, f in sorted(globals().items()) if name.startswith('test_')])
