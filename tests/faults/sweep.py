#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotpatchd is killed, or has a system call fail, at every system call of what it does.

    tests/faults/sweep.py [--operation NAME]… [--kind KIND]… [--sample N] [--seed S] [--jobs J]
    tests/faults/sweep.py --operation apply --kind EIO --point 117

The real daemon on the made-up machine of tests/bus; fault-tracer counts the system calls of it and of its
children in one row from the moment on at which an operation begins. For N = 1, 2, 3… until the operation
is over before call N came, twenty times in a row: the machine is made anew, the daemon is killed before or
after call N, or the call fails; then the rules below must hold, at once if the daemon lives, and after a new
one has started.
`--sample N` draws that many points of all with a seed that it prints. TAP on stdout.

  consistent  what the kernel has in force, what the records want and what the bus says is one and the same;
              as long as the daemon lives an open intent may explain what is not
  whole       that is what was before the operation or what it leads to, and the latter if it said "done"
  clean       after the new start no temporary file, load directory or intent is left, and no job runs
  alive       the daemon ends only by the signal that we sent, or with a reason; it never hangs
  tried       a patch is on one trial at most, and is wanted; nobody has a strike but who failed
  useful      afterwards a bad sign leads back to what was before, and everything can be applied and removed as ever
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, '../bus'))
# pylint: disable=wrong-import-position
import dbus
from hotpatchtest import (BUILD, DAEMON, NAME, Bus, Client, Daemon, Machine, Pki,
                          make_bundle, read, wait_for, warn, write)

TRACER = os.path.join(BUILD, 'tests/faults/fault-tracer')
KINDS = ['before', 'after', 'worker', 'EIO', 'ENOSPC', 'ENOMEM', 'EINTR', 'EMFILE']
KILLS = ['before', 'after']
# A failed unload is tried 20 times, once a second.
LIMIT = float(os.environ.get('HOTPATCH_SWEEP_LIMIT', '60'))
# A series that is as broken as that needs no more points.
BROKEN_MAX = 30
# A run makes some calls more or less than another, as the kernel takes its time: one that ends early is not the end.
MISSED_MAX = 20

BUNDLES = {
    'hp-all': {'stream': 'line', 'sequence': 3, 'supersedes': ['hp-one'], 'replace': True},
    'hp-top': {'functions': (('vmlinux', 'hp_third'),), 'requires': ['hp-one']},
    'hp-one': {'stream': 'line'},
    'hp-two': {'stream': 'line', 'sequence': 2, 'supersedes': ['hp-one']},
    'hp-three': {'functions': (('vmlinux', 'hp_third'),)},
}


class Broken(AssertionError):
    """A rule does not hold."""


def expect(condition, sentence):
    if not condition:
        raise Broken(sentence)


class Tracer:
    """fault-tracer at work on the daemon."""

    def __init__(self, point, kind, daemon=None, command=(), **options):
        who = ['-'] if daemon is None else [str(daemon.process.pid)]
        self.hit = self.count = None
        self.process = subprocess.Popen([TRACER] + who + [str(point), kind] + list(command),
                                        stdout=subprocess.PIPE, text=True, **options)
        ready = self.process.stdout.readline().split()
        if not ready or ready[0] != 'ready':
            raise AssertionError('fault-tracer is not ready')
        self.pid = int(ready[1])
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ''

    def look(self):
        """Has the point come?"""
        if self.process:
            with contextlib.suppress(TypeError):
                self.text += self.process.stdout.read() or ''
        *lines, self.text = self.text.split('\n')
        for line in lines:
            words = line.split()
            if words[0] == 'call':
                self.hit = {'n': int(words[1]), 'who': words[2], 'call': call_name(int(words[3]))}
            elif words[0] == 'count':
                self.count = int(words[1])
        return self.hit

    def close(self):
        """Let the processes go."""
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.terminate()
        os.set_blocking(self.process.stdout.fileno(), True)
        self.text += self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
        self.process = None
        self.look()


CALLS = {}


def call_name(number):
    if not CALLS:
        with open('/usr/include/x86_64-linux-gnu/asm/unistd_64.h', encoding='ascii') as f:
            CALLS.update((int(n), c) for c, n in re.findall(r'#define __NR_(\w+) (\d+)', f.read()))
    return CALLS.get(number, str(number))


# --- operations: what was, what is done, what may be ---

class Operation:
    """@before, @after: ids in force. @staged: bundles that lie in the spool."""

    before, after, staged = (), (), ('hp-one',)
    blamed = set()  # who may have a strike
    kinds = KINDS
    tried = True  # what it leads to is on trial
    order = None  # of the Applies that lead to @before, if it is not that
    command = None  # what else than the daemon is traced

    def again(self, w):
        """Before the new start."""

    def prepare(self, w):
        """Up to the moment at which the calls are counted."""

    def begin(self, w):
        """Ask for it."""


class Apply(Operation):
    after = ('hp-one',)

    def begin(self, w):
        return w.call('Apply', ['hp-one'])


class Remove(Operation):
    before = ('hp-one',)

    def begin(self, w):
        return w.call('Remove', ['hp-one'])


class Supersede(Operation):
    before, after, staged = ('hp-one',), ('hp-two',), ('hp-one', 'hp-two')

    def begin(self, w):
        return w.call('Apply', ['hp-two'])


class Replace(Operation):
    """Its module takes the place of all livepatches; the kernel throws the others out."""

    before, after, staged = ('hp-one',), ('hp-all',), ('hp-one', 'hp-all')

    def prepare(self, w):
        w.machine.kernel.replacing = 'hp_all'

    def begin(self, w):
        return w.call('Apply', ['hp-all'])


class Rollback(Operation):
    """A bad sign: the patch leaves with what requires it, and both come back as they were before it."""

    before, after = ('hp-top', 'hp-two'), ('hp-one', 'hp-top')
    staged = ('hp-one', 'hp-top', 'hp-two')
    order = ('hp-one', 'hp-top', 'hp-two')
    blamed = {'hp-two'}
    tried = False

    def begin(self, w):
        def job():
            if w.tracer.look() or not w.alive():
                return [None]
            return [(j[0], j[7]) for j in w.jobs() if j[1] == 'rollback']
        w.machine.say(*warn('hp_two'))
        return wait_for('the rollback', job, LIMIT)[0]


class Transaction(Operation):
    after, staged = ('hp-one', 'hp-three'), ('hp-one', 'hp-three')

    def begin(self, w):
        return w.call('Apply', ['hp-one', 'hp-three'])


class Reverse(Operation):
    """A transition that does not end is turned around."""

    def prepare(self, w):
        w.machine.kernel.stall = True
        w.machine.configure(transition='1s')
        w.restart()

    def begin(self, w):
        return w.call('Apply', ['hp-one'])


class Refused(Operation):
    """The kernel refuses the second module of two: the first one is taken out again."""

    staged = ('hp-one', 'hp-three')

    def prepare(self, w):
        w.machine.write('fake/insert-errno-hp_three', '22\n')

    def begin(self, w):
        return w.call('Apply', ['hp-one', 'hp-three'])


class Start(Operation):
    """The daemon starts and undoes what one before it did not finish."""

    def prepare(self, w):
        w.machine.kernel.stall = True
        w.call('Apply', ['hp-one'])
        wait_for('the transition', lambda: w.machine.livepatches())
        w.daemon.kill()
        w.daemon = None


class Restore(Operation):
    """hotpatch-restore after a shutdown in order; what is cut off or failed is done by running it again."""

    before = after = ('hp-one', 'hp-three')
    staged = ('hp-one', 'hp-three')
    command = '--restore'

    def prepare(self, w):
        w.daemon.stop()
        w.daemon.log.close()
        w.daemon = None
        self.run(w, '--clean')
        boot = read('/proc/sys/kernel/random/boot_id').decode().strip().replace('-', '')
        for folder, _, files in os.walk(w.machine.path('var/lib/hotpatch')):
            for name in files:
                path = os.path.join(folder, name)
                if folder.endswith('trials') or name == 'intent':
                    write(path, read(path).decode().replace('BOOT_ID=' + boot, 'BOOT_ID=' + '%032x' % 0xb007), 0o600)
        for module in w.machine.livepatches():
            shutil.rmtree(w.machine.path('sys/kernel/livepatch', module))
        for module in w.machine.loaded():
            shutil.rmtree(w.machine.path('sys/module', module))
        shutil.rmtree(w.machine.path('run/hotpatch'), ignore_errors=True)

    def run(self, w, what):
        log = open(w.machine.path('fake/log'), 'ab')
        return subprocess.run([DAEMON, '--root', w.machine.root, what], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              timeout=LIMIT, check=False).returncode

    def again(self, w):
        # One that the first run began is still on its way; no other can begin then.
        wait_for('the end of a transition', lambda: all(
            read(w.machine.kernel.path(m, 'transition')) == b'0\n' for m in w.machine.livepatches()), LIMIT)
        expect(self.run(w, '--restore') == 0, 'hotpatch-restore fails when it is run again')


OPERATIONS = {c.__name__.lower(): c for c in (Apply, Remove, Supersede, Replace, Rollback, Transaction, Reverse, Refused, Start, Restore)}


# --- one point ---

class World:
    """A machine for one point; bus and bundles are shared by many."""

    def __init__(self, shop, operation):
        self.shop = shop
        self.machine = Machine(shop.pki)
        self.machine.kernel.delay = 0.02
        self.machine.open_log()
        for bundle in operation.staged:
            spool = self.machine.path('var/lib/hotpatch/spool')
            os.makedirs(spool, mode=0o700, exist_ok=True)
            shutil.copy(shop.bundles[bundle], spool)
        self.daemon = self.tracer = None
        self.pending = None
        self.kills = False

    def start(self):
        self.daemon = Daemon(self.machine, self.shop.bus)

    def restart(self):
        if self.daemon:
            self.daemon.stop()
            self.daemon.log.close()
        self.start()

    @property
    def client(self):
        return self.shop.client

    def call(self, method, *arguments):
        return self.client.call(method, *arguments, dbus.Dictionary({}, signature='sv'))

    def alive(self):
        return self.daemon is not None and self.daemon.process.poll() is None

    def jobs(self):
        return [[str(x) for x in j] for j in self.client.call('ListJobs')]

    def in_force(self):
        """ids whose livepatch is in force; others than whole ones are told."""
        ids = []
        for module in self.machine.loaded():
            try:
                state = [read(self.machine.kernel.path(module, f)).strip() for f in ('enabled', 'transition')]
            except FileNotFoundError:
                raise Broken('module %s is loaded and not in force (it has %s); jobs: %s' % (
                    module, os.listdir(self.machine.path('sys/module', module)), self.jobs())) from None
            expect(state == [b'1', b'0'], 'module %s is %s' % (module, state))
            ids.append(module.replace('_', '-'))
        return tuple(sorted(ids))

    def wanted(self):
        folder = self.machine.path('var/lib/hotpatch/admitted')
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return tuple(sorted(n.removesuffix('.record') for n in names if n.endswith('.record')))

    def trials(self):
        """ids of each trial that goes on"""
        folder = self.machine.path('var/lib/hotpatch/trials')
        texts = [read(os.path.join(folder, n)).decode() for n in os.listdir(folder)] if os.path.isdir(folder) else []
        return [re.findall('^ID=(.*)$', t, re.M) for t in texts if 'REASON=' not in t]

    def wait_for_jobs(self):
        with contextlib.suppress(AssertionError):
            wait_for('the end of all jobs', lambda: all(j[2] == 'finished' for j in self.jobs()), LIMIT)
        for job in self.jobs():
            expect(job[2] == 'finished', 'a job hangs: %s' % job)

    def check(self, operation, result):
        self.wait_for_jobs()
        force, wanted = self.in_force(), self.wanted()
        bus = {i: s for i, s in self.client.patches().items() if s != 'staged'}
        expect(force == wanted, 'the kernel has %s, the records say %s' % (force, wanted))
        expect(tuple(sorted(bus)) == force and all(s == 'active' for s in bus.values()),
               'the kernel has %s, the bus says %s' % (force, bus))
        allowed = [operation.after] if result == 'done' else [operation.before, operation.after]
        tried = list(itertools.chain(*self.trials()))
        expect(len(set(tried)) == len(tried), 'on trial more than once: %s' % self.trials())
        expect(set(tried) <= set(wanted), 'on trial: %s, wanted: %s' % (tried, wanted))
        struck = {n.split('.')[0] for n in os.listdir(self.machine.path('var/lib/hotpatch/strikes'))}
        # A self-test that cannot be asked has failed.
        expect(isinstance(operation, Always) or not self.kills or struck <= operation.blamed, 'strikes: %s' % sorted(struck))
        expect(force in allowed, 'in force: %s, after "%s" of %s to %s' % (force, result, operation.before,
                                                                           operation.after))

    def clean(self):
        expect(not self.machine.leftovers(), 'left over: %s' % self.machine.leftovers())

    def fail_trial(self, operation):
        """What it led to is on trial; with a bad sign all is as it was before."""
        new = set(operation.after) - set(operation.before)
        if not new or not operation.tried or self.in_force() != operation.after:
            return
        expect(new <= set(itertools.chain(*self.trials())), 'not on trial: %s' % sorted(new))
        self.machine.say(*warn(min(new).replace('-', '_')))
        wait_for('the rollback', lambda: any(j[1] == 'rollback' for j in self.jobs()), LIMIT)
        self.check(Always(operation.before), 'rolled back')
        self.clean()

    def useful(self, operation):
        """Out with everything, in with everything, as an administrator would."""
        self.machine.kernel.stall = False
        self.fail_trial(operation)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.machine.path('fake/insert-errno-hp_three'))
        for bundle in sorted(self.in_force(), key=lambda i: 'requires' not in BUNDLES[i]):
            self.finish('Remove', [bundle])
        expect(self.in_force() == (), 'in force after the removal of everything: %s' % (self.in_force(),))
        self.finish('Apply', list(operation.staged[-1:]))
        expect(self.in_force() == operation.staged[-1:], 'not applied afterwards: %s' % (self.in_force(),))
        self.check(Always(operation.staged[-1:]), 'done')

    def finish(self, method, ids):
        # A number may come again if it could not be written down.
        self.client.removed.clear()
        result = self.client.finish(self.call(method, ids))
        expect(result[0] == 'done', '%s afterwards: %s' % (method, result))

    def close(self):
        if self.tracer:
            self.tracer.close()
        if self.daemon:
            if self.alive():
                self.daemon.stop()
            self.daemon.log.close()
        self.machine.close()


class Always(Operation):
    def __init__(self, ids):
        self.before = self.after = tuple(ids)


def result_of(w, job):
    """How the job ended, if the daemon still says so; None while it runs."""
    if job is None or not w.alive():
        return 'unknown'
    try:
        for row in w.jobs():
            if row[0] == str(job[0]):
                return row[4] or None if row[2] != 'finished' else row[4]
        return 'unknown'
    except dbus.DBusException:
        return 'unknown' if not w.alive() else None


def run_traced(w, operation, point, kind):
    """Do it with the tracer at work. Return: how it ended, as far as anybody can tell."""
    w.tracer = Tracer(point, kind, w.daemon)
    job = None
    try:
        job = operation.begin(w)
    except dbus.DBusException as e:
        # Nobody is there any more, or the daemon itself says no.
        if e.get_dbus_name().rsplit('.', 1)[1] not in ('NoReply', 'ServiceUnknown', 'NameHasNoOwner'):
            return 'refused'
    if job is not None and not w.tracer.look():
        path = str(job[1])
        wait_for('the end or the point', lambda: w.tracer.look() or path in w.client.removed or not w.alive(), LIMIT)
        if path in w.client.removed:
            return w.client.removed[path][0]
    if kind in KILLS and w.tracer.look():
        return 'unknown'
    with contextlib.suppress(AssertionError):
        return wait_for('the end', lambda: not w.alive() and 'unknown' or result_of(w, job), LIMIT)
    raise Broken('the job does not end: %s' % w.jobs())


def start_traced(w, operation, point, kind):
    """The daemon's own start, or the operation's program, with the tracer at work."""
    environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=w.shop.bus.address)
    log = open(w.machine.path('fake/log'), 'ab')
    w.tracer = Tracer(point, kind, None, [DAEMON, '--root', w.machine.root] + [operation.command] * (operation.command is not None), env=environment,
                      stdin=subprocess.DEVNULL, stderr=log)
    log.close()

    def over():
        w.tracer.look()
        try:
            with open('/proc/%d/stat' % w.tracer.pid, encoding='ascii') as f:
                if f.read().rsplit(')', 1)[1].split()[0] == 'Z':
                    return 'dead'
        except (FileNotFoundError, ProcessLookupError):
            return 'dead'
        try:
            return w.client.connection.name_has_owner(NAME) and \
                all(j[2] == 'finished' for j in w.jobs()) and 'done'
        except dbus.DBusException:
            return None
    wait_for('the end of the start', over, LIMIT)
    pid = w.tracer.pid
    w.tracer.look()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_for('the name to be free', lambda: not w.client.connection.name_has_owner(NAME))
    return 'unknown'


def ended_well(w, kind):
    """Its own end: our signal, or a status that says why."""
    status = w.daemon.process.poll()
    if status is None:
        return
    killed = kind in KILLS
    expect(status == (-signal.SIGKILL if killed else 1), 'hotpatchd ended with %s' % status)


def check_alive(w, operation, result, kind):
    """The rules while the daemon lives, and then its end."""
    try:
        w.wait_for_jobs()
        # An open intent explains what is not as it should be: the next start resolves it.
        if not os.path.exists(w.machine.path('var/lib/hotpatch/intent')):
            w.check(operation, result)
        w.daemon.kill()
    except dbus.DBusException:
        # It was about to end, its event loop broken by the failure.
        wait_for('the end of hotpatchd, which does not answer', lambda: not w.alive(), LIMIT)
        ended_well(w, kind)


def run_point(shop, name, kind, point):
    """Return: what came of it, for the report; raises Broken."""
    operation = OPERATIONS[name]()
    w = World(shop, operation)
    w.kills = kind in KILLS
    try:
        w.start()
        shop.client.removed.clear()
        for i in operation.order or operation.before:
            w.finish('Apply', [i])
        operation.prepare(w)
        if w.daemon:
            result = run_traced(w, operation, point, kind)
        else:
            result = start_traced(w, operation, point, kind)
        w.tracer.close()
        hit, count = w.tracer.hit, w.tracer.count
        if hit and kind in KILLS and w.daemon:
            wait_for('the death of the daemon', lambda: not w.alive(), LIMIT)
        if w.daemon:
            ended_well(w, kind)
            if w.alive():
                check_alive(w, operation, result, kind)
            w.daemon.log.close()
        # A child that has not yet asked to die with the daemon holds its connection for a moment.
        wait_for('the name to be free', lambda: not shop.client.connection.name_has_owner(NAME))
        operation.again(w)
        w.start()
        w.check(operation, result)
        w.clean()
        w.useful(operation)
        w.clean()
        return {'hit': hit, 'count': count, 'result': result}
    except BaseException:
        shop.log = 'hit %s, hotpatchd %s\n' % (w.tracer and w.tracer.hit, w.daemon and w.daemon.process.poll())
        for path in (w.machine.path('fake/log'), w.daemon and w.daemon.log_path):
            if path and os.path.exists(path):
                shop.log = (shop.log + read(path).decode(errors='replace'))[-2000:]
        raise
    finally:
        w.close()
        with contextlib.suppress(AssertionError):
            wait_for('the name to be free', lambda: not shop.client.connection.name_has_owner(NAME), 5)


class OneConnection(Bus):
    """The bus allows so many connections of a user; all points share one."""

    def connect(self):
        return self.connections[0] if self.connections else super().connect()


class Shop:
    """What all points of a process share."""

    def __init__(self, folder):
        self.pki = Pki.__new__(Pki)
        self.pki.directory = folder
        self.bundles = {i: os.path.join(folder, i + '.hpb') for i in BUNDLES}
        self.bus = OneConnection()
        self.client = Client(self.bus)
        self.log = ''

    def close(self):
        self.bus.close()


def work(folder):
    """The other side of Pool: a point a line on stdin, an answer a line on stdout."""
    shop = Shop(folder)
    try:
        for line in sys.stdin:
            name, kind, point = json.loads(line)
            shop.log = ''
            try:
                answer = run_point(shop, name, kind, point)
            except Exception as e:
                text = str(e) if isinstance(e, Broken) else traceback.format_exc()
                answer = {'broken': text, 'log': shop.log}
            print(json.dumps(dict(answer, point=[name, kind, point])), flush=True)
    finally:
        shop.close()


class Pool:
    """Workers, each with a bus of its own."""

    def __init__(self, jobs, folder):
        self.workers = [subprocess.Popen([sys.executable, os.path.realpath(__file__), '--work', folder],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                        for _ in range(jobs)]

    def run(self, source, done):
        """Feed points of the iterator @source to whoever is free; done(answer)."""
        import selectors
        selector = selectors.DefaultSelector()
        busy = 0

        def feed(worker):
            point = next(source, None)
            if point is None:
                return 0
            worker.stdin.write(json.dumps(point) + '\n')
            worker.stdin.flush()
            return 1
        for w in self.workers:
            selector.register(w.stdout, selectors.EVENT_READ, w)
            busy += feed(w)
        while busy:
            for key, _ in selector.select():
                line = key.data.stdout.readline()
                if not line:
                    raise SystemExit('a worker died')
                done(json.loads(line))
                busy += feed(key.data) - 1

    def close(self):
        for w in self.workers:
            w.stdin.close()
            w.wait()
            w.stdout.close()


# --- which points ---

class Series:
    """The points of one operation and one kind: N = 1, 2, 3… until the operation ends before."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.missed = 0  # in a row
        self.reached = 0
        self.broken = []
        self.run = 0
        self.calls = {}

    def points(self):
        for n in itertools.count(1):
            if self.missed >= MISSED_MAX or len(self.broken) >= BROKEN_MAX:
                return
            yield [self.name, self.kind, n]

    def take(self, answer):
        n = answer['point'][2]
        self.run += 1
        if 'broken' in answer or self.run % 100 == 0:
            print('%s: %s' % (' '.join(map(str, answer['point'])), answer.get('broken', 'so far so good')),
                  file=sys.stderr, flush=True)
        if 'broken' in answer:
            self.broken.append(answer)
        elif answer['hit'] is None:
            self.missed += 1
        else:
            self.missed = 0
            self.reached = max(self.reached, n)
            call = answer['hit']['who'] + ' ' + answer['hit']['call']
            self.calls[call] = self.calls.get(call, 0) + 1

    def tell(self, number, what):
        title = '%s: %s' % (self.name, what)
        print('%s %d - %s' % ('not ok' if self.broken or not self.reached else 'ok', number, title))
        for b in self.broken[:10]:
            print('#   point %s: %s' % (b['point'][2], b['broken'].strip().replace('\n', '\n#     ')))
            if b.get('log'):
                print('#     ' + b['log'].strip().replace('\n', '\n#     '))
        sys.stdout.flush()


def full(pool, operations, kinds):
    number = broken = points = 0
    for name in operations:
        for kind in [k for k in kinds if k in OPERATIONS[name].kinds]:
            series = Series(name, kind)
            started = time.monotonic()
            pool.run(series.points(), series.take)
            number += 1
            points += series.run
            broken += len(series.broken)
            series.tell(number, '%s at each of %d calls, %d broken (%d s)'
                        % (kind, series.reached, len(series.broken), time.monotonic() - started))
    print('1..%d' % number)
    print('# %d points, %d broken' % (points, broken))
    return broken


def counted(pool, operations):
    """operation -> number of its calls"""
    counts = {}

    def take(answer):
        counts[answer['point'][0]] = answer.get('count') or 0
        if 'broken' in answer:
            print('# %s without a fault: %s' % (answer['point'][0], answer['broken'].strip().replace('\n', '\n# ')), flush=True)
    pool.run(iter([[name, 'count', 0] for name in operations]), take)
    return counts


def sample(pool, operations, kinds, size, seed):
    seed = seed if seed is not None else random.SystemRandom().randrange(1 << 32)
    draw = random.Random(seed)
    counts = counted(pool, operations)
    print('# calls: ' + ', '.join('%s %d' % i for i in counts.items()))
    every = [[name, kind, n] for name in operations for kind in kinds
             if kind in OPERATIONS[name].kinds for n in range(1, counts[name] + 1)]
    points = draw.sample(every, min(size, len(every)))
    print('# %d of %d points, --seed %d draws the same' % (len(points), len(every), seed))
    everything = Series('sample', '')
    pool.run(iter(points), everything.take)
    for b in everything.broken:
        print('# %s' % ' '.join(map(str, b['point'])))
    everything.tell(1, '%d points with seed %d' % (len(points), seed))
    print('1..1')
    return len(everything.broken)


def make_bundles(folder):
    pki = Pki(folder)
    for i, extra in BUNDLES.items():
        write(os.path.join(folder, i + '.hpb'), make_bundle(pki, folder, i, **extra))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--operation', action='append', choices=list(OPERATIONS))
    parser.add_argument('--kind', action='append', choices=KINDS)
    parser.add_argument('--point', type=int, action='append', help='only these')
    parser.add_argument('--sample', type=int, help='only so many points, drawn')
    parser.add_argument('--seed', type=int)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--count', action='store_true', help='only count the calls')
    parser.add_argument('--work', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.work)
    operations, kinds = options.operation or list(OPERATIONS), options.kind or KINDS
    folder = tempfile.mkdtemp(prefix='hotpatch-sweep-')
    make_bundles(folder)
    pool = Pool(options.jobs, folder)
    try:
        if options.count:
            print(counted(pool, operations))
            return 0
        if options.point:
            answers = []

            def tell(answer):
                answers.append(answer)
                print(json.dumps(answer), flush=True)
            pool.run(iter([[o, k, n] for o in operations for k in kinds for n in options.point]), tell)
            return any('broken' in a for a in answers)
        if options.sample:
            return sample(pool, operations, kinds, options.sample, options.seed) > 0
        return full(pool, operations, kinds) > 0
    finally:
        pool.close()
        shutil.rmtree(folder)


sys.exit(main())
