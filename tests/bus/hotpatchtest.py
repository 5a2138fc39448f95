# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the bus tests stand on: a made-up machine, a private bus, polkit in six tempers, bundles.

The daemon under test is the real one (tests/bus/hotpatchd-test.c has only another main()). The kernel is
played by files below a scratch root: the daemon loads and unloads, the thread FakeKernel lets the
transitions run. Bundles and their PKI are made here with openssl(1) and by hand, not with our own
writer, so that both sides of the format are not the same code.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)

NAME = 'org.hotpatch.Hotpatch1'
ROOT = '/org/hotpatch/Hotpatch1'
MANAGER = NAME + '.Manager'
PATCH = NAME + '.Patch'
JOB = NAME + '.Job'
ERROR = 'org.hotpatch.Error.'
PROPERTIES = 'org.freedesktop.DBus.Properties'
OBJECTS = 'org.freedesktop.DBus.ObjectManager'

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.environ.get('HOTPATCH_BUILD', os.path.join(SOURCE, 'build'))
DAEMON = os.path.join(BUILD, 'tests/bus/hotpatchd-test')
NOBODY = 65534
EKU = '2.25.273504710682178775026163125997623443060'

RELEASE = '6.1.0-50-cloud-amd64'
BUILD_ID = '00112233445566778899aabbccddeeff00112233'

# How long anything may take before the test says that it hangs; generous, for sanitizers and load.
PATIENCE = float(os.environ.get('HOTPATCH_TEST_PATIENCE', '30'))


def wait_for(what, condition, seconds=PATIENCE):
    """Run the main loop until condition() is true."""
    context = GLib.MainContext.default()
    deadline = time.monotonic() + seconds
    while True:
        while context.pending():
            context.iteration(False)
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError('waited in vain for: ' + what)
        time.sleep(0.005)


def remove_tree(path):
    """rm -rf, also while the daemon or the played kernel puts something there."""
    def gone():
        shutil.rmtree(path, ignore_errors=True)
        return not os.path.lexists(path)
    wait_for('an empty place at ' + path, gone)


def write(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


def write_attribute(path, data):
    """Change a file of the made-up sysfs in one step, as the kernel does: nobody reads half of it."""
    new = path + '.new'
    with open(new, 'w', encoding='ascii') as f:
        f.write(data)
    os.rename(new, path)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


# --- bundles ---

class Pki:
    """A root, an intermediate and a signer, made once for a test run."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.make('root', None, 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign')
        self.make('ca', 'root', 'basicConstraints=critical,CA:TRUE,pathlen:0\n'
                  'keyUsage=critical,keyCertSign,cRLSign\nextendedKeyUsage=' + EKU)
        self.make('leaf', 'ca', 'basicConstraints=critical,CA:FALSE\n'
                  'keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,' + EKU)

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *args):
        subprocess.run(('openssl',) + args, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, cwd=self.directory)

    def make(self, name, issuer, extensions):
        write(self.path(name + '.ext'), '[e]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
              + extensions + '\n')
        self.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', name + '.key')
        self.openssl('req', '-new', '-key', name + '.key', '-subj', '/CN=Hotpatch Test ' + name,
                     '-out', name + '.csr')
        sign = ['-signkey', name + '.key'] if issuer is None else \
               ['-CA', issuer + '.pem', '-CAkey', issuer + '.key', '-CAcreateserial']
        self.openssl('x509', '-req', '-in', name + '.csr', '-days', '30', '-sha256', '-extfile',
                     name + '.ext', '-extensions', 'e', '-out', name + '.pem', *sign)

    def sign(self, data, *options, signer='leaf'):
        write(self.path('data'), data)
        self.openssl('cms', '-sign', '-binary', '-in', 'data', '-outform', 'DER', '-out', 'data.p7s',
                     '-signer', signer + '.pem', '-inkey', signer + '.key', '-md', 'sha256',
                     *(options or ('-certfile', 'ca.pem')))
        return read(self.path('data.p7s'))


def tar_member(name, data, mtime=1700000000):
    header = bytearray(512)
    for offset, value in ((0, name.encode()), (100, b'0000644'), (108, b'0000000'), (116, b'0000000'),
                          (124, b'%011o' % len(data)), (136, b'%011o' % mtime), (148, b' ' * 8),
                          (156, b'0'), (257, b'ustar\x0000'), (329, b'0000000'), (337, b'0000000')):
        header[offset:offset + len(value)] = value
    header[148:156] = b'%06o\0 ' % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def note(kind, desc):
    owner = b'hotpatch\0'
    pad = lambda b: b + bytes(-len(b) % 4)
    return struct.pack('<III', len(owner), len(desc), kind) + pad(owner) + pad(desc)


def notes(bundle_id, sequence, functions):
    """The section .note.hotpatch of a patch module."""
    table = ''.join('%s %s 0 new_%s\n' % (o, f, f) for o, f in functions).encode() + b'\0'
    return note(1, struct.pack('<IIQ', 1, 0, sequence) + hashlib.sha256(table).digest()
                + bundle_id.encode() + b'\0') + note(2, table)


def module_file(directory, name, bundle_id, sequence, functions, build_id=None, release=None):
    """A relocatable ELF file with what the daemon looks at: .modinfo and our note."""
    write(os.path.join(directory, name + '.note'), notes(bundle_id, sequence, functions))
    info = ('name=' + name, 'vermagic=' + (release or RELEASE) + ' SMP preempt mod_unload modversions ',
            'livepatch=Y', 'license=GPL', 'depends=')
    source = '.section .modinfo,"a"\n' + ''.join('.asciz "%s"\n' % i for i in info)
    source += '.section .note.hotpatch,"a",@note\n.incbin "%s.note"\n' % name
    source += '.section .gnu.linkonce.this_module,"aw"\n.globl __this_module\n__this_module: .zero 24\n.asciz "%s"\n.zero 1024\n' % name
    if build_id:
        data = bytes.fromhex(build_id)
        write(os.path.join(directory, name + '.build-id'), struct.pack('<III', 4, len(data), 3) + b'GNU\0' + data)
        source += '.section .note.gnu.build-id,"a",@note\n.incbin "%s.build-id"\n' % name
    source += '.text\n.globl init_module\ninit_module: ret\n'
    write(os.path.join(directory, name + '.S'), source)
    subprocess.run(['cc', '-c', name + '.S', '-o', name + '.ko'], cwd=directory, check=True)
    return read(os.path.join(directory, name + '.ko'))


def make_bundle(pki, directory, bundle_id, module=None, sequence=1, functions=(('vmlinux', 'hp_function'),),
                padding=0, replace=False, appended=None, module_build_id=None, releases=(), **extra):
    """The bytes of a signed bundle. @releases: kernels that it serves; none: the one that runs. @padding: payload bytes
    more, to make it slow to read. @appended: who signed the module for the kernel, or the signature itself."""
    module = module or bundle_id.replace('-', '_').replace('.', '_')
    ko = module_file(directory, module, bundle_id, sequence, functions, module_build_id) + bytes(padding)
    if appended:
        signature = appended if isinstance(appended, bytes) else pki.sign(ko, '-noattr', '-nocerts', signer=appended)
        ko += signature + struct.pack('>2xB5xI', 2, len(signature)) + b'~Module signature appended~\n'
    objects = {}
    for o, f in functions:
        objects.setdefault(o, []).append(f)
    members, payload = [], b''
    targets = []
    for i, release in enumerate(releases or (RELEASE,)):
        member = '%s%s.ko' % (module, '-%d' % i if i else '')
        one = ko if i == 0 else module_file(directory, module, bundle_id, sequence, functions, module_build_id, release)
        members.append({'name': member, 'size': len(one), 'sha256': hashlib.sha256(one).hexdigest(), 'role': 'patch-module'})
        targets.append({'arch': 'x86_64', 'release': release, 'build_id': BUILD_ID, 'member': member, 'module': module,
                        'replace': replace, 'objects': [{'name': o, 'functions': f} for o, f in objects.items()]})
        payload += tar_member(member, one)
    manifest = {
        'type': 'org.hotpatch.bundle', 'format': 1, 'id': bundle_id, 'title': 'Title of ' + bundle_id,
        'severity': 'important', 'kind': 'hotpatch', 'stream': 'test-' + bundle_id, 'sequence': sequence,
        'created': '2026-11-21T09:00:00Z',
        'fixes': [{'id': 'CVE-2026-0001', 'severity': 'important', 'summary': 'A hole'}],
        'targets': targets, 'members': members,
        'trial': {'seconds': 600},
    }
    manifest.update(extra)
    text = json.dumps(manifest).encode()
    return tar_member('manifest.json', text) + tar_member('manifest.json.p7s', pki.sign(text)) \
        + payload + bytes(1024)


# --- the machine ---

class FakeKernel(threading.Thread):
    """Plays the transitions of a kernel: watches `enabled`, answers with `transition` and refcnt."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root = root
        self.delay = 0.05    # how long a transition takes
        self.stall = False   # it does not end (reversing one always does)
        self.replacing = None  # a module that takes the place of all others when its transition ends
        self.held = 0.0      # how long the module keeps its reference after the directory went
        self.running = True
        self.known = {}      # module -> [enabled, when its transition ends]
        self.releases = []   # (when, module)

    def path(self, module, name=''):
        return os.path.join(self.root, 'sys/kernel/livepatch', module, name)

    def run(self):
        while self.running:
            # PermissionError: Client changes the effective user of all threads for a moment
            with contextlib.suppress(FileNotFoundError, PermissionError, ValueError):
                self.look()
            time.sleep(0.003)

    def look(self):
        now = time.monotonic()
        for when, module in list(self.releases):
            if now >= when:
                write_attribute(os.path.join(self.root, 'sys/module', module, 'refcnt'), '0\n')
                self.releases.remove((when, module))
        patches = os.listdir(self.path(''))
        for module in [m for m in self.known if m not in patches]:
            del self.known[module]
        for module in patches:
            enabled = int(read(self.path(module, 'enabled')))
            if module not in self.known:
                self.known[module] = [1, now + self.delay, False]  # it came enabled
            state = self.known[module]
            running = read(self.path(module, 'transition')).strip() == b'1'
            if enabled != state[0]:
                self.known[module] = state = [enabled, now + self.delay, running]
                write_attribute(self.path(module, 'transition'), '1\n')
            elif running and now >= state[1] and (state[2] or not self.stall):
                self.end(module, enabled)

    def end(self, module, enabled):
        if enabled:
            for other in os.listdir(self.path('')) if module == self.replacing else ():
                if other != module:
                    self.drop(other)
            write_attribute(self.path(module, 'transition'), '0\n')
            self.known[module][2] = False
            return
        self.drop(module)

    def drop(self, module):
        gone = os.path.join(self.root, 'fake/gone-%s-%d' % (module, time.monotonic_ns()))
        self.releases.append((time.monotonic() + self.held, module))
        os.rename(self.path(module), gone)
        shutil.rmtree(gone)


class Machine:
    """A scratch root with a kernel in it."""

    def __init__(self, pki, functions=('hp_function', 'hp_other', 'hp_third')):
        self.root = tempfile.mkdtemp(prefix='hotpatch-bus-')
        self.pki = pki
        self.log_sequence = 1000
        build_id = bytes.fromhex(BUILD_ID)
        self.write('sys/kernel/notes', struct.pack('<III', 4, len(build_id), 3) + b'GNU\0' + build_id)
        self.write('proc/sys/kernel/osrelease', RELEASE + '\n')
        self.write('proc/sys/kernel/arch', 'x86_64\n')
        self.write('proc/sys/kernel/ftrace_enabled', '1\n')
        self.write('proc/cmdline', 'quiet\n')
        self.write('proc/kallsyms', ''.join('ffffffff81%06x T %s\n' % (i * 16, f)
                                            for i, f in enumerate((*functions, 'stack_trace_save_tsk_reliable'))))
        self.write('sys/kernel/tracing/available_filter_functions', ''.join(f + '\n' for f in functions))
        self.write('sys/kernel/tracing/enabled_functions', '')
        self.write('dev/kmsg', '')
        for d in ('sys/kernel/livepatch', 'sys/module', 'fake', 'run', 'proc/1/task/1'):
            os.makedirs(self.path(d), exist_ok=True)
        self.write('proc/1/task/1/patch_state', '-1\n')
        self.write('etc/hotpatch/trust.d/test.pem', read(pki.path('root.pem')))
        self.configure()
        self.kernel = FakeKernel(self.root)
        self.kernel.start()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, path, data):
        write(self.path(path), data)

    def configure(self, transition='30s', idle='10min', trial=()):
        """@trial: lines of the section [Trial]."""
        self.write('etc/hotpatch/hotpatchd.conf',
                   '[Transition]\nTimeoutSec=%s\n\n[Service]\nIdleTimeoutSec=%s\n\n[Trial]\n%s\n'
                   % (transition, idle, '\n'.join(trial)))

    def open_log(self):
        """From now on /dev/kmsg is as the kernel's: each reader has his own place, and is woken up."""
        self.write('fake/kmsg/log', '')

    def say(self, *lines, priority=4):
        """The kernel writes to its log."""
        for line in lines:
            self.log_sequence += 1
            record = b'%d,%d,%d,-;%s\n' % (priority, self.log_sequence, self.log_sequence, line.encode())
            # First for those who come, then for those who are there.
            with open(self.path('fake/kmsg/log'), 'ab') as f:
                f.write(record)
            for name in os.listdir(self.path('fake/kmsg')):
                if name == 'log':
                    continue
                try:
                    fd = os.open(self.path('fake/kmsg', name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                except OSError:  # he has gone
                    os.unlink(self.path('fake/kmsg', name))
                    continue
                os.write(fd, record)
                os.close(fd)

    def bundle(self, bundle_id, **kwargs):
        path = self.path('fake', bundle_id + '.hpb')
        write(path, make_bundle(self.pki, self.path('fake'), bundle_id, **kwargs))
        return path

    def stage(self, bundle_id, **kwargs):
        """As an administrator does it: a file in the spool."""
        path = self.bundle(bundle_id, **kwargs)
        spool = self.path('var/lib/hotpatch/spool', bundle_id + '.hpb')
        os.makedirs(os.path.dirname(spool), mode=0o700, exist_ok=True)
        shutil.copy(path, spool)
        return spool

    def loaded(self):
        return sorted(os.listdir(self.path('sys/module')))

    def livepatches(self):
        return sorted(os.listdir(self.path('sys/kernel/livepatch')))

    def leftovers(self):
        """Files that must not be there when no job runs."""
        found = []
        for d in ('run/hotpatch/load',):
            with contextlib.suppress(FileNotFoundError):
                found += os.listdir(self.path(d))
        if os.path.exists(self.path('var/lib/hotpatch/intent')):
            found.append('intent')
        for d, _, files in os.walk(self.path('var/lib/hotpatch')):
            found += [f for f in files if f.startswith('.') or f.endswith(('.tmp', '~'))]
        return found

    def close(self):
        self.kernel.running = False
        self.kernel.join()
        shutil.rmtree(self.root, ignore_errors=True)


def warn(module, function='new_hp_function'):
    """What a kernel says when code of the module is at fault."""
    return ('------------[ cut here ]------------', 'something is odd',
            'WARNING: CPU: 0 PID: 1 at a.c:1 %s+0x1/0x2 [%s]' % (function, module),
            'Modules linked in: hp_one(OEK) hp_two(OEK)', 'CPU: 0 PID: 1 Comm: a',
            'Call Trace:', ' <TASK>', ' vfs_read+0x1/0x2', ' </TASK>', '---[ end trace 0000000000000000 ]---')


def foreign(machine, module):
    """A livepatch of somebody else, in force."""
    for name, value in (('enabled', '1'), ('transition', '0')):
        machine.write('fake/new/' + name, value + '\n')
    for name, value in (('initstate', 'live'), ('refcnt', '1')):
        machine.write('sys/module/%s/%s' % (module, name), value + '\n')
    os.rename(machine.path('fake/new'), machine.kernel.path(module))


# --- the bus ---

POLICY = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow send_type="method_return"/><allow send_type="error"/><allow send_type="signal"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/><allow own="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.systemd1"/><allow own="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.login1"/><allow own="org.freedesktop.login1"/>
  </policy>
  <policy user="root"><allow send_interface="org.freedesktop.DBus.Introspectable"/></policy>
  <include>%s</include>
</busconfig>
'''


class Bus:
    """A private system bus with the shipped policy; nothing else on it is allowed."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='hotpatch-dbus-')
        os.chmod(self.directory, 0o755)
        socket = os.path.join(self.directory, 'bus')
        write(os.path.join(self.directory, 'bus.conf'),
              POLICY % (socket, os.path.join(SOURCE, 'dbus/org.hotpatch.Hotpatch1.conf')))
        self.process = subprocess.Popen(
            ['dbus-daemon', '--nofork', '--print-address', '--config-file',
             os.path.join(self.directory, 'bus.conf')], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        os.chmod(socket, 0o666)
        self.connections = []

    def connect(self):
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        self.connections.append(connection)
        return connection

    def close(self):
        for c in self.connections:
            with contextlib.suppress(Exception):
                c.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.directory)


class Polkit:
    """A polkitd of its own process, with one temper: see polkitmock.py."""

    def __init__(self, bus, temper):
        self.log_path = os.path.join(bus.directory, 'polkit.log')
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(__file__), 'polkitmock.py'), bus.address, temper,
             self.log_path], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            raise AssertionError('the mock of polkit did not start')

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in read(self.log_path).decode().splitlines()]
        return []

    def answer(self, yes):
        """Let a temper of 'wait' give its answers."""
        self.process.send_signal(signal.SIGUSR1 if yes else signal.SIGUSR2)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Daemon:
    """@prefix: words before the program's, of one that becomes it."""

    def __init__(self, machine, bus, prefix=()):
        self.machine, self.bus, self.prefix = machine, bus, prefix
        self.log_path = os.path.join(bus.directory, 'hotpatchd.log')
        self.log = open(self.log_path, 'ab')
        self.start()

    def start(self):
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address)
        environment.setdefault('ASAN_OPTIONS', 'detect_leaks=1:exitcode=99')
        environment.setdefault('UBSAN_OPTIONS', 'halt_on_error=1:print_stacktrace=1')
        self.process = subprocess.Popen([*self.prefix, DAEMON, '--root', self.machine.root], env=environment,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.connection = self.bus.connect()
        wait_for('hotpatchd to own its name',
                 lambda: self.process.poll() is not None or self.connection.name_has_owner(NAME))
        if self.process.poll() is not None:
            raise AssertionError('hotpatchd ended with %d:\n%s' % (self.process.returncode,
                                                                   read(self.log_path).decode()))

    def kill(self):
        self.process.kill()
        self.process.wait()
        wait_for('the name to be free', lambda: not self.connection.name_has_owner(NAME))

    def stop(self):
        """End it politely; a sanitizer has its say here. Return: exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self):
        status = self.stop()
        self.log.close()
        if status not in (0, -signal.SIGKILL):
            raise AssertionError('hotpatchd ended with %d:\n%s' % (status, read(self.log_path).decode()))

    def fds(self):
        return len(os.listdir('/proc/%d/fd' % self.process.pid))


class Client:
    """Somebody who calls: a connection of his own, root's or nobody's."""

    def __init__(self, bus, user=None):
        self.bus = bus
        if user is None:
            self.connection = bus.connect()
        else:
            os.seteuid(user)
            try:
                self.connection = bus.connect()
            finally:
                os.seteuid(0)
        self.removed = {}
        self.trials = []  # (ids, result, reason)
        self.properties = []
        self.connection.add_signal_receiver(self.on_removed, 'JobRemoved', MANAGER)
        self.connection.add_signal_receiver(self.on_trial, 'TrialEnded', MANAGER)
        self.connection.add_signal_receiver(self.on_properties, 'PropertiesChanged', PROPERTIES,
                                            path_keyword='path')

    def on_removed(self, number, path, result, name, message):
        self.removed[str(path)] = (str(result), str(name), str(message))

    def on_trial(self, ids, result, reason):
        self.trials.append(([str(i) for i in ids], str(result), str(reason)))

    def trial(self):
        """Wait until a trial has ended. Return: (ids, result, reason)."""
        wait_for('the end of a trial', lambda: self.trials)
        return self.trials.pop(0)

    def on_properties(self, interface, changed, invalidated, path):
        self.properties.append((str(path), str(interface), dict(changed)))

    def manager(self):
        return dbus.Interface(self.connection.get_object(NAME, ROOT, introspect=False), MANAGER)

    def call(self, method, *args, **kwargs):
        """Call without blocking the main loop. Return: the value; raises DBusException."""
        return self.begin(method, *args, **kwargs).result()

    def begin(self, method, *args, interface=MANAGER, path=ROOT, signature=None, interactive=False):
        return Call(self, method, args, interface, path, signature or SIGNATURES.get(method), interactive)

    def get(self, path, interface, name):
        return self.call('Get', interface, name, interface=PROPERTIES, path=path, signature='ss')

    def patches(self):
        return {str(p[0]): str(p[3]) for p in self.call('ListPatches')}

    def job(self, path):
        return {str(k): v for k, v in self.call('GetAll', JOB, interface=PROPERTIES, path=path,
                                                signature='s').items()}

    def finish(self, job):
        """Wait until a job has ended. Return: (result, short error name, message)."""
        path = str(job[1])
        wait_for('the end of ' + path, lambda: path in self.removed)
        result, name, message = self.removed[path]
        return result, name.replace(ERROR, ''), message

    def apply(self, *ids, **options):
        return self.call('Apply', list(ids), dbus.Dictionary(options, signature='sv'))

    def apply_file(self, path, method='ApplyBundle', flags=os.O_RDONLY):
        fd = os.open(path, flags | os.O_CLOEXEC)
        try:
            return self.call(method, dbus.types.UnixFd(fd), NO_OPTIONS)
        finally:
            os.close(fd)

    def remove(self, *ids):
        return self.call('Remove', list(ids), NO_OPTIONS)

    def close(self):
        self.connection.close()


NO_OPTIONS = dbus.Dictionary({}, signature='sv')
SIGNATURES = {'Apply': 'asa{sv}', 'Remove': 'asa{sv}', 'Plan': 'asa{sv}', 'Stage': 'ha{sv}',
              'ApplyBundle': 'ha{sv}', 'PlanBundle': 'ha{sv}', 'VerifyBundle': 'ha{sv}', 'Describe': 's',
              'Release': 'asa{sv}', 'ListPatches': '', 'EndTrial': 'asa{sv}', 'ListJobs': '', 'Cancel': '', 'GetPolicy': '', 'GetStatus': '', 'Calendar': 'u', 'ScheduleReboot': 'ta{sv}',
              'DeferBaseline': 'ta{sv}', 'CancelReboot': 'a{sv}', 'Reload': ''}


class Call:
    def __init__(self, client, method, args, interface, path, signature, interactive):
        from dbus.lowlevel import MethodCallMessage
        self.value = self.error = None
        self.done = False
        self.method = method
        message = MethodCallMessage(NAME, path, interface, method)
        if interactive:
            message.set_allow_interactive_authorization(True)
        message.append(*args, signature=signature)
        client.connection.send_message_with_reply(message, self.on_reply, 3600)
        client.connection.flush()

    def on_reply(self, message):
        from dbus.lowlevel import ErrorMessage
        arguments = message.get_args_list()
        if isinstance(message, ErrorMessage):
            self.error = dbus.DBusException(*arguments[:1], name=message.get_error_name())
        else:
            self.value = arguments[0] if len(arguments) == 1 else arguments
        self.done = True

    def result(self):
        wait_for('the answer to ' + self.method, lambda: self.done)
        if self.error:
            raise self.error
        return self.value


@contextlib.contextmanager
def refused(*names):
    """The block must be refused with one of these names."""
    try:
        yield
    except dbus.DBusException as e:
        name = e.get_dbus_name().replace(ERROR, '').replace('org.freedesktop.DBus.Error.', '')
        if name not in names:
            raise AssertionError('refused with %s (%s), not %s' % (name, e, ' or '.join(names))) from e
        return
    raise AssertionError('not refused; expected ' + ' or '.join(names))


# --- running tests ---

class World:
    """One machine, one bus, one daemon, polkit; for one test."""

    def __init__(self, pki, polkit=None, **machine):
        self.stack = contextlib.ExitStack()
        self.machine = self.add(Machine(pki, **machine))
        self.bus = self.add(Bus())
        self.polkit = self.add(Polkit(self.bus, polkit)) if polkit else None
        self.daemon = None

    def add(self, thing):
        self.stack.callback(thing.close)
        return thing

    def start(self, prefix=()):
        self.daemon = self.add(Daemon(self.machine, self.bus, prefix))
        self.root = self.client()
        return self

    def client(self, user=None):
        return Client(self.bus, user)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] and self.daemon:
            self.daemon.log.flush()
            print('# ' + read(self.daemon.log_path).decode().replace('\n', '\n# '))
        return self.stack.__exit__(*exc)


def main(tests):
    """Run functions of (pki); TAP on stdout. Arguments: names of tests to run."""
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    failed = 0
    directory = tempfile.mkdtemp(prefix='hotpatch-pki-')
    print('1..%d' % len(tests), flush=True)
    try:
        pki = Pki(directory)
        for number, test in enumerate(tests, 1):
            name = test.__name__.removeprefix('test_').replace('_', ' ')
            try:
                test(pki)
                print('ok %d - %s' % (number, name), flush=True)
            except Exception:
                failed += 1
                print('not ok %d - %s' % (number, name))
                print('# ' + traceback.format_exc().rstrip().replace('\n', '\n# '), flush=True)
    finally:
        shutil.rmtree(directory)
    sys.exit(failed > 0)
