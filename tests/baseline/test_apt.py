#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backend apt, with the real apt and dpkg, in a root of its own and with a repository of its own."""

import contextlib
import os
import signal
import subprocess
import time

from aptroot import Root, write
from conformance import *  # pylint: disable=wildcard-import,unused-wildcard-import
from conformance import killed_in_the_middle, main, usual, wait_for


def test_another_package_manager_holds_the_lock(base, key):
    with usual(base, key) as m:
        m.done('download')
        # dpkg's lock is fcntl(2)'s: a dpkg whose script waits is the one that has it
        m.package('slow', '1', scripts={'preinst': 'touch /holding; while [ -e /holding ]; do sleep 0.1; done'}, where='tmp')
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
        m.package('slow', '1', scripts={'preinst': 'touch /holding; while [ -e /holding ]; do sleep 0.1; done'}, where='tmp')
        holder = subprocess.Popen(m.command('dpkg -i /tmp/slow_1_amd64.deb'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: m.exists('/holding'))
        process = m.start('install', lock_timeout=120)
        time.sleep(2)
        os.remove(m.at('holding'))
        holder.wait(30)
        said = process.communicate(timeout=120)[0]
        assert m.result('install')['outcome'] == 'done', said


def test_the_disk_is_full(base, key):
    with usual(base, key) as m:
        m.package('big', '1', files={'/usr/share/big/file': 'x'})
        m.install('big')
        m.package('big', '2', files={'/usr/share/big/file': os.urandom(300000)})
        m.update()

        m.setup = 'mount -t tmpfs -o size=100k tmpfs "$0/usr/share/big"; cp "$0/repo/Packages" "$0/usr/share/big/file";'
        got = m.fails('no-space', 'install', [('big', '2')])
        assert 'No space left' in got['text'], got
        m.setup = ''
        # What dpkg rolled back is in order, and goes on when there is room.
        m.done('mend')
        m.done('install', [('big', '2')])


def test_a_script_of_a_package_fails(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst='[ -e /may-go-on ]')
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


def test_a_held_package_stays(base, key):
    with usual(base, key) as m:
        m.shell('apt-mark hold service')
        for verb in ('plan', 'install'):
            got = m.done(verb)
            assert any("'service' stays" in w for w in got['warnings']), got
        assert m.version('service') == '1' and m.exists('/boot/vmlinuz-' + m.release(1))
        m.fails('held', 'install', [('service', '2')])


def test_a_held_kernel_is_no_baseline(base, key):
    with usual(base, key) as m:
        m.shell('apt-mark hold linux-image-test')
        for verb in ('plan', 'install'):
            got = m.fails('held', verb)
            assert 'linux-image-test' in got['text'], got


def test_a_recommendation_holds_no_kernel_back(base, key):
    """On a mirror without the firmware that a kernel recommends, apt keeps the kernel back, with the word for held."""
    with usual(base, key) as m:
        m.shell('echo \'APT::Install-Recommends "true";\' >/etc/apt/apt.conf.d/zz')
        release = m.release(2)
        m.package('linux-image-' + release, '3', files={'/boot/vmlinuz-' + release: 'k', '/boot/config-' + release: 'x'},
                  postinst='echo initramfs > /boot/initrd.img-' + release, recommends='firmware-of-nobody')
        m.package('linux-image-test', '3', depends='linux-image-' + release)
        m.update()
        for verb in ('plan', 'download', 'install'):
            got = m.done(verb)
            assert any('only recommend' in w for w in got['warnings']), got
            assert got['kernel'] == release, got
        assert m.exists('/boot/vmlinuz-' + release)


def test_what_a_script_says_is_no_cause(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'},
                  postinst='echo "Could not get lock /x; Failed to fetch; No space left on device"; [ -e /may-go-on ]')
        m.update()
        got = m.fails('packages-broken', 'install', [('service', '3')])
        assert not got['retry'], got


def test_apt_itself_is_killed(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, postinst='touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done')
        m.update()
        process = m.start('install', [('service', '3')])
        wait_for(lambda: m.exists('/unpacked'))
        for pid in m.inside():
            with open('/proc/%d/comm' % pid, encoding='ascii') as f:
                if f.read().strip() == 'apt-get':
                    os.kill(pid, 9)
        time.sleep(1)
        write(m.at('go'), '')
        said = process.communicate(timeout=60)[0]
        assert m.result('install')['cause'] in ('packages-broken', 'backend') and not m.result('install')['retry'], said
        m.done('mend')


def test_there_is_no_room_for_what_comes(base, key):
    with usual(base, key) as m:
        m.package('service', '3', files={'/usr/share/service': '3'}, size=10**10)
        m.update()
        for verb in ('plan', 'install'):
            got = m.fails('no-space', verb)
            assert '/usr has' in got['text'] and m.version('service') == '1', got


def test_what_is_named_stays_automatic(base, key):
    with usual(base, key) as m:
        m.mark_auto('service')
        m.done('install', [('service', '2'), m.kernel_package(1)], kernel=m.release(1))
        manual = m.shell('apt-mark showmanual').split()
        assert 'service' not in manual and 'linux-image-' + m.release(1) not in manual, manual


def test_settings_do_not_switch_signatures_off(base, key):
    with usual(base, key) as m:
        write(m.at('etc/apt/apt.conf.d/insecure'), 'APT::Get::AllowUnauthenticated "true";\nAcquire::AllowInsecureRepositories "true";\n'
              'Acquire::AllowDowngradeToInsecureRepositories "true";\n')
        m.publish(sign=False)
        m.fails('not-trusted', 'plan')


def test_two_architectures(base, key):
    with usual(base, key) as m:
        status = m.read('/var/lib/dpkg/status')
        entry = next(e for e in status.split('\n\n') if e.startswith('Package: service\n'))
        one = entry.replace('Architecture: amd64', 'Architecture: amd64\nMulti-Arch: same')
        other = one.replace('Architecture: amd64', 'Architecture: i386')
        m.shell('dpkg --add-architecture i386')
        write(m.at('var/lib/dpkg/status'), status.replace(entry, one.replace('Version: 1', 'Version: 2') + '\n\n' + other))
        for name in os.listdir(m.at('var/lib/dpkg/info')):
            if name.startswith('service.'):
                data = open(m.at('var/lib/dpkg/info', name), encoding='utf-8').read()
                for arch in ('amd64', 'i386'):
                    write(m.at('var/lib/dpkg/info', name.replace('service.', 'service:%s.' % arch)), data)
                os.remove(m.at('var/lib/dpkg/info', name))
        # One of the two is old: it is not as if all were there.
        got = m.run('plan', [('service', '2')])
        assert got['outcome'] == 'failed' or got['packages'], got


def test_a_power_cut_takes_the_lists_along(base, key):
    """dpkg flushes what it does, apt its lists and what it fetched does not: then they are empty files."""
    with usual(base, key) as m:
        m.package('fresh', '1', files={'/usr/share/fresh': '1'}, scripts={'preinst': 'touch /unpacked; while [ ! -e /go ]; do sleep 0.1; done'})
        m.update()
        process = m.start('install', [('fresh', '1')])
        wait_for(lambda: m.exists('/unpacked'))
        for pid in m.inside():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        m.boot()
        process.wait(60)
        assert m.shell('dpkg-query -W -f="\\${db:Status-Status}" fresh') == 'half-installed'
        for folder in ('var/lib/apt/lists', 'var/cache/apt/archives', 'var/cache/apt'):
            for name in os.listdir(m.at(folder)):
                path = m.at(folder, name)
                if os.path.isfile(path) and name != 'lock':
                    os.truncate(path, 0)
        write(m.at('go'), '')
        got = m.done('mend')
        assert m.version('fresh') == '1' and m.exists('/usr/share/fresh'), got


def test_dpkg_goes_on_without_the_runner(base, key):
    with usual(base, key) as m:
        killed_in_the_middle(m, 'runner')
        m.fails('lock-held', 'mend')
        write(m.at('go'), '')
        wait_for(lambda: not list(m.inside()))
        assert m.shell('dpkg-query -W -f="\\${db:Status-Status}" service') == 'installed'
        m.done('mend')


def test_who_else_restarts_is_named(base, key):
    with usual(base, key) as m:
        def named():
            return [w for w in m.done('plan')['warnings'] if 'unattended-upgrades restarts' in w]
        setting = m.at('etc/apt/apt.conf.d/50unattended-upgrades')
        assert named() == []
        write(setting, 'Unattended-Upgrade::Automatic-Reboot "false";\nUnattended-Upgrade::Automatic-Reboot-Time "02:00";\n')
        assert named() == []
        write(setting, 'Unattended-Upgrade::Automatic-Reboot "true";\n')
        assert len(named()) == 1


def test_the_restart_is_noted_as_debian_does(base, key):
    with usual(base, key) as m:
        m.done('install')
        assert m.read('/run/reboot-required') == '*** System restart required ***\n'
        assert m.read('/run/reboot-required.pkgs').split() == ['linux-image-' + m.release(1), 'linux-image-test']
        m.done('install')
        assert len(m.read('/run/reboot-required.pkgs').split()) == 2


if __name__ == '__main__':
    main(Root, [f for n, f in list(globals().items()) if n.startswith('test_')])
