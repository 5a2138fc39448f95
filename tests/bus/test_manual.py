#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of hotpatchctl(1), run as they stand there, one after the other on one machine."""

import os
import re
import subprocess

from hotpatchtest import PATIENCE, SOURCE, World, main, read
from test_ctl import CTL, bundle, environment

# What the examples speak of.
BUNDLES = {'fix.hpb': 'hp-example-version', 'first.hpb': 'hp-first', 'second.hpb': 'hp-second'}
# Exit statuses other than 0 that an example is there to show, by its command.
EXPECTED = {'hotpatchctl needs-reboot': 11}


def examples():
    page = read(os.path.join(SOURCE, 'doc/hotpatchctl.1.scd')).decode()
    text = re.search(r'^# EXAMPLES$(.*?)^# ', page, re.M | re.S)[1]
    return [line for block in re.findall(r'^```\n(.*?)^```$', text, re.M | re.S) for line in block.splitlines()]


def has_journal():
    return any(os.path.isdir(d) and os.listdir(d) for d in ('/var/log/journal', '/run/log/journal'))


def test_examples_of_the_manual(pki):
    lines = examples()
    assert len(lines) >= 8 and all('hotpatchctl' in line for line in lines), lines
    with World(pki).start() as w:
        for (name, bundle_id), function in zip(BUNDLES.items(), ('hp_function', 'hp_other', 'hp_third')):
            path = bundle(w, bundle_id, functions=(('vmlinux', function),),
                          fixes=[{'id': 'CVE-2024-1086' if name == 'fix.hpb' else 'CVE-of-' + bundle_id}])
            os.rename(path, os.path.join(w.bus.directory, name))
        with open(os.path.join(w.bus.directory, '50-site.conf'), 'w', encoding='utf-8') as f:
            f.write('[Baseline]\nWindow=Sat 02:00\n')
        env = {**environment(w), 'PATH': os.path.dirname(CTL) + ':' + os.environ['PATH']}
        for line in lines:
            if 'history' in line and not has_journal():
                continue
            done = subprocess.run(['bash', '-o', 'pipefail', '-c', line], env=env, cwd=w.bus.directory, text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
            assert done.returncode == EXPECTED.get(line, 0), (line, done)
            print('# %s: %d lines' % (line, len(done.stdout.splitlines())))
        assert w.machine.livepatches() == ['hp_first', 'hp_second'], w.machine.livepatches()


def test_every_verb_has_an_example_or_a_paragraph(_pki):
    """check-help compares the words; here it is that a paragraph is more than the verb."""
    page = read(os.path.join(SOURCE, 'doc/hotpatchctl.1.scd')).decode()
    verbs = re.search(r'^# VERBS$(.*?)^# ', page, re.M | re.S)[1]
    for verb, text in re.findall(r'^\*([a-z-]+)\*[^\n]*\n((?:\t[^\n]*\n|\n)+)', verbs, re.M):
        assert len(text.split()) >= 5, verb


if __name__ == '__main__':
    main([v for k, v in list(globals().items()) if k.startswith('test_') and callable(v)])
