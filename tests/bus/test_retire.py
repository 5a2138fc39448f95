#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A baseline is reached under a new kernel: which hotpatches it retires, which stay, and which are kept.

The state of the baseline and the new kernel are played; hotpatch-restore and hotpatchd are the real ones.
"""

import os
import tempfile

from hotpatchtest import MANAGER, NO_OPTIONS, RELEASE, ROOT, Pki, World, main, read, remove_tree, wait_for, write
from test_baseline import Runs, baseline_bundle
from test_baseline import stage as stage_bundle
from test_calendar import STATE, policy, remember
from test_ctl import ctl, ctl_json
from test_restore import applied, patch, power_off, reboot, restore

NEW = '6.1.0-56-cloud-amd64'


def functions(n):
    return (('vmlinux', ('hp_function', 'hp_other', 'hp_third', 'hp_fourth')[n]),)


def listen(w):
    """What BaselineSettled says."""
    heard = []
    w.root.connection.add_signal_receiver(lambda *args: heard.append([str(args[0])] + [sorted(map(str, a)) for a in args[1:]]),
                                          'BaselineSettled', MANAGER)
    return heard


def new_kernel(w, release=NEW, **values):
    """The machine restarts into the kernel that baseline 2026.10 has promised; it is reached when that had its trial."""
    power_off(w, True)
    w.machine.write('proc/sys/kernel/osrelease', release + '\n')
    policy(w, 'Months=1 4 7 10')
    remember(w, **{'NAME': '2026.10', 'PHASE': 'verifying', 'BOOT_ID': '0' * 31 + '1', 'CLEAN': 1, **values})
    status, said = restore(w)
    assert status == 0, said
    w.daemon.start()
    w.root = w.client()


def reached(w):
    return w.root.get(ROOT, MANAGER, 'BaselineState') == 'reached'


def stage(w, *bundles):
    for n, (i, extra) in enumerate(bundles):
        w.machine.stage(i, functions=functions(n), **extra)
        result = w.root.finish(w.root.apply(i))
        assert result[0] == 'done', result


def test_contained_fitting_and_kept(pki):
    with World(pki).start() as w:
        stage(w, ('hp-old', {'baseline': '2026.07'}), ('hp-fits', {'baseline': '2026.07', 'releases': (RELEASE, NEW)}),
              ('hp-own', {}))
        new_kernel(w)
        wait_for('the end', lambda: reached(w))
        assert w.root.patches() == {'hp-old': 'staged', 'hp-fits': 'active', 'hp-own': 'staged'}, w.root.patches()
        old, fits, own = (patch(w, i) for i in ('hp-old', 'hp-fits', 'hp-own'))
        assert not old['Wanted'] and old['RetiredBy'] == '2026.10' and old['RestoreResult'] == '', old
        assert fits['Wanted'] and fits['RetiredBy'] == '' and fits['RestoreResult'] == 'restored', fits
        assert own['Wanted'] and own['RetiredBy'] == '' and own['RestoreResult'] == 'other-kernel', own
        assert b'RETIRED=2026.10 hp-old\n' in read(w.machine.path(STATE)), read(w.machine.path(STATE))
        out = ' '.join(ctl(w, 'status')[0].split())
        assert 'hp-old: staged' in out and 'retired by baseline 2026.10' in out, out
        assert 'Kept for another kernel, not in force here: hp-own' in out and 'hp-old' not in out.split('Kernel')[0], out
        shown = {p['id']: p['retired_by'] for p in ctl_json(w, 'list')[0]}
        assert shown == {'hp-old': '2026.10', 'hp-fits': None, 'hp-own': None}, shown
        # It stays so, and nothing of it comes back with the next start.
        reboot(w)
        assert w.root.patches() == {'hp-old': 'staged', 'hp-fits': 'active', 'hp-own': 'staged'}, w.root.patches()
        assert patch(w, 'hp-old')['RetiredBy'] == '2026.10'
        # The older kernel again, by hand: it can be applied, and then is wanted.
        power_off(w, True)
        w.machine.write('proc/sys/kernel/osrelease', RELEASE + '\n')
        assert restore(w)[0] == 0
        w.daemon.start()
        w.root = w.client()
        assert w.root.patches() == {'hp-old': 'staged', 'hp-fits': 'active', 'hp-own': 'active'}, w.root.patches()
        assert w.root.finish(w.root.apply('hp-old'))[0] == 'done' and patch(w, 'hp-old')['RetiredBy'] == ''


def test_it_is_told(pki):
    """A person installs what needs no restart, and the daemon runs when the baseline is reached."""
    with World(pki).start() as w:
        stage(w, ('hp-old', {'baseline': '2020.01'}), ('hp-fits', {'releases': (RELEASE, NEW)}), ('hp-own', {}))
        new_kernel(w, PHASE='idle')
        w.add(Runs(w, 'echo \'{"type":"done","restart":false}\'\n'))
        heard = listen(w)
        assert w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}').result()
        wait_for('the end', lambda: reached(w))
        name = w.root.get(ROOT, MANAGER, 'BaselineReached')
        wait_for('the signal', lambda: heard)
        assert heard == [[name, ['hp-old'], ['hp-fits'], ['hp-own']]], heard
        assert patch(w, 'hp-old')['RetiredBy'] == name


def test_made_for_this_baseline_or_a_later_one(pki):
    with World(pki).start() as w:
        stage(w, ('hp-now', {'baseline': '2026.10'}), ('hp-later', {'baseline': '2027.01'}))
        new_kernel(w)
        wait_for('the end', lambda: reached(w))
        assert patch(w, 'hp-now')['Wanted'] and patch(w, 'hp-later')['Wanted']
        assert b'RETIRED' not in read(w.machine.path(STATE))


def says_so(pki, **extra):
    """A signed baseline that names what it contains: also what does not say for which baseline it was made."""
    return baseline_bundle(pki, supersedes=['hp-own', 'hp-now', 'hp-fits', 'hp-nobody'], **extra)


def test_the_baseline_says_so_itself(pki):
    with World(pki).start() as w:
        stage(w, ('hp-own', {}), ('hp-now', {'baseline': '2026.10'}), ('hp-fits', {'releases': (RELEASE, NEW)}))
        stage_bundle(w, says_so(pki))
        new_kernel(w, BUNDLE='base-2026-10')
        wait_for('the end', lambda: reached(w))
        own, now, fits = (patch(w, i) for i in ('hp-own', 'hp-now', 'hp-fits'))
        assert not own['Wanted'] and own['RetiredBy'] == '2026.10', own
        assert not now['Wanted'] and now['RetiredBy'] == '2026.10', now
        # What runs in the new kernel is nobody's trouble.
        assert fits['State'] == 'active' and fits['Wanted'] and fits['RetiredBy'] == '', fits


def test_it_says_so_where_nobody_looked(pki):
    with applied(pki, 'hp-own') as w:
        stage_bundle(w, says_so(pki))
        w.machine.write('etc/hotpatch/disable', '')
        new_kernel(w, BUNDLE='base-2026-10')
        wait_for('the end', lambda: reached(w))
        assert not patch(w, 'hp-own')['Wanted']


def test_a_baseline_that_says_nothing_any_more(pki):
    """It was replaced, or is gone, or is not this one's: one patch too many is kept."""
    folder = tempfile.mkdtemp(prefix='hotpatch-pki-')
    stranger = Pki(folder)
    try:
        cases = {'gone': None, 'damaged': b'no bundle at all', 'of a stranger': says_so(stranger),
                 'another one': baseline_bundle(pki, 'base-2026-07', supersedes=['hp-own']), 'silent': baseline_bundle(pki)}
        for case, bundle in cases.items():
            with applied(pki, 'hp-own') as w:
                if bundle:
                    write(w.machine.path('var/lib/hotpatch/spool/base-2026-10.hpb'), bundle)
                new_kernel(w, BUNDLE='base-2026-10')
                wait_for('the end', lambda w=w: reached(w))
                assert patch(w, 'hp-own')['Wanted'], case
    finally:
        remove_tree(folder)


def test_an_older_kernel_contains_nothing(pki):
    with applied(pki, 'hp-old', baseline='2026.07') as w:
        new_kernel(w, '6.1.0-49-cloud-amd64')
        wait_for('the end', lambda: reached(w))
        assert patch(w, 'hp-old')['Wanted']


def test_nothing_new(pki):
    """The baseline brought no kernel: what is in force stays."""
    with applied(pki, 'hp-old', baseline='2026.07') as w:
        new_kernel(w, RELEASE)
        wait_for('the end', lambda: reached(w))
        assert w.root.patches() == {'hp-old': 'active'} and patch(w, 'hp-old')['Wanted']


def test_nobody_looked(pki):
    """Restoring was switched off: nobody knows whether it fits."""
    with applied(pki, 'hp-old', baseline='2026.07') as w:
        w.machine.write('etc/hotpatch/disable', '')
        new_kernel(w)
        wait_for('the end', lambda: reached(w))
        assert patch(w, 'hp-old')['Wanted']


def test_a_bundle_that_is_lost(pki):
    """There is nothing to stage again; it is not wanted all the same."""
    with applied(pki, 'hp-old', baseline='2026.07') as w:
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-old.hpb'))
        admitted = w.machine.path('var/lib/hotpatch/admitted')
        for name in os.listdir(admitted):
            if name.endswith('.hpb'):
                os.unlink(os.path.join(admitted, name))
        new_kernel(w)
        wait_for('the end', lambda: reached(w))
        assert os.listdir(admitted) == [] and w.root.patches() == {}, w.root.patches()


def test_interrupted(pki):
    """It was on disk what retires, and the machine went down: the same is done again."""
    with applied(pki, 'hp-old', baseline='2026.07') as w:
        new_kernel(w, RETIRED='2026.10 hp-old')
        wait_for('the end', lambda: reached(w))
        assert not patch(w, 'hp-old')['Wanted'] and patch(w, 'hp-old')['RetiredBy'] == '2026.10'
        assert read(w.machine.path(STATE)).count(b'RETIRED=') == 1


if __name__ == '__main__':
    main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
