#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Ansible collection against the real daemon: what a play changes, what it changes the second time, what it says
when the daemon refuses. The machine of Ansible is this one (connection: local) with the private bus as its system
bus and the configuration of the made-up machine in the place of its own."""

import json
import os
import shutil
import subprocess
import threading
import time

from hotpatchtest import BUILD, ERROR, PATIENCE, SOURCE, World, main, wait_for, write
from logindmock import Logind
from test_baseline import DONE, PACKAGE, Runs
from test_trial import warn

SLOW = 4 * PATIENCE


def collections(directory):
    """Ansible finds a collection only by its place."""
    place = os.path.join(directory, 'ansible_collections/hotpatch')
    os.makedirs(place, exist_ok=True)
    if not os.path.exists(place + '/hotpatch'):
        shutil.copytree(os.path.join(SOURCE, 'ansible'), place + '/hotpatch')
    return directory


def play(w, *tasks, code=0, arguments=()):
    """Run tasks as a play. Return: the result of each that ran, by its place."""
    directory = w.bus.directory
    book = os.path.join(directory, 'play.json')
    write(book, json.dumps([{'hosts': 'localhost', 'connection': 'local', 'gather_facts': False, 'tasks': list(tasks)}]))
    os.makedirs(w.machine.path('etc/hotpatch'), exist_ok=True)
    environment = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'LC_ALL': 'C.UTF-8',
                   'ANSIBLE_COLLECTIONS_PATH': collections(os.path.join(directory, 'ansible')),
                   'ANSIBLE_LOCAL_TEMP': directory + '/local', 'ANSIBLE_REMOTE_TEMP': directory + '/remote',
                   'ANSIBLE_STDOUT_CALLBACK': 'record', 'ANSIBLE_CALLBACK_PLUGINS': os.path.join(SOURCE, 'ansible/tests/callback'),
                   'ANSIBLE_LOCALHOST_WARNING': 'false',
                   'ANSIBLE_PYTHON_INTERPRETER': '/usr/bin/python3', 'HOME': directory,
                   'PATH': os.path.join(BUILD, 'ctl') + ':' + os.environ['PATH']}
    done = subprocess.run(
        ['unshare', '--mount', 'sh', '-c', 'mkdir -p /etc/hotpatch && mount --bind "$1" /etc/hotpatch && shift && exec "$@"',
         'sh', w.machine.path('etc/hotpatch'), '/usr/bin/ansible-playbook', '-i', 'localhost,', *arguments, book],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SLOW, check=False, cwd=directory)
    assert done.returncode == code, (done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]


def play_with_mocks(w, *tasks, **kwargs):
    """As play(), where what is played by this process (systemd, logind) has to answer meanwhile."""
    results = []
    playing = threading.Thread(target=lambda: results.append(play(w, *tasks, **kwargs)))
    playing.start()
    wait_for('the end of the play', lambda: not playing.is_alive(), SLOW)
    return results[0]


def hotpatch(**arguments):
    return {'hotpatch.hotpatch.hotpatch': arguments}


def baseline(**arguments):
    return {'hotpatch.hotpatch.hotpatch_baseline': arguments}


def policy(**arguments):
    return {'hotpatch.hotpatch.hotpatch_policy': arguments}


INFO = {'hotpatch.hotpatch.hotpatch_info': {}}


def test_a_bundle_of_the_controller(pki):
    with World(pki) as w:
        w.start()
        path = w.machine.bundle('hp-one', module='hp_one')
        applied, again, removed, gone = play(
            w, hotpatch(src=path), hotpatch(src=path), hotpatch(id='hp-one', state='absent'),
            hotpatch(id='hp-one', state='absent'))
        assert applied['changed'] and applied['job']['result'] == 'done', applied
        assert applied['patches'][0]['state'] == 'active', applied
        assert not again['changed'] and again['plan']['ids'] == ['hp-one'], again
        assert removed['changed'] and w.machine.loaded() == [], removed
        assert not gone['changed'], gone


def test_check_mode_is_the_plan_of_the_daemon(pki):
    with World(pki) as w:
        w.start()
        path = w.machine.bundle('hp-one', module='hp_one')
        other = w.machine.bundle('hp-other', module='hp_other', functions=(('vmlinux', 'hp_missing'),))
        applied, refused = play(w, {**hotpatch(src=path)}, {**hotpatch(src=other), 'ignore_errors': True},
                                arguments=('--check', '--diff'))
        assert applied['changed'] and 'job' not in applied, applied
        assert 'hp-one: active' in applied['diff']['after'] and 'hp_function' in applied['diff']['after'], applied['diff']
        assert refused['failed'] and refused['error_name'] == ERROR + 'FunctionNotFound', refused
        assert w.machine.loaded() == [] and w.root.patches() == {}


def test_staged_and_latest(pki):
    with World(pki) as w:
        w.start()
        one, two = (w.machine.bundle('hp-%d' % n, module='hp_%d' % n, sequence=n, stream='test',
                                     functions=(('vmlinux', 'hp_function' if n == 1 else 'hp_other'),)) for n in (1, 2))
        staged, again, latest, still, newer, last = play(
            w, hotpatch(src=one, state='staged'), hotpatch(src=one, state='staged'), hotpatch(state='latest'),
            hotpatch(state='latest'), hotpatch(src=two, state='staged'), hotpatch(id='hp-1', state='latest'))
        assert staged['changed'] and not again['changed'], (staged, again)
        assert latest['changed'] and latest['ids'] == ['hp-1'], latest
        assert not still['changed'] and still['ids'] == [], still
        assert newer['changed'] and last['changed'] and last['ids'] == ['hp-2'], last


def test_latest_leaves_out_what_another_one_supersedes(pki):
    with World(pki) as w:
        w.start()
        w.machine.stage('hp-1', module='hp_1', stream='test')
        w.machine.stage('hp-2', module='hp_2', stream='test', sequence=2, supersedes=['hp-1'])
        latest, still = play(w, hotpatch(state='latest'), hotpatch(state='latest'))
        assert latest['changed'] and latest['ids'] == ['hp-2'], latest
        assert not still['changed'], still


def test_a_refusal_and_a_file_that_is_no_bundle(pki):
    with World(pki) as w:
        w.start()
        rubbish = os.path.join(w.bus.directory, 'rubbish.hpb')
        write(rubbish, b'\0' * 2048)
        unknown, = play(w, hotpatch(id='hp-unknown'), code=2)
        assert 'hp-unknown' in unknown['msg'], unknown
        for state in 'present', 'staged':
            failed, = play(w, hotpatch(src=rubbish, state=state), code=2)
            assert 'bundle' in failed['msg'], failed
        missing, = play(w, hotpatch(src='/nowhere.hpb'), code=2)
        assert '/nowhere.hpb' in missing['msg'], missing


def test_a_trial_that_fails(pki):
    with World(pki) as w:
        w.machine.configure()
        w.machine.open_log()
        w.start()
        path = w.machine.bundle('hp-one', module='hp_one')
        results = []
        playing = threading.Thread(target=lambda: results.extend(play(w, hotpatch(src=path, wait_trial=True), code=2)))
        playing.start()
        wait_for('the trial', lambda: w.root.patches() == {'hp-one': 'active'}, SLOW)
        w.machine.say(*warn('hp_one'))
        playing.join()
        assert "'hp-one' was rolled back" in results[0]['msg'] and 'something is odd' in results[0]['msg'], results


def test_info(pki):
    with World(pki) as w:
        w.start()
        info, more = play(w, INFO, {'hotpatch.hotpatch.hotpatch_info': {
            'gather': ['eligibility', 'policy', 'calendar', 'baseline']}})
        assert not info['changed'] and info['patches'] == [] and info['round_trips'] == 2, info
        assert more['eligibility'][0]['check'] and more['policy']['settings'] and len(more['calendar']['months']) == 12


def test_policy(pki):
    with World(pki) as w:
        w.start()
        wanted = {'Policy': {'Ring': 'canary', 'Hotpatch': False}}
        first, again = play(w, policy(settings=wanted), policy(settings=wanted), arguments=('--diff',))
        assert first['changed'] and not again['changed'], (first, again)
        assert {s['key']: s['value'] for s in first['settings']} == {'Hotpatch': 'no', 'Ring': 'canary'}, first
        assert 'Ring=canary' in first['diff']['after'], first
        foreseen, = play(w, policy(settings={'Policy': {'Hotptach': True}}), code=2, arguments=('--check',))
        assert 'Hotptach' in foreseen['msg'], 'the daemon knows its keys, also in check mode'
        changes, = play(w, policy(settings={'Policy': {'Ring': 'other'}}), arguments=('--check',))
        assert changes['changed'] and changes['round_trips'] == 1, changes
        wrong, = play(w, policy(settings={'Policy': {'Hotptach': True}}), code=2)
        assert 'Hotptach' in wrong['msg'], wrong
        for arguments in ((), ('--check',)):
            bad, = play(w, policy(settings={'Baseline': {'Months': [1, 4], 'Window': '25:00'}}), code=2, arguments=arguments)
            assert "50-ansible.conf:5: 'Window' of [Baseline] must be a calendar event" in bad['msg'], bad
            assert bad['round_trips'] == 0, 'before anything was written, and nobody was asked'
        # The windows begin after the deadlines as they are before the second task has set those.
        half, whole = play(w, policy(name='60-window', settings={'Baseline': {'Enable': True, 'Day': 28, 'DeadlineSec': '1d', 'Window': 'Mon 02:00'}}),
                           policy(name='70-deadline', settings={'Baseline': {'DeadlineSec': '30d'}}))
        assert half['changed'] and whole['changed'], (half, whole)
        info, gone = play(w, {'hotpatch.hotpatch.hotpatch_info': {'gather': ['policy']}}, policy(state='absent'))
        values = {s['key']: s['value'] for s in info['policy']['settings']}
        assert values['Ring'] == 'canary', 'the policy of before the failure is in effect again'
        assert gone['changed']


def test_a_baseline(pki):
    with World(pki, polkit='allow') as w:
        w.start()
        verbs, there = w.machine.path('verbs'), w.machine.path('there')
        runs = w.add(Runs(w, 'echo $1 >>%s\n[ -e %s ] || %s[ "$1" != install ] || touch %s\n%s'
                          % (verbs, there, PACKAGE, there, DONE)))
        logind = w.add(Logind(w.bus))

        def asked():
            text = open(verbs, encoding='utf-8').read().split()
            os.unlink(verbs)
            return text
        foreseen, = play_with_mocks(w, baseline(state='installed'), arguments=('--check', '--diff'))
        assert foreseen['changed'] and 'install linux-image-6.1.0-99-test 1' in foreseen['diff']['after'], foreseen
        assert asked() == ['plan'] and foreseen['reboot_required'] == []
        planned, fetched, installed, again = play_with_mocks(w, *(baseline(state=s) for s in ('planned', 'downloaded', 'installed', 'installed')))
        assert not planned['changed'] and fetched['changed'] and installed['changed'] and not again['changed']
        steps = asked()
        # Each asks for the plan first, fetching makes its own again, and the second time there is nothing but the plan.
        assert steps == ['plan', 'plan', 'plan', 'download', 'plan', 'install', 'plan'], steps
        assert installed['result']['kernel'] == '6.1.0-99-test', installed
        assert [r['reason'] for r in again['reboot_required']] == ['baseline'], again
        # The restart: planned once, for another time, taken back once.
        soon = int(time.time()) + 7200
        results = play_with_mocks(w, *(baseline(state='restart_planned', when=t) for t in (soon, soon, soon + 600)),
                       baseline(state='cancelled'), baseline(state='cancelled'))
        assert [r['changed'] for r in results] == [True, False, True, True, False], results
        assert [r['restart_usec'] // 10**6 for r in results] == [soon, soon, soon + 600, 0, 0], results
        assert logind.scheduled[0] == '' and len(runs.started) == 1 + len(steps), (logind.scheduled, runs.started)


def test_a_baseline_that_fails(pki):
    with World(pki, polkit='allow') as w:
        w.start()
        w.add(Runs(w, 'case $1 in install) echo \'{"type":"failed","cause":"packages-broken","text":"a script failed"}\'; exit 1 ;; esac\n'
                   + PACKAGE + DONE))
        failed, = play_with_mocks(w, baseline(state='installed'), code=2)
        assert 'a script failed' in failed['msg'], failed
        late, = play_with_mocks(w, baseline(state='deferred', when=int(time.time()) + 3600), code=2)
        assert late['msg'] and not late['changed'], late


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
