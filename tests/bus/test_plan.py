#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plan and Apply are one decision: whatever Plan refuses, Apply refuses with the same words, and nothing of
the kernel is touched."""

import json
import os

import dbus
from hotpatchtest import MANAGER, NO_OPTIONS, RELEASE, ROOT, World, main, notes, wait_for


def plan(w, *ids, **options):
    return json.loads(w.root.call('Plan', list(ids), dbus.Dictionary(options, signature='sv')))


def check(w, ids, name, *words, **options):
    """Plan and Apply of @ids refuse with @name, and say the same, with all of @words in it."""
    before = w.machine.loaded()
    answer = plan(w, *ids, **options)
    refusal = answer['refusal']
    assert refusal, answer
    assert refusal['name'] == 'org.hotpatch.Error.' + name, refusal
    for word in words:
        assert word in refusal['message'], (word, refusal)
    assert refusal['remedy'] and answer['steps'] == [] and not answer['changed'], answer
    result = w.root.finish(w.root.apply(*ids, **options))
    assert result == ('failed', name, refusal['message']), (result, refusal)
    assert w.machine.loaded() == before, w.machine.loaded()
    assert w.machine.leftovers() == [], w.machine.leftovers()
    return answer


def condition(answer, what):
    """The conditions whose check begins so."""
    return [c for c in answer['conditions'] if c['check'].startswith(what)]


def livepatch(w, module, *functions, enabled=1, transition=0):
    """A livepatch of somebody else's that is in force."""
    w.machine.write('sys/module/%s/initstate' % module, 'live\n')
    w.machine.write('sys/module/%s/refcnt' % module, '1\n')
    made = 'fake/foreign-' + module
    w.machine.write(made + '/enabled', '%d\n' % enabled)
    w.machine.write(made + '/transition', '%d\n' % transition)
    for f in functions:
        os.makedirs(w.machine.path(made, 'vmlinux', f + ',1'))
    os.rename(w.machine.path(made), w.machine.path('sys/kernel/livepatch', module))


def apply(w, bundle_id, *functions, **kwargs):
    """Stage and apply, and show the functions where the kernel does."""
    w.machine.stage(bundle_id, functions=[('vmlinux', f) for f in functions], **kwargs)
    result = w.root.finish(w.root.apply(bundle_id))
    assert result == ('done', '', ''), result
    for f in functions:
        os.makedirs(w.machine.path('sys/kernel/livepatch', bundle_id.replace('-', '_'), 'vmlinux', f + ',1'))


def forbid(w, patterns):
    w.machine.write('etc/hotpatch/hotpatchd.conf.d/50-forbid.conf', '[Policy]\nForbid=%s\n' % patterns)


def originals(bundle_id, source):
    module = bundle_id.replace('-', '_')
    original = {'function': 'hp_function', 'size': 1, 'sha256': '00' * 32}
    if source:
        original['source'] = source
    return [{'arch': 'x86_64', 'release': RELEASE, 'build_id': '00112233445566778899aabbccddeeff00112233',
             'member': module + '.ko', 'module': module, 'replace': False,
             'objects': [{'name': 'vmlinux', 'functions': ['hp_function'], 'originals': [original]}]}]


def test_the_machine(pki):
    with World(pki).start() as w:
        m = w.machine
        m.stage('hp-one')
        m.write('etc/hotpatch/disable', '')
        check(w, ['hp-one'], 'Disabled', '/etc/hotpatch/disable')
        os.unlink(m.path('etc/hotpatch/disable'))
        m.write('proc/sys/kernel/ftrace_enabled', '0\n')
        check(w, ['hp-one'], 'FtraceDisabled')
        m.write('proc/sys/kernel/ftrace_enabled', '1\n')
        assert plan(w, 'hp-one')['refusal'] is None


def test_a_kernel_without_reliable_stacks(pki):
    with World(pki) as w:
        w.machine.write('proc/kallsyms', 'ffffffff81000000 T hp_function\n')
        w.start()
        w.machine.stage('hp-one')
        answer = check(w, ['hp-one'], 'NoReliableStacks', RELEASE)
        (c,) = condition(answer, 'reliable-stacks')
        assert c['found'] == 'no' and not c['ok'], c


def test_functions(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-none', functions=(('vmlinux', 'hp_nowhere'),))
        check(w, ['hp-none'], 'FunctionNotFound', "'hp_nowhere' of 'vmlinux'")
        w.machine.stage('hp-one')
        w.machine.write('sys/kernel/tracing/enabled_functions',
                        'hp_function (1) R I     \ttramp: 0xffffffffc0000000 (their_handler+0x0/0x10 [theirs])'
                        '->ftrace_regs_caller+0x0/0x70\n')
        answer = check(w, ['hp-one'], 'FunctionBusy', "'their_handler [theirs]'")
        (c,) = condition(answer, 'function vmlinux:hp_function')
        assert 'redirected by their_handler [theirs]' in c['found'] and not c['ok'], c


def test_functions_that_are_several_or_out_of_reach(pki):
    with World(pki) as w:
        w.machine.write('proc/kallsyms', ''.join('ffffffff8100%04x t %s\n' % (i * 16, f) for i, f in enumerate((
            'hp_function', 'hp_function', 'hp_other', 'stack_trace_save_tsk_reliable'))))
        w.machine.write('sys/kernel/tracing/available_filter_functions', 'hp_function\n')
        w.start()
        w.machine.stage('hp-one')
        check(w, ['hp-one'], 'FunctionAmbiguous', "'hp_function' of 'vmlinux', of which this kernel has several")
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        check(w, ['hp-two'], 'FunctionNotTraceable', "'hp_other' of 'vmlinux'")


def test_modules_and_kinds(pki):
    with World(pki).start() as w:
        targets = originals('hp-driver', None)
        targets[0]['objects'] = [{'name': 'driver', 'build_id': 'aa' * 20, 'functions': ['driver_open']}]
        w.machine.stage('hp-driver', functions=(('driver', 'driver_open'),), targets=targets)
        assert plan(w, 'hp-driver')['refusal'] is None
        w.machine.write('sys/module/driver/initstate', 'live\n')
        check(w, ['hp-driver'], 'ModuleBuildIdMismatch', "'%s'" % ('aa' * 20), "'driver'", 'without a build-id')
        # held by nobody knows whom, without effect
        apply(w, 'hp-one', 'hp_function')
        os.rename(w.machine.path('sys/kernel/livepatch/hp_one'), w.machine.path('fake/held'))
        check(w, ['hp-one'], 'PinnedUntilReboot', "'hp_one'")


def test_a_transition_of_somebody_else(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.kernel.stall = True
        livepatch(w, 'theirs', 'hp_other', transition=1)
        check(w, ['hp-one'], 'TransitionInProgress', "'theirs'")
        w.machine.kernel.stall = False


def test_kinds_and_targets(pki):
    with World(pki).start() as w:
        for i, (key, value, name) in enumerate((
                ('arch', 'aarch64', 'ArchitectureMismatch'),
                ('release', '6.1.0-99-cloud-amd64', 'KernelReleaseMismatch'),
                ('build_id', 'ff' * 20, 'KernelBuildIdMismatch'))):
            bundle_id = 'hp-%d' % i
            targets = originals(bundle_id, None)
            targets[0][key] = value
            w.machine.stage(bundle_id, targets=targets)
            check(w, [bundle_id], name, value)
        w.machine.stage('hp-old', expires='2026-11-21T09:00:01Z')
        check(w, ['hp-old'], 'BundleExpired', "'hp-old'")


def test_relations(pki):
    with World(pki).start() as w:
        apply(w, 'hp-one', 'hp_function', sequence=2, stream='s')
        w.machine.stage('hp-lower', functions=(('vmlinux', 'hp_other'),), sequence=1, stream='s')
        check(w, ['hp-lower'], 'Downgrade', "'s' has reached 2")
        w.machine.stage('hp-equal', functions=(('vmlinux', 'hp_other'),), sequence=2, stream='s')
        check(w, ['hp-equal'], 'SequenceReused', "'s'")
        w.machine.stage('hp-needs', functions=(('vmlinux', 'hp_other'),), requires=['hp-nobody'])
        check(w, ['hp-needs'], 'MissingRequirement', "'hp-nobody'")
        w.machine.stage('hp-against', functions=(('vmlinux', 'hp_other'),), conflicts=['hp-one'])
        check(w, ['hp-against'], 'Conflict', "'hp-one'")
        w.machine.stage('hp-same')
        check(w, ['hp-same'], 'Conflict', "'hp_function' of 'vmlinux'", "'hp-one'")
        w.machine.stage('hp-a', functions=(('vmlinux', 'hp_other'),), requires=['hp-b'])
        w.machine.stage('hp-b', functions=(('vmlinux', 'hp_third'),), requires=['hp-a'])
        check(w, ['hp-a', 'hp-b'], 'RequirementCycle', "'hp-a'", "'hp-b'")
        w.machine.stage('hp-all', functions=(('vmlinux', 'hp_other'),), replace=True)
        check(w, ['hp-all'], 'WouldReplaceOthers', "does not supersede 'hp-one'")
        check(w, ['hp-all', 'hp-one'], 'Conflict', "also of 'hp-one' in the same transaction",
              **{'allow-replace-foreign': True})
        w.machine.stage('hp-next', functions=(('vmlinux', 'hp_other'),), supersedes=['hp-one'])
        check(w, ['hp-next', 'hp-one'], 'Conflict', "'hp-next' supersedes 'hp-one'")


def test_others_are_replaced_with_consent_only(pki):
    consent = {'allow-replace-foreign': True}
    with World(pki).start() as w:
        livepatch(w, 'kpatch_theirs', 'hp_third')
        apply(w, 'hp-one', 'hp_function')
        w.machine.stage('hp-all', functions=(('vmlinux', 'hp_other'),), replace=True)
        check(w, ['hp-all'], 'WouldReplaceOthers', "'kpatch_theirs', which is not ours", "'hp-one'")
        answer = plan(w, 'hp-all', **consent)
        assert answer['refusal'] is None, answer
        (c,) = condition(answer, 'replaces')
        assert c['note'] and "'hp-one', 'kpatch_theirs'" == c['found'], c
        dropped = {f['function']: f['patch'] for f in answer['functions'] if f['change'] == 'dropped'}
        assert dropped == {'hp_function': 'hp-one', 'hp_third': 'kpatch_theirs'}, answer
        w.machine.kernel.replacing = 'hp_all'
        assert w.root.finish(w.root.apply('hp-all', **consent)) == ('done', '', '')
        assert w.machine.livepatches() == ['hp_all'], w.machine.livepatches()
        # ours is gone, theirs is theirs
        assert w.machine.loaded() == ['hp_all', 'kpatch_theirs'], w.machine.loaded()
        assert w.root.patches() == {'hp-all': 'active', 'hp-one': 'staged'}, w.root.patches()
        assert w.machine.leftovers() == []


def test_other_vendors(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        os.makedirs(w.machine.path('run/systemd/units'))
        os.symlink('0123', w.machine.path('run/systemd/units/invocation:kpatch.service'))
        answer = plan(w, 'hp-one')
        (c,) = condition(answer, 'other-patchers')
        assert c['note'] and c['ok'] and c['found'] == 'kpatch: kpatch.service is active', c
        assert answer['refusal'] is None, answer
        w.machine.write('sys/module/kcare/initstate', 'live\n')
        check(w, ['hp-one'], 'OtherPatcherAtWork', "KernelCare", "module 'kcare' is loaded")


def test_removals_are_planned_too(pki):
    with World(pki).start() as w:
        def removal(*ids):
            return json.loads(w.root.call('PlanRemove', list(ids), NO_OPTIONS, signature='asa{sv}'))
        apply(w, 'hp-base', 'hp_function')
        apply(w, 'hp-top', 'hp_other', requires=['hp-base'])
        apply(w, 'hp-side', 'hp_third', requires=['hp-base'])
        answer = removal('hp-base')
        assert answer['type'] == 'remove' and answer['steps'] == [], answer
        assert answer['refusal']['message'] == "'hp-base' is required by the active patches 'hp-top', 'hp-side'", answer
        result = w.root.finish(w.root.remove('hp-base'))
        assert result == ('failed', 'Conflict', answer['refusal']['message']), result
        answer = removal('hp-base', 'hp-side', 'hp-top')
        assert answer['refusal'] is None and answer['changed'], answer
        assert [s['patch'] for s in answer['steps'] if s['action'] == 'disable'] == ['hp-side', 'hp-top', 'hp-base']
        assert w.root.patches() == {'hp-base': 'active', 'hp-top': 'active', 'hp-side': 'active'}
        answer = removal('hp-nobody')
        assert answer['refusal']['name'].endswith('.NoSuchPatch'), answer
        livepatch(w, 'kpatch_theirs', 'hp_fourth')
        assert removal('kpatch_theirs')['refusal']['name'].endswith('.NotOurs')


def test_what_could_spoil_the_commit_is_seen_before_the_kernel_is_touched(pki):
    with World(pki).start() as w:
        apply(w, 'hp-old', 'hp_other')
        w.machine.stage('hp-all', replace=True, supersedes=['hp-old'])
        for folder in ('admitted', 'streams'):
            spoiler = w.machine.path('var/lib/hotpatch', folder, '.#reserved-0')
            os.mkdir(spoiler)
            result = w.root.finish(w.root.apply('hp-all'))
            assert result[:2] == ('failed', 'StateUnwritable') and 'records' in result[2], result
            os.rmdir(spoiler)
            assert w.machine.loaded() == ['hp_old'], w.machine.loaded()
            assert w.machine.leftovers() == [], w.machine.leftovers()
        w.machine.kernel.replacing = 'hp_all'
        assert w.root.finish(w.root.apply('hp-all'))[0] == 'done'
        assert w.machine.loaded() == ['hp_all'] and w.machine.leftovers() == [], w.machine.leftovers()


def test_an_old_module_that_stays_is_no_failure_of_the_new_patch(pki):
    with World(pki).start() as w:
        apply(w, 'hp-old', 'hp_other')
        w.machine.stage('hp-new', supersedes=['hp-old'])
        w.machine.kernel.held = 3600
        job = w.root.apply('hp-new')
        wait_for('the end', lambda: w.root.job(job[1])['State'] == 'finished', 90)
        assert w.root.finish(job) == ('done', '', ''), w.root.finish(job)
        assert w.machine.loaded() == ['hp_new', 'hp_old'], w.machine.loaded()
        assert not os.path.exists(w.machine.path('var/lib/hotpatch/admitted/hp-old.record'))
        w.machine.kernel.held = 0


def leftover(w, module, bundle_id, refcnt=0):
    w.machine.write('sys/module/%s/initstate' % module, 'live\n')
    w.machine.write('sys/module/%s/refcnt' % module, '%d\n' % refcnt)
    if bundle_id:
        w.machine.write('sys/module/%s/notes/.note.hotpatch' % module, notes(bundle_id, 1, [('vmlinux', 'hp_other')]))


def test_what_a_crash_left_loaded_without_effect_is_unloaded(pki):
    with World(pki) as w:
        leftover(w, 'hp_left', 'hp-left')
        leftover(w, 'hp_used', 'hp-used', refcnt=1)
        leftover(w, 'hp_stays', 'hp-stays')
        w.machine.write('proc/modules', 'hp_stays 16384 0 [permanent], Live 0x0000000000000000 (OEK)\n')
        leftover(w, 'ordinary', None)
        w.start()
        wait_for('the sweep', lambda: w.machine.loaded() == ['hp_stays', 'hp_used', 'ordinary'])
        # … and by a job, which ends with a sweep
        leftover(w, 'hp_left', 'hp-left')
        apply(w, 'hp-one', 'hp_function')
        wait_for('the sweep', lambda: w.machine.loaded() == ['hp_one', 'hp_stays', 'hp_used', 'ordinary'])
        # What cannot be unloaded is told, although nobody has a record of it.
        assert sorted((str(r), str(s)) for r, s in w.root.get(ROOT, MANAGER, 'RebootRequired')) == [
            ('pinned', "Module '%s' has no effect any more but stays in memory until the restart" % module)
            for module in ('hp_stays', 'hp_used')]


def test_the_name_of_a_module(pki):
    with World(pki).start() as w:
        w.machine.write('sys/module/hp_one/initstate', 'live\n')
        w.machine.write('sys/module/hp_one/refcnt', '0\n')
        w.machine.stage('hp-one')
        check(w, ['hp-one'], 'ModuleNameInUse', "'hp_one'")


def test_signatures_of_modules(pki):
    with World(pki).start() as w:
        m = w.machine
        m.stage('hp-none')
        m.stage('hp-signed', functions=(('vmlinux', 'hp_other'),), appended='leaf')
        m.stage('hp-odd', functions=(('vmlinux', 'hp_third'),), appended=b'SIGNATURE')
        assert all(plan(w, i)['refusal'] is None for i in ('hp-none', 'hp-signed', 'hp-odd'))
        m.write('sys/module/module/parameters/sig_enforce', 'Y\n')
        m.write('proc/keys', '1f0e6a3c I------     1 perm 1f0b0000     0     0 keyring   .platform: empty\n')
        check(w, ['hp-none'], 'ModuleSignatureRequired', "'hp_none'", 'is not signed', 'module.sig_enforce')
        check(w, ['hp-signed'], 'ModuleSignatureRequired', "signed by 'Hotpatch Test ca' with the serial number",
              "none of the kernel's keyrings")
        check(w, ['hp-odd'], 'ModuleSignatureRequired', 'cannot be read')
        m.write('sys/module/module/parameters/sig_enforce', 'N\n')
        m.write('sys/kernel/security/lockdown', 'none [integrity] confidentiality\n')
        check(w, ['hp-none'], 'ModuleSignatureRequired', "lockdown is 'integrity'")
        m.write('proc/keys', '1f0e6a3c I------     1 perm 1f0b0000     0     0 keyring   .platform: 1\n'
                '2c1bb0d4 I------     1 perm 1f030000     0     0 asymmetri Hotpatch Test ca: aa: X509.rsa 01 []\n')
        (c,) = condition(plan(w, 'hp-signed'), 'signature')
        assert c['ok'] and 'which the kernel has' in c['found'], c
        assert w.root.finish(w.root.apply('hp-signed'))[0] == 'done'


def test_without_tracefs(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        os.rename(w.machine.path('sys/kernel/tracing'), w.machine.path('fake/tracing'))
        answer = check(w, ['hp-one'], 'TracingUnavailable', 'it is not mounted')
        assert [f['function'] for f in answer['functions']] == ['hp_function'], answer


def test_forbidden_by_name(pki):
    with World(pki) as w:
        forbid(w, 'nf_tables vmlinux:hp_f*')
        w.start()
        w.machine.stage('hp-one')
        answer = check(w, ['hp-one'], 'ForbiddenByPolicy', "'hp_function' of 'vmlinux'", "'vmlinux:hp_f*'")
        (c,) = condition(answer, 'policy')
        assert not c['ok'] and c['patch'] == 'hp-one', c
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert plan(w, 'hp-two')['refusal'] is None
        check(w, ['hp-two', 'hp-one'], 'ForbiddenByPolicy', "'hp-one'")


def test_forbidden_by_source(pki):
    with World(pki) as w:
        forbid(w, 'mm/')
        w.start()
        w.machine.stage('hp-mm', targets=originals('hp-mm', 'mm/mmap.c'))
        check(w, ['hp-mm'], 'ForbiddenByPolicy', "from 'mm/mmap.c'", "'mm/'")
        w.machine.stage('hp-silent', targets=originals('hp-silent', None))
        check(w, ['hp-silent'], 'ForbiddenByPolicy', 'does not say which source file')
        w.machine.stage('hp-fs', targets=originals('hp-fs', 'fs/open.c'))
        assert w.root.finish(w.root.apply('hp-fs'))[0] == 'done'


def test_an_unreadable_policy_forbids_all(pki):
    with World(pki) as w:
        forbid(w, 'mm/,fs/')
        w.start()
        w.machine.stage('hp-one')
        check(w, ['hp-one'], 'ForbiddenByPolicy', 'cannot be read')
        # the way back is open
        assert w.root.finish(w.root.remove('hp-one'))[1] == 'NotApplied'


def test_three_of_which_the_last_is_refused(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        w.machine.stage('hp-bad', functions=(('vmlinux', 'hp_nowhere'),), requires=['hp-two'])
        check(w, ['hp-bad', 'hp-one', 'hp-two'], 'FunctionNotFound', "'hp-bad'")
        assert w.root.patches() == {'hp-one': 'staged', 'hp-two': 'staged', 'hp-bad': 'staged'}


main([v for k, v in list(globals().items()) if k.startswith('test_')])
