#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was done behind the daemon's back is seen, named, signalled; ours is adopted, others' is left alone."""

import os
import shutil
import signal

from hotpatchtest import MANAGER, NOBODY, PATCH, ROOT, World, main, read, wait_for, write


def findings(client):
    """{kind: [patch, object, sentence, remedy]} of what is found now."""
    return {str(f[0]): [str(x) for x in f[1:]] for f in client.get(ROOT, MANAGER, 'Findings')}


def apply_one(w, **kwargs):
    w.machine.stage('hp-one', **kwargs)
    assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def note(w, module, of='hp_one'):
    write(w.machine.path('sys/module', module, 'notes/.note.hotpatch'), read(w.machine.path('fake', of + '.note')))


def livepatch(w, module):
    w.machine.write('sys/module/%s/initstate' % module, 'live\n')
    w.machine.write('sys/module/%s/refcnt' % module, '1\n')
    w.machine.write('sys/kernel/livepatch/%s/transition' % module, '0\n')
    w.machine.write('sys/kernel/livepatch/%s/enabled' % module, '1\n')


def test_a_healthy_machine_has_no_findings(pki):
    with World(pki).start() as w:
        assert findings(w.client(NOBODY)) == {}
        apply_one(w)
        assert findings(w.client(NOBODY)) == {}
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        assert findings(w.root) == {}


def test_deleted_state_is_survived_by_the_note(pki):
    """rm -rf of the state directory: what is loaded has its id from its note, can be removed, and is named."""
    with World(pki).start() as w:
        apply_one(w)
        note(w, 'hp_one')
        w.daemon.kill()
        shutil.rmtree(w.machine.path('var/lib/hotpatch'))
        w.daemon.start()
        assert w.root.patches() == {'hp-one': 'active'}
        found = findings(w.root)
        assert found['unrecorded'][:3] == ['attention', 'hp-one', 'hp_one'], found
        assert set(found) == {'unrecorded', 'killed'}, found
        path = [str(p[6]) for p in w.root.call('ListPatches')][0]
        # Nobody verified it: nothing is claimed about it.
        assert not w.root.get(path, PATCH, 'Foreign') and w.root.get(path, PATCH, 'Fixes') == []
        w.machine.stage('hp-one')
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'Conflict'), result
        assert w.root.get(path, PATCH, 'Fixes') == []
        result = w.root.finish(w.root.remove('hp-one'))
        assert result[0] == 'done', result
        assert w.machine.livepatches() == [] and w.machine.loaded() == []
        assert 'unrecorded' not in findings(w.root)
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'


def test_an_adopted_patch_satisfies_nobody(pki):
    with World(pki).start() as w:
        w.machine.bundle('hp-one')
        livepatch(w, 'hp_one')
        note(w, 'hp_one')
        w.machine.stage('hp-two', requires=['hp-one'], functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-two'))[:2] == ('failed', 'MissingRequirement')


def test_two_modules_with_one_note(pki):
    """The second is a stranger: an id has one owner."""
    with World(pki).start() as w:
        apply_one(w)
        note(w, 'hp_one')
        livepatch(w, 'copy')
        note(w, 'copy')
        assert w.root.patches() == {'hp-one': 'active', 'copy': 'active'}
        assert w.root.finish(w.root.remove('copy'))[:2] == ('failed', 'NotOurs')


def test_what_is_gone_or_disabled_is_missed(pki):
    with World(pki).start() as w:
        apply_one(w)
        w.machine.kernel.end('hp_one', 0)
        found = findings(w.root)
        assert found['not-in-force'][:3] == ['alert', 'hp-one', 'hp_one'], found
        shutil.rmtree(w.machine.path('sys/module/hp_one'))
        found = findings(w.root)
        assert set(found) == {'not-loaded'}, found
        # Applying it again is the remedy, and it is over.
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        assert findings(w.root) == {}


def test_others_are_named_and_left_alone(pki):
    with World(pki).start() as w:
        livepatch(w, 'kpatch_x')
        w.machine.write('sys/kernel/tracing/enabled_functions',
                        'hp_other (1)   I     \ttramp: 0xffffffffc0401000 (evil_handler+0x0/0x1c0) ->x\n')
        found = findings(w.client(NOBODY))
        assert found['foreign'][:3] == ['attention', 'kpatch_x', 'kpatch_x'], found
        assert found['hook'][:3] == ['attention', '', 'hp_other'] and "'evil_handler'" in found['hook'][3], found
        assert w.machine.livepatches() == ['kpatch_x']


def test_changes_are_signalled(pki):
    with World(pki).start() as w:
        assert findings(w.root) == {}
        livepatch(w, 'kpatch_x')
        w.root.patches()
        kinds = wait_for('the signal', lambda: [[str(f[0]) for f in c['Findings']] for p, i, c in w.root.properties
                                                if i == MANAGER and 'Findings' in c])
        assert kinds[-1] == ['foreign'], kinds
        w.root.properties.clear()
        w.machine.kernel.end('kpatch_x', 0)
        shutil.rmtree(w.machine.path('sys/module/kpatch_x'))
        w.root.patches()
        wait_for('the end', lambda: [c for p, i, c in w.root.properties
                                     if i == MANAGER and c.get('Findings') == []])


def test_what_was_told_is_remembered_for_this_boot(pki):
    with World(pki).start() as w:
        livepatch(w, 'kpatch_x')
        assert 'foreign' in findings(w.root)
        told = w.machine.path('run/hotpatch/findings')
        assert read(told) == b'foreign\tkpatch_x\tkpatch_x\n'
        before = os.stat(told).st_mtime_ns
        assert 'foreign' in findings(w.root)
        assert os.stat(told).st_mtime_ns == before


def test_only_a_violent_end_is_told(pki):
    with World(pki).start() as w:
        w.daemon.process.send_signal(signal.SIGTERM)
        assert w.daemon.process.wait(30) == 0
        w.daemon.start()
        assert 'killed' not in findings(w.root)
        w.daemon.kill()
        w.daemon.start()
        assert findings(w.root)['killed'][0] == 'info'


def test_a_damaged_file_is_found(pki):
    with World(pki).start() as w:
        apply_one(w)
        write(w.machine.path('var/lib/hotpatch/streams/test-hp-one'), b'nonsense')
        assert findings(w.root)['damaged'][2] == 'streams/test-hp-one'


main([f for n, f in list(globals().items()) if n.startswith('test_')])
