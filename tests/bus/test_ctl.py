#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatchctl against the real daemon: what a person sees, what a program reads, exit codes."""

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

from hotpatchtest import BUILD, ERROR, NOBODY, PATIENCE, World, main, wait_for, write
from test_baseline import DONE, PACKAGE, Runs

CTL = os.path.join(BUILD, 'ctl/hotpatchctl')


def environment(w, **more):
    clean = {k: v for k, v in os.environ.items() if k not in ('NO_COLOR', 'LANG')}
    return {**clean, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'LC_ALL': 'C.UTF-8', 'TERM': 'xterm', **more}


def ctl(w, *args, code=0, user=None, stdin=subprocess.DEVNULL):
    """Run hotpatchctl off a terminal. Return: stdout, stderr; the exit code must be @code."""
    identity = {} if user is None else {'user': user, 'group': user, 'extra_groups': []}
    done = subprocess.run([CTL, *args], env=environment(w), stdin=stdin, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, cwd='/', **identity)
    assert done.returncode == code, (args, done.returncode, code, done.stdout, done.stderr)
    return done.stdout, done.stderr


def ctl_json(w, *args, **kwargs):
    """As ctl(), with --json=short; all values that were printed."""
    out, _ = ctl(w, *args, '--json=short', **kwargs)
    return [json.loads(line) for line in out.splitlines()]


def ctl_begin(w, *args):
    return subprocess.Popen([CTL, *args], env=environment(w), stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ctl_end(process, code):
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, (process.returncode, code, out, err)
    return out, err


def ctl_terminal(w, *args, columns=80, **more):
    """Run it on a terminal of that width. Return: the bytes on the screen, exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        time.sleep(0.1)  # until the size is set
        os.execve(CTL, [CTL, *args], environment(w, **more))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    screen, deadline = b'', time.monotonic() + PATIENCE
    while time.monotonic() < deadline and select.select([fd], [], [], PATIENCE)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        screen += data
    os.close(fd)
    return screen.decode().replace('\r\n', '\n'), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def bundle(w, bundle_id, **kwargs):
    """A bundle that everybody may read."""
    path = w.machine.bundle(bundle_id, **kwargs)
    public = os.path.join(w.bus.directory, bundle_id + '.hpb')
    shutil.copy(path, public)
    os.chmod(public, 0o644)
    return public


def in_transition(w, bundle_id):
    wait_for('the transition', lambda: w.root.patches().get(bundle_id) == 'transition')


# --- the main job ---

def test_what_a_person_does(pki):
    with World(pki).start() as w:
        path = bundle(w, 'hp-one', title='Say so', description='First line.\nSecond line.')
        out, _ = ctl(w, 'status')
        lines = out.splitlines()
        assert [line.split(':')[0].strip() for line in lines[:3]] == ['Safety', 'Running', 'To do'], out
        assert lines[2].endswith('nothing'), out
        out, _ = ctl(w, 'list')
        assert out == '0 patches.\n', out

        out, _ = ctl(w, 'verify', path)
        assert 'hp-one' in out and 'Hotpatch Test leaf' in out and 'CVE-2026-0001' in out, out
        out, _ = ctl(w, 'plan', path)
        assert 'hp_function' in out and 'can be applied' in out, out
        assert w.machine.loaded() == []

        # A transition that is over before hotpatchd looks is not told; a busy machine can keep it from looking for a while.
        w.machine.kernel.delay = 1
        out, err = ctl(w, 'apply', path)
        w.machine.kernel.delay = 0.05
        assert out.startswith('hp-one is now in force'), out
        assert 'job 1: transition' in err.splitlines(), err
        assert w.machine.livepatches() == ['hp_one']
        out, _ = ctl(w, 'list', '--no-legend')
        words = out.split()
        assert words[:5] == ['hp-one', 'active,', 'on', 'trial', 'until'], out
        assert words[6:9] == ['important', 'hp_one', '1'], out
        out, _ = ctl(w, 'status')
        assert 'The one known hotpatch is in force, with 1 fix' in out.splitlines()[0], out
        assert 'hp-one' in out.splitlines()[1] and out.splitlines()[2].endswith('nothing'), out
        out, _ = ctl(w, 'show', 'hp-one')
        assert 'Say so' in out and 'Second line.' in out and 'vmlinux: hp_function' in out, out

        out, err = ctl(w, 'remove', 'hp-one')
        assert out.startswith('hp-one is now out of'), out
        assert w.machine.livepatches() == [] and w.machine.leftovers() == []
        assert ctl(w, 'list')[0] == '0 patches.\n'


def test_nothing_to_do_is_success(pki):
    with World(pki).start() as w:
        path = bundle(w, 'hp-one')
        (first,) = ctl_json(w, 'apply', path)
        assert first['changed'] is True and first['job']['patches'] == ['hp-one'], first
        assert first['job']['result'] == 'done', first
        for what in (path, 'hp-one'):
            (again,) = ctl_json(w, 'apply', what)
            assert again['changed'] is False and again['reason'], again
        out, _ = ctl(w, 'apply', path)
        assert out.startswith('Nothing to do: '), out
        (plan,) = ctl_json(w, 'plan', path)
        assert plan['changed'] is False, plan
        assert ctl_json(w, 'remove', 'hp-one')[0]['changed'] is True


def test_several_are_one_transaction(pki):
    with World(pki).start() as w:
        one = bundle(w, 'hp-one')
        two = bundle(w, 'hp-two', functions=(('vmlinux', 'hp_other'),))
        ctl(w, 'stage', two)
        (answer,) = ctl_json(w, 'apply', one, 'hp-two')
        assert sorted(answer['job']['patches']) == ['hp-one', 'hp-two'], answer
        assert w.root.patches() == {'hp-one': 'active', 'hp-two': 'active'}
        out, _ = ctl(w, 'remove', 'hp-one', 'hp-two')
        assert ' and ' in out and ' are now out of ' in out, out
        assert w.machine.livepatches() == []
        # One bad one: nothing is applied.
        ctl(w, 'apply', one, bundle(w, 'hp-bad', functions=(('vmlinux', 'no_such_function'),)), code=7)
        assert w.machine.livepatches() == []


def test_staged_patches_and_standard_input(pki):
    with World(pki).start() as w:
        path = bundle(w, 'hp-one')
        with open(path, 'rb') as f:
            assert ctl(w, 'stage', '-', stdin=f)[0] == '-: staged as hp-one\n'
        (status,) = ctl_json(w, 'status')
        assert status['level'] == 'attention' and status['todo'] == ['Apply what waits: hotpatchctl apply hp-one']
        assert ctl(w, 'apply', '-q', 'hp-one') == ('', '')
        piped = subprocess.run('cat %s | %s verify -q -' % (path, CTL), shell=True, env=environment(w), check=True,
                               capture_output=True, text=True)
        assert 'hp-one' in piped.stdout, piped
        (status,) = ctl_json(w, 'status')
        assert status['level'] == 'ok' and status['todo'] == [], status


def test_json_is_the_contract(pki):
    with World(pki).start() as w:
        path = bundle(w, 'hp-one')
        (verified,) = ctl_json(w, 'verify', path)
        assert verified['valid'] is True and verified['manifest']['id'] == 'hp-one', verified
        ctl(w, 'apply', path)
        ((patch,),) = ctl_json(w, 'list')
        assert set(patch) == {'trial_until', 'trial_kind', 'id', 'title', 'severity', 'state', 'module', 'stream', 'sequence',
                              'fixes', 'foreign', 'applied', 'tripped', 'wanted', 'quarantined', 'strikes',
                              'retired_by', 'restore_result', 'restore_reason'}, patch
        assert patch['fixes'] == ['CVE-2026-0001'] and patch['applied'].endswith('Z'), patch
        (status,) = ctl_json(w, 'status')
        assert status['patches'] == [patch] and status['kernel']['release'].startswith('6.1.0'), status
        one, error = ctl_json(w, 'show', 'hp-one', 'hp-two', code=3)
        assert one['id'] == 'hp-one' and error['error']['name'] == ERROR + 'NoSuchPatch', (one, error)
        assert error['error']['subject'] == 'hp-two' and error['error']['remedy'], error
        pretty, _ = ctl(w, 'list', '--json=pretty')
        assert json.loads(pretty) == [patch] and pretty.startswith('[\n'), pretty


# --- refusals ---

def test_exit_codes(pki):
    with World(pki).start() as w:
        good = bundle(w, 'hp-one')
        with open(good, 'rb') as f:
            data = f.read()
        bad = os.path.join(w.bus.directory, 'bad.hpb')
        write(bad, data[:-1100] + bytes([data[-1100] ^ 1]) + data[-1099:])
        write(os.path.join(w.bus.directory, 'text.hpb'), 'hello\n')
        rows = [
            (2, 'status', 'surplus'), (2, 'frobnicate'), (2, 'apply'), (2, 'remove', 'NOT AN ID'),
            (2, 'plan', good, 'hp-two'), (2, 'cancel', 'one'),
            (3, 'show', 'hp-none'), (3, 'apply', '/nonexistent.hpb'), (3, 'apply', 'hp-none'), (3, 'cancel', '99'),
            (5, 'verify', bad), (5, 'apply', bad), (5, 'plan', bad), (5, 'stage', '/'), (5, 'apply', '/dev/zero'),
            (5, 'verify', os.path.join(w.bus.directory, 'text.hpb')),
            (7, 'apply', bundle(w, 'hp-bad', functions=(('vmlinux', 'no_such_function'),))),
            (7, 'plan', bundle(w, 'hp-bad', functions=(('vmlinux', 'no_such_function'),))),
        ]
        for code, *args in rows:
            out, err = ctl(w, *args, code=code)
            assert code == 2 or args[0] == 'plan' or '\n  Remedy: ' in err, (args, err)
        w.machine.write('fake/insert-errno', '22')
        out, err = ctl(w, 'apply', good, code=8)
        assert 'Remedy' in err, err
        (answer,) = ctl_json(w, 'apply', good, code=8)
        assert answer['error']['name'].startswith(ERROR), answer
        assert w.machine.loaded() == [] and w.machine.leftovers() == []


def test_without_the_service_and_without_the_bus(pki):
    with World(pki) as w:
        out, err = ctl(w, 'status', code=9)
        lines = out.splitlines()
        assert [line.split(':')[0].strip() for line in lines] == ['Safety', 'Running', 'To do'] and not err, (out, err)
        assert 'NOT KNOWN' in lines[0] and os.uname().release in lines[1] and 'systemctl' in lines[2], out
        path = bundle(w, 'hp-one')
        _, err = ctl(w, 'verify', path, code=9)
        assert 'hotpatchctl bundle verify' in err, err
        broken = dict(environment(w), DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nonexistent')
        done = subprocess.run([CTL, 'list'], env=broken, capture_output=True, text=True, check=False)
        assert done.returncode == 9 and 'system bus' in done.stderr, done


def test_ordinary_people_ask_polkit(pki):
    with World(pki, 'deny').start() as w:
        path = bundle(w, 'hp-one')
        ctl(w, 'status', user=NOBODY)
        _, err = ctl(w, 'apply', path, code=4, user=NOBODY)
        assert 'Remedy' in err, err
        assert w.machine.loaded() == []
    with World(pki, 'allow').start() as w:
        path = bundle(w, 'hp-one')
        assert ctl_json(w, 'apply', path, user=NOBODY)[0]['changed'] is True
    with World(pki).start() as w:
        ctl(w, 'apply', bundle(w, 'hp-one'), code=4, user=NOBODY)


def test_no_ask_password_reaches_polkit(pki):
    with World(pki, 'challenge').start() as w:
        path = bundle(w, 'hp-one')
        ctl(w, 'apply', path, code=4, user=NOBODY)
        ctl(w, 'apply', '--no-ask-password', path, code=4, user=NOBODY)
        flags = [q['flags'] for q in w.polkit.log() if 'flags' in q]
        assert flags == [1, 0], w.polkit.log()


# --- waiting ---

def test_one_at_a_time_and_no_wait(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        ctl(w, 'stage', bundle(w, 'hp-one'), bundle(w, 'hp-two', functions=(('vmlinux', 'hp_other'),)))
        (begun,) = ctl_json(w, 'apply', '--no-wait', 'hp-one')
        assert begun['changed'] is None and begun['job']['result'] is None, begun
        in_transition(w, 'hp-one')
        ctl(w, 'apply', 'hp-two', code=6)
        out, _ = ctl(w, 'status')
        assert 'job 1, transition' in out.splitlines()[0], out
        assert 'hotpatchctl cancel 1' in out.splitlines()[2], out
        ctl(w, 'cancel', '1')
        wait_for('the reversal', lambda: w.machine.livepatches() == [])


def signal_in_transition(w, number):
    """hotpatchctl waits for a transition, and gets a signal. Return: what it says."""
    w.machine.kernel.stall = True
    process = ctl_begin(w, 'apply', bundle(w, 'hp-one'))
    in_transition(w, 'hp-one')
    process.send_signal(number)
    return ctl_end(process, 1)[1]


def test_interrupt_cancels_and_undoes(pki):
    with World(pki).start() as w:
        err = signal_in_transition(w, signal.SIGINT)
        assert 'undo' in err, err
        assert w.machine.livepatches() == [] and w.machine.loaded() == [], w.machine.loaded()


def test_terminate_leaves_the_job(pki):
    with World(pki).start() as w:
        err = signal_in_transition(w, signal.SIGTERM)
        assert 'Job 1 goes on in hotpatchd' in err, err
        w.machine.kernel.stall = False
        wait_for('the end', lambda: w.root.patches() == {'hp-one': 'active'})


def test_a_dead_daemon_is_told(pki):
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        process = ctl_begin(w, 'apply', bundle(w, 'hp-one'))
        in_transition(w, 'hp-one')
        w.daemon.kill()
        _, err = ctl_end(process, 9)
        assert 'hotpatchd ended before job 1 did' in err, err


def test_long_work_says_what_is_waited_for(pki):
    with World(pki).start() as w:
        w.add(Runs(w, 'sleep 2.5\n' + PACKAGE + DONE))

        def plan(*options):
            # systemd is played by this very process
            process = ctl_begin(w, 'baseline', 'plan', *options)
            wait_for('the plan', lambda: process.poll() is not None)
            return ctl_end(process, 0)
        out, err = plan()
        assert 'linux-image' in out and err == 'The package manager plans\n', (out, err)
        for options in (('--json=short',), ('--quiet',)):
            assert plan(*options)[1] == '', options
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(CTL, [CTL, 'baseline', 'plan'], environment(w))
        screen = ''

        def shows(text):
            nonlocal screen
            with contextlib.suppress(OSError):
                while select.select([fd], [], [], 0)[0]:
                    screen += os.read(fd, 65536).decode()
            return text in screen
        wait_for('the line', lambda: shows('\r\033[KThe package manager plans, '))
        wait_for('the plan', lambda: shows('linux-image'))
        assert '\r\033[K' in screen.split('plans, ')[-1], screen  # it is wiped
        os.close(fd)
        os.waitpid(pid, 0)


def test_monitor_prints_what_happens(pki):
    with World(pki).start() as w:
        process = ctl_begin(w, 'monitor', '--json')
        text = ctl_begin(w, 'monitor')
        assert 'Listening' in text.stderr.readline()
        time.sleep(0.3)  # the first one says nothing
        ctl(w, 'apply', bundle(w, 'hp-one'))
        wait_for('the state', lambda: w.root.patches() == {'hp-one': 'active'})
        w.daemon.stop()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        text.send_signal(signal.SIGTERM)
        events = [json.loads(line) for line in ctl_end(process, 0)[0].splitlines()]
        names = [e['event'] for e in events]
        assert names.index('job-new') < names.index('job-removed') < names.index('daemon-ended'), names
        states = [e['properties'].get('State') for e in events if e['event'] == 'properties-changed' and e.get('job') == 1]
        assert 'transition' in states, events
        assert [e['result'] for e in events if e['event'] == 'job-removed'] == ['done'], events
        lines = ctl_end(text, 0)[0].splitlines()
        assert any(line.endswith('job 1: new') for line in lines), lines
        assert any(line.endswith('job 1: done') for line in lines), lines
        assert any('Applied=20' in line for line in lines) and not any('USec' in line for line in lines), lines
        assert not any('ErrorName' in line for line in lines), lines


def test_audit_and_status_name_what_was_found(pki):
    with World(pki).start() as w:
        out, _ = ctl(w, 'audit')
        assert 'kernel, records and store agree' in out and 'ALERT' not in out, out
        ctl(w, 'apply', bundle(w, 'hp-one', trial={'seconds': 0}))
        os.makedirs(w.machine.path('sys/kernel/livepatch/hp_one/vmlinux/hp_function,1'))
        out, _ = ctl(w, 'audit')
        assert 'hp-one' in out and 'good' in out, out
        process = ctl_begin(w, 'monitor')
        assert 'Listening' in process.stderr.readline()
        w.machine.kernel.end('hp_one', 0)
        w.root.patches()
        wait_for('the finding', lambda: w.root.properties)
        out, _ = ctl(w, 'audit', code=10)
        for text in ('hp-one', 'ALERT: The patch', 'Apply it again', 'do NOT agree'):
            assert text in out, (text, out)
        (report,) = ctl_json(w, 'audit', code=10)
        assert report['drift'] and report['findings'][0]['kind'] == 'not-in-force', report
        (status,) = ctl_json(w, 'status')
        assert status['level'] == 'alert' and status['findings'][0]['patch'] == 'hp-one', status
        out, _ = ctl(w, 'status')
        assert 'Found: The patch' in out, out
        _, err = ctl(w, 'audit', code=4, user=NOBODY)
        assert 'polkit' in err, err
        process.send_signal(signal.SIGINT)
        out, _ = ctl_end(process, 0)
        assert "hotpatchd: Findings=The patch 'hp-one' is wanted" in out, out


def test_monitor_is_a_screen_on_a_terminal(pki):
    with World(pki).start() as w:
        pid, fd = pty.fork()
        if pid == 0:
            time.sleep(0.2)  # until the size is set
            os.execve(CTL, [CTL, 'monitor'], environment(w))
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 80, 0, 0))
        screen = ''

        def shows(*texts):
            """All of them, on what was drawn last."""
            nonlocal screen
            with contextlib.suppress(OSError):
                while select.select([fd], [], [], 0)[0]:
                    screen += os.read(fd, 65536).decode()
            last = screen.split('\033[H')[-1]
            return last if all(text in last for text in texts) else None
        wait_for('the screen', lambda: shows('Safety:', 'What happens'))
        assert '\033[?1049h' in screen
        path = bundle(w, 'hp-one')
        ctl(w, 'apply', path)
        last = wait_for('the patch', lambda: shows('The one known hotpatch is in force', 'job 1: done'))
        assert last.index('Safety:') < last.index('Running:') < last.index('To do:') < last.index('job 1: new'), last
        assert last.count('\n') < 30, last
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 200, 0, 0))
        wait_for('a wider screen', lambda: shows('module signatures not required, hotpatching on'))
        w.daemon.kill()
        wait_for('the end of the daemon', lambda: shows('hotpatchd has ended', 'The one known hotpatch'))
        os.kill(pid, signal.SIGINT)
        wait_for('the end', lambda: shows('\033[?1049l', 'job 1: done', 'hotpatchd: ended'))
        os.close(fd)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_monitor_prints_tripwires(pki):
    with World(pki).start() as w:
        ctl(w, 'apply', bundle(w, 'hp-one'))
        process = ctl_begin(w, 'monitor', '--json')
        time.sleep(1)  # it says nothing
        text = ctl_begin(w, 'monitor')
        assert 'Listening' in text.stderr.readline()
        w.machine.write('sys/module/hp_one/hotpatch/tripwires', 'CVE-2026-0001 2\n')
        w.root.patches()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        text.send_signal(signal.SIGINT)
        events = [json.loads(line) for line in ctl_end(process, 0)[0].splitlines()]
        assert [(e['patch'], e['fixes'], e['count']) for e in events if e['event'] == 'tripwire'] == \
            [('hp-one', ['CVE-2026-0001'], 2)], events
        assert 'TRIPWIRE' in ctl_end(text, 0)[0]


# --- the screen ---

def test_screens_fit_80_columns(pki):
    with World(pki).start() as w:
        long_id = 'hp-2026-11-a-rather-long-identifier'
        path = bundle(w, long_id, title='A title of many words that goes on and on, beyond every edge of a screen',
                      description='word ' * 60)
        ctl(w, 'stage', path)
        assert ctl_terminal(w, 'apply', path)[1] == 0  # a sentence; the terminal breaks it
        for args in (('verify', path), ('plan', path), ('list',), ('status',), ('show', long_id)):
            screen, code = ctl_terminal(w, *args, NO_COLOR='1')
            assert code == 0, screen
            for line in screen.split('\n'):
                line = line.split('\r\033[K')[-1]
                assert '\033' not in line, repr(line)
                assert len(line) <= 80, (args, line)


def test_colours_only_where_wanted(pki):
    with World(pki).start() as w:
        ctl(w, 'apply', bundle(w, 'hp-one'))
        assert '\033[32m' in ctl_terminal(w, 'list')[0]
        assert '\033' not in ctl_terminal(w, 'list', TERM='dumb')[0]
        assert '\033' not in ctl(w, 'list')[0]


def test_bundle_text_does_not_act_on_the_terminal(pki):
    with World(pki).start() as w:
        title = 'safe \u202etxt.exe \u009b31m'
        path = bundle(w, 'hp-one', title=title)
        done = subprocess.run([CTL, 'apply', path], env=environment(w), capture_output=True, check=False)
        if done.returncode == 5:
            return  # the manifest's reader refuses such a title already
        for args in (('list',), ('show', 'hp-one'), ('status',), ('list', '--json')):
            screen, _ = ctl_terminal(w, *args, NO_COLOR='1', TERM='dumb')
            assert '\u202e' not in screen and '\u009b' not in screen, repr(screen)
        with contextlib.suppress(KeyError):
            assert ctl_json(w, 'list')[0][0]['title'] == title


def lines_on_screen(out):
    """Without the line that tells what is waited for, which slow machines show; it is wiped away."""
    return [line.rsplit('\x1b[K', 1)[-1] for line in out.splitlines()]


LONGEST = 'a-hotpatch-of-a-vendor-with-a-name-as-long-as-it-may-be-and-done'


def test_the_longest_id_fits_a_narrow_terminal(pki):
    assert len(LONGEST) == 64
    with World(pki).start() as w:
        w.machine.stage(LONGEST, module='hp_long', stream='long', title='What it does, in many words, as people write them')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply(LONGEST))[0] == 'done'
        for columns in (80, 120):
            for verb in (['status'], ['list'], ['cves'], ['show', LONGEST], ['plan', 'hp-two'], ['audit'], ['policy']):
                out, _ = ctl_terminal(w, *verb, columns=columns, NO_COLOR='1')
                assert max(map(len, lines_on_screen(out))) <= columns, out
        out, _ = ctl_terminal(w, 'list', columns=80, NO_COLOR='1')
        assert 'a-hotpatch-of-a-vendor-\n' in out.replace(' ', '').replace('activeimportant1Whatitdoes,inmany', '') or \
            out.splitlines()[1].split()[0].endswith('-'), out
        # Into a pipe nothing is broken.
        assert LONGEST in ctl(w, 'list')[0] and LONGEST in ctl(w, 'cves')[0]


def test_a_refusal_fits_a_terminal(pki):
    with World(pki).start() as w:
        out, code = ctl_terminal(w, 'show', LONGEST, columns=80, NO_COLOR='1')
        assert code == 3 and lines_on_screen(out)[0].startswith('hotpatchctl: ' + LONGEST), out
        assert lines_on_screen(out)[1].startswith(' ' * 13) and '\n  Remedy: ' in out, out
        assert max(map(len, lines_on_screen(out))) <= 80, out


def test_a_full_disk_behind_the_output_is_told(pki):
    with World(pki).start() as w:
        for words in ['status'], ['list', '--json'], ['metrics'], ['--help']:
            with open('/dev/full', 'w', encoding='utf-8') as full:
                done = subprocess.run([CTL, *words], env=environment(w), stdin=subprocess.DEVNULL, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
            assert done.returncode == 1 and done.stderr.startswith('hotpatchctl: '), (words, done)


def test_a_typing_error_is_understood(pki):
    with World(pki) as w:
        for words, said, helps in ((['statsu'], "is it 'status'?", 'hotpatchctl --help'), (['xyzzy'], "no verb 'xyzzy'\n", 'hotpatchctl --help'),
                                   (['history', '--since=never'], "'2026-11-21 09:30'", 'hotpatchctl history --help'),
                                   (['plan'], 'plan FILE|ID...', 'hotpatchctl plan --help'),
                                   (['reboot', 'never'], "'schedule [TIME]'", 'hotpatchctl reboot --help')):
            _, err = ctl(w, *words, code=2)
            assert said in err and f"  Try '{helps}'." in err, err
        for words in (['cancel', 'x'], ['force', 'x'], ['remove', 'a b'], ['release', 'a b'], ['bundle', 'foo'], ['key']):
            _, err = ctl(w, *words, code=2)
            assert f"  Try 'hotpatchctl {words[0]} --help'." in err, err
        assert ctl(w, 'help') == ctl(w, '--help') and ctl(w, 'help', 'apply') == ctl(w, 'apply', '--help')


def test_before_the_first_baseline(pki):
    with World(pki).start() as w:
        out, _ = ctl(w, 'baseline')
        assert out.count('nothing yet') == 3, out


if __name__ == '__main__':
    main([v for k, v in list(globals().items()) if k.startswith('test_')])
