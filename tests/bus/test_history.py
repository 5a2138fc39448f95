#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatchctl history on a journal that was made up: what it believes, what its filters leave out.

The fields that only journald can write are written by systemd-journal-remote here, as it does for the journal of
another machine; hotpatchctl reads such files with --directory.
"""

import os
import subprocess


from hotpatchtest import SOURCE, World, main, read
from test_ctl import ctl, ctl_json, ctl_terminal
from test_json import Schemas

REMOTE = '/lib/systemd/systemd-journal-remote'
BEGIN = 1795000000  # 2026-11-18T11:06:40Z


def message_id(name):
    for line in read(os.path.join(SOURCE, 'daemon/messages.h')).decode().splitlines():
        if line.startswith('#define HOTPATCH_MESSAGE_%s ' % name):
            return line.split('"')[1]
    raise AssertionError(name)


def record(number, name, text, priority=5, unit='hotpatchd.service', uid=0, **fields):
    """In the export format of journals, an hour after the one before."""
    fields = {'MESSAGE': text, 'PRIORITY': priority, 'MESSAGE_ID': message_id(name), '_SYSTEMD_UNIT': unit, '_UID': uid,
              '_BOOT_ID': '0' * 31 + '1', '_MACHINE_ID': '0' * 31 + '2', **fields}
    time = (BEGIN + 3600 * number) * 1000000
    head = ['__REALTIME_TIMESTAMP=%d' % time, '__MONOTONIC_TIMESTAMP=%d' % (number * 1000000)]
    lines = head + ['%s=%s' % (k, v) for k, values in fields.items()
                    for v in (values if isinstance(values, list) else [values])]
    return '\n'.join(lines) + '\n\n'


def journal(w):
    directory = os.path.join(w.bus.directory, 'journal')
    os.makedirs(directory)
    records = [
        record(0, 'STAGED', "Bundle 'hp-one' was staged", HOTPATCH_PATCH='hp-one'),
        record(1, 'APPLIED', "Patch 'hp-one' is in force", HOTPATCH_PATCH='hp-one', HOTPATCH_CVE=['CVE-2026-1', 'CVE-2026-2']),
        record(2, 'APPLIED', "Patch 'hp-two' is in force", HOTPATCH_PATCH='hp-two', HOTPATCH_CVE='CVE-2026-3'),
        record(3, 'TRIPPED', 'Somebody tried it', 1, HOTPATCH_PATCH='hp-one', HOTPATCH_CVE='CVE-2026-1'),
        record(4, 'FINDING', 'Good to know', 5),
        record(5, 'FINDING', 'Bad to know', 3),
        record(6, 'JOB_FAILED', 'Nothing to do', 4, HOTPATCH_PATCH='hp-two',
               HOTPATCH_ERROR_NAME='org.hotpatch.Error.AlreadyApplied', HOTPATCH_ERROR_MESSAGE='It is applied'),
        record(7, 'TRIAL_FAILED', "The trial of 'hp-two' has failed", 3, HOTPATCH_PATCH='hp-two'),
        record(8, 'REMOVED', "Patch 'hp-one' is gone", 5, unit='other.service', HOTPATCH_PATCH='hp-one'),
        record(9, 'REMOVED', "Patch 'hp-one' is gone", 5, uid=1000, HOTPATCH_PATCH='hp-one'),
        record(10, 'RESTORED', "Patch 'hp-one' is back", unit='hotpatch-restore.service', HOTPATCH_PATCH='hp-one'),
        # Read when the process was gone: journald knows the user, the process itself has named the unit.
        record(11, 'RESTORED', "Patch 'hp-two' is back", unit=[], OBJECT_SYSTEMD_UNIT='hotpatch-restore.service',
               HOTPATCH_PATCH='hp-two'),
        record(12, 'REMOVED', "Patch 'hp-two' is gone", unit=[], OBJECT_SYSTEMD_UNIT='hotpatch-restore.service', uid=1000,
               HOTPATCH_PATCH='hp-two'),
    ]
    subprocess.run([REMOTE, '-o', directory + '/made-up.journal', '-'], input=''.join(records), text=True, check=True,
                   capture_output=True)
    return directory


def test_filters(pki):
    with World(pki) as w:
        directory = journal(w)

        def history(*args):
            (records,) = ctl_json(w, 'history', '-D', directory, *args)
            Schemas().check('history', records)
            return [(r['event'], r['patch']) for r in records]
        one, two = 'hp-one', 'hp-two'
        # Others may write such fields, but not as root in these units.
        everything = [('staged', one), ('applied', one), ('applied', two), ('tripped', one), ('finding', None),
                      ('finding', None), ('unchanged', two), ('trial-failed', two), ('restored', one), ('restored', two)]
        assert history() == everything
        assert history('--patch=hp-two') == [('applied', two), ('unchanged', two), ('trial-failed', two), ('restored', two)]
        # The records that do not name it, too.
        assert history('--cve', 'CVE-2026-2') == [('staged', one), ('applied', one), ('tripped', one), ('restored', one)]
        assert history('--cve', 'CVE-2026-9') == []
        assert history('--failed') == [('tripped', one), ('finding', None), ('trial-failed', two)]
        assert history('--failed', '--patch=hp-one') == [('tripped', one)]
        assert history('-n2') == everything[-2:]
        assert history('--failed', '-n1') == [('trial-failed', two)]
        assert history('--since=2026-11-18T13:06:40Z', '--until=2026-11-18T14:06:40Z') == everything[2:4]
        assert history('--until=2026-11-18T11:06:40Z') == everything[:1]
        assert history('--since=2026-11-19') == []


def test_what_a_person_sees(pki):
    with World(pki) as w:
        directory = journal(w)
        out, _ = ctl(w, 'history', '--directory=' + directory)
        assert out.splitlines()[0].split() == ['TIME', 'EVENT', 'PATCH', 'RESULT'] and len(out.splitlines()) == 11, out
        assert 'It is applied' in out, out
        assert ctl(w, 'history', '-D', directory, '--patch=hp-none')[0] == 'Nothing of that kind is recorded.\n'
        screen, code = ctl_terminal(w, 'history', '-D', directory)
        assert code == 0 and '\033[1;31mtrial-failed' in screen and '\033[32mapplied' in screen, screen
        for line in ctl_terminal(w, 'history', '-D', directory, NO_COLOR='1')[0].splitlines():
            assert len(line) <= 80, line
        ctl(w, 'history', '--patch=NOT AN ID', code=2)
        ctl(w, 'history', '--until=tomorrowish', code=2)
        ctl(w, 'status', '--failed', code=2)
        _, err = ctl(w, 'history', '-D', '/nonexistent', code=1)
        assert '/nonexistent: There is no such directory' in err, err


if __name__ == '__main__':
    main([v for k, v in list(globals().items()) if k.startswith('test_') and callable(v)])
