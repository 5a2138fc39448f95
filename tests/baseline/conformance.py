# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every backend must do, whatever package manager it works: doc/baseline-backend.md, as tests.

A test gets a root (aptroot.py, dnfroot.py) and the key that signs its repository. What differs between package
managers is asked of the machine.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

from aptroot import RUNNING, Key, write

OLD = RUNNING


def usual(base, key):
    """A machine that runs OLD, with a service whose configuration is its own; a new kernel is in the repository."""
    m = base.machine(key)
    m.kernel(0)
    m.package('service', '1', files={'/etc/service.conf': 'one\n', '/usr/share/service': '1'}, conffiles=['/etc/service.conf'])
    m.package('other', '1', files={'/usr/share/other': '1'})
    m.install(m.follows_kernel, 'service')
    m.kernel(1)
    m.package('service', '2', files={'/etc/service.conf': 'two\n', '/usr/share/service': '2'}, conffiles=['/etc/service.conf'])
    m.update()
    return m


def names(result):
    return sorted((p['action'], p['name']) for p in result['packages'])


def test_a_baseline_is_planned_fetched_and_installed(base, key):
    with usual(base, key) as m:
        new = m.release(1)
        plan = m.done('plan')
        assert names(plan) == sorted(m.kernel_changes + [('upgrade', 'service')]), plan
        assert [(p['from'], p['to']) for p in plan['packages'] if p['name'] == 'service'] == [(m.v('1'), m.v('2'))], plan
        assert plan['kernel'] == new and plan['restart'] is True, plan
        assert (plan['download_bytes'] > 0 or not m.fetches) and plan['boot_bytes'] > 0, plan
        assert m.version('service') == '1', 'a plan changes nothing'

        m.done('download')
        assert m.version('service') == '1'
        if m.fetches:
            # The repository is away: what was fetched ahead is enough.
            shutil.move(m.at('repo'), m.at('gone'))
        got = m.done('install')
        assert names(got) == names(plan) and got['kernel'] == new and got['restart'] is True, got
        assert m.version('service') == '2' and m.exists('/boot/initrd.img-' + new)
        assert m.exists('/boot/vmlinuz-' + OLD), 'the running kernel stays'

        if m.fetches:
            shutil.move(m.at('gone'), m.at('repo'))
        again = m.done('plan')
        # Nothing is to be done, and still the old kernel runs.
        assert again['packages'] == [] and again['kernel'] == new and again['restart'] is True, again


def test_named_packages_come_in_the_version_that_is_named(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'})
        m.update()
        two = ('service', m.v('2'))
        m.done('plan', [two])
        got = m.done('install', [two, m.kernel_package(1)], kernel=m.release(1))
        assert m.version('service') == '2' and got['kernel'] == m.release(1) and got['restart'], got
        # There already, and a newer one there: nothing to do, and never a downgrade.
        assert m.done('install', [('service', m.v('1'))], kernel=m.release(1))['packages'] == []
        assert m.version('service') == '2'


def test_a_kernel_is_installed_and_not_running(base, key):
    with usual(base, key) as m:
        new = m.release(1)
        # Somebody else has installed it, long ago, and nobody restarted: nothing is to be done but that.
        m.install(*m.kernel_names(1))
        m.shell(m.upgrade + ' service')
        for verb in ('plan', 'install'):
            got = m.done(verb)
            assert got['packages'] == [] and got['kernel'] == new and got['restart'] is True, got
        for verb in ('plan', 'install', 'mend'):
            got = m.done(verb, [m.kernel_package(1)], kernel=new)
            assert got['packages'] == [] and got['kernel'] == new and got['restart'] is True, got
        # One that no package brought is somebody's trial.
        write(m.at('boot/vmlinuz-100.0.0-own'), 'k')
        assert m.done('plan')['kernel'] == new
    with usual(base, key) as m:
        # The kernel comes and another package fails: what is found after that is the kernel.
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst='[ -e /may-go-on ]')
        m.update()
        m.run('install')
        write(m.at('may-go-on'), '')
        got = m.done('mend')
        assert got['kernel'] == m.release(1) and got['restart'] is True, got


def test_nothing_is_newer(base, key):
    with base.machine(key) as m:
        m.kernel(0)
        m.install(m.follows_kernel)
        for verb in ('plan', 'install', 'mend'):
            got = m.done(verb)
            assert got['packages'] == [] and 'kernel' not in got and got['restart'] is False, got


def test_a_package_that_is_not_there(base, key):
    with usual(base, key) as m:
        got = m.fails('not-found', 'plan', [('service', m.v('7'))])
        assert 'service' in got['text'] and not got['retry'], got
        m.fails('not-found', 'plan', [('nothing', m.v('1'))])
        got = m.fails('not-found', 'plan', [('service', m.v('2'))], kernel='6.6.6-none')
        assert '6.6.6-none' in got['text'], got


def test_changed_configuration_is_kept_and_named(base, key):
    with usual(base, key) as m:
        write(m.at('etc/service.conf'), 'mine\n')
        got = m.done('install')
        assert m.read('/etc/service.conf') == 'mine\n'
        assert any('/etc/service.conf' in w for w in got['warnings']), got


def test_the_repository_must_be_signed_by_whom_the_machine_trusts(base, key):
    with usual(base, key) as m:
        stranger = Key(m.packages, 'stranger')
        try:
            m.publish(key=stranger)
        finally:
            stranger.stop()
        got = m.fails('not-trusted', 'plan')
        assert not got['retry'], got
        m.publish(sign=False)
        m.fails('not-trusted', 'plan')
        m.fails('not-trusted', 'download')
        m.publish()
        m.done('plan')


def test_a_repository_that_does_not_answer(base, key):
    with usual(base, key) as m:
        shutil.rmtree(m.at('repo'))
        got = m.fails('download-failed', 'plan')
        assert got['retry'], got


def test_a_package_that_was_changed_on_its_way(base, key):
    with usual(base, key) as m:
        m.done('plan')
        with open(m.package_file('service', '2'), 'r+b') as f:
            f.seek(100)
            f.write(b'XXXX')
        m.fails('download-failed', 'download')
        m.run('install')
        assert m.version('service') == '1'


def test_boot_has_no_room_for_another_kernel(base, key):
    with usual(base, key) as m:
        m.done('download')
        # as large as what is there, and half a kernel more
        m.setup += ('mount -t tmpfs -o size=52k tmpfs "$0/mnt"; cp -a "$0"/boot/. "$0/mnt/"; mount --move "$0/mnt" "$0/boot";')
        os.makedirs(m.at('mnt'), exist_ok=True)
        got = m.fails('boot-full', 'plan')
        assert 'KiB' in got['text'], got
        m.fails('boot-full', 'install')
        assert m.version('service') == '1', 'nothing is begun'


def test_boot_has_no_room_for_an_initramfs(base, key):
    with base.machine(key) as m:
        m.kernel(0)
        m.package('service', '1', files={'/usr/share/service': '1'})
        m.install(m.follows_kernel, 'service')
        m.package('service', '2', files={'/usr/share/service': '2'})
        m.update()
        write(m.at('boot/initrd.img-' + OLD), 'i' * 30000)
        m.done('plan')
        # No new kernel comes; but any package may have the initramfs made again.
        m.setup += ('mount -t tmpfs -o size=64k tmpfs "$0/mnt"; cp -a "$0"/boot/. "$0/mnt/"; mount --move "$0/mnt" "$0/boot";')
        for verb in ('plan', 'install'):
            m.fails('boot-full', verb)
        assert m.version('service') == '1'


def test_a_kernel_without_an_initramfs(base, key):
    with usual(base, key) as m:
        m.kernel(2, postinst='true')
        m.update()
        got = m.fails('initramfs-missing', 'install')
        assert m.release(2) in got['text'], got


def test_a_kernel_that_is_not_there_afterwards(base, key):
    with usual(base, key) as m:
        m.kernel(2, postinst='rm /boot/vmlinuz-' + m.release(2))
        m.update()
        got = m.fails('kernel-missing', 'install')
        assert m.release(2) in got['text'], got
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst='rm /boot/vmlinuz-' + OLD)
        m.update()
        got = m.fails('kernel-missing', 'install')
        assert OLD in got['text'] and 'fall back' in got['text'], got


def test_nothing_gets_older(base, key):
    with usual(base, key) as m:
        m.package('other', '2', files={'/usr/share/other': '2'})
        m.install('other')
        assert m.version('other') == '2'
        m.demand_older('other', '1')
        m.update()
        for verb in ('plan', 'download', 'install'):
            got = m.fails(m.refuses_older, verb, m.demanded)
            assert m.version('other') == '2' and m.version('service') == '1' and not got['retry'], got


def test_nothing_is_removed(base, key):
    with usual(base, key) as m:
        m.package('unused', '1', files={'/usr/share/unused': '1'})
        m.install('unused')
        m.mark_auto('unused', m.kernel_package(0)[0])
        for n in range(2, 6):
            m.kernel(n)
            m.update()
            m.done('install')
        assert m.version('unused') == '1'
        assert [n for n in range(6) if m.exists('/boot/vmlinuz-' + m.release(n))] == m.kernels_of_five


WAITS = 'touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done'


def killed_in_the_middle(m, victims):
    m.package('service', '3', files={'/usr/share/service': '3'}, postinst=WAITS)
    m.update()
    process = m.start('install', [('service', m.v('3'))])
    wait_for(lambda: m.exists('/unpacked'))
    if victims == 'all':
        # as in a power cut: nobody of them writes another word
        for pid in m.inside():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        m.boot()
    else:
        process.kill()
    process.wait(60) # its output has no end: the backend, which goes on, has it too


def test_a_power_cut_in_the_middle(base, key):
    with usual(base, key) as m:
        killed_in_the_middle(m, 'all')
        assert m.result('install')['outcome'] == 'running'
        write(m.at('go'), '')
        process = m.start('install', [('service', m.v('3'))])
        said = process.communicate(timeout=60)[0]
        assert process.returncode != 0 and 'cut off' in said, said
        assert m.result('install')['outcome'] == 'running', 'who was cut off stays on record'
        m.fails('packages-broken', 'plan')
        got = m.done('mend')
        assert m.version('service') == '3' and got['verb'] == 'mend', got
        m.done('install')


def test_a_stop_does_not_end_an_installation(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst=WAITS)
        m.update()
        process = m.start('install', [('service', m.v('3'))])
        wait_for(lambda: m.exists('/unpacked'))
        process.terminate()
        time.sleep(1)
        assert process.poll() is None
        write(m.at('go'), '')
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0 and m.result('install')['outcome'] == 'done', said


def test_one_run_at_a_time(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst=WAITS)
        m.update()
        process = m.start('install', [('service', m.v('3'))])
        wait_for(lambda: m.exists('/unpacked'))
        second = m.start('plan')
        said = second.communicate(timeout=60)[0]
        assert second.returncode != 0 and 'under way already' in said, said
        write(m.at('go'), '')
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0 and m.result('install')['outcome'] == 'done', said


def test_a_backend_that_is_not_there(base, key):
    with usual(base, key) as m:
        m.fails('unsupported', 'plan', backend='none')


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.05)


def main(root, tests):
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    assert not wanted or len(tests) == len(wanted), 'there are only %s' % [t.__name__ for t in tests]
    if os.geteuid() != 0:
        print('1..0 # SKIP needs root, for a chroot')
        sys.exit(77)
    failed = 0
    folder = tempfile.mkdtemp(prefix='hotpatch-key-')
    key = Key(folder)
    base = root()
    print('1..%d' % len(tests), flush=True)
    try:
        for number, test in enumerate(tests, 1):
            name = test.__name__.removeprefix('test_').replace('_', ' ')
            try:
                test(base, key)
                print('ok %d - %s' % (number, name), flush=True)
            except Exception:
                failed += 1
                print('not ok %d - %s' % (number, name))
                print('# ' + traceback.format_exc().rstrip().replace('\n', '\n# '), flush=True)
    finally:
        key.stop()
        base.remove()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(failed > 0)


