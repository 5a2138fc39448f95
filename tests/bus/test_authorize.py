#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 30
"""Who may do what: polkit as allow, deny, challenge, slow, dead, broken, absent; for each method."""

import os

import dbus
from hotpatchtest import (JOB, NO_OPTIONS, NOBODY, World, main, refused, wait_for)

PREFIX = 'org.hotpatch.hotpatch1.'


def calls(w, client):
    """(name, polkit action, function) for each method that polkit guards, each of which would work."""
    path = w.machine.bundle('hp-file')
    return [
        ('Stage', 'apply', lambda: client.apply_file(path, 'Stage')),
        ('VerifyBundle', 'verify', lambda: client.apply_file(path, 'VerifyBundle')),
        ('PlanBundle', 'verify', lambda: client.apply_file(path, 'PlanBundle')),
        ('Apply', 'apply', lambda: finish(client, client.apply('hp-one'))),
        ('Remove', 'remove', lambda: finish(client, client.remove('hp-one'))),
        ('ApplyBundle', 'apply', lambda: finish(client, client.apply_file(path))),
        ('Apply downgrade', 'apply-downgrade',
         lambda: finish(client, client.call('Apply', ['hp-one'], dbus.Dictionary(
             {'allow-downgrade': True}, signature='sv')))),
    ]


def finish(client, job):
    assert client.finish(job)[0] == 'done', client.removed


def test_every_method_works_when_polkit_allows(pki):
    with World(pki, 'allow').start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        for name, action, call in calls(w, c):
            before = len(w.polkit.log())
            call()
            asked = w.polkit.log()[before:]
            assert [q['action'] for q in asked] == [PREFIX + action], (name, asked)
            assert asked[0]['subject'] == ['system-bus-name', {'name': c.connection.get_unique_name()}], asked
            assert asked[0]['flags'] == 0, asked
        assert w.machine.loaded() == ['hp_file', 'hp_one']


def test_each_consent_is_a_question_of_its_own(pki):
    with World(pki, 'allow').start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        c = w.client(NOBODY)
        c.finish(c.apply('hp-one', **{'allow-replace-foreign': True}))
        c.finish(c.apply('hp-two', **{'allow-replace-foreign': True, 'allow-downgrade': True}))
        asked = [q['action'].removeprefix(PREFIX) for q in w.polkit.log()]
        assert asked == ['apply-replace-foreign', 'apply-downgrade', 'apply-replace-foreign'], asked
        assert w.machine.loaded() == ['hp_one', 'hp_two']
        with refused('InvalidArgs'):
            c.call('Remove', ['hp-one'], dbus.Dictionary({'allow-replace-foreign': True}, signature='sv'))


def test_a_no_to_a_consent_is_a_no(pki):
    with World(pki, 'deny').start() as w:
        w.machine.stage('hp-one')
        with refused('AccessDenied'):
            w.client(NOBODY).apply('hp-one', **{'allow-replace-foreign': True})
        assert w.machine.loaded() == []


def refused_everywhere(pki, temper, *names):
    with World(pki, temper).start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        for _, _, call in calls(w, c):
            with refused(*names):
                call()
        assert w.machine.loaded() == [] and w.machine.leftovers() == []
        assert list(w.root.patches()) == ['hp-one'], 'something was staged'
        assert w.root.call('ListJobs') == []


def test_every_method_is_refused_when_polkit_denies(pki):
    refused_everywhere(pki, 'deny', 'AccessDenied')


def test_every_method_is_refused_when_a_password_would_be_needed(pki):
    refused_everywhere(pki, 'challenge', 'InteractiveAuthorizationRequired')


def test_every_method_is_refused_when_polkit_answers_with_an_error(pki):
    refused_everywhere(pki, 'broken', 'AuthorizationUnavailable')


def test_every_method_is_refused_when_polkit_answers_nonsense(pki):
    refused_everywhere(pki, 'nonsense', 'AuthorizationUnavailable')


def test_every_method_is_refused_without_polkit(pki):
    refused_everywhere(pki, None, 'AuthorizationUnavailable')


def test_a_polkit_that_never_answers_means_no(pki):
    with World(pki, 'dead').start() as w:
        path = w.machine.bundle('hp-one')
        c = w.client(NOBODY)
        with open(path, 'rb') as f:
            pending = [c.begin(m, dbus.types.UnixFd(f), NO_OPTIONS)
                       for m in ('Stage', 'ApplyBundle', 'VerifyBundle', 'PlanBundle')]
        wait_for('the answers', lambda: all(p.done for p in pending), 60)
        for p in pending:
            with refused('AuthorizationUnavailable'):
                p.result()
        assert w.machine.loaded() == [] and w.root.patches() == {}


def test_root_needs_no_polkit(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        for _, _, call in calls(w, w.root):
            call()


def test_cancel_needs_the_action_of_the_job(pki):
    with World(pki, 'deny').start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.patches().get('hp-one') == 'transition')
        c = w.client(NOBODY)
        with refused('AccessDenied'):
            c.call('Cancel', interface=JOB, path=str(job[1]))
        assert w.polkit.log()[-1]['action'] == PREFIX + 'apply'
        w.root.call('Cancel', interface=JOB, path=str(job[1]))
        assert w.root.finish(job)[:2] == ('cancelled', 'Cancelled')


def test_interactive_callers_may_be_asked(pki):
    with World(pki, 'allow').start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        c.begin('Apply', ['hp-one'], NO_OPTIONS, interactive=True).result()
        assert w.polkit.log()[-1]['flags'] == 1
        assert w.polkit.log()[-1]['details'] == {'patches': 'hp-one'}


def test_slow_polkit_does_not_hold_up_others(pki):
    with World(pki, 'wait').start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        call = c.begin('Apply', ['hp-one'], NO_OPTIONS, interactive=True)
        wait_for('the question', w.polkit.log)
        assert w.root.patches() == {'hp-one': 'staged'} and not call.done
        w.polkit.answer(True)
        finish(c, call.result())


def test_a_question_is_taken_back_when_the_caller_vanishes(pki):
    with World(pki, 'wait').start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        c.begin('Apply', ['hp-one'], NO_OPTIONS, interactive=True)
        (question,) = wait_for('the question', w.polkit.log)
        c.close()
        wait_for('the cancellation', lambda: {'cancelled': question['cookie']} in w.polkit.log())
        w.polkit.answer(True)
        assert w.root.patches() == {'hp-one': 'staged'} and w.root.call('ListJobs') == []


def test_what_is_authorized_is_what_is_done(pki):
    """The caller rewrites his file, closes his descriptor and calls again while polkit is asked."""
    with World(pki, 'wait').start() as w:
        one, two = w.machine.bundle('hp-one'), w.machine.bundle('hp-two')
        w.machine.stage('hp-three')
        c = w.client(NOBODY)
        fd = os.open(one, os.O_RDONLY)
        first = c.begin('ApplyBundle', dbus.types.UnixFd(fd), NO_OPTIONS, interactive=True)
        wait_for('the question', w.polkit.log)
        os.dup2(os.open(two, os.O_RDONLY), fd)
        os.close(fd)
        second = c.begin('Remove', ['hp-three'], NO_OPTIONS, interactive=True)
        wait_for('both questions', lambda: len(w.polkit.log()) == 2)
        size = str(os.stat(one).st_size)
        assert w.polkit.log()[0]['details'] == {'bundle-size': size}, w.polkit.log()
        assert w.polkit.log()[1]['details'] == {'patches': 'hp-three'}, w.polkit.log()
        w.polkit.answer(True)
        finish(c, first.result())
        with refused('Busy'):
            second.result()
        assert w.machine.loaded() == ['hp_one']


def test_questions_are_limited_per_caller_and_in_all(pki):
    with World(pki, 'wait').start() as w:
        c = w.client(NOBODY)
        pending = [c.begin('Remove', ['hp-one'], NO_OPTIONS, interactive=True) for _ in range(8)]
        with refused('LimitsExceeded'):
            c.begin('Remove', ['hp-one'], NO_OPTIONS, interactive=True).result()
        others = [w.client(NOBODY) for _ in range(8)]
        for o in others[:7]:
            pending += [o.begin('Remove', ['hp-one'], NO_OPTIONS, interactive=True) for _ in range(8)]
        # Calls of different clients have no order on the bus: all 64 have to be there first.
        wait_for('all questions', lambda: len(w.polkit.log()) == len(pending))
        with refused('LimitsExceeded'):
            others[7].begin('Remove', ['hp-one'], NO_OPTIONS, interactive=True).result()
        w.polkit.answer(False)
        for call in pending:
            with refused('AccessDenied'):
                call.result()


main([f for n, f in list(globals().items()) if n.startswith('test_')])
