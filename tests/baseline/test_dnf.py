#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backend dnf, with the real dnf and rpm, in a root of its own and with a repository of its own."""

from dnfroot import Root
from conformance import *  # pylint: disable=wildcard-import,unused-wildcard-import
from conformance import main

if __name__ == '__main__':
    main(Root, [f for n, f in list(globals().items()) if n.startswith('test_')])
