#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 40
"""hotpatch-notifier between the real daemon and a recording notification daemon."""

import datetime
import os
import signal
import subprocess
import time

from dbus.lowlevel import SignalMessage
from deskmock import DESK, NOTIFIER, NOTIFIER_NAME, Desk, Notifier, Session, delivered
from logindmock import NONE, Logind
from test_calendar import policy, remember
from test_restart import DAY, MINUTE, installed, month, now, ready, schedule, window_ahead
from test_trial import apply, start, warn

from hotpatchtest import MANAGER, NAME, NOBODY, NO_OPTIONS, PATIENCE, ROOT, World, dbus, main, wait_for


def login(w, **kwargs):
    """A session with a notification daemon and the notifier. Return: the notification daemon."""
    w.session = w.add(Session())
    desk = w.add(Desk(w.session, **kwargs))
    w.notifier = w.add(Notifier(w, w.session))
    return desk


def settled(w):
    """Whatever was going to be told has been told: the notifier has looked after our look, and shown what it found."""
    w.notifier.settle(lambda: w.root.call('ListPatches'))


def hotpatchd_again(w):
    """Start it, and wait until the notifier has looked at it."""
    before = w.notifier.looks()
    w.daemon.start()
    w.root = w.client()
    w.notifier.wait_look(before)


def planned(w, *lines):
    """A restart for a baseline, some hours ahead. Return: logind."""
    last = (window_ahead(w, *lines).replace(day=1) - datetime.timedelta(days=1)).strftime('%Y.%m')
    installed(w, REACHED=last, REACHED_USEC=now() - 30 * DAY)
    logind = w.add(Logind(w.bus))
    w.start()
    wait_for('a plan', lambda: schedule(w)[0] > 0)
    return logind


def trip(w, count):
    w.machine.write('sys/module/hp_one/hotpatch/tripwires', 'CVE-2026-0001 %d\n' % count)
    w.root.patches()


def test_a_fix_is_applied(pki):
    with start(pki, 'MinSec=600') as w:
        desk = login(w)
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        told = desk.wait('applied')
        assert told['summary'] == 'Security fix applied', told
        assert told['body'].startswith('Title of hp-one (CVE-2026-0001)\nNo restart was needed. Until '), told
        assert told['hints']['urgency'] == 1 and told['hints']['transient'], told
        assert told['hints']['desktop-entry'] == 'org.hotpatch.Notifier' and told['timeout'] == -1 and told['app'] == 'Hotpatch'
        settled(w)
        assert len(desk.shown) == 1, desk.shown
        # Who logs in later is not told.
        w.notifier.close()
        desk.shown.clear()
        w.notifier = w.add(Notifier(w, w.session))
        settled(w)
        assert desk.shown == [], desk.shown


def test_what_a_bundle_says_is_text(pki):
    """Markup is escaped for who reads it and left as it is for who does not; what acts is taken out; what is long is cut."""
    title = '<b>"big"</b> & <a href="http://evil">x</a> %s {fixes}'
    for capabilities, expected in ((('body', 'body-markup'), '&lt;b&gt;"big"&lt;/b&gt; &amp; &lt;a href="http://evil"&gt;x&lt;/a&gt; %s {fixes} (CVE-'),
                                   (('body',), title + ' (CVE-')):
        with start(pki) as w:
            desk = login(w, capabilities=capabilities)
            w.machine.stage('hp-one', title=title)
            apply(w, 'hp-one')
            told = desk.wait('applied')
            assert told['body'].startswith(expected), told
            assert told['actions'] == [], told
    with start(pki) as w:
        desk = login(w)
        for name, function, title in (('hp-one', 'hp_function', 'y' * 200), ('hp-two', 'hp_other', 'safe \u202etxt.exe \u009b31m')):
            w.machine.stage(name, title=title, functions=(('vmlinux', function),))
            if w.root.finish(w.root.apply(name))[0] != 'done':
                continue  # the manifest's reader refuses such a title already
            told = desk.wait('applied', lambda t, n=name: n == 'hp-one' or 'y' * 80 not in t['body'])
            assert '\u202e' not in told['body'] and '\u009b' not in told['body'], told
            assert 'y' * 81 not in told['body'] and len(told['body']) < 400, told


def test_a_fix_is_taken_out_again(pki):
    with start(pki) as w:
        desk = login(w)
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        told = desk.wait('applied')
        w.machine.say(*warn('hp_one'))
        told = desk.wait('rolled-back')
        assert told['summary'] == 'Security fix taken out again' and told['hints']['urgency'] == 2, told
        assert told['body'].startswith('Title of hp-one: ') and 'hp_one' in told['body'] and 'open again' in told['body'], told
        # The good news are no news any more.
        wait_for('the end of it', lambda: [t['hints']['category'] for t in desk.open.values()] == ['x-hotpatch.rolled-back'])
        # It matters to who logs in later, too.
        w.notifier.close()
        desk.shown.clear()
        desk.open.clear()
        w.notifier = w.add(Notifier(w, w.session))
        told = desk.wait('rolled-back')
        desk.dismiss(told['id'])
        settled(w)
        assert len(desk.shown) == 1, desk.shown
        # Applied again by a person: nothing is open any more.
        w.root.finish(w.root.apply('hp-one'))
        desk.wait('applied')
        assert len(desk.about('rolled-back')) == 1


def test_a_tripwire_is_hit(pki):
    with start(pki, 'MaxSec=1') as w:
        desk = login(w)
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        trip(w, 1)
        told = desk.wait('tripwire')
        assert told['summary'] == 'Somebody tried what a security fix prevents' and told['hints']['urgency'] == 2, told
        assert told['body'] == 'Title of hp-one (CVE-2026-0001): once. The fix held.', told
        trip(w, 2)
        again = desk.wait('tripwire', lambda t: '2 times' in t['body'])
        assert again['replaces'] == told['id'] == again['id'], again
        # The details take its place, and it is the same one afterwards.
        desk.closes = False
        desk.press(told['id'], 'details')
        details = desk.wait('tripwire', lambda t: 'journalctl' in t['body'])
        assert details['replaces'] == told['id'] and 'details' not in details['actions'], details
        desk.dismiss(details['id'])
        settled(w)
        n = len(desk.shown)
        trip(w, 3)
        settled(w)
        assert len(desk.shown) == n, desk.shown[n:]
        # Ten times as many are news.
        trip(w, 30)
        desk.wait('tripwire', lambda t: '30 times' in t['body'])


def test_a_restart_is_planned_and_put_off(pki):
    with World(pki, 'allow') as w:
        logind = planned(w)
        desk = login(w)
        told = desk.wait('restart')
        assert told['summary'].startswith('This computer restarts to'), told
        assert 'Baseline %s is installed' % month() in told['body'], told
        assert told['labels'] == ['Details', 'Restart now', 'Later', 'Details'], told
        assert told['actions'] == ['default', 'restart', 'later', 'details'] and told['hints']['resident'], told
        desk.press(told['id'], 'default')
        details = desk.wait('restart', lambda t: 'hotpatchctl reboot' in t['body'])
        assert 'Planned for ' in details['body'] and details['actions'] == ['restart', 'later'], details
        before = schedule(w)[0]
        desk.press(details['id'], 'later')
        answer = desk.wait('answer')
        assert answer['summary'] == 'Restart put off' and answer['hints']['urgency'] == 0, answer
        assert schedule(w)[0] - before > 20 * 60 * MINUTE, (before, schedule(w))
        question = w.polkit.log()[-1]
        assert question['action'] == 'org.hotpatch.hotpatch1.defer-baseline' and question['flags'] == 1, question
        assert logind.calls == [], logind.calls


def test_the_budget_is_tight(pki):
    """No day is left: an hour is."""
    with World(pki, 'allow') as w:
        logind = ready(w, 'Deferrals=1', 'DeferMaxSec=2h')
        w.start()
        wait_for('the hand-over', lambda: logind.scheduled != NONE)
        desk = login(w)
        before = schedule(w)[0]
        told = desk.wait('restart')
        desk.press(told['id'], 'later')
        assert desk.wait('answer')['summary'] == 'Restart put off'
        assert 59 * MINUTE <= schedule(w)[0] - before <= 61 * MINUTE, (before, schedule(w))
        told = desk.wait('restart', lambda t: 'within the hour' in t['summary'] or 'today' in t['summary'] or 'tomorrow' in t['summary'])
        desk.press(told['id'], 'later')
        answer = desk.wait('answer', lambda t: t['summary'] != 'Restart put off')
        assert answer['summary'] == 'The restart was not put off' and '1 times' in answer['body'], answer


def test_the_user_has_his_own_rights(pki):
    with World(pki, 'deny') as w:
        logind = planned(w)
        desk = login(w)
        before = schedule(w)
        desk.press(desk.wait('restart')['id'], 'later')
        answer = desk.wait('answer')
        assert answer['summary'] == 'The restart was not put off' and answer['body'] == 'You are not allowed to do this here.', answer
        assert schedule(w) == before and w.polkit.log()[-1]['flags'] == 1
        # what was closed by a press comes back with something new only: another session
        w.notifier.close()
        w.notifier = w.add(Notifier(w, w.session))
        logind.refuse = 'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired'
        told = desk.wait('restart', lambda t: len(desk.about('restart')) > 1)
        desk.press(told['id'], 'restart')
        answer = desk.wait('answer', lambda t: 'put off' not in t['summary'])
        assert answer['summary'] == 'This computer was not restarted' and 'not allowed' in answer['body'], answer
        (kind, interactive, _, flag), = logind.calls
        assert kind == 'reboot' and interactive and flag, logind.calls


def test_restart_now(pki):
    with World(pki) as w:
        logind = planned(w)
        desk = login(w)
        told = desk.wait('restart')
        # Somebody else in the session, who says what only the notification daemon may say
        stranger = w.session.connect()
        message = SignalMessage('/org/freedesktop/Notifications', DESK, 'ActionInvoked')
        message.append(told['id'], 'restart', signature='us')
        message.set_destination(NOTIFIER_NAME)
        stranger.send_message(message)
        delivered(stranger)
        settled(w)
        assert logind.calls == [], logind.calls
        # and what only the bus may say: that he is the notification daemon
        message = SignalMessage('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameOwnerChanged')
        message.append(DESK, desk.owner.get_unique_name(), stranger.get_unique_name(), signature='sss')
        message.set_destination(NOTIFIER_NAME)
        stranger.send_message(message)
        delivered(stranger)
        settled(w)
        assert w.notifier.session_traffic.told(stranger.get_unique_name()) == []
        stranger.close()
        # and a button that is not there
        desk.ActionInvoked(told['id'], 'reboot')
        desk.ActionInvoked(told['id'] + 1, 'restart')
        delivered(desk.owner)
        settled(w)
        assert logind.calls == [], logind.calls
        desk.press(told['id'], 'restart')
        wait_for('the restart', lambda: logind.calls)
        assert logind.calls[0][:2] == ('reboot', True) and logind.calls[0][3], logind.calls


def test_another_button_is_another_wish(pki):
    """Polkit asks for a password, and nobody is there yet."""
    with World(pki, 'wait') as w:
        logind = planned(w)
        desk = login(w)
        desk.closes = False
        told = desk.wait('restart')
        desk.press(told['id'], 'later')
        wait_for('the question', w.polkit.log)
        desk.press(told['id'], 'later')
        settled(w)
        assert len(w.polkit.log()) == 1 and logind.calls == [], (w.polkit.log(), logind.calls)
        desk.press(told['id'], 'restart')
        wait_for('the restart', lambda: logind.calls)
        settled(w)
        assert [c[0] for c in logind.calls] == ['reboot'] and desk.about('answer') == [], (logind.calls, desk.shown)


def test_an_administrator_restarts_in_five_minutes(pki):
    with World(pki) as w:
        planned(w)
        desk = login(w)
        desk.dismiss(desk.wait('restart')['id'])
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        told = desk.wait('restart', lambda t: 'few minutes' in t['summary'])
        assert told['hints']['urgency'] == 2 and 'Save your work' in told['body'] and 'administrator' in told['body'], told
        assert 'later' not in told['actions'] and 'restart' in told['actions'], told
        w.root.call('CancelReboot', NO_OPTIONS)
        desk.wait('restart', lambda t: 'few minutes' not in t['summary'])


def test_who_holds_the_restart_up_is_told(pki):
    with World(pki) as w:
        logind = ready(w)
        logind.sessions = [(1000, 'alice')]
        w.start()
        desk = login(w)
        told = desk.wait('restart', lambda t: 'waits' in t['summary'])
        assert 'alice is logged in' in told['body'] and told['hints']['urgency'] == 1, told


def test_the_deadline_comes_near(pki):
    with World(pki) as w:
        today = datetime.datetime.utcnow()
        first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        policy(w, 'Months=1 2 3 4 5 6 7 8 9 10 11 12', 'Day=1',
               'DeadlineSec=%ds' % ((today - first).total_seconds() + 2 * 86400))
        before = first - datetime.timedelta(days=1)
        remember(w, NAME=before.strftime('%Y.%m'), REACHED=before.strftime('%Y.%m'), REACHED_USEC=now() - 30 * DAY)
        w.start()
        until = int(w.root.get(ROOT, MANAGER, 'CoveredUntil'))
        assert DAY < until - now() < 3 * DAY, (until - now()) / DAY
        desk = login(w)
        told = desk.wait('deadline')
        assert told['summary'] == 'Security fixes end soon' and told['hints']['urgency'] == 1, told
        assert 'hotpatchctl baseline install' in told['body'], told


def test_the_machine_is_off_the_track(pki):
    with start(pki) as w:
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        desk = login(w)
        settled(w)
        assert desk.shown == [], desk.shown
        w.machine.kernel.end('hp_one', 0)
        w.root.patches()
        told = desk.wait('track')
        assert told['summary'] == 'This computer is off the hotpatch track' and told['hints']['urgency'] == 2, told
        assert "'hp-one'" in told['body'], told
        desk.press(told['id'], 'details')
        details = desk.wait('track', lambda t: t is not told)
        assert 'Apply it again' in details['body'] and "'hotpatchctl status'" in details['body'], details


def test_quiet_while_the_desktop_wants_it(pki):
    with World(pki) as w:
        planned(w)
        desk = login(w, inhibited=True)
        settled(w)
        assert desk.shown == [], desk.shown
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        told = desk.wait('restart')
        assert told['hints']['urgency'] == 2, told
        w.root.call('CancelReboot', NO_OPTIONS)
        # No restart comes in a few minutes any more, and nothing stands there that says so.
        told = desk.wait('restart', lambda t: t['hints']['urgency'] == 1)
        assert told['replaces'] == 1, told
        desk.inhibit(False)
        settled(w)
        assert len(desk.shown) == 2, desk.shown


def test_notification_daemons_come_and_go(pki):
    with World(pki) as w:
        planned(w)
        w.session = w.add(Session())
        w.notifier = w.add(Notifier(w, w.session))
        settled(w)
        first = Desk(w.session)
        told = first.wait('restart')
        first.close()
        # What was open on the first one is shown by the second …
        second = Desk(w.session)
        told = second.wait('restart')
        assert told['replaces'] == 0, told
        second.dismiss(told['id'])
        settled(w)
        second.close()
        # … and what was closed there not by the third.
        third = Desk(w.session)
        settled(w)
        assert third.shown == [], third.shown
        third.close()
        # What comes while there is none is not lost.
        w.root.call('ScheduleReboot', 0, NO_OPTIONS)
        settled(w)
        w.add(Desk(w.session)).wait('restart', lambda t: 'few minutes' in t['summary'])


def test_the_bus_is_asked_for_a_notification_daemon(pki):
    """Not in the first seconds, and not when there is nothing to show."""
    with World(pki) as w:
        planned(w)
        w.session = w.add(Session())
        mark = w.session.directory + '/started'
        w.session.activatable(DESK, '/usr/bin/touch ' + mark)
        begin = time.monotonic()
        w.notifier = w.add(Notifier(w, w.session))
        wait_for('somebody', lambda: os.path.exists(mark))
        assert time.monotonic() - begin >= 5, time.monotonic() - begin
        # That one did not take the name; whoever takes it is shown what there is.
        desk = w.add(Desk(w.session))
        desk.wait('restart')


def test_hotpatchd_comes_and_goes(pki):
    with start(pki, 'MaxSec=1') as w:
        w.daemon.stop()
        desk = login(w)  # a login without hotpatchd
        hotpatchd_again(w)
        w.machine.stage('hp-one')
        apply(w, 'hp-one')
        desk.wait('applied')
        w.root.trial()
        w.machine.write('sys/module/hp_one/hotpatch/tripwires', 'CVE-2026-0001 1\n')
        w.daemon.stop()
        hotpatchd_again(w)
        desk.wait('tripwire')
        settled(w)
        n = len(desk.shown)
        w.daemon.kill()
        hotpatchd_again(w)
        settled(w)
        assert len(desk.shown) == n, desk.shown[n:]


def test_hotpatchd_is_there_and_does_not_answer(pki):
    with World(pki).start() as w:
        w.session = w.add(Session())
        w.notifier = w.add(Notifier(w, w.session, SYSTEMD_BUS_TIMEOUT='1s'))
        settled(w)
        before = w.notifier.looks()
        os.kill(w.daemon.process.pid, signal.SIGSTOP)
        try:
            message = SignalMessage(ROOT, MANAGER, 'TripwireHit')
            message.append('hp-one', ['CVE-2026-0001'], dbus.UInt64(3), signature='sast')
            message.set_destination(w.notifier.system_traffic.name)
            w.root.connection.send_message(message)
            delivered(w.root.connection)
            wait_for('the end of its patience', lambda: 'did not answer' in w.notifier.log())
        finally:
            os.kill(w.daemon.process.pid, signal.SIGCONT)
        w.notifier.wait_look(before)
        assert w.notifier.log().count('did not answer') == 1, w.notifier.log()


def test_it_does_not_keep_hotpatchd_awake(pki):
    with World(pki) as w:
        w.machine.configure(idle='1s')
        w.start()
        login(w)
        wait_for('hotpatchd to end', lambda: w.daemon.process.poll() is not None)
        end = time.monotonic() + 0.5
        wait_for('a moment', lambda: time.monotonic() > end)
        assert not w.daemon.connection.name_has_owner(NAME)
        # It does not wake up either: two seconds without a switch, once the grace for a notification daemon is over.
        def switches():
            with open('/proc/%d/status' % w.notifier.process.pid, encoding='ascii') as f:
                return sum(int(line.split()[1]) for line in f if 'ctxt_switches' in line)

        def asleep():
            before, end = switches(), time.monotonic() + 2
            wait_for('a moment', lambda: time.monotonic() > end)
            return switches() == before
        wait_for('the notifier to sleep', asleep)


def test_only_the_login_starts_hotpatchd(pki):
    with World(pki) as w:
        # This one has activation, and what it starts leaves a mark instead of taking the name.
        system = w.bus = w.add(Session())
        mark = system.directory + '/started'
        system.activatable(NAME, '/usr/bin/touch ' + mark)
        w.session = w.add(Session())
        notifier = w.add(Notifier(w, w.session))
        wait_for('the first look', lambda: os.path.exists(mark) and 'could not be asked' in notifier.log())
        os.unlink(mark)
        for name in system.connection.list_names():
            if name.startswith(':'):
                message = SignalMessage(ROOT, MANAGER, 'TripwireHit')
                message.append('hp-one', ['CVE-2026-0001'], dbus.UInt64(3), signature='sast')
                message.set_destination(name)
                system.connection.send_message(message)
        system.connection.flush()
        end = time.monotonic() + 0.5
        wait_for('a moment', lambda: time.monotonic() > end)
        assert not os.path.exists(mark)


def test_signals_of_strangers_show_nothing(pki):
    with World(pki).start() as w:
        desk = login(w)
        settled(w)
        names = [n for n in w.root.connection.list_names() if n.startswith(':')]
        stranger = w.client(NOBODY)
        for name in names:
            message = SignalMessage(ROOT, MANAGER, 'TripwireHit')
            message.append('hp-one', ['CVE-2026-0001'], dbus.UInt64(3), signature='sast')
            message.set_destination(name)
            stranger.connection.send_message(message)
        delivered(stranger.connection)
        settled(w)
        assert desk.shown == [], desk.shown


def test_one_for_a_session(pki):
    with World(pki).start() as w:
        login(w)
        environment = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'DBUS_SESSION_BUS_ADDRESS': w.session.address}
        done = subprocess.run([NOTIFIER], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0 and 'runs in this session already' in done.stderr, done
        assert w.notifier.process.poll() is None
        done = subprocess.run([NOTIFIER, 'x'], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 2 and 'Usage' in done.stderr, done
        environment['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=/nonexistent'
        done = subprocess.run([NOTIFIER], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 1 and 'session bus cannot be reached' in done.stderr, done


def test_it_ends_with_the_session(pki):
    with World(pki).start() as w:
        session = Session()
        notifier = Notifier(w, session)
        session.process.terminate()
        wait_for('its end', lambda: notifier.process.poll() is not None)
        session.close()


if __name__ == '__main__':
    main([t for n, t in list(globals().items()) if n.startswith('test_') and callable(t)])
