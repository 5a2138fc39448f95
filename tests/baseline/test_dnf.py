#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backend dnf, with the real dnf and rpm, in a root of its own and with a repository of its own."""

from aptroot import Key, write
from dnfroot import Root
from conformance import *  # pylint: disable=wildcard-import,unused-wildcard-import
from conformance import main, usual


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


def test_packages_that_nobody_signs_are_named(base, key):
    with usual(base, key) as m:
        assert any("'test'" in w and 'gpgcheck=0' in w for w in m.done('plan')['warnings'])
        write(m.at('etc/dnf/dnf.conf'), m.read('/etc/dnf/dnf.conf').replace('gpgcheck=0', 'gpgcheck=1'))
        # This root trusts no key, and none is fetched.
        assert m.fails('not-trusted', 'plan')['warnings'] == []

if __name__ == '__main__':
    main(Root, [f for n, f in list(globals().items()) if n.startswith('test_')])
