#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatch-notifier with a real notification daemon: what it shows, and buttons that are really pressed."""

import subprocess

from deskmock import Notifier, Session
from dunstdesk import Dunst
from test_notifier import planned
from test_restart import MINUTE, schedule
from test_trial import apply, start

from hotpatchtest import World, main, wait_for


def desktop(w):
    session = w.add(Session())
    dunst = w.add(Dunst(session))
    w.add(Notifier(w, session))
    return dunst


def test_buttons(pki):
    with World(pki, 'allow') as w:
        logind = planned(w)
        dunst = desktop(w)
        wait_for('the notification', lambda: dunst.displayed() == 1)
        assert {line.split()[0] for line in dunst.choose('nothing')} == {'#Details', '#Restart', '#Later'}
        # A click shows the details in its place, without a button for them.
        dunst.ctl('action', '0')
        wait_for('the details', lambda: not any('Details' in line for line in dunst.choose('nothing')))
        assert dunst.displayed() == 1
        before = schedule(w)[0]
        menu = dunst.choose('Later')
        assert sorted(line.split()[0] for line in menu) == ['#Later', '#Restart'], menu
        wait_for('the deferral', lambda: schedule(w)[0] - before > 20 * 60 * MINUTE)
        # The answer, and the new plan
        wait_for('both', lambda: dunst.displayed() == 2)
        dunst.choose('Restart now')
        wait_for('the restart', lambda: logind.calls)
        assert logind.calls[0][0] == 'reboot', logind.calls
        dunst.ctl('close-all')
        assert ('Restart put off', '<b>Restart put off</b>') in [(s, t.split('\n')[0]) for s, t in dunst.history()], dunst.history()


def test_markup_of_a_bundle_is_shown_as_text(pki):
    with start(pki) as w:
        dunst = desktop(w)
        w.machine.stage('hp-one', title='<b>bold</b> <img src="/etc/passwd"/> & <a href="http://evil">link</a>')
        apply(w, 'hp-one')
        wait_for('the notification', lambda: dunst.displayed() == 1)
        dunst.ctl('close')
        wait_for('it to be closed', lambda: dunst.history())
        text = dunst.history()[0][1]
        assert '&lt;b&gt;bold&lt;/b&gt;' in text and '&lt;img' in text and '&lt;a href' in text, text
        assert dunst.displayed() == 0


def test_dunst_is_started_again(pki):
    with World(pki) as w:
        planned(w)
        dunst = desktop(w)
        wait_for('the notification', lambda: dunst.displayed() == 1)
        dunst.stop()
        dunst.start()
        wait_for('the notification', lambda: dunst.displayed() == 1)
        # Its picture is there: more colours than an empty screen has.
        dunst.picture(dunst.directory + '/screen.png')
        colours = subprocess.run(['identify', '-format', '%k', dunst.directory + '/screen.png'], check=True, capture_output=True,
                                 text=True).stdout
        assert int(colours) > 10, colours
        dunst.ctl('close')
        wait_for('it to be closed', lambda: dunst.displayed() == 0)


if __name__ == '__main__':
    main([t for n, t in list(globals().items()) if n.startswith('test_') and callable(t)])
