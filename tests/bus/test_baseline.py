#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Baselines on the bus: what hotpatchd asks of hotpatch-baseline.service, and what it makes of its results.

systemd is played, the runner is the real one, and the package manager is a script of a few lines.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading

from hotpatchtest import NO_OPTIONS, World, dbus, main, make_bundle, refused, tar_member, wait_for, write
from systemdmock import Systemd

RUNNER = os.path.join(os.environ.get('HOTPATCH_BUILD', 'build'), 'tests/bus/baseline-runner')
UNIT = 'hotpatch-baseline.service'
HELLO = 'echo \'{"type":"hello","protocol":1,"backend":"apt"}\'\n'
DONE = 'echo \'{"type":"done","kernel":"6.1.0-99-test","restart":true}\'\n'
PACKAGE = 'echo \'{"type":"package","action":"install","name":"linux-image-6.1.0-99-test","to":"1"}\'\n'


class Runs(Systemd):
    """systemd, as far as it runs the one unit: the start ends when the program has."""

    def __init__(self, world, script):
        super().__init__(world.bus)
        self.world = world
        self.backends = world.machine.path('backends')
        write(os.path.join(self.backends, 'apt'), '#!/bin/sh\n' + HELLO + script, 0o755)
        self.process = None
        self.cancel = False
        self.holds = False

    @dbus.service.method('org.freedesktop.systemd1.Manager', in_signature='ss', out_signature='o')
    def StartUnit(self, unit, _mode):
        self.started.append(str(unit))
        path = dbus.ObjectPath('/org/freedesktop/systemd1/job/1')
        if self.holds: # the job waits for others
            return path
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen([RUNNER, self.world.machine.root, self.backends])
            self.watch = threading.Thread(target=self.process.wait, daemon=True)
            self.watch.start()
        from gi.repository import GLib
        GLib.timeout_add(20, lambda: self.ended(path))
        return path

    def close(self):
        for pid in self.children():
            os.killpg(pid, signal.SIGKILL)
        super().close()

    def children(self):
        """Backends that still run: each leads a group of its own."""
        if self.process is None or self.process.poll() is not None:
            return []
        return [int(p) for p in subprocess.run(['pgrep', '-P', str(self.process.pid)], capture_output=True, text=True,
                                               check=False).stdout.split()]

    def ended(self, path):
        if self.cancel:
            # 'systemctl stop', a shutdown: the job is over, the runner goes on
            self.cancel = False
            self.JobRemoved(1, path, UNIT, 'canceled')
            return False
        if self.process.poll() is None:
            return True
        self.JobRemoved(1, path, UNIT, 'done' if self.process.returncode == 0 else 'failed')
        return False


def plan(w, bundle='', **options):
    return json.loads(w.root.call('PlanBaseline', bundle, dbus.Dictionary(options, signature='sv'), signature='sa{sv}'))


def install(w, bundle='', **options):
    return json.loads(w.root.call('InstallBaseline', bundle, dbus.Dictionary(options, signature='sv'), signature='sa{sv}'))


def described(w):
    return json.loads(w.root.call('DescribeBaseline', signature=''))


DEADLINE = 1798675200 * 10**6 # 2026-12-31


def baseline_bundle(pki, bundle_id='base-2026-10', packages=(('linux-image-6.1.0-99-test', '1'),), **extra):
    text = json.loads(json.dumps({
        'type': 'org.hotpatch.bundle', 'format': 1, 'id': bundle_id, 'title': 'A baseline', 'severity': 'important',
        'kind': 'baseline', 'stream': 'test-baseline', 'sequence': 1, 'created': '2026-11-21T09:00:00Z', 'members': [],
        'packages': [{'name': n, 'version': v} for n, v in packages], 'kernel_release': '6.1.0-99-test',
        'deadline': '2026-12-31T00:00:00Z'}))
    text.update(extra)
    data = json.dumps(text).encode()
    return tar_member('manifest.json', data) + tar_member('manifest.json.p7s', pki.sign(data)) + bytes(1024)


def stage(w, data):
    path = w.machine.path('tmp-bundle')
    with open(path, 'wb') as f:
        f.write(data)
    return w.root.apply_file(path, 'Stage')


def test_plan_and_install(pki):
    with World(pki, polkit='allow').start() as w:
        runs = w.add(Runs(w, PACKAGE + DONE))
        assert described(w) == {'running': False, 'plan': None, 'download': None, 'install': None}
        got = plan(w)
        assert got['outcome'] == 'done' and got['packages'][0]['name'] == 'linux-image-6.1.0-99-test', got
        got = install(w)
        assert got['verb'] == 'install' and got['kernel'] == '6.1.0-99-test' and got['restart'], got
        assert runs.started == [UNIT, UNIT]
        now = described(w)
        assert now['install'] == got and now['plan']['verb'] == 'plan' and not now['running'], now


def test_download_is_a_plan_and_more(pki):
    with World(pki, polkit='allow').start() as w:
        runs = w.add(Runs(w, DONE))
        assert plan(w, download=True)['verb'] == 'download'
        assert len(runs.started) == 2 and described(w)['plan']['outcome'] == 'done'


def test_a_failure_has_its_name(pki):
    with World(pki, polkit='allow').start() as w:
        w.add(Runs(w, 'echo \'{"type":"failed","cause":"boot-full","text":"/boot has 3 KiB left"}\'\nexit 1\n'))
        with refused('BootFull'):
            plan(w)
        with refused('BootFull'):
            install(w)
        got = described(w)['install']
        assert got['outcome'] == 'failed' and got['cause'] == 'boot-full' and got['text'] == '/boot has 3 KiB left', got


# doc/baseline-backend.md: the causes of a backend, and what a caller gets
CAUSES = {'lock-held': 'PackagesLocked', 'no-space': 'DiskFull', 'boot-full': 'BootFull', 'packages-broken': 'PackagesBroken',
          'conffile': 'ConffileConflict', 'initramfs-missing': 'InitramfsMissing', 'kernel-missing': 'KernelMissing',
          'download-failed': 'DownloadFailed', 'not-trusted': 'RepositoryNotTrusted', 'not-found': 'PackageNotFound',
          'would-remove': 'WouldRemovePackages', 'would-downgrade': 'WouldDowngradePackages', 'held': 'PackageHeld',
          'unsupported': 'BackendUnsupported', 'backend': 'BackendFailed'}


def test_each_cause_has_its_error(pki):
    with open(os.path.join(os.path.dirname(__file__), '../../doc/baseline-backend.md'), encoding='utf-8') as f:
        table = f.read().split('| cause | meaning |')[1].split('`interrupted`')[0]
    assert [line.split('`')[1] for line in table.splitlines() if line.startswith('| `')] == list(CAUSES)
    with World(pki, polkit='allow').start() as w:
        w.add(Runs(w, 'echo "{\\"type\\":\\"failed\\",\\"cause\\":\\"$(cat %s)\\",\\"text\\":\\"So it is\\"}"; exit 1\n'
                   % w.machine.path('cause')))
        for cause, error in CAUSES.items():
            write(w.machine.path('cause'), cause)
            with refused(error):
                plan(w)
            got = described(w)['plan']
            assert (got['outcome'], got['cause'], got['text'], got['retry']) == ('failed', cause, 'So it is', False), got
        # Nobody else has that word.
        write(w.machine.path('cause'), 'interrupted')
        with refused('BackendFailed'):
            plan(w)


def test_a_bundle_names_packages_and_kernel(pki):
    with World(pki, polkit='allow').start() as w:
        w.add(Runs(w, 'echo "$*" >%s/args; echo "$HOTPATCH_KERNEL" >>%s/args\n' % ((w.machine.root,) * 2) + DONE))
        assert stage(w, baseline_bundle(pki)) == 'base-2026-10'
        got = install(w, 'base-2026-10')
        assert got['bundle'] == 'base-2026-10' and got['deadline'] == DEADLINE, got
        with open(w.machine.path('args'), encoding='ascii') as f:
            assert f.read().split() == ['install', 'linux-image-6.1.0-99-test=1', '6.1.0-99-test']


def test_a_bundle_of_the_other_kind(pki):
    with World(pki, polkit='allow').start() as w:
        runs = w.add(Runs(w, DONE))
        stage(w, baseline_bundle(pki))
        with refused('NotAHotpatch'):
            job = w.root.apply('base-2026-10')
            result = w.root.finish(job)
            raise dbus.DBusException(result[2], name='org.hotpatch.Error.' + result[1])
        stage(w, make_bundle(pki, w.machine.root, 'hp-one'))
        with refused('NotABaseline'):
            plan(w, 'hp-one')
        with refused('NoSuchBundle'):
            install(w, 'not-there')
        with refused('InvalidArgs'):
            install(w, '../x')
        with refused('ManifestInvalid'):
            stage(w, baseline_bundle(pki, 'base-bad', packages=[('--force', '1')]))
        assert runs.started == []


def test_who_may(pki):
    with World(pki, polkit='deny').start() as w:
        runs = w.add(Runs(w, DONE))
        other = w.client(65534)
        for method in ('PlanBaseline', 'InstallBaseline'):
            with refused('AccessDenied'):
                other.call(method, '', NO_OPTIONS, signature='sa{sv}')
        assert json.loads(other.call('DescribeBaseline', signature=''))['running'] is False
        assert runs.started == []
        with refused('InvalidArgs'):
            w.root.call('PlanBaseline', '', dbus.Dictionary({'mend': True}, signature='sv'), signature='sa{sv}')


def test_one_at_a_time_and_the_caller_may_leave(pki):
    with World(pki, polkit='allow').start() as w:
        go = w.machine.path('go')
        w.add(Runs(w, until(go) + DONE))
        first = w.client()
        first.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('the run', lambda: described(w)['running'] and described(w)['install'])
        first.close()
        with refused('Busy'):
            plan(w)
        assert described(w)['install']['outcome'] == 'running'
        write(go, '')
        wait_for('the end', lambda: not described(w)['running'])
        assert described(w)['install']['outcome'] == 'done'


def test_a_run_goes_on_without_the_daemon(pki):
    with World(pki, polkit='allow').start() as w:
        go = w.machine.path('go')
        runs = w.add(Runs(w, until(go) + DONE))
        w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('the run', lambda: described(w)['running'] and described(w)['install'])
        w.daemon.kill()
        w.daemon.start()
        assert described(w)['running'], 'it is found again'
        with refused('Busy'):
            plan(w)
        write(go, '')
        wait_for('the end', lambda: not described(w)['running'])
        assert described(w)['install']['outcome'] == 'done' and len(runs.started) == 2


def test_a_cut_off_installation_is_mended_by_an_act(pki):
    with World(pki, polkit='allow').start() as w:
        runs = w.add(Runs(w, 'case $1 in install) sleep 60 ;; esac\n' + DONE))
        w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('the run', lambda: described(w)['running'] and described(w)['install'])
        runs.process.kill()
        wait_for('the end', lambda: not described(w)['running'])
        got = described(w)['install']
        assert got['outcome'] == 'failed' and got['cause'] == 'interrupted', got
        assert state(w) == 'interrupted'
        with refused('InstallInterrupted'):
            install(w)
        got = install(w, mend=True)
        assert got['verb'] == 'mend' and described(w)['install']['outcome'] == 'done', got
        assert state(w) != 'interrupted'


def test_a_power_cut_while_a_person_installs(pki):
    """The state that names it is made by the daemon of the next boot: no other was there."""
    with World(pki, polkit='allow') as w:
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/60-year.conf', '[Baseline]\nEnable=no\n')
        w.start()
        runs = w.add(Runs(w, 'case $1 in install) sleep 60 ;; esac\n' + DONE))
        w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('the run', lambda: described(w)['running'] and described(w)['install'])
        w.daemon.kill()
        for pid in runs.children():
            os.killpg(pid, signal.SIGKILL)
        runs.process.kill()
        runs.process.wait()
        w.daemon.start()
        w.root = w.client()
        wait_for('the name', lambda: state(w) == 'interrupted')
        text = str(w.root.get('/org/hotpatch/Hotpatch1', 'org.hotpatch.Hotpatch1.Manager', 'BaselineText'))
        assert text.endswith(': the installation began and did not end'), text
        # Once: what was said is not said again, and nothing is tried by itself.
        n = len(runs.started)
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        assert state(w) == 'interrupted' and len(runs.started) == n
        history = w.machine.path('var/lib/hotpatch/baseline-state')
        with open(history, encoding='utf-8') as f:
            assert f.read().count(' interrupted ') == 1


def test_an_installation_that_nobody_saw_the_end_of(pki):
    with World(pki, polkit='allow') as w:
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/60-year.conf', '[Baseline]\nEnable=no\n')
        w.start()
        go = w.machine.path('go')
        runs = w.add(Runs(w, held('install', go) + PACKAGE + DONE))
        w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
        wait_for('the run', lambda: described(w)['running'] and described(w)['install'])
        w.daemon.kill()
        write(go, '')
        runs.process.wait()
        w.daemon.start()
        w.root = w.client()
        wait_for('the state', lambda: state(w) == 'installed')
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        assert state(w) == 'installed' and len(runs.started) == 1, runs.started


STATE = 'var/lib/hotpatch/baseline-state'
DROP_IN = 'etc/hotpatch/hotpatchd.conf.d/60-year.conf'
ALWAYS = '[Baseline]\nEnable=yes\nWindow=00:00\nWindowLengthSec=24h\n'


@contextlib.contextmanager
def in_window(pki):
    """A machine whose baselines go on by themselves, at any time of the day."""
    with World(pki, polkit='allow') as w:
        w.machine.write(DROP_IN, ALWAYS)
        yield w.start()


def noted(w):
    """Lines of a package manager that writes down what it is asked, for verbs()."""
    return 'echo $1 >>%s/verbs\n' % w.machine.root


def until(path):
    return 'while [ ! -e %s ]; do sleep 0.05; done\n' % path


def held(verb, path):
    """Lines of one that waits with that verb until the file is there."""
    return 'case $1 in %s) %s ;; esac\n' % (verb, until(path))


def state(w):
    return str(w.root.get('/org/hotpatch/Hotpatch1', 'org.hotpatch.Hotpatch1.Manager', 'BaselineState'))


def verbs(w):
    path = w.machine.path('verbs')
    return open(path, encoding='ascii').read().split() if os.path.exists(path) else []


def test_what_is_scheduled_goes_on_by_itself(pki):
    with in_window(pki) as w:
        w.add(Runs(w, noted(w) + PACKAGE + DONE))
        stage(w, baseline_bundle(pki, deadline='2036-12-31T00:00:00Z'))
        plan(w, 'base-2026-10', schedule=True)
        wait_for('the installation', lambda: state(w) in ('installed', 'scheduled'))
        assert verbs(w) == ['plan', 'plan', 'download', 'install'], verbs(w)
        assert described(w)['install']['bundle'] == 'base-2026-10'


def remembered(w, key):
    with open(w.machine.path(STATE), encoding='utf-8') as f:
        return dict(line.split('=', 1) for line in f.read().splitlines() if '=' in line).get(key)


def boot_id():
    with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as f:
        return f.read().strip().replace('-', '')


def baseline_text(w):
    return json.loads(w.root.call('Calendar', dbus.UInt32(0), signature='u'))['baseline']['text']


def force(w, boot=None):
    """A transition of this boot, or of another, was forced."""
    w.machine.write('var/lib/hotpatch/forced',
                    'FORMAT=1\nID=hp-one\nMODULE=hp_one\nBOOT_ID=%s\nFORCED_USEC=1\nCALLER_UID=0\nEND=1\n' % (boot or boot_id()))


def test_a_forced_transition_books_a_restart(pki):
    """With nothing to install as well; and never for what was forced in another boot."""
    with in_window(pki) as w:
        runs = w.add(Runs(w, noted(w) + 'echo \'{"type":"done","restart":false}\'\n'))
        w.daemon.stop()
        force(w, '0' * 31 + '1')
        w.daemon.start()
        w.root = w.client()
        assert state(w) in ('idle', 'reached') and verbs(w) == [], (state(w), verbs(w))
        w.daemon.stop()
        force(w)
        w.daemon.start()
        w.root = w.client()
        wait_for('the restart', lambda: state(w) == 'scheduled')
        assert verbs(w) == ['plan'], verbs(w)
        assert baseline_text(w).endswith("(out of turn: the transition of module 'hp_one' was forced)"), baseline_text(w)
        assert remembered(w, 'FORCED') == '1' and int(remembered(w, 'RESTART_USEC')) > 0
        # Another daemon does not begin anew; in another boot it is done.
        w.daemon.stop()
        w.daemon.start()
        w.root = w.client()
        assert state(w) == 'scheduled' and len(runs.started) == 1, runs.started
        w.daemon.stop()
        rewrite_boot(w)
        force(w, '0' * 31 + '1')
        w.daemon.start()
        w.root = w.client()
        wait_for('the end', lambda: state(w) == 'reached')
        assert len(runs.started) == 1, runs.started


def test_a_forced_transition_books_nothing_where_nothing_is_planned(pki):
    with World(pki) as w:
        runs = w.add(Runs(w, noted(w) + DONE))
        force(w)
        w.start()
        reasons = [str(r[0]) for r in w.root.get('/org/hotpatch/Hotpatch1', 'org.hotpatch.Hotpatch1.Manager', 'RebootRequired')]
        assert reasons == ['forced'] and state(w) == 'idle' and runs.started == [], (reasons, state(w), runs.started)


def test_a_forced_record_that_cannot_be_read_books_nothing(pki):
    """It would be so after the restart, too."""
    with in_window(pki) as w:
        runs = w.add(Runs(w, noted(w) + DONE))
        w.daemon.stop()
        w.machine.write('var/lib/hotpatch/forced', 'MODULE=hp_one\n')
        w.daemon.start()
        w.root = w.client()
        assert state(w) == 'idle' and runs.started == [], (state(w), runs.started)


def test_a_bundle_that_was_not_scheduled_keeps_its_name(pki):
    with World(pki, polkit='allow').start() as w:
        w.add(Runs(w, PACKAGE + DONE))
        stage(w, baseline_bundle(pki, baseline='2026.05'))
        got = install(w, 'base-2026-10')
        assert (got['baseline'], got['bundle']) == ('2026.05', 'base-2026-10'), got
        assert state(w) in ('installed', 'scheduled'), state(w)
        kept = [remembered(w, key) for key in ('NAME', 'BUNDLE', 'DEADLINE_USEC', 'KERNEL')]
        assert kept == ['2026.05', 'base-2026-10', str(DEADLINE), '6.1.0-99-test'], kept


def rewrite_boot(w):
    """What the state says was in another boot."""
    path = w.machine.path(STATE)
    with open(path, encoding='utf-8') as f:
        text = f.read()
    write(path, text.replace('BOOT_ID=' + boot_id(), 'BOOT_ID=' + '0' * 31 + '2').replace(
        'RESTART_BOOT=' + boot_id(), 'RESTART_BOOT=' + '0' * 31 + '2'))


def in_the_way(w):
    """The state cannot be replaced, as if the disk were full. Return: what ends that."""
    path = w.machine.path(STATE)
    os.rename(path, path + '-kept')
    os.makedirs(path + '/full')

    def end():
        os.rmdir(path + '/full')
        os.rmdir(path)
        os.rename(path + '-kept', path)
    return end


def test_a_plan_that_cannot_be_written_is_none(pki):
    with in_window(pki) as w:
        w.add(Runs(w, noted(w) + PACKAGE + DONE))
        stage(w, baseline_bundle(pki, baseline='2026.05', deadline='2036-12-31T00:00:00Z'))
        before = state(w), json.loads(w.root.call('Calendar', 0))['baseline']
        end = in_the_way(w)
        with refused('StateUnwritable'):
            plan(w, 'base-2026-10', schedule=True)
        assert (state(w), json.loads(w.root.call('Calendar', 0))['baseline']) == before and verbs(w) == ['plan'], verbs(w)
        end()
        plan(w, 'base-2026-10', schedule=True)
        wait_for('the installation', lambda: state(w) in ('installed', 'scheduled'))
        assert remembered(w, 'NAME') == '2026.05' and verbs(w).count('install') == 1, verbs(w)


def test_a_step_that_cannot_be_written_is_not_taken(pki):
    with in_window(pki) as w:
        go = w.machine.path('go')
        w.add(Runs(w, noted(w) + held('download', go) + PACKAGE + DONE))
        scheduled(w)
        wait_for('the download', lambda: verbs(w)[-1:] == ['download'])
        end = in_the_way(w)
        write(go, '')
        wait_for('the end', lambda: described(w)['download']['outcome'] == 'done' and not described(w)['running'])
        # Neither is it installed, nor does it count as begun.
        for _ in range(2):
            w.root.call('Reload')
            assert state(w) == 'planned' and verbs(w)[-1] == 'download', (state(w), verbs(w))
        end()
        w.root.call('Reload')
        wait_for('the installation', lambda: state(w) in ('installed', 'scheduled'))
        assert verbs(w).count('install') == 1, verbs(w)


def test_an_installation_that_fails_is_not_tried_again(pki):
    with in_window(pki) as w:
        w.add(Runs(w, noted(w) + '''case $1 in install)
            echo \'{"type":"failed","cause":"packages-broken","text":"a script failed"}\'; exit 1 ;; esac\n''' + PACKAGE + DONE))
        plan(w, schedule=True)
        wait_for('the failure', lambda: state(w) == 'install-failed')
        w.daemon.kill()
        w.daemon.start()
        assert state(w) == 'install-failed' and verbs(w).count('install') == 1, verbs(w)
        write(os.path.join(w.machine.path('backends'), 'apt'), '#!/bin/sh\n' + HELLO + PACKAGE + DONE, 0o755)
        install(w)
        assert state(w) in ('installed', 'scheduled'), state(w)


def scheduled(w, bundle=''):
    plan(w, bundle, schedule=True)


def test_a_start_job_that_is_canceled(pki):
    with in_window(pki) as w:
        go = w.machine.path('go')
        runs = w.add(Runs(w, noted(w) + held('install', go) + PACKAGE + DONE))
        scheduled(w)
        wait_for('the installation', lambda: verbs(w)[-1:] == ['install'])
        runs.cancel = True
        wait_for('the cancellation', lambda: not runs.cancel)
        assert described(w)['running'] and state(w) == 'installing', state(w)
        with refused('Busy'):
            plan(w)
        write(go, '')
        wait_for('the end', lambda: state(w) in ('installed', 'scheduled'))
        assert len(runs.started) == 4 and verbs(w).count('install') == 1, (runs.started, verbs(w))


def hold_request(w):
    """An installation is asked for, and systemd does not get to it. Return: systemd, and where the request lies."""
    runs = w.add(Runs(w, DONE))
    runs.holds = True
    w.root.begin('InstallBaseline', '', NO_OPTIONS, signature='sa{sv}')
    request = w.machine.path('run/hotpatch/baseline/request')
    wait_for('the request', lambda: os.path.exists(request) and runs.started)
    return runs, request


def test_a_job_that_waits_for_its_turn(pki):
    with World(pki, polkit='allow').start() as w:
        runs, request = hold_request(w)
        w.daemon.kill()
        runs.holds = False
        w.daemon.start()
        wait_for('the end', lambda: described(w)['install'] and not described(w)['running'])
        assert described(w)['install']['outcome'] == 'done' and not os.path.exists(request)


def test_a_request_that_nobody_took(pki):
    with World(pki, polkit='allow').start() as w:
        runs, request = hold_request(w)
        runs.JobRemoved(1, dbus.ObjectPath('/org/freedesktop/systemd1/job/1'), UNIT, 'canceled')
        wait_for('the end', lambda: not described(w)['running'])
        assert not os.path.exists(request) and described(w)['install'] is None


def test_a_unit_that_does_not_run_is_tried_again(pki):
    """An ExecCondition= of the site, or a shutdown: nothing was begun, so nothing has failed."""
    with in_window(pki) as w:
        go = w.machine.path('go')
        runs = w.add(Runs(w, noted(w) + held('download', go) + PACKAGE + DONE))
        scheduled(w)
        wait_for('the download', lambda: verbs(w)[-1:] == ['download'])
        n = len(runs.started)
        runs.holds = True
        write(go, '')
        wait_for('the start', lambda: len(runs.started) > n)
        assert state(w) == 'installing'
        runs.JobRemoved(1, dbus.ObjectPath('/org/freedesktop/systemd1/job/1'), UNIT, 'done')
        wait_for('the state', lambda: state(w) == 'downloaded')
        assert not os.path.exists(w.machine.path('run/hotpatch/baseline/request')) and verbs(w)[-1] == 'download'
        assert remembered(w, 'CAUSE') == 'none' and int(remembered(w, 'AGAIN_USEC')) > 0
        # By hand it is not too early.
        runs.holds = False
        install(w)
        assert state(w) in ('installed', 'scheduled') and verbs(w).count('install') == 1, (state(w), verbs(w))


def test_what_was_mended_is_completed(pki):
    with in_window(pki) as w:
        go = w.machine.path('go')
        runs = w.add(Runs(w, noted(w) + held('install', go) + PACKAGE + DONE))
        stage(w, baseline_bundle(pki, deadline='2036-12-31T00:00:00Z'))
        scheduled(w, 'base-2026-10')
        wait_for('the installation', lambda: verbs(w)[-1:] == ['install'])
        for pid in runs.children():
            os.killpg(pid, signal.SIGKILL)
        wait_for('the failure', lambda: state(w) in ('interrupted', 'install-failed'))
        write(go, '')
        del runs.started[:]
        os.remove(w.machine.path('verbs'))
        assert install(w, mend=True)['verb'] == 'mend'
        wait_for('the rest', lambda: state(w) in ('installed', 'scheduled'))
        assert verbs(w) == ['mend', 'plan', 'download', 'install'], verbs(w)
        assert described(w)['install']['bundle'] == 'base-2026-10'


def test_a_lock_is_no_failure_for_ever(pki):
    with in_window(pki) as w:
        w.add(Runs(w, '''case $1 in install)
            echo \'{"type":"failed","cause":"lock-held","text":"apt is at work","retry":true}\'; exit 1 ;; esac\n''' + PACKAGE + DONE))
        scheduled(w)
        wait_for('the failure', lambda: described(w)['install'] and described(w)['install']['outcome'] == 'failed')
        wait_for('the state', lambda: state(w) == 'downloaded')


def test_a_run_is_known_by_its_id_and_not_by_the_clock(pki):
    with in_window(pki) as w:
        go = w.machine.path('go')
        w.add(Runs(w, held('install', go) + PACKAGE + DONE))
        scheduled(w)
        wait_for('the installation', lambda: described(w)['running'] and described(w)['install'])
        # As if the clock had been set back in the meantime: the run seems to have begun before its phase.
        w.daemon.kill()
        path = w.machine.path(STATE)
        text = open(path, encoding='utf-8').read()
        before = next(line for line in text.splitlines() if line.startswith('PHASE_USEC='))
        w.machine.write(STATE, text.replace(before, 'PHASE_USEC=4000000000000000'))
        w.daemon.start()
        write(go, '')
        wait_for('the end', lambda: state(w) in ('installed', 'scheduled'))


def test_packages_of_others_ask_for_a_restart(pki):
    with World(pki, polkit='allow').start() as w:
        def reasons():
            return dict(map(lambda r: (str(r[0]), str(r[1])), w.root.get(
                '/org/hotpatch/Hotpatch1', 'org.hotpatch.Hotpatch1.Manager', 'RebootRequired')))

        def told():
            return ['packages' in [str(r[0]) for r in c['RebootRequired']] for _, i, c in w.root.properties
                    if i.endswith('.Manager') and 'RebootRequired' in c]
        assert 'packages' not in reasons()
        w.machine.write('run/reboot-required', '*** System restart required ***\n')
        assert reasons()['packages'] == 'Packages were installed that ask for a restart'
        w.machine.write('run/reboot-required.pkgs', 'libc6\nlinux-image-6.1.0-99-test\n')
        assert "'libc6' first" in reasons()['packages']
        w.root.call('ListPatches')
        wait_for('the signal', lambda: told() == [True])
        w.machine.write('run/reboot-required.pkgs', '\033[31m\n')
        assert reasons()['packages'] == 'Packages were installed that ask for a restart'
        os.unlink(w.machine.path('run/reboot-required'))
        w.root.call('ListPatches')
        wait_for('the signal', lambda: told() == [True, False])


def test_systemd_is_not_there(pki):
    with World(pki, polkit='allow').start() as w:
        with refused('BackendFailed'):
            plan(w)


if __name__ == '__main__':
    main([f for n, f in list(globals().items()) if n.startswith('test_')])
