#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backend dnf, with the real dnf and rpm, in a root of its own and with a repository of its own."""

from aptroot import Key, write
from dnfroot import Root
from conformance import *  # pylint: disable=wildcard-import,unused-wildcard-import
from conformance import main, names, usual


def test_no_key_is_imported(base, key):
    with usual(base, key) as m:
        m.done('plan')
        stranger = Key(m.packages, 'stranger')
        try:
            # Whoever can change the repository's file names his key there.
            write(m.at('etc/archive.asc'), stranger.public)
            m.publish(key=stranger)
        finally:
            stranger.stop()
        m.fails('not-trusted', 'plan')


def test_what_is_replaced_is_removed(base, key):
    with usual(base, key) as m:
        m.package('better', '1', files={'/usr/share/better': '1'}, provides='Obsoletes: service')
        m.update()
        got = m.fails('would-remove', 'plan')
        assert 'service' in got['text'] and m.version('service') == '1', got


def kernels(m):
    return [n for n in range(-3, 4) if m.exists('/boot/vmlinuz-' + m.release(n))]


def test_old_kernels_go_and_the_way_back_stays(base, key):
    with base.machine(key) as m:
        for n in (-3, -2, 0):
            m.kernel(n)
            m.install('-'.join(m.kernel_package(n)))
        assert kernels(m) == [-3, -2, 0], kernels(m)
        m.kernel(1)
        m.update()
        # The limit is 3, and there is one more: the oldest goes.
        for verb in ('plan', 'install'):
            got = m.done(verb)
            assert names(got) == [('install', 'kernel-core'), ('remove', 'kernel-core')] and 'installonly_limit' not in str(got['warnings']), got
            assert [p['from'] for p in got['packages'] if p['action'] == 'remove'] == [m.kernel_package(-3)[1]], got
        assert kernels(m) == [-2, 0, 1], kernels(m)
        # The next oldest is the one before the running one: none goes.
        m.kernel(2)
        m.update()
        for verb in ('plan', 'download', 'install'):
            got = m.done(verb)
            assert names(got) == [('install', 'kernel-core')], got
            assert any("'installonly_limit'" in w and m.kernel_package(-2)[1] in w for w in got['warnings']), got
        assert kernels(m) == [-2, 0, 1, 2], kernels(m)


def test_a_kernel_takes_nothing_with_it(base, key):
    with base.machine(key) as m:
        m.kernel(-3)
        m.package('module', '1', files={'/usr/share/module': '1'}, provides='Requires: kernel-core = ' + m.kernel_package(-3)[1])
        m.install('module')
        for n in (-2, 0):
            m.kernel(n)
            m.install('-'.join(m.kernel_package(n)))
        m.kernel(1)
        m.update()
        got = m.done('install')
        assert m.version('module') == '1' and kernels(m) == [-3, -2, 0, 1], (kernels(m), got)


def test_packages_that_nobody_signs_are_named(base, key):
    with usual(base, key) as m:
        assert any("'test'" in w and 'gpgcheck=0' in w for w in m.done('plan')['warnings'])
        write(m.at('etc/dnf/dnf.conf'), m.read('/etc/dnf/dnf.conf').replace('gpgcheck=0', 'gpgcheck=1'))
        # This root trusts no key, and none is fetched.
        assert m.fails('not-trusted', 'plan')['warnings'] == []

if __name__ == '__main__':
    main(Root, [f for n, f in list(globals().items()) if n.startswith('test_')])
