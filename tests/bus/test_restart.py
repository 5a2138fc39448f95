#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The restart through logind: in the window, not over whoever works, never over somebody else's schedule."""

import datetime
import json
import os
import time

import dbus

from hotpatchtest import MANAGER, NO_OPTIONS, NOBODY, RELEASE, ROOT, World, main, read, refused, remove_tree, wait_for
from logindmock import NONE, Logind
from test_baseline import DONE, UNIT, Runs
from test_calendar import STATE, policy, remember
from test_ctl import ctl, ctl_begin, ctl_end

MINUTE = 60 * 10**6
DAY = 24 * 60 * MINUTE


def now():
    return int(time.time() * 10**6)


def boot_id():
    return read('/proc/sys/kernel/random/boot_id').decode().strip().replace('-', '')


def month():
    return datetime.datetime.utcnow().strftime('%Y.%m')


def open_window(w, *lines):
    """A window that is open now and for the next hours, a baseline day that has begun, a deadline far away."""
    begin = datetime.datetime.utcnow() - datetime.timedelta(hours=1)
    policy(w, 'Months=1 2 3 4 5 6 7 8 9 10 11 12', 'Day=1', 'Window=%02d:%02d UTC' % (begin.hour, begin.minute),
           'WindowLengthSec=12h', 'DeadlineSec=60d', *lines)


def installed(w, **values):
    """A baseline that is installed and waits for the restart."""
    remember(w, **{'NAME': month(), 'PHASE': 'installed', 'KERNEL': '6.1.0-56-cloud-amd64', 'BOOT_ID': boot_id(), **values})


def begin(w):
    logind = w.add(Logind(w.bus))
    w.start()
    return logind


def ready(w, *lines):
    """A baseline waits for the restart, and its window is open; the daemon is still to start. Return: logind."""
    open_window(w, *lines)
    installed(w)
    return w.add(Logind(w.bus))


def due(w, *lines):
    """The same, and the daemon has started."""
    logind = ready(w, *lines)
    w.start()
    return logind


def due_and_told(w, *lines):
    """The same, and logind has the restart."""
    logind = due(w, *lines)
    handed_over(w, logind)
    return logind


def window_ahead(w, *lines):
    """Ten minutes that begin in three hours. Return: when."""
    later = datetime.datetime.utcnow() + datetime.timedelta(hours=3)
    policy(w, 'Months=1 2 3 4 5 6 7 8 9 10 11 12', 'Day=1', 'DeadlineSec=60d', *lines,
           'Window=%02d:%02d UTC' % (later.hour, later.minute), 'WindowLengthSec=10min')
    return later


def schedule(w):
    when, by, waits = w.root.get(ROOT, MANAGER, 'RebootSchedule')
    return int(when), str(by), str(waits)


def state(w, key):
    return dict(line.split('=', 1) for line in read(w.machine.path(STATE)).decode().splitlines() if '=' in line)[key]


def test_it_restarts_in_the_window(pki):
    with World(pki) as w:
        logind = due(w)
        # The window is open: as soon as people had their notice.
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        kind, usec = logind.scheduled
        assert kind == 'reboot' and 2 * MINUTE < usec - now() <= 6 * MINUTE, (kind, usec - now())
        assert 'baseline ' + month() in logind.wall, logind.wall
        assert schedule(w) == (usec, 'calendar', ''), schedule(w)
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'scheduled'
        assert 'baseline' in [str(i) for i, _ in w.root.get(ROOT, MANAGER, 'RebootRequired')]
        out, _ = ctl(w, 'reboot', user=NOBODY)
        assert 'planned by the calendar' in out, out
        # A new daemon knows it again, and does not ask twice.
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        wait_for('the schedule', lambda: schedule(w)[0] == usec)
        assert [c for c in logind.calls if c[0] == 'schedule'] == [('schedule', 'reboot', usec)], logind.calls
        # … and what happens when it comes
        logind.PrepareForShutdown(True)
        wait_for('restarting', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'restarting')
        assert state(w, 'PHASE') == 'restarting'
        logind.PrepareForShutdown(False)
        wait_for('called off', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') != 'restarting')


def test_by_kexec(pki):
    """RebootMethod=kexec: logind is asked for that, and it is ours like the other one."""
    with World(pki) as w:
        logind = due_and_told(w, 'RebootMethod=kexec')
        kind, usec = logind.scheduled
        assert kind == 'kexec' and logind.calls == [('schedule', 'kexec', usec)], logind.calls
        # Another daemon knows it, also by another policy: it is not told twice, and taken back as ours.
        w.daemon.stop()
        open_window(w, 'RebootMethod=reboot')
        w.daemon.start()
        w.root = w.client()
        wait_for('the schedule', lambda: schedule(w) == (usec, 'calendar', ''))
        look(w)
        assert logind.scheduled == (kind, usec) and len(logind.calls) == 1, logind.calls
        w.root.call('CancelReboot', NO_OPTIONS)
        assert logind.calls[1] == ('cancel',) and logind.scheduled == NONE, logind.calls
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        handed_over(w, logind, usec)
        assert logind.scheduled[0] == 'reboot', logind.scheduled
    # Somebody else's stays.
    with World(pki) as w:
        logind = ready(w, 'RebootMethod=kexec')
        theirs = logind.scheduled = ('kexec', now() + 60 * MINUTE)
        w.start()
        wait_for('the reason', lambda: "Somebody else has scheduled 'kexec'" in schedule(w)[2])
        assert logind.scheduled == theirs and logind.calls == [], logind.calls


def test_outside_the_window_it_waits(pki):
    with World(pki) as w:
        window_ahead(w)
        installed(w)
        logind = begin(w)
        wait_for('a plan', lambda: schedule(w)[0] > 0)
        assert 170 * MINUTE < schedule(w)[0] - now() < 181 * MINUTE, schedule(w)
        assert logind.calls == [], logind.calls
        assert int(state(w, 'RESTART_USEC')) == schedule(w)[0]


def test_who_works_is_waited_for(pki):
    moods = [('sessions', [(1000, 'alice')], 'alice is logged in'),
             ('inhibitors', [('sleep:shutdown', 'apt', 'packages are being installed', 'block')], "'apt' (packages"),
             ('power', False, 'external power')]
    for attribute, value, words in moods:
        with World(pki) as w:
            logind = ready(w)
            setattr(logind, attribute, value)
            w.start()
            wait_for('the reason', lambda w=w, words=words: words in schedule(w)[2])
            assert logind.calls == [] and schedule(w)[0] > now() + 8 * MINUTE, (logind.calls, schedule(w))
            out, _ = ctl(w, 'reboot')
            assert words in ' '.join(out.split()), out
    # What policy says does not matter does not.
    with World(pki) as w:
        logind = ready(w, 'Busy=inhibitors')
        logind.sessions, logind.power = [(1000, 'alice')], False
        logind.inhibitors = [('shutdown', 'x', 'y', 'delay'), ('idle', 'x', 'y', 'block')]
        w.start()
        wait_for('the hand-over', lambda: logind.scheduled != NONE)


def test_the_greeter_is_nobody(pki):
    with World(pki) as w:
        logind = ready(w)
        logind.sessions = [(115, 'gdm')]
        w.start()
        wait_for('the hand-over', lambda: logind.scheduled != NONE)


def test_after_the_deadline_nothing_holds_it_up(pki):
    with World(pki) as w:
        open_window(w)
        installed(w, DEADLINE_USEC=now() - MINUTE)
        logind = w.add(Logind(w.bus))
        logind.sessions = [(1000, 'alice')]
        w.start()
        wait_for('the hand-over', lambda: logind.scheduled != NONE)


def test_somebody_elses_schedule_stays(pki):
    theirs = ('poweroff', now() + 60 * MINUTE)
    with World(pki) as w:
        logind = ready(w)
        logind.scheduled = theirs
        w.start()
        wait_for('the reason', lambda: 'Somebody else' in schedule(w)[2])
        with refused('RestartConflict'):
            w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        w.root.call('CancelReboot', NO_OPTIONS)
        assert logind.scheduled == theirs and logind.calls == [], logind.calls


def test_somebody_elses_beyond_the_deadline(pki):
    theirs = ('poweroff', now() + 3 * DAY)
    with World(pki) as w:
        open_window(w)
        installed(w, DEADLINE_USEC=now() - MINUTE)
        logind = w.add(Logind(w.bus))
        logind.scheduled = theirs
        w.start()
        wait_for('the reason', lambda: 'beyond the deadline' in schedule(w)[2])
        text = schedule(w)[2]
        at = datetime.datetime.fromtimestamp(theirs[1] / 10**6).strftime('%Y-%m-%d %H:%M')
        assert "'poweroff' for " + at in text, (text, at)
        found = [f for f in w.root.get(ROOT, MANAGER, 'Findings') if f[0] == 'restart-held-up']
        assert len(found) == 1 and found[0][1] == 'alert' and found[0][4] == text and 'shutdown -c' in found[0][5], found
        assert logind.scheduled == theirs and logind.calls == [], logind.calls


def look(w):
    """What else happens each minute."""
    w.root.call('Reload')


def handed_over(w, logind, usec=0):
    """logind has it, at another time than that, and has said so."""
    wait_for('the hand-over', lambda: logind.scheduled != NONE and logind.scheduled[1] != usec and state(w, 'TAKEN_OVER') == '1')


def test_called_off(pki):
    """'shutdown -c' says nothing to us. It is noticed, said, and counts as a deferral."""
    with World(pki) as w:
        logind = due_and_told(w, 'Deferrals=1')
        first = logind.scheduled[1]
        logind.scheduled = NONE
        # The machine goes down: that is none.
        logind.goes_down = True
        look(w)
        time.sleep(0.5)
        assert schedule(w)[0] == first and state(w, 'DEFERRALS') == '0'
        logind.goes_down = False
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        wait_for('the notice', lambda: 'called off' in schedule(w)[2])
        assert schedule(w)[0] > first + 11 * 60 * MINUTE and schedule(w)[1] == 'calendar', schedule(w)
        assert state(w, 'DEFERRALS') == '1' and state(w, 'TAKEN_OVER') == '0' and state(w, 'PHASE') == 'scheduled'
        out, _ = ctl(w, 'reboot', user=NOBODY)
        assert "called off, as 'shutdown -c' does" in ' '.join(out.split()), out
        assert len(logind.calls) == 1, logind.calls
    with World(pki) as w:
        logind = due_and_told(w, 'Deferrals=0')
        first = logind.scheduled[1]
        logind.scheduled = NONE
        look(w)
        handed_over(w, logind, first)
        assert 'comes all the same: The restart was put off 0 times' in schedule(w)[2], schedule(w)


def test_an_administrators_own_is_called_off(pki):
    with World(pki) as w:
        policy(w, 'Months=%d' % (datetime.datetime.utcnow().month % 12 + 1))
        w.machine.write('run/reboot-required', '')
        logind = begin(w)
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        handed_over(w, logind)
        logind.scheduled = NONE
        look(w)
        wait_for('the end', lambda: schedule(w) == (0, '', ''))
        assert len(logind.calls) == 1, logind.calls


def test_a_new_logind_knows_of_none(pki):
    """One that was restarted may have forgotten its schedule. Nobody has called it off."""
    with World(pki) as w:
        logind = due_and_told(w)
        first = logind.scheduled[1]
        logind.close()
        logind = w.add(Logind(w.bus))
        look(w)
        handed_over(w, logind, first)
        assert state(w, 'DEFERRALS') == '0' and schedule(w)[2] == '', schedule(w)


def test_somebody_sets_his_own_over_it(pki):
    with World(pki) as w:
        logind = due_and_told(w)
        first = logind.scheduled[1]
        theirs = logind.scheduled = ('poweroff', now() + 60 * MINUTE)
        look(w)
        wait_for('the reason', lambda: "Somebody else has scheduled 'poweroff'" in schedule(w)[2])
        assert logind.scheduled == theirs and state(w, 'HANDED_OVER') == '0', logind.calls
        # What he takes back is his own; ours follows.
        logind.scheduled = NONE
        look(w)
        handed_over(w, logind, first)
        assert state(w, 'DEFERRALS') == '0', read(w.machine.path(STATE))


def test_a_user_defers_until_the_budget_is_spent(pki):
    with World(pki, 'allow') as w:
        logind = due(w, 'Deferrals=2', 'DeferMaxSec=4h')
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        c = w.client(NOBODY)
        with refused('DeferralDenied'):
            c.call('DeferBaseline', now() + 5 * 60 * MINUTE, NO_OPTIONS)
        until = now() + 60 * MINUTE
        when = c.call('DeferBaseline', until, NO_OPTIONS)
        assert when == until and schedule(w)[0] == when, (when - until, schedule(w))
        assert logind.scheduled == NONE and ('cancel',) in logind.calls, logind.calls
        assert logind.wall == '', 'our words are not those of the next shutdown'
        assert 'defer-baseline' in str(w.polkit.log()), w.polkit.log()
        w.daemon.stop()
        w.daemon.start()
        w.root, c = w.client(), w.client(NOBODY)
        c.call('DeferBaseline', now() + 120 * MINUTE, NO_OPTIONS)
        with refused('DeferralDenied'):
            c.call('DeferBaseline', now() + 130 * MINUTE, NO_OPTIONS)
        assert state(w, 'DEFERRALS') == '2'
        # An administrator may still take it back.
        before = schedule(w)[0]
        assert c.call('CancelReboot', NO_OPTIONS) > before
        assert state(w, 'DEFERRALS') == '2' and state(w, 'PHASE') == 'scheduled'


def test_nobody_else_decides(pki):
    with World(pki, 'deny') as w:
        logind = due(w)
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        before = logind.scheduled
        c = w.client(NOBODY)
        for method, args in (('ScheduleReboot', [0]), ('DeferBaseline', [now() + MINUTE * 60]), ('CancelReboot', [])):
            with refused('AccessDenied'):
                c.call(method, *args, NO_OPTIONS)
        with refused('InvalidArgs'):
            c.call('CancelReboot', {'now': True})
        assert logind.scheduled == before and len(logind.calls) == 1, logind.calls


def test_a_person_names_the_time(pki):
    with World(pki) as w:
        open_window(w)
        logind = w.add(Logind(w.bus))
        w.start()
        with refused('RestartNotRequired'):
            w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        out, _ = ctl(w, 'reboot', 'schedule')
        assert 'Nothing to do' in out, out
        with refused('NoRestartScheduled'):
            w.root.call('CancelReboot', NO_OPTIONS)
        with refused('NoRestartScheduled'):
            w.root.call('DeferBaseline', now() + MINUTE, NO_OPTIONS)
        ctl(w, 'reboot', 'cancel', code=3)
        ctl(w, 'reboot', 'later', code=2)
        w.daemon.stop()
        installed(w)
        logind.sessions = [(1000, 'alice')]
        w.daemon.start()
        w.root = w.client()
        wait_for('the reason', lambda: 'alice' in schedule(w)[2])
        for wrong in (now() - DAY, now() + 1000, now() + 40 * DAY):
            with refused('InvalidArgs'):
                w.root.call('ScheduleReboot', wrong, NO_OPTIONS)
        # The logind of this test answers from this very process.
        process = ctl_begin(w, 'reboot', 'schedule', '+2h', '--json=short')
        wait_for('hotpatchctl', lambda: process.poll() is not None)
        got = json.loads(ctl_end(process, 0)[0])
        assert schedule(w)[1:] == ('administrator', ''), schedule(w)
        assert got['restart'] and 119 * MINUTE < schedule(w)[0] - now() <= 120 * MINUTE
        assert logind.calls == []
        with refused('DeferralDenied'):
            w.root.call('DeferBaseline', now() + 60 * MINUTE, NO_OPTIONS)
        # At once: alice is warned and does not hold it up.
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        assert logind.wall and schedule(w)[1] == 'administrator'


def test_without_logind_it_is_said(pki):
    with World(pki) as w:
        open_window(w)
        installed(w)
        w.start()
        wait_for('the reason', lambda: 'systemd-logind' in schedule(w)[2])
        with refused('LogindUnavailable'):
            w.root.call('ScheduleReboot', 0, NO_OPTIONS)
    with World(pki) as w:
        logind = ready(w)
        logind.refuse = True
        w.start()
        wait_for('the reason', lambda: 'not today' in schedule(w)[2])


def test_after_the_restart(pki):
    """The boot is another one: the promised kernel runs, or it does not."""
    with World(pki) as w:
        open_window(w)
        installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting')
        begin(w)
        wait_for('the end', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'old-kernel-returned')
        text = str(w.root.get(ROOT, MANAGER, 'BaselineText'))
        assert "'6.1.0-56-cloud-amd64' was installed" in text and RELEASE in text, text
        assert state(w, 'CAUSE') == 'old-kernel-returned' and schedule(w)[0] == 0
        out, _ = ctl(w, 'calendar')
        assert 'old-kernel-returned' in out and 'runs after the restart' in ' '.join(out.split()), out


def test_shut_down_in_order_while_on_trial(pki):
    """The boot after that is watched, too: one orderly restart is no leave to crash."""
    with World(pki) as w:
        open_window(w)
        installed(w, BOOT_ID='0' * 31 + '1', PHASE='verifying', KERNEL=RELEASE, CLEAN=1)
        begin(w)
        # No more than the first look: a machine that is up for long has it behind it at once.
        if w.root.get(ROOT, MANAGER, 'BaselineState') == 'verifying':
            assert state(w, 'BOOT_ID') == boot_id() and state(w, 'CLEAN') == '0'
        else:
            assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'reached' and state(w, 'CLEAN') == '0'


def test_a_patch_that_did_not_come_back(pki):
    for result, phase in (('failed', 'boot-check-failed'), ('forbidden', None), ('unfinished', None)):
        with World(pki) as w:
            open_window(w)
            installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting', KERNEL=RELEASE)
            w.machine.write('run/hotpatch/restored', 'FORMAT=1\nID=hp-one\nRESULT=%s\nREASON=It is gone\\x0alivepatch: and more\nEND=1\n' % result)
            begin(w)
            wait_for('the end', lambda w=w, p=phase: w.root.get(ROOT, MANAGER, 'BaselineState') in ([p] if p else ['verifying', 'reached']))
            if phase:
                text = str(w.root.get(ROOT, MANAGER, 'BaselineText'))
                assert text.endswith("patch 'hp-one' was not restored after the restart: It is gone"), text
                out, _ = ctl(w, 'calendar')
                assert '1 failed' in out, out


def test_a_patch_that_came_back_later(pki):
    """What the kernel says counts, whatever was said of the start of the machine."""
    with World(pki) as w:
        open_window(w)
        begin(w)
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.daemon.kill()
        installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting', KERNEL=RELEASE)
        w.machine.write('run/hotpatch/restored', 'FORMAT=1\nID=hp-one\nRESULT=failed\nREASON=It is gone\nEND=1\n')
        w.daemon.start()
        w.root = w.client()
        wait_for('the look', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') != 'restarting')
        assert w.root.get(ROOT, MANAGER, 'BaselineState') in ('verifying', 'reached'), w.root.get(ROOT, MANAGER, 'BaselineText')


def test_crashed_in_trial(pki):
    """The boot that was watched is over, and nobody had said that the machine goes down."""
    for clean, phases in ((0, ['crashed-in-trial']), (1, ['verifying', 'reached'])):
        with World(pki) as w:
            open_window(w)
            installed(w, BOOT_ID='0' * 31 + '1', PHASE='verifying', KERNEL=RELEASE, CLEAN=clean)
            begin(w)
            wait_for('the end', lambda w=w, p=phases: w.root.get(ROOT, MANAGER, 'BaselineState') in p)
            if clean:
                continue
            assert 'went down while the new kernel was on trial' in str(w.root.get(ROOT, MANAGER, 'BaselineText'))
            assert state(w, 'CAUSE') == 'crashed-in-trial', read(w.machine.path(STATE))
            out, _ = ctl(w, 'calendar')
            assert '1 failed' in out, out
            # It stays so: the next start of the daemon is no new crash and no end of this one.
            w.daemon.stop()
            w.daemon.start()
            w.root = w.client()
            assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'crashed-in-trial'


def up_for(seconds):
    """Words that make a program see a machine that was started so many seconds ago."""
    return ['unshare', '--time', '--boottime', '%d' % (seconds - float(read('/proc/uptime').split()[0]))]


def test_how_long_a_kernel_is_on_trial(pki):
    """TrialSec= counts from the start of the machine."""
    for up, span, phase in ((600, '11min', 'verifying'), (600, '9min', 'reached'), (700, None, 'reached'), (500, None, 'verifying')):
        with World(pki) as w:
            open_window(w, *(['TrialSec=' + span] if span else []))
            installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting', KERNEL=RELEASE)
            w.add(Logind(w.bus))
            w.start(up_for(up))
            wait_for(phase, lambda w=w, p=phase: w.root.get(ROOT, MANAGER, 'BaselineState') == p)
            if phase == 'reached':
                continue
            assert 'on trial' in w.root.get(ROOT, MANAGER, 'BaselineText')
            assert state(w, 'PHASE') == 'verifying' and b'REACHED=' not in read(w.machine.path(STATE))
            # Another policy counts at once.
            open_window(w, 'TrialSec=1min')
            look(w)
            wait_for('the end', lambda w=w: w.root.get(ROOT, MANAGER, 'BaselineState') == 'reached')


def test_it_is_looked_at_when_somebody_asks(pki):
    """LookAtBaseline, 'hotpatchctl baseline look': of everybody, as nothing is done that would not be done later."""
    with World(pki, 'deny') as w:
        open_window(w, 'TrialSec=1h')
        installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting', KERNEL=RELEASE)
        w.add(Logind(w.bus))
        w.start(up_for(60))
        c = w.client(NOBODY)
        got = [str(s) for s in c.call('LookAtBaseline')]
        assert got == ['verifying', 'Baseline %s runs and is on trial' % month()], got
        out, _ = ctl(w, 'baseline', 'look', user=NOBODY)
        assert out.strip() == 'Baseline: Baseline %s runs and is on trial' % month(), out
        assert ctl(w, '--quiet', 'baseline', 'look', user=NOBODY)[0] == ''
        # What has become of it meanwhile is found by asking, and not before.
        w.machine.write('run/hotpatch/restored', 'FORMAT=1\nID=hp-one\nRESULT=failed\nREASON=It is gone\nEND=1\n')
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'verifying'
        out, _ = ctl(w, '--json=short', 'baseline', 'look', user=NOBODY)
        answer = json.loads(out)
        assert answer['state'] == 'boot-check-failed' and "'hp-one' was not restored" in answer['text'], answer
        assert state(w, 'CAUSE') == 'boot-check-failed'
        with refused('InvalidArgs'):
            c.call('LookAtBaseline', 'now', signature='s')
        ctl(w, 'baseline', 'look', 'twice', code=2)
        assert w.polkit.log() == [], w.polkit.log()


def test_the_remedy_of_what_failed(pki):
    for result, clean, word in (('failed', 1, 'boot-check-failed'), ('restored', 0, 'crashed-in-trial')):
        with World(pki) as w:
            open_window(w)
            installed(w, BOOT_ID='0' * 31 + '1', PHASE='verifying' if not clean else 'restarting', KERNEL=RELEASE, CLEAN=clean)
            w.machine.write('run/hotpatch/restored', 'FORMAT=1\nID=hp-one\nRESULT=%s\nREASON=It is gone\nEND=1\n' % result)
            runs = w.add(Runs(w, 'echo \'{"type":"done","restart":false}\'\n'))
            begin(w)
            wait_for('the state', lambda w=w, s=word: w.root.get(ROOT, MANAGER, 'BaselineState') == s)
            out = ' '.join(ctl(w, 'status')[0].split())
            assert "ALERT: Baseline %s: " % month() in out and "'hotpatchctl baseline install'" in out, out
            w.root.call('LookAtBaseline')
            assert runs.started == [], 'it was tried again'
            # The remedy is one.
            assert w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}').result()
            wait_for('the end', lambda w=w: w.root.get(ROOT, MANAGER, 'BaselineState') == 'reached')


def test_missed(pki):
    """Its deadline is over, and nothing is installed: that is said, and it is not begun."""
    day = datetime.datetime.utcnow() - datetime.timedelta(days=2)
    with World(pki) as w:
        policy(w, 'Months=%d' % day.month, 'Day=%d' % min(day.day, 28), 'Window=00:00 UTC', 'WindowLengthSec=24h', 'DeadlineSec=1d')
        remember(w, NAME=day.strftime('%Y.%m'), PHASE='downloaded', REACHED='2025.01')
        runs = w.add(Runs(w, DONE))
        begin(w)
        wait_for('the state', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'missed')
        text = str(w.root.get(ROOT, MANAGER, 'BaselineText'))
        assert 'hotpatches end with baseline 2025.01' in text and day.strftime('install %Y.%m') in text, text
        assert runs.started == [] and any(' missed ' in line for line in read(w.machine.path(STATE)).decode().splitlines())


def test_the_promised_kernel_runs(pki):
    with World(pki) as w:
        open_window(w)
        installed(w, BOOT_ID='0' * 31 + '1', PHASE='restarting', KERNEL=RELEASE)
        begin(w)
        wait_for('the trial', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') in ('verifying', 'reached'))
        assert state(w, 'BOOT_ID') == boot_id()


def test_a_plan_ends_with_the_boot(pki):
    """Named for another reason than a baseline: after the restart nothing of it is left, or it would come again."""
    for phase in ('idle', 'reached', 'failed'):
        with World(pki) as w:
            policy(w, 'Months=%d' % (datetime.datetime.utcnow().month % 12 + 1))
            w.machine.write('run/reboot-required', '')
            values = {'idle': {}, 'reached': {'NAME': '2025.01', 'REACHED': '2025.01'},
                      'failed': {'NAME': '2025.01', 'CAUSE': 'missed', 'TEXT': 'Missed'}}[phase]
            remember(w, SINCE_USEC=now(), PHASE=phase, RESTART_USEC=now() - MINUTE, RESTART_FIRM=1,
                     RESTART_BOOT='0' * 31 + '1', HANDED_OVER=1, **values)
            logind = begin(w)
            assert schedule(w) == (0, '', ''), schedule(w)
            assert state(w, 'RESTART_USEC') == '0' and state(w, 'RESTART_FIRM') == '0'
            assert logind.calls == [] and w.root.get(ROOT, MANAGER, 'BaselineState') in (phase, 'missed')


def test_a_plan_that_nothing_needs_is_dropped(pki):
    with World(pki) as w:
        policy(w, 'Months=%d' % (datetime.datetime.utcnow().month % 12 + 1))
        w.machine.write('run/reboot-required', '')
        logind = begin(w)
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        w.daemon.stop()
        os.unlink(w.machine.path('run/reboot-required'))
        w.daemon.start()
        w.root = w.client()
        wait_for('the end', lambda: schedule(w)[0] == 0)
        assert logind.scheduled == NONE and state(w, 'RESTART_USEC') == '0', logind.calls


def test_another_policy_takes_it_back(pki):
    for lines in (['Enable=no'], ['Enable=nein'], None):
        with World(pki) as w:
            logind = due(w)
            wait_for('the hand-over', lambda logind=logind: logind.scheduled != NONE)
            if lines:
                open_window(w, *lines)
            else:
                later = datetime.datetime.utcnow() + datetime.timedelta(hours=3)
                policy(w, 'Months=1 2 3 4 5 6 7 8 9 10 11 12', 'Day=1', 'DeadlineSec=60d',
                       'Window=%02d:%02d UTC' % (later.hour, later.minute), 'WindowLengthSec=10min')
            w.root.call('Reload')
            wait_for('taken back', lambda logind=logind: logind.scheduled == NONE)
            if lines:
                wait_for('no plan', lambda w=w: schedule(w)[0] == 0)
                assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'installed'
                text = w.root.get(ROOT, MANAGER, 'BaselineText')
                assert ('Enable=no' if lines == ['Enable=no'] else "'Enable' cannot be read at /etc") in text, text
            else:
                wait_for('another plan', lambda w=w: schedule(w)[0] > now() + 170 * MINUTE)
    # What an administrator named stays.
    with World(pki) as w:
        logind = due(w)
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        wait_for('the hand-over', lambda: logind.scheduled != NONE and schedule(w)[1] == 'administrator')
        open_window(w, 'Enable=no')
        w.root.call('Reload')
        when = schedule(w)
        assert when[0] > 0 and when[1] == 'administrator', when


def test_a_new_daemon_takes_it_back(pki):
    with World(pki) as w:
        logind = due(w)
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        w.daemon.stop()
        # A file of which nobody knows what it demanded: nothing is done by itself.
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/70-broken.conf', '[Baseline\nMonths=1\n')
        w.daemon.start()
        w.root = w.client()
        wait_for('taken back', lambda: logind.scheduled == NONE and schedule(w)[0] == 0)
        assert 'cannot be read at /etc' in w.root.get(ROOT, MANAGER, 'BaselineText')
        got = json.loads(w.root.call('Calendar', 0))
        assert got['policy']['monthly_because'] is None and not got['policy']['enabled'], got['policy']


def test_the_same_time_is_not_yet_ours(pki):
    """Somebody scheduled the very time that we plan: his stays, whatever is asked of us."""
    with World(pki, 'allow') as w:
        window_ahead(w)
        installed(w)
        logind = begin(w)
        wait_for('a plan', lambda: schedule(w)[0] > 0)
        theirs = ('reboot', schedule(w)[0])
        logind.scheduled = theirs
        w.client(NOBODY).call('DeferBaseline', theirs[1] + 60 * MINUTE, NO_OPTIONS)
        assert logind.scheduled == theirs and logind.calls == [], logind.calls


def test_a_broken_disk_changes_no_plan(pki):
    with World(pki) as w:
        logind = ready(w)
        logind.sessions = [(1000, 'alice')]
        w.start()
        wait_for('the reason', lambda: 'alice' in schedule(w)[2])
        before = schedule(w)
        remove_tree(w.machine.path('var/lib/hotpatch'))
        w.machine.write('var/lib/hotpatch', 'in the way')
        with refused('StateUnwritable'):
            w.root.call('ScheduleReboot', now() + 120 * MINUTE, NO_OPTIONS)
        assert schedule(w)[:2] == before[:2], (schedule(w), before)
        with refused('StateUnwritable'):
            w.root.call('CancelReboot', NO_OPTIONS)
        assert schedule(w)[:2] == before[:2] and w.root.get(ROOT, MANAGER, 'BaselineState') == 'scheduled'


def test_the_answer_is_the_real_time(pki):
    with World(pki) as w:
        logind = due(w)
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        when = w.root.call('ScheduleReboot', now() + 90 * 10**6, NO_OPTIONS)
        wait_for('the hand-over', lambda: logind.scheduled != NONE and logind.scheduled[1] == schedule(w)[0] != when)
        assert abs(logind.scheduled[1] - when) < 10**6 and logind.scheduled[1] % 2 == 1, (logind.scheduled, when)


def test_a_baseline_by_itself(pki):
    """Due, planned, downloaded, installed in the window, and the restart is scheduled; nobody has asked for it."""
    with World(pki) as w:
        open_window(w)
        remember(w)
        runs = w.add(Runs(w, DONE))
        logind = begin(w)
        wait_for('the restart', lambda: logind.scheduled != NONE)
        assert runs.started == [UNIT] * 3, runs.started
        assert state(w, 'KERNEL') == '6.1.0-99-test' and state(w, 'NAME') == month(), read(w.machine.path(STATE))
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'scheduled'
        got = json.loads(w.root.call('Calendar', 0))
        assert [c['kernel'] for c in got['coverage']] == [RELEASE, '6.1.0-99-test'], got['coverage']


def test_not_by_itself(pki):
    with World(pki) as w:
        open_window(w, 'Enable=no')
        remember(w)
        runs = w.add(Runs(w, DONE))
        begin(w)
        wait_for('the state', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'due')
        assert 'Enable=no' in w.root.get(ROOT, MANAGER, 'BaselineText') and runs.started == []
        with refused('BaselinesNotEnabled'):
            w.root.call('PlanBaseline', '', dbus.Dictionary({'schedule': True}, signature='sv'), signature='sa{sv}')
        assert runs.started == []
        # An administrator does it; the restart is his, too.
        call = w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('installed', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'installed')
        assert call.result() and schedule(w)[0] == 0 and runs.started == [UNIT]
        assert 'reboot schedule' in w.root.get(ROOT, MANAGER, 'BaselineText')


def test_by_hand_with_nothing_to_restart_for(pki):
    """What was missed is reached when a person installs it, also where it needs no restart."""
    with World(pki) as w:
        open_window(w, 'Enable=no')
        remember(w, ['%s missed 1' % month()], NAME=month(), PHASE='failed', CAUSE='missed', TEXT='Missed')
        w.add(Runs(w, 'echo \'{"type":"done","restart":false}\'\n'))
        begin(w)
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'missed'
        assert w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}').result()
        wait_for('the end', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'reached')
        assert w.root.get(ROOT, MANAGER, 'BaselineReached') == month()


def test_by_hand_twice(pki):
    with World(pki) as w:
        open_window(w, 'Enable=no')
        installed(w)
        w.add(Runs(w, 'echo \'{"type":"done","restart":true}\'\n'))
        begin(w)
        assert w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}').result()
        wait_for('installed', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'installed')
        assert state(w, 'KERNEL') == '6.1.0-56-cloud-amd64', read(w.machine.path(STATE))


def test_by_hand_on_a_machine_without_hotpatches(pki):
    with World(pki) as w:
        policy(w, 'Enable=no', 'Months=%d' % (datetime.datetime.utcnow().month % 12 + 1), 'Day=1', '[Policy]', 'Hotpatch=no')
        w.add(Runs(w, DONE))
        begin(w)
        assert w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}').result()
        wait_for('installed', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'installed')
        assert state(w, 'NAME') == month(), read(w.machine.path(STATE))


def test_a_failed_installation_is_not_tried_again(pki):
    failed = 'case "$1" in install) echo \'{"type":"failed","cause":"boot-full","text":"There is no space"}\'; exit 1;; esac\n'
    with World(pki) as w:
        open_window(w)
        remember(w)
        runs = w.add(Runs(w, failed + DONE))
        begin(w)
        wait_for('the state', lambda: w.root.get(ROOT, MANAGER, 'BaselineState') == 'install-failed')
        assert 'There is no space' in w.root.get(ROOT, MANAGER, 'BaselineText'), w.root.get(ROOT, MANAGER, 'BaselineText')
        n = len(runs.started)
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'install-failed'
        assert len(runs.started) == n == 3 and state(w, 'CAUSE') == 'install-failed'


def test_a_plan_that_fails_is_not_asked_in_a_ring(pki):
    failed = 'echo \'{"type":"failed","cause":"download-failed","text":"No network","retry":true}\'; exit 1\n'
    with World(pki) as w:
        open_window(w)
        remember(w)
        runs = w.add(Runs(w, failed))
        begin(w)
        wait_for('the reason', lambda: 'No network' in w.root.get(ROOT, MANAGER, 'BaselineText'))
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'due' and runs.started == [UNIT]
    # Without systemd nothing can be run; that is said, once.
    with World(pki) as w:
        open_window(w)
        remember(w)
        begin(w)
        wait_for('the reason', lambda: 'not run' in w.root.get(ROOT, MANAGER, 'BaselineText'))
        assert w.root.get(ROOT, MANAGER, 'BaselineState') == 'due'


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
