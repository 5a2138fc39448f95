#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the fleet and scanners see: the published files, metrics, VEX."""

import json
import os
import shutil
import stat
import subprocess
import time

import jsonschema
from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics

from hotpatchtest import (BUILD, BUILD_ID, MANAGER, NAME, NOBODY, PATIENCE, RELEASE, SOURCE, World, main, read, wait_for,
                          write)

CTL = os.path.join(BUILD, 'ctl/hotpatchctl')
BOOT = read('/proc/sys/kernel/random/boot_id').decode().strip()


def ctl(w, *args, code=0, user=None):
    """Run hotpatchctl. Return: stdout, stderr; the exit code must be @code."""
    identity = {} if user is None else {'user': user, 'group': user, 'extra_groups': []}
    environment = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address, 'LC_ALL': 'C.UTF-8'}
    done = subprocess.run([CTL, *args], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, cwd='/', **identity)
    assert done.returncode == code, (args, done.returncode, code, done.stdout, done.stderr)
    return done.stdout, done.stderr


def fixed(w):
    """Lines of fixed-cves behind the first; None: it is not there."""
    try:
        first, *rest = read(w.machine.path('run/hotpatch/fixed-cves')).decode().splitlines()
    except FileNotFoundError:
        return None
    assert first == '# kernel %s boot %s' % (RELEASE, BOOT), first
    return rest


def status(w):
    try:
        return json.loads(read(w.machine.path('run/hotpatch/status.json')))
    except FileNotFoundError:
        return None


def fixes(*ids):
    return [{'id': i, 'severity': 'important', 'summary': 'A hole'} for i in ids]


def apply(client, *ids):
    result = client.finish(client.apply(*ids))
    assert result[0] == 'done', result


def test_the_files_say_what_is_in_force(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        assert fixed(w) == [] and status(w)['patches'] == []
        w.machine.stage('hp-one', fixes=fixes('CVE-2026-0002', 'CVE-2026-0001', 'GHSA-xxxx'))
        w.machine.stage('hp-two', fixes=fixes('CVE-2026-0002', 'CVE-2026-12345'), functions=(('vmlinux', 'hp_other'),))
        assert 'hp-one' in client.patches() and fixed(w) == []
        apply(client, 'hp-one')
        wait_for('one', lambda: fixed(w) == ['CVE-2026-0001', 'CVE-2026-0002'])
        apply(client, 'hp-two')
        wait_for('two', lambda: fixed(w) == ['CVE-2026-0001', 'CVE-2026-0002', 'CVE-2026-12345'])
        s = wait_for('both', lambda: len(status(w)['patches']) == 2 and status(w))
        assert s['kernel']['release'] == RELEASE and s['boot_id'] == BOOT and s['changed'], s
        assert s['fixed'] == ['CVE-2026-0001', 'CVE-2026-0002', 'CVE-2026-12345', 'GHSA-xxxx'], s
        one = s['patches'][0]
        assert one['id'] == 'hp-one' and one['trial'] and one['trial_until'] and one['module'] == 'hp_one', one
        assert one['fixes'] == ['CVE-2026-0002', 'CVE-2026-0001', 'GHSA-xxxx'] and one['applied'], one
        assert json.loads(client.call('GetStatus')) == s
        assert client.finish(client.remove('hp-one'))[0] == 'done'
        wait_for('one less', lambda: fixed(w) == ['CVE-2026-0002', 'CVE-2026-12345'])


def test_everybody_may_read_them_and_nothing_else(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'])
        run = w.machine.path('run/hotpatch')
        assert stat.S_IMODE(os.stat(run).st_mode) == 0o711
        for name in ('status.json', 'fixed-cves'):
            assert stat.S_IMODE(os.stat(os.path.join(run, name)).st_mode) == 0o644, name
        # One of the two may just be made anew, under a name of its own.
        for name in {n for n in os.listdir(run) if not n.startswith('.#')} - {'status.json', 'fixed-cves'}:
            assert not stat.S_IMODE(os.stat(os.path.join(run, name)).st_mode) & 0o077, name


def test_a_patch_that_is_not_wholly_in_force_is_not_named(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        w.machine.stage('hp-one')
        w.machine.kernel.stall = True
        job = client.apply('hp-one')
        wait_for('the transition', lambda: client.patches()['hp-one'] == 'transition')
        assert fixed(w) == [] and status(w)['patches'] == []
        w.machine.kernel.stall = False
        w.machine.kernel.known['hp_one'][2] = True
        assert client.finish(job)[0] == 'done'
        wait_for('it', lambda: fixed(w) == ['CVE-2026-0001'])
        # Somebody disables it behind our back: as soon as anybody looks.
        write(w.machine.path('sys/kernel/livepatch/hp_one/enabled'), '0\n')
        wait_for('its end', lambda: client.patches() and fixed(w) == [])


def test_what_a_stranger_may_stand_in_front_of_is_not_named(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        for bundle, function, cve in (('hp-one', 'hp_function', 'CVE-2026-0001'),
                                      ('hp-two', 'hp_other', 'CVE-2026-0002')):
            w.machine.stage(bundle, fixes=fixes(cve), functions=(('vmlinux', function),))
            apply(client, bundle)
            os.makedirs(w.machine.path('sys/kernel/livepatch', bundle.replace('-', '_'), 'vmlinux', function + ',1'))
        wait_for('both', lambda: fixed(w) == ['CVE-2026-0001', 'CVE-2026-0002'])
        stranger(w, 'kpatch_x', 'somewhere_else')
        assert client.patches()['kpatch_x'] == 'active' and status(w)['fixed'] == ['CVE-2026-0001', 'CVE-2026-0002']
        stranger(w, 'kpatch_y', 'hp_function')
        wait_for('one less', lambda: client.patches() and fixed(w) == ['CVE-2026-0002'])
        assert json.loads(client.call('GetStatus'))['fixed'] == ['CVE-2026-0002']
        stranger(w, 'kpatch_z')
        wait_for('nothing', lambda: client.patches() and fixed(w) == [])


def stranger(w, module, *functions):
    """A livepatch of somebody else's; without @functions nobody knows what it replaces."""
    w.machine.write('sys/module/%s/initstate' % module, 'live\n')
    w.machine.write('sys/module/%s/refcnt' % module, '1\n')
    made = w.machine.path('fake/' + module)
    w.machine.write('fake/%s/enabled' % module, '1\n')
    w.machine.write('fake/%s/transition' % module, '0\n')
    for f in functions:
        os.makedirs(os.path.join(made, 'vmlinux', f + ',1'))
    os.rename(made, w.machine.path('sys/kernel/livepatch', module))


def test_a_trial_that_ends_is_seen(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the trial', lambda: status(w)['patches'] and status(w)['patches'][0]['trial'])
        client.call('EndTrial', ['hp-one'], {}, signature='asa{sv}')
        wait_for('its end', lambda: not status(w)['patches'][0]['trial'])
        assert fixed(w) == ['CVE-2026-0001']


def test_they_go_with_the_daemon(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'])
        assert w.daemon.stop() == 0
        assert fixed(w) is None and status(w) is None
        # Killed, it cannot take them away; the next one does not let them stand.
        w.daemon.start()
        wait_for('the file again', lambda: fixed(w) == ['CVE-2026-0001'])
        w.daemon.kill()
        assert fixed(w) == ['CVE-2026-0001']
        write(w.machine.path('run/hotpatch/fixed-cves'), '# kernel %s boot %s\nCVE-2020-0001\n' % (RELEASE, BOOT))
        w.daemon.start()
        wait_for('the truth', lambda: fixed(w) == ['CVE-2026-0001'])


def test_what_cannot_be_written_is_taken_back(pki):
    with World(pki, polkit='allow').start() as w:
        client = w.root
        wait_for('the files', lambda: status(w))
        os.unlink(w.machine.path('run/hotpatch/status.json'))
        os.mkdir(w.machine.path('run/hotpatch/status.json'))
        w.machine.stage('hp-one')
        apply(client, 'hp-one')
        # The first of the two was written, and does not stay alone.
        wait_for('no file', lambda: client.patches()['hp-one'] == 'active' and fixed(w) is None)
        # It tries again at each look, so one may just be on its way.
        wait_for('nothing half', lambda: not [n for n in os.listdir(w.machine.path('run/hotpatch')) if n.endswith('~')])
        os.rmdir(w.machine.path('run/hotpatch/status.json'))
        wait_for('the next look', lambda: client.patches() and fixed(w) == ['CVE-2026-0001'] and status(w))


def another(w):
    """Another hotpatchd, which cannot become one. Return: what it says."""
    done = subprocess.run(w.daemon.process.args, env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0, done
    return done.stderr


def test_a_daemon_that_does_not_start_claims_nothing_and_takes_nothing_away(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.stage('hp-one')
        apply(w.root, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'] and status(w)['fixed'])
        before = [os.stat(w.machine.path('run/hotpatch', n)).st_ino for n in ('fixed-cves', 'status.json')]
        assert 'another hotpatchd' in another(w)
        assert before == [os.stat(w.machine.path('run/hotpatch', n)).st_ino for n in ('fixed-cves', 'status.json')]
        # Alone in the state directory, but the name is somebody else's.
        w.daemon.kill()
        connection = w.bus.connect()
        assert connection.request_name(NAME) == 1
        assert 'on the system bus' in another(w)
        assert fixed(w) is None and status(w) is None
        connection.release_name(NAME)
        w.daemon.start()


# --- OVAL ---

def oval(folder):
    """The sample, evaluated by openscap for files in @folder. Return: is this machine vulnerable?"""
    definition = os.path.join(folder, 'definition.xml')
    sample = read(os.path.join(SOURCE, 'doc/examples/hotpatch-oval.xml')).decode()
    assert '/run/hotpatch/fixed-cves' in sample
    write(definition, sample.replace('/run/hotpatch/', folder + '/'))
    subprocess.run(['oscap', 'oval', 'validate', definition], check=True, timeout=PATIENCE)
    out = subprocess.run(['oscap', 'oval', 'eval', definition], check=True, capture_output=True, text=True,
                         timeout=PATIENCE).stdout
    word, = [line.split()[-1] for line in out.splitlines() if line.startswith('Definition ')]
    return {'true': True, 'false': False}[word]


def test_the_oval_sample_believes_what_is_of_this_kernel_and_boot(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.stage('hp-one', fixes=fixes('CVE-2026-0001'))
        apply(w.root, 'hp-one')
        wait_for('the file', lambda: fixed(w) == ['CVE-2026-0001'])
        content = read(w.machine.path('run/hotpatch/fixed-cves')).decode()
        folder = w.machine.path('scan')
        os.mkdir(folder)
        path = os.path.join(folder, 'fixed-cves')
        assert oval(folder), 'no file'
        write(path, content)
        assert oval(folder), 'it is about the made-up kernel, not about this one'
        mine = content.replace(RELEASE, os.uname().release)
        write(path, mine)
        assert not oval(folder), 'as it would be if that kernel ran'
        write(path, mine.replace('CVE-2026-0001', 'CVE-2026-00012'))
        assert oval(folder), 'another CVE'
        write(path, mine.replace(BOOT, '00000000-0000-4000-8000-000000000000'))
        assert oval(folder), 'another boot'


# --- metrics ---

def families(text):
    """OpenMetrics, read by the parser of python3-prometheus-client. Return: {(sample, labels): value}."""
    found = {}
    for family in openmetrics.text_string_to_metric_families(text):
        assert family.documentation and family.name.startswith('hotpatch_'), family
        assert family.type == 'gauge', family  # info and stateset make node_exporter refuse the file
        for s in family.samples:
            key = (s.name, *sorted(s.labels.items()))
            assert key not in found, key
            found[key] = s.value
    # What node_exporter reads is the older format.
    older = {(s.name, *sorted(s.labels.items())): s.value
             for family in prometheus.text_string_to_metric_families(text) for s in family.samples}
    assert older == found, older.items() ^ found.items()
    return found


def with_label(metrics, name):
    return {key[1][1]: value for key, value in metrics.items() if key[0] == name}


def test_metrics_are_openmetrics(pki):
    with World(pki, polkit='allow').start() as w:
        text, _ = ctl(w, 'metrics', user=NOBODY)
        assert text.endswith('# EOF\n'), text
        before = families(text)
        assert before['hotpatch_up',] == 1 and before['hotpatch_fixes_in_force',] == 0
        assert ('hotpatch_last_applied_timestamp_seconds',) not in before
        w.machine.stage('hp-one', fixes=fixes('CVE-2026-0001', 'CVE-2026-0002'))
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        apply(w.root, 'hp-one')
        now = time.time()
        after = families(ctl(w, 'metrics')[0])
        states = with_label(after, 'hotpatch_patches')
        assert states['active'] == 1 and states['staged'] == 1 and sum(states.values()) == 2, states
        assert after['hotpatch_fixes_in_force',] == 2 and after['hotpatch_patches_on_trial',] == 1
        assert now - 60 < after['hotpatch_last_applied_timestamp_seconds',] <= now + 1
        assert after['hotpatch_kernel_info', ('arch', 'x86_64'), ('build_id', BUILD_ID), ('release', RELEASE)] == 1
        assert sum(with_label(after, 'hotpatch_baseline_state').values()) == 1
        # One series more for the time of the last Apply, and none for a patch or a CVE.
        assert len(after) <= len(before) + 2 and len(after) < 80, len(after)
        # Where nobody follows the calendar there is no end either.
        assert ('hotpatch_coverage_until_timestamp_seconds',) not in after
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/baseline.conf', '[Baseline]\nEnable=yes\n')
        w.root.call('Reload', signature='')
        assert families(ctl(w, 'metrics')[0])['hotpatch_coverage_until_timestamp_seconds',] > now - 366 * 86400


def test_metrics_tell_what_needs_a_person(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.stage('hp-one')
        apply(w.root, 'hp-one')
        w.machine.write('run/reboot-required', '')
        w.machine.write('etc/hotpatch/disable', '')
        write(w.machine.path('sys/kernel/livepatch/hp_one/enabled'), '0\n')
        wait_for('its end', lambda: w.root.patches()['hp-one'] not in ('active', 'removing', 'transition'))
        m = families(ctl(w, 'metrics')[0])
        assert m['hotpatch_disabled',] == 1 and m['hotpatch_restart_required',] == 1
        assert with_label(m, 'hotpatch_restart_reasons')['packages'] == 1
        assert m['hotpatch_patches_missing',] == 1 and with_label(m, 'hotpatch_findings')['alert'] >= 1, m
        json.loads(w.root.call('Audit', signature=''))
        m = families(ctl(w, 'metrics')[0])
        assert time.time() - 60 < m['hotpatch_audited_timestamp_seconds',] <= time.time() + 1


def test_metrics_are_the_same_as_json(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.stage('hp-one')
        apply(w.root, 'hp-one')
        wait_for('the audit', lambda: w.root.get('/org/hotpatch/Hotpatch1', MANAGER, 'AuditedUSec') > 0)
        text = families(ctl(w, 'metrics')[0])
        as_json = {}
        for m in json.loads(ctl(w, 'metrics', '--json')[0]):
            assert m['type'] == 'gauge' and m['help']
            for s in m['samples']:
                as_json[(m['name'], *sorted(s['labels'].items()))] = s['value']
        assert as_json == text, as_json.items() ^ text.items()


def test_metrics_go_into_a_file_as_a_whole(pki):
    with World(pki, polkit='allow').start() as w:
        folder = w.machine.path('textfile')
        os.mkdir(folder)
        path = os.path.join(folder, 'hotpatch.prom')
        write(path, 'old\n')
        old = os.stat(path).st_ino
        assert ctl(w, 'metrics', '--output', path) == ('', '')
        assert families(read(path).decode())['hotpatch_up',] == 1
        assert os.stat(path).st_ino != old and stat.S_IMODE(os.stat(path).st_mode) == 0o644
        assert os.listdir(folder) == ['hotpatch.prom']
        _, err = ctl(w, 'metrics', '-o', os.path.join(folder, 'no/hotpatch.prom'), code=3)
        assert 'cannot be written' in err, err
        # Without the daemon the figures of before go, and what is left says why.
        assert w.daemon.stop() == 0
        ctl(w, 'metrics', '-o', path, code=9)
        assert families(read(path).decode()) == {('hotpatch_up',): 0}


def test_promtool_has_nothing_to_say(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.stage('hp-one')
        apply(w.root, 'hp-one')
        done = subprocess.run(['promtool', 'check', 'metrics'], input=ctl(w, 'metrics')[0], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0 and not done.stdout + done.stderr, done


# --- VEX ---

def vex(w, *args, **kwargs):
    return json.loads(ctl(w, 'vex', *args, **kwargs)[0])


def test_vex_names_what_is_in_force(pki):
    with World(pki, polkit='allow').start() as w:
        w.machine.write('proc/sys/kernel/version', '#1 SMP Debian 6.1.192-1+b1 (2026-11-01)\n')
        assert w.daemon.stop() == 0
        w.daemon.start()
        w.machine.stage('hp-one', fixes=fixes('CVE-2026-0002', 'CVE-2026-0001'))
        w.machine.stage('hp-two', fixes=fixes('CVE-2026-0002'), functions=(('vmlinux', 'hp_other'),))
        w.machine.stage('hp-three', fixes=fixes('CVE-2026-0003'), functions=(('vmlinux', 'hp_third'),))
        out, err = ctl(w, 'vex', code=3)
        assert not out and 'Nothing is fixed' in err, err
        apply(w.root, 'hp-one', 'hp-two')
        document = vex(w, user=NOBODY)
        assert document['@context'] == 'https://openvex.dev/ns/v0.2.0' and document['version'] == 1
        assert [s['vulnerability']['name'] for s in document['statements']] == ['CVE-2026-0001', 'CVE-2026-0002']
        for s in document['statements']:
            assert s['status'] == 'fixed' and 'justification' not in s
            assert s['products'][0]['@id'] == s['products'][0]['identifiers']['purl'], s
            assert s['products'][0]['@id'] == 'pkg:deb/debian/linux-image-%s@6.1.192-1%%2Bb1?arch=amd64' % RELEASE, s
        first, second = (s['status_notes'] for s in document['statements'])
        assert 'hp-one' in first and 'hp-two' not in first and 'on trial until' in first and BOOT in first, first
        assert 'hp-one' in second and 'hp-two' in second, second
        again = vex(w, '--author', 'Example Ltd')
        assert again['@id'] != document['@id'] and again['author'] == 'Example Ltd'
        client_removed = w.root.finish(w.root.remove('hp-one'))
        assert client_removed[0] == 'done'
        assert [s['vulnerability']['name'] for s in vex(w)['statements']] == ['CVE-2026-0002']


def apply_two(w):
    w.machine.stage('hp-one', fixes=fixes('CVE-2026-0002', 'GHSA-xxxx'))
    w.machine.stage('hp-two', fixes=fixes('CVE-2026-0002'), functions=(('vmlinux', 'hp_other'),))
    apply(w.root, 'hp-one', 'hp-two')


def test_vex_keeps_the_rules_of_its_formats(pki):
    with World(pki, polkit='allow').start() as w:
        apply_two(w)
        openvex, csaf = vex(w), vex(w, '--format=csaf')
        assert openvex['statements'][0]['products'][0]['@id'] == \
            'pkg:generic/linux@%s?arch=x86_64&build_id=%s' % (RELEASE, BUILD_ID)
        check_csaf(csaf)


def test_vex_fits_the_published_schemas(pki):
    with World(pki, polkit='allow').start() as w:
        apply_two(w)
        check_published('openvex_json_schema.json', vex(w))
        check_published('csaf_json_schema.json', vex(w, '--format=csaf'))


def judge_csaf(document):
    """Return: (exit status, lines) of a validator that has the published schema of CSAF and the standard's own tests"""
    judge = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'csaf-judge.mjs')
    p = subprocess.run(['node', judge, os.environ['HOTPATCH_CSAF_VALIDATOR']], input=json.dumps(document), text=True,
                       stdout=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout.splitlines()


def test_a_csaf_validator_has_nothing_to_say(pki):
    with World(pki, polkit='allow').start() as w:
        apply_two(w)
        document = vex(w, '--format=csaf')
    status, lines = judge_csaf(document)
    # The schema, its strict form, and the mandatory tests.
    assert status == 0 and len(lines) == 1 and int(lines[0].split()[0]) > 40, lines
    # What breaks the schema, and what only the standard's words forbid: a product that is not in the tree.
    for break_it in (lambda d: d['document'].pop('tracking'),
                     lambda d: d['vulnerabilities'][0]['product_status'].update(fixed=['NOBODY'])):
        broken = json.loads(json.dumps(document))
        break_it(broken)
        status, lines = judge_csaf(broken)
        assert status == 1 and len(lines) > 1, lines


def check_csaf(d):
    """The rules of the profile VEX, CSAF 2.0 section 4.5, and that what is referred to is there."""
    assert d['document']['category'] == 'csaf_vex' and d['document']['publisher']['namespace'].startswith('urn:uuid:')
    products = {p['product_id'] for p in d['product_tree']['full_product_names']}
    combined = set()
    for r in d['product_tree']['relationships']:
        assert {r['product_reference'], r['relates_to_product_reference']} <= products, r
        combined.add(r['full_product_name']['product_id'])
    assert not combined & products
    fixed_by = {v.get('cve') or v['ids'][0]['text']: v['product_status']['fixed'] for v in d['vulnerabilities']}
    assert fixed_by == {'CVE-2026-0002': ['KERNEL+hp-one', 'KERNEL+hp-two'], 'GHSA-xxxx': ['KERNEL+hp-one']}, fixed_by
    assert set(sum(fixed_by.values(), [])) == combined
    assert all(v['notes'] for v in d['vulnerabilities'])


def check_published(name, document):
    """@name: in the folder HOTPATCH_VEX_SCHEMAS; tests/bus/README.md says where they come from."""
    path = os.path.join(os.environ['HOTPATCH_VEX_SCHEMAS'], name)
    # References to other schemas (CVSS) are to what these documents do not have.
    validator = jsonschema.Draft202012Validator(json.loads(read(path)), format_checker=jsonschema.FormatChecker())
    problems = [e.message for e in validator.iter_errors(document)]
    assert not problems, problems
    broken = json.loads(json.dumps(document))
    del broken['statements' if 'statements' in broken else 'document']
    assert list(validator.iter_errors(broken))


# What needs material that is not ours to carry is a test where the material is, and elsewhere none at all.
ELSEWHERE = {
    test_promtool_has_nothing_to_say: (shutil.which('promtool'), 'promtool (package prometheus) is not installed'),
    test_a_csaf_validator_has_nothing_to_say: ('HOTPATCH_CSAF_VALIDATOR' in os.environ,
                                               'HOTPATCH_CSAF_VALIDATOR is not set (tools/test sets it)'),
    # README.md tells where they were looked for.
    test_vex_fits_the_published_schemas: ('HOTPATCH_VEX_SCHEMAS' in os.environ,
                                          'HOTPATCH_VEX_SCHEMAS is not set: no package has the schema of OpenVEX'),
}

if __name__ == '__main__':
    for left_out, (there, why) in ELSEWHERE.items():
        if not there:
            print('# not among the tests: %s, because %s' % (left_out.__name__, why))
    main([f for n, f in sorted(globals().items()) if n.startswith('test_') and ELSEWHERE.get(f, (True,))[0]])
