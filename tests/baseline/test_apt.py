#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backend apt, with the real apt and dpkg, in a root of its own and with a repository of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from aptroot import RUNNING, Key, Machine, Root, write

OLD, NEW = RUNNING, '99.1.0-test'


def usual(base, key):
    """A machine that runs OLD, with a service whose configuration is its own; NEW is in the repository."""
    m = Machine(base, key)
    m.kernel(OLD)
    m.deb('service', '1', files={'/etc/service.conf': 'one\n', '/usr/share/service': '1'}, conffiles=['/etc/service.conf'])
    m.deb('other', '1', files={'/usr/share/other': '1'})
    m.install('linux-image-test', 'service')
    m.kernel(NEW, '2')
    m.deb('service', '2', files={'/etc/service.conf': 'two\n', '/usr/share/service': '2'}, conffiles=['/etc/service.conf'])
    m.update()
    return m


def names(result):
    return sorted((p['action'], p['name']) for p in result['packages'])


def test_a_baseline_is_planned_fetched_and_installed(base, key):
    with usual(base, key) as m:
        plan = m.done('plan')
        assert names(plan) == [('install', 'linux-image-' + NEW), ('upgrade', 'linux-image-test'), ('upgrade', 'service')], plan
        assert plan['kernel'] == NEW and plan['restart'] is True, plan
        assert plan['download_bytes'] > 0 and plan['boot_bytes'] > 0, plan
        assert m.version('service') == '1', 'a plan changes nothing'

        m.done('download')
        assert m.version('service') == '1'
        # The repository is away: what was fetched ahead is enough.
        shutil.move(m.at('repo'), m.at('gone'))
        got = m.done('install')
        assert names(got) == names(plan) and got['kernel'] == NEW and got['restart'] is True, got
        assert m.version('service') == '2' and m.exists('/boot/initrd.img-' + NEW)
        assert m.exists('/boot/vmlinuz-' + OLD), 'the running kernel stays'
        assert m.read('/run/reboot-required') == '*** System restart required ***\n'
        assert m.read('/run/reboot-required.pkgs').split() == ['linux-image-' + NEW, 'linux-image-test']

        shutil.move(m.at('gone'), m.at('repo'))
        again = m.done('plan')
        assert again['packages'] == [] and again['restart'] is False, again


def test_named_packages_come_in_the_version_that_is_named(base, key):
    with usual(base, key) as m:
        m.deb('service', '3', files={'/usr/share/service': '3'})
        m.update()
        m.done('plan', [('service', '2')])
        got = m.done('install', [('service', '2'), ('linux-image-' + NEW, '2')], kernel=NEW)
        assert m.version('service') == '2' and got['kernel'] == NEW and got['restart'], got
        assert m.version('linux-image-test') == '1', 'nothing that was not asked for'
        # There already, and a newer one there: nothing to do, and never a downgrade.
        assert m.done('install', [('service', '1')], kernel=NEW)['packages'] == []
        assert m.version('service') == '2'


def test_a_package_that_is_not_there(base, key):
    with usual(base, key) as m:
        got = m.fails('not-found', 'plan', [('service', '7')])
        assert 'service' in got['text'] and not got['retry'], got
        m.fails('not-found', 'plan', [('nothing', '1')])
        got = m.fails('not-found', 'plan', [('service', '2')], kernel='6.6.6-none')
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
        with open(m.at('repo/service_2_amd64.deb'), 'r+b') as f:
            f.seek(100)
            f.write(b'X')
        m.fails('download-failed', 'download')
        assert m.version('service') == '1'


def test_another_package_manager_holds_the_lock(base, key):
    with usual(base, key) as m:
        m.done('download')
        # dpkg's lock is fcntl(2)'s: a dpkg whose script waits is the one that has it
        m.deb('slow', '1', scripts={'preinst': 'touch /holding; while [ -e /holding ]; do sleep 0.1; done'}, where='tmp')
        holder = subprocess.Popen(m.command('dpkg -i /tmp/slow_1_amd64.deb'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: m.exists('/holding'))
            got = m.fails('lock-held', 'install', lock_timeout=1)
            assert got['retry'] and m.version('service') == '1', got
        finally:
            if m.exists('/holding'):
                os.remove(m.at('holding'))
            holder.wait(30)
        m.done('install')


def test_another_one_ends_while_it_waits(base, key):
    with usual(base, key) as m:
        m.done('download')
        m.deb('slow', '1', scripts={'preinst': 'touch /holding; while [ -e /holding ]; do sleep 0.1; done'}, where='tmp')
        holder = subprocess.Popen(m.command('dpkg -i /tmp/slow_1_amd64.deb'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: m.exists('/holding'))
        process = m.start('install', lock_timeout=120)
        time.sleep(2)
        os.remove(m.at('holding'))
        holder.wait(30)
        said = process.communicate(timeout=120)[0]
        assert m.result('install')['outcome'] == 'done', said


def test_boot_has_no_room_for_another_kernel(base, key):
    with usual(base, key) as m:
        m.done('download')
        # as large as what is there, and half a kernel more
        m.setup = ('mount -t tmpfs -o size=52k tmpfs "$0/mnt"; cp -a "$0"/boot/. "$0/mnt/"; mount --move "$0/mnt" "$0/boot";')
        os.mkdir(m.at('mnt'))
        got = m.fails('boot-full', 'plan')
        assert 'KiB' in got['text'], got
        m.fails('boot-full', 'install')
        assert m.version('service') == '1', 'nothing is begun'


def test_the_disk_is_full(base, key):
    with usual(base, key) as m:
        m.deb('big', '1', files={'/usr/share/big/file': 'x'})
        m.install('big')
        m.deb('big', '2', files={'/usr/share/big/file': os.urandom(300000)})
        m.update()
        os.mkdir(m.at('mnt'))
        m.setup = 'mount -t tmpfs -o size=100k tmpfs "$0/usr/share/big"; cp "$0/repo/Packages" "$0/usr/share/big/file";'
        got = m.fails('no-space', 'install', [('big', '2')])
        assert 'No space left' in got['text'], got
        m.setup = ''
        # What dpkg rolled back is in order, and goes on when there is room.
        m.done('mend')
        m.done('install', [('big', '2')])


def test_a_script_of_a_package_fails(base, key):
    with usual(base, key) as m:
        m.deb('service', '3', files={'/usr/share/service': '3'}, scripts={'postinst': '[ -e /may-go-on ]'})
        m.update()
        got = m.fails('packages-broken', 'install', [('service', '3')])
        assert 'half installed are: service' in got['text'], got
        # It is not tried again over that; a plan says the same.
        got = m.fails('packages-broken', 'plan')
        assert 'service' in got['text'], got
        m.fails('packages-broken', 'install', [('service', '3')])
        # Mending does not make it better as long as the cause is there, and does when it is not.
        m.fails('packages-broken', 'mend')
        write(m.at('may-go-on'), '')
        m.done('mend')
        assert m.version('service') == '3'
        m.done('plan')


def test_a_kernel_without_an_initramfs(base, key):
    with usual(base, key) as m:
        m.kernel('99.2.0-test', '3', postinst='true')
        m.update()
        got = m.fails('initramfs-missing', 'install')
        assert '99.2.0-test' in got['text'], got


def test_nothing_is_removed(base, key):
    with usual(base, key) as m:
        m.deb('unused', '1', files={'/usr/share/unused': '1'})
        m.install('unused')
        m.shell('apt-mark auto unused linux-image-' + OLD)
        m.done('install')
        assert m.version('unused') == '1' and m.version('linux-image-' + OLD) == '1'


def test_a_held_package_stays(base, key):
    with usual(base, key) as m:
        m.shell('apt-mark hold service')
        m.done('install')
        assert m.version('service') == '1' and m.exists('/boot/vmlinuz-' + NEW)
        m.fails('held', 'install', [('service', '2')])


def killed_in_the_middle(m, victims):
    m.deb('service', '3', files={'/usr/share/service': '3'},
          scripts={'postinst': 'echo $PPID > /dpkg-pid; touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done'})
    m.update()
    process = m.start('install', [('service', '3')])
    wait_for(lambda: m.exists('/unpacked'))
    if victims == 'all':
        # as in a power cut: nobody of them writes another word
        for pid in m.inside():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    else:
        process.kill()
    process.wait(60) # its output has no end: the backend, which goes on, has it too


def test_a_power_cut_in_the_middle(base, key):
    with usual(base, key) as m:
        killed_in_the_middle(m, 'all')
        assert m.result('install')['outcome'] == 'running'
        write(m.at('go'), '')
        process = m.start('install', [('service', '3')])
        said = process.communicate(timeout=60)[0]
        assert process.returncode != 0 and 'cut off' in said, said
        assert m.result('install')['outcome'] == 'running', 'who was cut off stays on record'
        m.fails('packages-broken', 'plan')
        got = m.done('mend')
        assert m.version('service') == '3' and got['verb'] == 'mend', got
        m.done('install')


def test_dpkg_goes_on_without_the_runner(base, key):
    with usual(base, key) as m:
        killed_in_the_middle(m, 'runner')
        m.fails('lock-held', 'mend')
        write(m.at('go'), '')
        wait_for(lambda: not list(m.inside()))
        assert m.shell('dpkg-query -W -f="\\${db:Status-Status}" service') == 'installed'
        m.done('mend')


def test_a_stop_does_not_end_an_installation(base, key):
    with usual(base, key) as m:
        m.deb('service', '3', files={'/usr/share/service': '3'},
              scripts={'postinst': 'touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done'})
        m.update()
        process = m.start('install', [('service', '3')])
        wait_for(lambda: m.exists('/unpacked'))
        process.terminate()
        time.sleep(1)
        assert process.poll() is None
        write(m.at('go'), '')
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0 and m.result('install')['outcome'] == 'done', said


def test_one_run_at_a_time(base, key):
    with usual(base, key) as m:
        m.deb('service', '3', scripts={'postinst': 'touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done'})
        m.update()
        process = m.start('install', [('service', '3')])
        wait_for(lambda: m.exists('/unpacked'))
        second = m.start('plan')
        said = second.communicate(timeout=60)[0]
        assert second.returncode != 0 and 'under way already' in said, said
        write(m.at('go'), '')
        process.communicate(timeout=60)


def test_a_backend_that_is_not_there(base, key):
    with usual(base, key) as m:
        m.fails('unsupported', 'plan', backend='none')


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.05)


def main(tests):
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    if os.geteuid() != 0:
        print('1..0 # SKIP needs root, for a chroot')
        sys.exit(77)
    failed = 0
    folder = tempfile.mkdtemp(prefix='hotpatch-key-')
    key = Key(folder)
    base = Root()
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


if __name__ == '__main__':
    main([f for n, f in list(globals().items()) if n.startswith('test_')])
