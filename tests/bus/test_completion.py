#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion as a person has it: bash and zsh on a terminal, the Tab key, ids from the running daemon."""

import os
import pty
import re
import select
import shutil
import time

from hotpatchtest import PATIENCE, SOURCE, World, main
from test_ctl import CTL, bundle, ctl, environment, in_transition

ESCAPE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07')


def words(screen):
    return set(re.split(r'[\s:]+', ESCAPE.sub('', screen)))


class Shell:
    """A shell on a terminal of 100 columns, with nobody's start files."""

    def __init__(self, w, kind):
        self.kind = kind
        home = os.path.join(w.bus.directory, 'home-' + kind)
        os.makedirs(home + '/functions', exist_ok=True)
        shutil.copy(os.path.join(SOURCE, 'ctl/zsh-completion'), home + '/functions/_hotpatchctl')
        command = {'bash': ['bash', '--norc', '--noprofile', '-i'], 'zsh': ['zsh', '-f', '-i']}[kind]
        env = {**environment(w), 'HOME': home, 'PATH': os.path.dirname(CTL) + ':' + os.environ['PATH'], 'PS1': '$ ',
               'COLUMNS': '100', 'LINES': '60', 'INPUTRC': '/dev/null'}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(w.bus.directory)
            os.execvpe(command[0], command, env)
        self.set_up(home)

    def set_up(self, home):
        if self.kind == 'bash':
            settings = ('bell-style none', 'completion-query-items 0', 'page-completions off', 'show-all-if-ambiguous on')
            self.run('; '.join("bind 'set %s'" % s for s in settings))
            self.run('. /usr/share/bash-completion/bash_completion; . %s/ctl/bash-completion' % SOURCE)
        else:
            self.run("PS1='$ '; unsetopt beep zle_bracketed_paste prompt_sp; LISTMAX=0; fpath=(%s/functions $fpath)" % home)
            self.run("autoload -Uz compinit && compinit -u -d %s/dump; zstyle ':completion:*' list-colors" % home)

    def read(self, until):
        """Everything up to a text that the shell is to print."""
        screen, deadline = '', time.monotonic() + PATIENCE
        while until not in ESCAPE.sub('', screen):
            assert time.monotonic() < deadline, (self.kind, until, screen)
            if select.select([self.fd], [], [], 0.2)[0]:
                screen += os.read(self.fd, 65536).decode(errors='replace')
        return ESCAPE.sub('', screen)

    def run(self, command):
        os.write(self.fd, command.encode() + b"; echo do''ne\n")
        self.read('done\r\n')

    def complete(self, line, offered):
        """All that is on the screen after Tab: once @offered is there, or has not come for long; without, after a second."""
        os.write(self.fd, line.encode() + b'\t\t')
        screen, deadline = '', time.monotonic() + (PATIENCE if offered else 1)
        # zsh shows nothing as long as more is typed, so nothing is typed before.
        while time.monotonic() < deadline and not (offered and set(offered) <= words(screen)):
            if select.select([self.fd], [], [], 0.1)[0]:
                screen += os.read(self.fd, 65536).decode(errors='replace')
        os.write(self.fd, b'\x05 #mark')
        screen += self.read('#mark')
        os.write(self.fd, b'\x15\necho do\'\'ne\n')
        self.read('done\r\n')
        return screen

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def check(shell, line, offered=(), not_offered=()):
    screen = shell.complete(line, offered)
    for word in offered:
        assert word in words(screen), (shell.kind, line, word, screen)
    for word in not_offered:
        assert word not in words(screen), (shell.kind, line, word, screen)


def use(w, kind):
    shell = w.add(Shell(w, kind))
    check(shell, 'hotpatchctl ca', ('cancel', 'calendar'), ('status',))
    check(shell, 'hotpatchctl needs', ('needs-reboot',))
    check(shell, 'hotpatchctl show hp-', ('hp-one', 'hp-two'))
    check(shell, 'hotpatchctl remove hp-', ('hp-one',), ('hp-two',))
    check(shell, 'hotpatchctl apply hp-', ('hp-two', 'hp-two.hpb'))
    check(shell, 'hotpatchctl cves CVE-2026-', ('CVE-2026-0001', 'CVE-2026-0002'))
    check(shell, 'hotpatchctl history --patch hp-', ('hp-one', 'hp-two'))
    check(shell, 'hotpatchctl history --unt', ('--until',))
    check(shell, 'hotpatchctl history --since ', ('today', 'yesterday'))
    check(shell, 'hotpatchctl bundle s', ('sign', 'show'), ('verify',))
    check(shell, 'hotpatchctl bundle show --tr', ('--trust',))
    check(shell, 'hotpatchctl reboot ', ('schedule', 'defer', 'cancel'))
    return shell


def both(kind):
    def test(pki):
        with World(pki).start() as w:
            one, two = bundle(w, 'hp-one'), bundle(w, 'hp-two', functions=(('vmlinux', 'hp_other'),), fixes=[
                {'id': 'CVE-2026-0002', 'severity': 'low', 'summary': 'Another'}])
            ctl(w, 'apply', one)
            ctl(w, 'stage', two)
            shell = use(w, kind)
            w.machine.kernel.stall = True
            ctl(w, 'apply', '--no-wait', 'hp-two')
            in_transition(w, 'hp-two')
            check(shell, 'hotpatchctl cancel ', ('2',))
            w.daemon.kill()
            check(shell, 'hotpatchctl show hp-', (), ('hp-one',))  # and it does not hang
            w.machine.kernel.stall = False
    test.__name__ = 'test_' + kind
    return test


if __name__ == '__main__':
    main([both('bash'), both('zsh')])
