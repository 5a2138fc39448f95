#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The baseline year on the bus and for people: which months restart, what was done and missed."""

import calendar
import datetime
import json
import time

from hotpatchtest import MANAGER, NOBODY, RELEASE, ROOT, World, main, read, refused
from test_ctl import ctl, ctl_json

STATE = 'var/lib/hotpatch/baseline-state'
DROP_IN = 'etc/hotpatch/hotpatchd.conf.d/60-year.conf'


def seconds(year, month, day, hour=0):
    return calendar.timegm((year, month, day, hour, 0, 0))


def remember(w, history=(), **values):
    """The state of the machine's baseline, as hotpatchd keeps it."""
    fields = {'SINCE_USEC': seconds(2025, 1, 1) * 10**6, 'DEADLINE_USEC': 0, 'PHASE': 'idle', 'PHASE_USEC': 0,
              'CAUSE': 'none', 'BOOT_ID': '0' * 32, 'RESTART_USEC': 0, 'RESTART_FIRM': 0, 'CLEAN': 0, 'DEFERRALS': 0, 'DEFERRED_UNTIL_USEC': 0,
              'REACHED_USEC': 0, **values}
    lines = ['%s=%s' % f for f in fields.items()] + ['HISTORY=' + h for h in history]
    w.machine.write(STATE, 'FORMAT=1\n' + '\n'.join(lines) + '\nEND=1\n')


def policy(w, *lines):
    """Baselines are planned, unless @lines say otherwise."""
    if not any(line.startswith('Enable=') for line in lines):
        lines = ('Enable=yes', *lines)
    w.machine.write(DROP_IN, '[Baseline]\n' + '\n'.join(lines) + '\n')


def year(client, number):
    return json.loads(client.call('Calendar', number))


def test_a_year(pki):
    with World(pki) as w:
        policy(w, 'Window=22:00 UTC')
        w.start()
        got = year(w.client(NOBODY), 2026)
        assert got['restarts'] == 4 and got['restarts_monthly'] == 12 and got['year'] == 2026, got
        assert [m['month'] for m in got['months']] == ['2026.%02d' % n for n in range(1, 13)]
        assert [m['month'][5:] for m in got['months'] if m['kind'] == 'baseline'] == ['01', '04', '07', '10'], got
        july = got['months'][6]
        assert july['day'] == '2026-07-21' and july['window_begin'] == '2026-07-21T22:00:00Z', july
        assert july['window_end'] == '2026-07-22T02:00:00Z' and july['deadline'] == '2026-08-04T00:00:00Z', july
        assert got['months'][7] == {'month': '2026.08', 'kind': 'hotpatch', 'day': '2026-08-18', 'window_begin': None,
                                    'window_end': None, 'deadline': None, 'state': None, 'when': None}
        this = datetime.datetime.utcnow().year
        assert year(w.root, 0)['year'] == this
        # the years of systemd.time(7), and no others
        assert year(w.root, 2199)['months'][9]['month'] == '2199.10' and year(w.root, 1970)['year'] == 1970
        for wrong in (1969, 2200, 2**31, 2**32 - 1):
            with refused('InvalidArgs'):
                w.root.call('Calendar', wrong)


def test_what_was_done_and_missed(pki):
    with World(pki) as w:
        policy(w, 'Window=22:00 UTC')
        remember(w, ['2024.01 missed 1', '2025.04 reached %d' % seconds(2025, 4, 15, 23), '2025.07 missed %d' % seconds(2025, 7, 30),
                     '2025.10 old-kernel-returned %d' % seconds(2025, 10, 22)],
                 SINCE_USEC=seconds(2025, 3, 1) * 10**6, REACHED='2025.04', REACHED_KERNEL=RELEASE, NAME='2025.10',
                 PHASE='failed', CAUSE='old-kernel-returned', KERNEL='6.1.0-56-cloud-amd64', TEXT='Baseline 2025.10: it came back')
        w.start()
        got = year(w.root, 2025)
        states = {m['month']: (m['state'], m['when']) for m in got['months'] if m['kind'] == 'baseline'}
        assert states == {'2025.01': ('before', None), '2025.04': ('reached', '2025-04-15T23:00:00Z'),
                          '2025.07': ('missed', '2025-07-30T00:00:00Z'),
                          '2025.10': ('old-kernel-returned', '2025-10-22T00:00:00Z')}, states
        assert (got['done'], got['missed']) == (1, 1), got
        assert got['coverage'] == [{'kernel': RELEASE, 'running': True, 'baseline': '2025.04', 'until': '2025-07-29T00:00:00Z',
                                    'ended': True}], got['coverage']
        out, _ = ctl(w, 'calendar', '2025', user=NOBODY)
        for word in ('4 restarts a year instead of 12', '1 done, 1 missed', 'old-kernel-returned', 'hotpatches ended', '2025.08'):
            assert word in out, (word, out)
        shown = ctl_json(w, 'calendar', '2025')[0]
        assert {**shown, 'now': None} == {**year(w.root, 2025), 'now': None}, shown
        ctl(w, 'calendar', '12', code=2)
        ctl(w, 'calendar', '2025', '2026', code=2)


def test_a_machine_without_hotpatches_restarts_each_month(pki):
    with World(pki) as w:
        w.machine.write(DROP_IN, '[Policy]\nHotpatch=no\n')
        w.start()
        got = year(w.root, 2026)
        assert got['restarts'] == 12 and all(m['kind'] == 'baseline' for m in got['months']), got
        assert 'not allowed' in got['policy']['monthly_because'], got['policy']
        out, _ = ctl(w, 'calendar', '2026')
        assert 'one in each month: hotpatches are not allowed on this machine' in out, out
        w.machine.write(DROP_IN, '[Baseline]\nMonths=Feb\n')
        w.root.call('Reload')
        assert year(w.root, 2026)['restarts'] == 1


def test_not_planned(pki):
    """A machine on which this was merely installed: nothing is planned or missed, and each command says what plans it."""
    with World(pki) as w:
        remember(w)
        w.start()
        last = datetime.datetime.utcnow().year - 1
        got = year(w.root, last)
        assert {m['state'] for m in got['months'] if m['kind'] == 'baseline'} == {'not-planned'} and got['missed'] == 0, got
        assert not got['policy']['enabled'] and got['coverage'][0]['until'] is None and not got['coverage'][0]['ended'], got
        words = "'Enable=yes' in [Baseline]"
        for command in ('status', 'calendar', 'check'):
            out = ' '.join(ctl(w, command)[0].split())
            assert words in out and 'not planned' in out, (command, out)
        shown = ctl_json(w, 'status')[0]
        assert words in shown['baseline']['text'] and shown['level'] == 'ok', shown
        assert w.root.get(ROOT, MANAGER, 'CoveredUntil') == 0


def test_the_beginning_is_remembered(pki):
    with World(pki) as w:
        w.start()
        since = year(w.root, 0)['baseline']['since']
        assert since is not None and b'SINCE_USEC' in read(w.machine.path(STATE))
        time.sleep(1.1)  # the time is shown in seconds
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        assert year(w.root, 0)['baseline']['since'] == since


def test_a_damaged_state_is_named(pki):
    with World(pki) as w:
        w.machine.write(STATE, 'FORMAT=1\nPHASE=lost\nEND=1\n')
        w.start()
        assert w.root.get(ROOT, MANAGER, 'BaselineReached') == ''
        assert 'baseline-state' in str(w.root.get(ROOT, MANAGER, 'Findings'))
        assert 'cannot be read' in w.root.get(ROOT, MANAGER, 'BaselineText')
        assert b'PHASE=lost' in read(w.machine.path(STATE))


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
