#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What everybody may ask: properties, lists, descriptions, plans; with polkit absent."""

import json
import os

from hotpatchtest import (BUILD_ID, ERROR, MANAGER, NAME, NO_OPTIONS, NOBODY, OBJECTS, PATCH, PROPERTIES, RELEASE,
                          ROOT, World, main, read, refused, wait_for, write)


def test_properties_tell_which_kernel_runs(pki):
    with World(pki).start() as w:
        c = w.client(NOBODY)
        got = c.call('GetAll', MANAGER, interface=PROPERTIES, signature='s')
        assert got['KernelRelease'] == RELEASE, got
        assert got['KernelBuildId'] == BUILD_ID, got
        assert got['Architecture'] == 'x86_64', got
        assert got['Lockdown'] == 'none' and not got['ModuleSignatureRequired'], got
        assert got['LivepatchSupported'] and got['Disabled'] == '', got
        w.machine.write('etc/hotpatch/disable', '')
        assert '/etc/hotpatch/disable' in c.get(ROOT, MANAGER, 'Disabled')


def test_an_empty_machine_lists_nothing(pki):
    with World(pki).start() as w:
        c = w.client(NOBODY)
        assert c.call('ListPatches') == [] and c.call('ListJobs') == []
        with refused('NoSuchPatch'):
            c.call('Describe', 'nothing')
        with refused('NoSuchPatch'):
            c.call('Describe', 'x' * 100000)


def test_staged_bundles_are_listed_and_described(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        (listed,) = c.call('ListPatches')
        assert [str(x) for x in listed[:5]] == ['hp-one', 'Title of hp-one', 'important', 'staged', 'hp_one'], listed
        path = str(listed[6])
        got = c.call('GetAll', PATCH, interface=PROPERTIES, path=path, signature='s')
        assert got['Id'] == 'hp-one' and got['Fixes'] == ['CVE-2026-0001'] and got['Sequence'] == 1, got
        assert not got['Foreign'] and got['AppliedUSec'] == 0 and got['Tripped'] == 0, got
        description = json.loads(c.call('Describe', 'hp-one'))
        assert description['id'] == 'hp-one' and description['state'] == 'staged', description
        objects = c.call('GetManagedObjects', interface=OBJECTS, signature='')
        assert path in objects and PATCH in objects[path], objects


def test_a_broken_file_in_the_spool_is_listed_without_a_title(pki):
    with World(pki).start() as w:
        spool = w.machine.stage('hp-one')
        write(spool, b'no bundle at all')
        c = w.client(NOBODY)
        (listed,) = c.call('ListPatches')
        assert str(listed[0]) == 'hp-one' and str(listed[1]) == '', listed
        plan = None
        with refused('NotABundle', 'BundleTruncated'):
            plan = c.call('Plan', ['hp-one'], NO_OPTIONS)
        assert plan is None


def test_what_happens_in_the_spool_is_seen_by_the_next_call(pki):
    with World(pki).start() as w:
        c = w.client(NOBODY)

        def listed():
            return [(str(p[0]), str(p[1])) for p in c.call('ListPatches')]
        spool = w.machine.stage('hp-one')
        good = read(spool)
        for _ in range(2):
            assert listed() == [('hp-one', 'Title of hp-one')], listed()
        with open(spool, 'r+b') as f:  # in its place, and of the same size
            f.write(bytes(100))
        assert listed() == [('hp-one', '')], listed()
        write(spool + '.new', good)
        os.rename(spool + '.new', spool)
        assert listed() == [('hp-one', 'Title of hp-one')], listed()
        w.machine.stage('hp-two')
        assert listed() == [('hp-one', 'Title of hp-one'), ('hp-two', 'Title of hp-two')], listed()
        os.unlink(spool)
        assert listed() == [('hp-two', 'Title of hp-two')], listed()
        # What is applied is not listed as staged, and is again when it is removed.
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        assert [str(p[3]) for p in c.call('ListPatches')] == ['active']
        assert w.root.finish(w.root.remove('hp-two'))[0] == 'done'
        assert [str(p[3]) for p in c.call('ListPatches')] == ['staged']
        assert listed() == [('hp-two', 'Title of hp-two')], listed()


def test_foreign_patches_are_shown_and_never_touched(pki):
    with World(pki).start() as w:
        w.machine.write('sys/module/kpatch_x/initstate', 'live\n')
        w.machine.write('sys/module/kpatch_x/refcnt', '1\n')
        w.machine.write('sys/kernel/livepatch/kpatch_x/transition', '0\n')
        w.machine.write('sys/kernel/livepatch/kpatch_x/enabled', '1\n')
        wait_for('the patch', lambda: w.root.patches().get('kpatch_x') == 'active')
        path = [str(p[6]) for p in w.root.call('ListPatches')][0]
        assert w.root.get(path, PATCH, 'Foreign')
        job = w.root.remove('kpatch_x')
        assert w.root.finish(job)[:2] == ('failed', 'NotOurs'), w.root.removed
        assert w.machine.livepatches() == ['kpatch_x']


def test_plan_is_open_to_everybody_and_touches_nothing(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        plan = json.loads(c.call('Plan', ['hp-one'], NO_OPTIONS))
        assert [s['action'] for s in plan['steps']] == ['insert', 'transition', 'commit'], plan
        assert w.machine.loaded() == [] and w.machine.leftovers() == []
        with refused('NoSuchBundle'):
            c.call('Plan', ['hp-two'], NO_OPTIONS)


def test_a_refusal_is_part_of_a_plan(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one', functions=(('vmlinux', 'no_such_function'),))
        plan = json.loads(w.client(NOBODY).call('Plan', ['hp-one'], NO_OPTIONS))
        assert plan['refusal']['name'] == ERROR + 'FunctionNotFound', plan
        assert not plan['steps'], plan


def test_bad_arguments_are_refused(pki):
    with World(pki).start() as w:
        c = w.client(NOBODY)
        import dbus
        for ids in ([], ['../etc'], ['A'], ['x' * 65], ['a', 'a'], ['n%d' % i for i in range(17)], ['']):
            with refused('InvalidArgs'):
                c.call('Plan', dbus.Array(ids, signature='s'), NO_OPTIONS)
        with refused('InvalidArgs'):
            c.call('Plan', ['hp-one'], dbus.Dictionary({'force': True}, signature='sv'))
        with refused('InvalidArgs'):
            c.call('Plan', ['hp-one'], dbus.Dictionary({'allow-downgrade': 'yes'}, signature='sv'))


def test_the_bus_policy_allows_only_the_listed_members(pki):
    with World(pki).start() as w:
        c = w.client(NOBODY)
        with refused('AccessDenied'):
            c.call('Reboot', signature='')
        with refused('AccessDenied'):
            c.call('Set', MANAGER, 'Version', 'x', interface=PROPERTIES, signature='sss')
        with refused('AccessDenied'):
            c.connection.request_name(NAME + 'x')


main([f for n, f in list(globals().items()) if n.startswith('test_')])
