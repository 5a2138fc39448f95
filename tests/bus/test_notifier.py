#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatch-notifier between the real daemon and a recording notification daemon."""

import subprocess
import time

from deskmock import DESK, Desk, Notifier, Session
from logindmock import NONE, Logind
from test_calendar import policy, remember
from test_restart import DAY, MINUTE, installed, month, now, open_window, schedule
from test_trial import apply, start, warn

from hotpatchtest import MANAGER, NO_OPTIONS, ROOT, World, dbus, main, wait_for


def login(w, **kwargs):
    """A session with a notification daemon and the notifier. Return: the notification daemon."""
    w.session = w.add(Session())
    desk = w.add(Desk(w.session, **kwargs))
    w.notifier = w.add(Notifier(w, w.session))
    return desk


def settled(w):
    """Whatever was going to be told has been told: the notifier has looked after our look, and shown what it found."""
    for _ in range(2):
        w.root.call('ListPatches')
        peer = dbus.Interface(w.session.connection.get_object('org.hotpatch.Notifier1', '/'), 'org.freedesktop.DBus.Peer')
        pending = []
        peer.Ping(reply_handler=lambda: pending.append(1), error_handler=pending.append)
        wait_for('the notifier', lambda p=pending: p)
    end = time.monotonic() + 0.2
    wait_for('a moment', lambda: time.monotonic() > end)


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


if __name__ == '__main__':
    main([t for n, t in list(globals().items()) if n.startswith('test_') and callable(t)])
