#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was done behind the daemon's back is seen, named, signalled; ours is adopted, others' is left alone."""

import json
import os
import shutil
import signal
import struct
import threading

from hotpatchtest import (BUILD_ID, MANAGER, NOBODY, PATCH, RELEASE, ROOT, World, main, read, refused, remove_tree,
                          wait_for, write, write_attribute)


def findings(client):
    """{kind: [patch, object, sentence, remedy]} of what is found now."""
    return {str(f[0]): [str(x) for x in f[1:]] for f in client.get(ROOT, MANAGER, 'Findings')}


def apply_one(w, **kwargs):
    # Without a trial: it would read the log as well, and a pipe gives each line to one reader only.
    kwargs.setdefault('trial', {'seconds': 0})
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
        remove_tree(w.machine.path('var/lib/hotpatch'))
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


def test_applying_the_bundle_again_brings_the_record_back(pki):
    """Same note, same build-id as the verified module: nothing is unloaded, no moment is without the fix."""
    with World(pki).start() as w:
        w.machine.bundle('hp-one', module_build_id='cc' * 20)
        livepatch(w, 'hp_one')
        note(w, 'hp_one')
        build_id = w.machine.path('sys/module/hp_one/notes/.note.gnu.build-id')
        write(build_id, build_id_note('dd' * 20))
        path = w.machine.path('fake/hp-one.hpb')
        result = w.root.finish(w.root.apply_file(path))
        assert result[:2] == ('failed', 'Conflict') and 'not the one of the bundle' in result[2], result
        write(build_id, build_id_note('cc' * 20))
        before = os.stat(w.machine.path('sys/module/hp_one')).st_ino
        assert w.root.finish(w.root.apply_file(path))[0] == 'done'
        assert os.stat(w.machine.path('sys/module/hp_one')).st_ino == before
        assert findings(w.root) == {} and w.machine.leftovers() == []
        listed = [str(p[6]) for p in w.root.call('ListPatches') if str(p[0]) == 'hp-one'][0]
        assert w.root.get(listed, PATCH, 'Fixes') == ['CVE-2026-0001']
        assert audit(w.root)['patches'][0]['bundle'] == 'good'
        assert w.root.finish(w.root.apply_file(path))[:2] == ('failed', 'AlreadyApplied')


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
        remove_tree(w.machine.path('sys/module/hp_one'))
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
        remove_tree(w.machine.path('sys/module/kpatch_x'))
        w.root.patches()
        wait_for('the end', lambda: [c for p, i, c in w.root.properties
                                     if i == MANAGER and c.get('Findings') == []])


def signalled(w):
    return [str(f[0]) for p, i, c in w.root.properties if i == MANAGER for f in c.get('Findings', [])]


def test_a_hook_is_signalled(pki):
    """It makes no sound itself: whoever asks has everybody told."""
    with World(pki).start() as w:
        apply_one(w)
        w.machine.write('sys/kernel/tracing/enabled_functions',
                        'hp_other (1)   I     \ttramp: 0xffffffffc0401000 (evil_handler+0x0/0x1c0) ->x\n')
        assert 'hook' in findings(w.client(NOBODY))
        wait_for('the signal', lambda: 'hook' in signalled(w))


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


def audit(client):
    return json.loads(client.call('Audit', signature=''))


def kinds(report):
    return sorted(f['kind'] for f in report['findings'])


def build_id_note(build_id):
    data = bytes.fromhex(build_id)
    return struct.pack('<III', 4, len(data), 3) + b'GNU\0' + data + bytes(-len(data) % 4)


def admitted(w, suffix):
    d = w.machine.path('var/lib/hotpatch/admitted')
    (name,) = [n for n in os.listdir(d) if n.endswith(suffix)]
    return os.path.join(d, name)


def test_an_audit_of_a_healthy_machine(pki):
    with World(pki).start() as w:
        apply_one(w)
        os.makedirs(w.machine.path('sys/kernel/livepatch/hp_one/vmlinux/hp_function,1'))
        report = audit(w.root)
        assert not report['drift'] and report['findings'] == [], report
        (patch,) = report['patches']
        assert patch['id'] == 'hp-one' and patch['state'] == 'patched' and patch['wanted'], patch
        assert patch['bundle'] == 'good' and patch['functions'] == 1, patch
        assert patch['objects'] == [{'name': 'vmlinux', 'state': 'patched'}], patch
        # The admitted and the staged one.
        assert report['checked']['bundles'] == 2 and report['checked']['bytes'] > 1000, report
        # This machine's journal is not about the made-up kernel.
        assert not report['checked']['journal'] and patch['last_event'] is None, report


def test_who_may_audit(pki):
    """It makes root read the store: without polkit only root may; findings are everybody's."""
    with World(pki).start() as w:
        with refused('AuthorizationUnavailable'):
            audit(w.client(NOBODY))
    with World(pki, polkit='allow').start() as w:
        assert not audit(w.client(NOBODY))['drift']
        assert [c['action'] for c in w.polkit.log()][-1] == 'org.hotpatch.hotpatch1.verify', w.polkit.log()


def test_a_changed_byte_in_the_store_is_found_without_asking(pki):
    """A start of the daemon reads the store in the background."""
    with World(pki).start() as w:
        apply_one(w)
        path = admitted(w, '.hpb')
        data = bytearray(read(path))
        data[-3000] ^= 1
        w.daemon.kill()
        write(path, bytes(data), 0o600)
        w.root.properties.clear()
        w.daemon.start()
        wait_for('the signal', lambda: {'altered', 'bundle-changed'} & set(signalled(w)))


def test_a_changed_byte_in_the_store_is_found(pki):
    with World(pki).start() as w:
        apply_one(w)
        assert audit(w.root)['patches'][0]['bundle'] == 'good'
        path = admitted(w, '.hpb')
        data = bytearray(read(path))
        data[-3000] ^= 1
        write(path, bytes(data), 0o600)
        report = audit(w.root)
        assert report['drift'] and kinds(report) == ['altered', 'bundle-changed'] or \
            kinds(report) == ['bundle-changed'], report
        assert report['patches'][0]['bundle'] == 'changed', report
        # It joins what everybody sees.
        assert findings(w.client(NOBODY))['bundle-changed'][:2] == ['alert', 'hp-one']
        os.unlink(path)
        report = audit(w.root)
        assert kinds(report) == ['bundle-missing'] and report['patches'][0]['bundle'] == 'missing', report


def test_a_staged_file_that_is_no_good_is_found(pki):
    with World(pki).start() as w:
        spool = w.machine.stage('hp-one')
        shutil.copy(spool, w.machine.path('var/lib/hotpatch/spool/hp-two.hpb'))
        write(spool, read(spool)[:-1024])
        report = audit(w.root)
        assert [(f['kind'], f['patch']) for f in report['findings']] == \
            [('staged-refused', 'hp-one'), ('staged-refused', 'hp-two')], report
        assert "holds the bundle 'hp-one'" in report['findings'][1]['message'], report


def test_a_withdrawn_signer_is_found(pki):
    """The anchor is gone from the machine: what was admitted under it would be refused at the next start."""
    with World(pki).start() as w:
        apply_one(w)
        os.unlink(w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        os.unlink(w.machine.path('etc/hotpatch/trust.d/test.pem'))
        report = audit(w.root)
        assert kinds(report) == ['bundle-refused'] and report['patches'][0]['bundle'] == 'refused', report


def test_other_functions_than_signed_are_found(pki):
    with World(pki).start() as w:
        apply_one(w)
        for f in ('hp_function,1', 'hp_secret,1'):
            os.makedirs(w.machine.path('sys/kernel/livepatch/hp_one/vmlinux', f))
        report = audit(w.root)
        assert kinds(report) == ['altered'] and report['findings'][0]['object'] == 'hp_secret', report


def test_a_hook_in_the_way_of_a_wanted_patch(pki):
    with World(pki).start() as w:
        apply_one(w)
        w.machine.kernel.end('hp_one', 0)
        remove_tree(w.machine.path('sys/module/hp_one'))
        w.machine.write('sys/kernel/tracing/enabled_functions',
                        'hp_function (1)   I     \ttramp: 0xffffffffc0401000 (evil_handler+0x0/0x1c0) ->x\n')
        report = audit(w.root)
        assert kinds(report) == ['hook-in-the-way', 'not-loaded'], report
        assert findings(w.root)['hook-in-the-way'][1:3] == ['hp-one', 'hp_function']


def driver(w, build_id):
    """A module file on disk, as depmod lists it."""
    d = w.machine.path('lib/modules', RELEASE)
    os.makedirs(os.path.join(d, 'kernel'), exist_ok=True)
    write(os.path.join(d, 'drv.S'), '.section .modinfo,"a"\n.asciz "name=drv"\n.asciz "vermagic=%s "\n'
          '.section .note.gnu.build-id,"a",@note\n.incbin "%s/drv.note"\n'
          '.section .gnu.linkonce.this_module,"aw"\n.globl __this_module\n__this_module: .zero 24\n'
          '.asciz "drv"\n.zero 1024\n.text\n.globl init_module\ninit_module: ret\n' % (RELEASE, d))
    write(os.path.join(d, 'drv.note'), build_id_note(build_id))
    assert os.system("cd '%s' && cc -c drv.S -o kernel/drv.ko" % d) == 0
    # As depmod does it: in one step.
    write(os.path.join(d, 'modules.dep.tmp'), 'kernel/drv.ko:\n')
    os.rename(os.path.join(d, 'modules.dep.tmp'), os.path.join(d, 'modules.dep'))


def test_driver_updates_are_found_without_asking(pki):
    """inotify on the folder of modules.dep wakes the daemon; the file is another build than the patch was made for."""
    with World(pki).start() as w:
        driver(w, 'aa' * 20)
        apply_one(w, targets=[{'arch': 'x86_64', 'release': RELEASE, 'build_id': BUILD_ID, 'member': 'hp_one.ko',
                               'module': 'hp_one', 'replace': False, 'objects': [
                                   {'name': 'drv', 'build_id': 'aa' * 20, 'functions': ['drv_function']}]}],
                  functions=(('drv', 'drv_function'),))
        os.makedirs(w.machine.path('sys/kernel/livepatch/hp_one/drv/drv_function,1'))
        write(w.machine.path('sys/kernel/livepatch/hp_one/drv/patched'), '0\n')
        path = [str(p[6]) for p in w.root.call('ListPatches')][0]
        assert w.root.get(path, PATCH, 'Objects') == [('drv', 'waiting')]
        description = json.loads(w.root.call('Describe', 'hp-one'))
        assert description['objects'] == [{'name': 'drv', 'functions': ['drv_function'], 'state': 'waiting'}]
        assert not audit(w.root)['drift']
        w.root.properties.clear()
        driver(w, 'bb' * 20)
        wait_for('the finding', lambda: [1 for p, i, c in w.root.properties if i == MANAGER and
                                         any(f[0] == 'driver-update' for f in c.get('Findings', []))])
        assert findings(w.root)['driver-update'][:3] == ['attention', 'hp-one', 'drv']
        # It is loaded all the same, and the kernel did not notice.
        w.machine.write('sys/module/drv/initstate', 'live\n')
        write(w.machine.path('sys/module/drv/notes/.note.gnu.build-id'), build_id_note('bb' * 20))
        assert findings(w.root)['target-unpatched'][1:3] == ['hp-one', 'drv']
        write_attribute(w.machine.path('sys/kernel/livepatch/hp_one/drv/patched'), '1\n')
        w.root.patches()
        assert w.root.get(path, PATCH, 'Objects') == [('drv', 'patched')]
        assert kinds(audit(w.root)) == ['driver-update', 'target-mismatch']


class Log:
    """The kernel log, from its first record on."""

    def __init__(self, w):
        w.machine.open_log()
        w.machine.log_sequence = 0
        self.machine = w.machine

    def say(self, text, facility=0):
        self.machine.say(text, priority=facility * 8 + 4)


def test_the_kernel_log_wakes_the_daemon(pki):
    """Nobody asks: the patch is disabled by hand, a module is refused, and both are signalled."""
    with World(pki) as w:
        log = Log(w)
        w.start()
        apply_one(w)
        log.say("livepatch: 'hp_one': patching complete")
        w.root.properties.clear()
        log.say("livepatch: patch 'hp_one' failed for module 'drv', refusing to load module 'drv'")
        wait_for('the refusal', lambda: [1 for p, i, c in w.root.properties if i == MANAGER and
                                         any(f[0] == 'target-refused' for f in c.get('Findings', []))])
        assert findings(w.root)['target-refused'][1:3] == ['hp-one', 'drv']
        # It survives a restart of the daemon, and is not told twice.
        w.daemon.process.send_signal(signal.SIGTERM)
        assert w.daemon.process.wait(30) == 0
        assert read(w.machine.path('run/hotpatch/kernel-log')) == b'3\n'
        w.daemon.start()
        assert findings(w.root)['target-refused'][1:3] == ['hp-one', 'drv']
        # In the end the module was loaded.
        w.machine.write('sys/module/drv/initstate', 'live\n')
        assert 'target-refused' not in findings(w.root)
        assert read(w.machine.path('run/hotpatch/refused')) == b''
        w.root.properties.clear()
        w.machine.kernel.end('hp_one', 0)
        log.say("livepatch: 'hp_one': unpatching complete")
        wait_for('the drift', lambda: [1 for p, i, c in w.root.properties if i == MANAGER and
                                       any(f[0] == 'not-in-force' for f in c.get('Findings', []))])


def test_only_the_kernel_is_believed(pki):
    with World(pki) as w:
        log = Log(w)
        w.start()
        apply_one(w)
        log.say("livepatch: patch 'hp_one' failed for module 'drv', refusing to load module 'drv'", facility=1)
        log.say("livepatch: something")
        wait_for('the log', lambda: os.path.exists(w.machine.path('run/hotpatch/kernel-log')) and
                 read(w.machine.path('run/hotpatch/kernel-log')) == b'3\n')
        assert findings(w.root) == {}


def hits(w):
    """Collect TripwireHit."""
    seen = []
    w.root.connection.add_signal_receiver(
        lambda i, fixes, count: seen.append((str(i), [str(f) for f in fixes], int(count))), 'TripwireHit', MANAGER)
    return seen


def trip(w, count, name='CVE-2026-0001'):
    w.machine.write('sys/module/hp_one/hotpatch/tripwires', '%s %d\nCVE-2026-0002 0\n' % (name, count))


def noted(w, count):
    path = w.machine.path('run/hotpatch/tripwires/hp_one')
    wait_for('the note', lambda: os.path.exists(path) and b' %d\n' % count in read(path))


def trip_twice(w):
    """hp-one is in force and was hit two times. Return: the hits that are told."""
    apply_one(w)
    seen = hits(w)
    trip(w, 2)
    w.root.patches()
    wait_for('the signal', lambda: seen)
    return seen


def test_a_tripwire_is_told_with_its_name_and_count(pki):
    with World(pki).start() as w:
        seen = trip_twice(w)
        assert seen == [('hp-one', ['CVE-2026-0001'], 2)], seen
        # Asking again tells nothing again.
        w.root.patches()
        trip(w, 3)
        w.root.patches()
        wait_for('the second', lambda: len(seen) == 2)
        assert seen[1] == ('hp-one', ['CVE-2026-0001'], 3), seen


def test_a_flood_of_hits_is_a_few_messages(pki):
    with World(pki).start() as w:
        apply_one(w)
        seen = hits(w)
        for count in range(1, 31):
            trip(w, count)
            w.root.patches()
        wait_for('all of them', lambda: w.root.get([str(p[6]) for p in w.root.call('ListPatches')][0], PATCH,
                                                   'Tripped') == 30)
        assert 1 <= len(seen) <= 5, seen


def test_hits_while_the_daemon_is_away_are_told_at_its_start(pki):
    with World(pki).start() as w:
        seen = trip_twice(w)
        noted(w, 2)
        w.daemon.kill()
        trip(w, 7)
        w.daemon.start()
        wait_for('the rest', lambda: len(seen) == 2)
        assert seen[1] == ('hp-one', ['CVE-2026-0001'], 7), seen
        # First the signal, then the note that it was sent: rather twice than never.
        noted(w, 7)
        # And what was told is not told again.
        w.daemon.kill()
        w.daemon.start()
        w.root.patches()
        w.root.patches()
        assert len(seen) == 2, seen


def test_a_watched_patch_keeps_the_daemon(pki):
    with World(pki) as w:
        w.machine.configure(idle='1s')
        w.start()
        apply_one(w)
        try:
            wait_for('nothing', lambda: w.daemon.process.poll() is not None, 6)
            raise RuntimeError('it left')
        except AssertionError:
            pass
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        wait_for('the end', lambda: w.daemon.process.poll() is not None)


def test_an_audit_waits_for_a_running_job(pki):
    """While it works on the kernel, kernel and records disagree on purpose."""
    with World(pki).start() as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('the transition', lambda: w.root.job(job[1])['State'] == 'transition')
        note(w, 'hp_one')
        os.makedirs(w.machine.kernel.path('hp_one', 'vmlinux/hp_function,1'))
        threading.Timer(1, setattr, (w.machine.kernel, 'stall', False)).start()
        report = audit(w.root)
        assert kinds(report) == [], report['findings']
        assert report['patches'][0]['wanted'], report


main([f for n, f in list(globals().items()) if n.startswith('test_')])
