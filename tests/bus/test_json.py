#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatchctl --json says what doc/schemas/ says it does: every verb, on the real daemon, also when it is refused.

The schemas are open, because answers grow. Here they are closed: a field that no schema knows fails the test, and so
does a verb without a schema, or one that is not run below.
"""

import copy
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import warnings

warnings.simplefilter('ignore', DeprecationWarning)  # RefResolver; what comes after it is not in Debian 12

import jsonschema

from logindmock import Logind
from hotpatchtest import NOBODY, SOURCE, World, main, wait_for, write
from test_baseline import DONE, PACKAGE, Runs, baseline_bundle
from test_ctl import CTL, bundle, environment, in_transition

SCHEMAS = os.path.join(SOURCE, 'doc/schemas')
NO_VERBS = {'common', 'status-file'}


# --- schemas ---

def load(name):
    with open(os.path.join(SCHEMAS, name + '.json'), encoding='utf-8') as f:
        return json.load(f)


def closed(schema):
    """A copy that refuses what it does not name."""
    schema = copy.deepcopy(schema)
    todo = [schema]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if isinstance(item.get('properties'), dict) and item.get('type') == 'object':
                item.setdefault('additionalProperties', False)
            todo += item.values()
        elif isinstance(item, list):
            todo += item
    return schema


class Schemas:
    def __init__(self):
        self.names = sorted(n[:-5] for n in os.listdir(SCHEMAS) if n.endswith('.json'))
        self.store = {'file://%s/%s.json' % (SCHEMAS, n): closed(load(n)) for n in self.names}

    def validator(self, name, part):
        uri = 'file://%s/%s.json' % (SCHEMAS, name)
        resolver = jsonschema.RefResolver(base_uri=uri, referrer=self.store[uri], store=self.store)
        return jsonschema.Draft202012Validator({'$ref': uri + '#/$defs/' + part}, resolver=resolver)

    def check(self, name, value):
        """Return: whether it is an answer and not a refusal. Fails when it is neither."""
        is_error = isinstance(value, dict) and 'error' in value
        validator = self.validator('common', 'error') if is_error else self.validator(name, 'answer')
        for e in validator.iter_errors(value):
            raise AssertionError('%s: %s at %s\n%s' % (name, deepest(e).message, list(deepest(e).absolute_path),
                                                       json.dumps(value, indent=1)))
        # and as somebody does it who has the files only
        jsonschema.Draft202012Validator(self.store['file://%s/%s.json' % (SCHEMAS, name)],
                                        resolver=self.validator(name, 'answer').resolver).validate(value)
        return not is_error


def deepest(e):
    """Of the branches of an anyOf the error that went furthest."""
    while e.context:
        e = max(e.context, key=lambda c: len(c.absolute_path))
    return e


def verbs():
    """All verbs, of `bundle` and `key` those below, by what the program itself says."""
    def of(*args):
        text = subprocess.run([CTL, *args, '--help'], capture_output=True, text=True, check=True).stdout
        return re.findall(r'^  ([a-z-]+) ', text.split('Verbs:\n')[1].split('\n\n')[0], re.M)
    found = set()
    for verb in of():
        found |= {'%s-%s' % (verb, v) for v in of(verb)} if verb in ('bundle', 'key') else {verb}
    return found


class Runner:
    """Runs verbs and checks what they print."""

    def __init__(self, w):
        self.w, self.schemas, self.seen, self.refused = w, Schemas(), set(), set()

    def output(self, *args, code, user):
        """stdout; the main loop runs meanwhile, for systemd and the others that are played by this process."""
        identity = {} if user is None else {'user': user, 'group': user, 'extra_groups': []}
        with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
            process = subprocess.Popen([CTL, *args], env=environment(self.w), stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=err, cwd='/', **identity)
            wait_for('the end of %s' % (args,), lambda: process.poll() is not None)
            out.seek(0)
            err.seek(0)
            text = out.read()
            assert process.returncode == code, (args, process.returncode, code, text, err.read())
            return text

    def __call__(self, *args, code=0, user=None, n=1):
        verb = '-'.join(args[:2]) if args[0] in ('bundle', 'key') else args[0]
        out = self.output(*args, '--json=short', code=code, user=user)
        values = [json.loads(line) for line in out.splitlines()]
        assert len(values) == n, (args, out)
        for value in values:
            (self.seen if self.schemas.check(verb, value) else self.refused).add(verb)
        return values[0] if n == 1 else values


def test_schemas_are_schemas(_pki):
    for name in Schemas().names:
        schema = load(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name in NO_VERBS or {'answer'} <= set(schema['$defs']), name


def test_every_verb_has_a_schema(_pki):
    have = set(Schemas().names) - NO_VERBS
    assert have == verbs(), 'missing: %s, left over: %s' % (verbs() - have, have - verbs())


def test_a_difference_is_seen(_pki):
    schemas = Schemas()
    good = {'needed': True, 'reasons': [{'reason': 'forced', 'message': 'x'}]}
    assert schemas.check('needs-reboot', good)
    assert not schemas.check('needs-reboot', {'error': {'subject': None, 'name': 'a', 'message': 'b', 'remedy': None}})
    for bad in ({'needed': True}, {**good, 'more': 1}, {**good, 'needed': 'yes'},
                {'needed': True, 'reasons': [{'reason': 'forced'}]}, {'error': {'name': 'a'}}, []):
        try:
            schemas.check('needs-reboot', bad)
        except AssertionError:
            continue
        raise AssertionError('not seen: %r' % bad)


# --- every verb ---

def read_verbs(run):
    for verb in ('status', 'list', 'check', 'policy', 'calendar', 'cves', 'motd', 'reboot', 'baseline', 'audit', 'metrics'):
        run(verb)
    run('vex', code=3)
    assert run('is-current')['current'] is True
    assert run('needs-reboot', code=11)['needed'] is False


def bundle_verbs(run, w, path):
    d = os.path.join(w.bus.directory, 'keys')
    ko = w.machine.path('fake', 'hp_one.ko')
    run('key', 'generate', d)
    out = os.path.join(w.bus.directory, 'made.hpb')
    run('bundle', 'create', '-o', out, '--id', 'hp-one', '--title', 'Made', '--severity', 'low', '--stream', 's',
        '--sequence', '1', '--build-id', '6.1.0-50-cloud-amd64=' + '00' * 20, ko)
    shown = run('bundle', 'show', '--trust', d + '/root.pem', out)
    assert shown['valid'] is False and shown['refusal']['name'], shown
    run('bundle', 'verify', '--trust', d + '/root.pem', out, code=5)
    run('bundle', 'sign', '--key', d + '/signer.key', out)
    assert run('bundle', 'verify', '--trust', d + '/root.pem', '--trust', d + '/revocation.crl', out)['valid']
    assert run('bundle', 'show', '--trust', d + '/root.pem', out)['valid']
    run('bundle', 'extract', '--unverified', path, os.path.join(w.bus.directory, 'out'))
    run('bundle', 'extract', '/nonexistent', os.path.join(w.bus.directory, 'out'), code=3)
    run('key', 'generate', d, code=1)


def a_stalled_job(run, w, path):
    w.machine.kernel.stall = True
    begun = run('apply', '--no-wait', path)
    assert begun['changed'] is None, begun
    job = str(begun['job']['id'])
    in_transition(w, 'hp-one')
    assert run('status')['jobs'][-1]['result'] is None
    assert run('cves')['cves'][0]['state'] == 'under-way'
    run('force', job, code=6)
    run('cancel', job)
    w.machine.kernel.stall = False
    wait_for('the reversal', lambda: w.machine.livepatches() == [])
    wait_for('the end of the job', lambda: run('status')['jobs'][-1]['result'])


def changes(run, w, path):
    run('verify', path)
    run('plan', path)
    run('stage', path)
    assert run('apply', '--dry-run', 'hp-one')['type'] == 'apply'
    assert run('apply', 'hp-one')['changed'] is True
    assert run('apply', 'hp-one')['changed'] is False
    assert run('cves')['counts']['fixed'] == 1
    assert run('cves', 'cve-2026-0001', 'CVE-2026-9999', code=11)['counts']['unknown'] == 1
    assert run('show', 'hp-one')['provenance']['source'] == 'https://example.org/fix'
    assert run('list')[0]['trial_until']
    run('metrics')
    run('vex')
    run('vex', '--format=csaf')
    run('end-trial', 'hp-one')
    run('end-trial', 'hp-one', code=3)
    assert run('release', 'hp-one')['changed'] is False
    os.makedirs(w.machine.path('sys/kernel/livepatch/hp_one/vmlinux/hp_function,1'))
    run('audit')
    assert run('remove', '--dry-run', 'hp-one')['type'] == 'remove'
    assert run('remove', 'hp-one')['changed'] is True
    assert run('remove', 'hp-one')['changed'] is False


def refusals(run, w, path):
    run('show', 'hp-none', code=3)
    run('show', 'hp-one', 'hp-none', code=3, n=2)
    run('apply', 'hp-none', code=3)
    run('apply', bundle(w, 'hp-bad', functions=(('vmlinux', 'no_such_function'),)), code=7)
    assert run('plan', bundle(w, 'hp-bad', functions=(('vmlinux', 'no_such_function'),)), code=7)['refusal']
    run('verify', '/nonexistent', code=3)
    run('stage', '/', code=5)
    run('cancel', '99', code=3)
    run('force', '99', code=3)
    run('remove', 'hp-one', code=4, user=NOBODY)
    run('release', 'hp-one', code=4, user=NOBODY)
    run('audit', code=4, user=NOBODY)
    run('policy', 'reload', code=4, user=NOBODY)
    run('reboot', 'schedule', '+2h', code=4, user=NOBODY)
    run('baseline', 'install', code=4, user=NOBODY)
    run('calendar', '9999', code=2)


def monitor(run, w, path):
    """It does not say from when on it listens, so something happens until it has seen it."""
    with tempfile.TemporaryFile('w+') as out:
        process = subprocess.Popen([CTL, 'monitor', '--json'], env=environment(w), stdin=subprocess.DEVNULL, stdout=out)

        def seen():
            run('apply', path)
            run('remove', 'hp-one')
            out.seek(0)
            return 'job-removed' in out.read()
        wait_for('an event', seen)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        out.seek(0)
        for text in out.read().splitlines():
            assert run.schemas.check('monitor', json.loads(text)), text
    run.seen.add('monitor')


def policy_files(run, w):
    path = os.path.join(w.bus.directory, '50-site.conf')
    for text, code in ('[Policy]\nRing=a\n', 0), ('[Policy]\nRign=a\n', 11):
        write(path, text)
        assert run('policy', 'check', path, code=code)['valid'] == (code == 0)
    run('policy', 'check', path + '.none', code=3)


def history(run, w):
    """The journal of this machine may not be there; that of tests/bus/test_history.py is made up."""
    directory = os.path.join(w.bus.directory, 'journal')
    os.makedirs(directory)
    assert run('history', '--directory', directory) == []
    run('history', '--directory', '/nonexistent', code=1)


def forced(run, w):
    """After the 15 s in which the kernel itself tries."""
    w.machine.kernel.stall = True
    job = str(run('apply', '--no-wait', bundle(w, 'hp-forced', force_safe=True))['job']['id'])
    in_transition(w, 'hp-forced')
    w.machine.write('sys/kernel/livepatch/hp_forced/force', '0\n')
    time.sleep(15.5)
    assert run('force', job) == {'changed': True, 'job': int(job)}
    w.machine.kernel.end('hp_forced', 1)
    run('status')
    assert run('needs-reboot')['reasons'][0]['reason'] == 'forced'


def test_every_verb_prints_what_its_schema_says(pki):
    with World(pki, 'deny').start() as w:
        run = Runner(w)
        read_verbs(run)
        path = bundle(w, 'hp-one', provenance={'source': 'https://example.org/fix'})
        changes(run, w, path)
        a_stalled_job(run, w, path)
        bundle_verbs(run, w, path)
        refusals(run, w, path)
        monitor(run, w, path)
        history(run, w)
        run('policy', 'reload')
        policy_files(run, w)
        run('reboot', 'cancel', code=3)
        assert run('reboot', 'schedule', '+2h')['changed'] is False
        forced(run, w)
        w.add(Logind(w.bus))
        assert run('reboot', 'schedule', '+2h')['changed'] is True
        assert run('reboot')['by'] == 'administrator'
        assert run('reboot', 'cancel') == {'changed': True, 'restart': None, 'reason': None}
        missing = verbs() - run.seen
        assert not missing, 'never run: %s' % missing


def test_every_verb_says_so_without_the_service(pki):
    with World(pki) as w:
        run = Runner(w)
        path = bundle(w, 'hp-one')
        arguments = {'show': ['hp-one'], 'verify': [path], 'plan': [path], 'stage': [path], 'apply': [path], 'remove': ['hp-one'],
                     'release': ['hp-one'], 'end-trial': ['hp-one'], 'cancel': ['1'], 'force': ['1']}
        local = {v for v in verbs() if v.startswith(('bundle-', 'key-'))} | {'history', 'monitor'}
        for verb in sorted(verbs() - local):
            error = run(verb, *arguments.get(verb, []), code=9)['error']
            assert error['remedy'], (verb, error)
        assert run.refused == verbs() - local


def test_baselines(pki):
    with World(pki, 'allow').start() as w:
        run = Runner(w)
        w.add(Runs(w, PACKAGE + DONE))
        write(os.path.join(w.bus.directory, 'base.hpb'), baseline_bundle(
            pki, fixes=[{'id': 'CVE-2026-0002', 'severity': 'critical', 'summary': 'Only a new kernel can'},
                        {'id': 'CVE-2026-0001', 'severity': 'important', 'summary': 'A hole'}]))
        run('baseline')
        run('stage', os.path.join(w.bus.directory, 'base.hpb'))
        assert run('show', 'base-2026-10')['kind'] == 'baseline'
        assert run('baseline', 'plan')['packages'], 'no packages'
        run('stage', bundle(w, 'hp-one'))
        got = {c['id']: (c['state'], c['patches']) for c in run('cves')['cves']}
        assert got == {'CVE-2026-0001': ('staged', ['hp-one']), 'CVE-2026-0002': ('restart', ['base-2026-10'])}, got
        run('baseline', 'install')
        run('baseline', 'status')
        run('status')
        run('needs-reboot')
        run('is-current', code=11)
        run('calendar', '2027')


if __name__ == '__main__':
    main([v for k, v in list(globals().items()) if k.startswith('test_') and callable(v)])
