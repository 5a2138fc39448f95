#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What hotpatchd writes into the journal is a run of the model in doc/model; a forged record is not."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import hotpatchtest
from hotpatchtest import NO_OPTIONS, SOURCE, World, main, wait_for

MODEL = os.path.join(SOURCE, 'doc/model')


class Journal:
    """Takes the place of journald for one daemon: its socket, in a mount namespace of the daemon's."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='hotpatch-journal-')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(os.path.join(self.folder, 'socket'))
        self.datagrams = []
        self.boot = 'first'
        # The queue of such a socket holds ten, and then the daemon would wait.
        threading.Thread(target=self.receive, daemon=True).start()
        program = os.path.join(self.folder, 'hotpatchd')
        hotpatchtest.write(program, '#!/bin/sh\nmkdir -p /run/systemd/journal && mount --bind %s /run/systemd/journal '
                           '&& exec %s "$@"\n' % (self.folder, hotpatchtest.DAEMON), 0o755)
        outer = os.path.join(self.folder, 'unshared')
        hotpatchtest.write(outer, '#!/bin/sh\nexec unshare --mount %s "$@"\n' % program, 0o755)
        self.daemon, hotpatchtest.DAEMON = hotpatchtest.DAEMON, outer

    def receive(self):
        with contextlib.suppress(OSError):
            while True:
                data, files, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
                for file in files:  # what does not fit into a datagram comes as a memfd, sd_journal_print(3)
                    with os.fdopen(file, 'rb') as memory:
                        memory.seek(0)
                        data = memory.read()
                self.datagrams.append((self.boot, data))

    def read(self):
        records = []
        for boot, data in list(self.datagrams):
            fields = {'_BOOT_ID': boot}
            while data:
                name, _, data = data.partition(b'\n')
                if b'=' in name:
                    name, _, value = name.partition(b'=')
                else:
                    size = int.from_bytes(data[:8], 'little')
                    value, data = data[8:8 + size], data[9 + size:]
                fields[name.decode()] = value.decode(errors='replace')
            records.append(fields)
        return records

    def close(self):
        hotpatchtest.DAEMON = self.daemon
        self.socket.close()
        shutil.rmtree(self.folder)


def traced(pki):
    journal = Journal()
    w = World(pki)
    w.stack.callback(journal.close)
    w.journal = journal
    w.machine.open_log()
    return w.start()


def warn(w, module):
    """The kernel says that something is wrong in the patch, and it is taken out."""
    w.machine.say('------------[ cut here ]------------', 'something is odd',
                  'WARNING: CPU: 0 PID: 1 at a.c:1 new_hp_function+0x1/0x2 [%s]' % module,
                  'CPU: 0 PID: 1 Comm: a', 'Call Trace:', ' vfs_read+0x1/0x2', '---[ end trace 0000000000000000 ]---')
    wait_for('the rollback', lambda: any(j[1] == 'rollback' and j[2] == 'finished' for j in w.root.call('ListJobs')))


def verdict(records, *options):
    """0: the model can do that; 1: it cannot."""
    command = [os.path.join(MODEL, 'check-trace'), MODEL, '--patch', 'hp-one', '--patch', 'hp-two'] + list(options)
    done = subprocess.run(command, input=''.join(json.dumps(r) + '\n' for r in records), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print('# ' + done.stdout.replace('\n', '\n# '), flush=True)
    return done.returncode


def expect_possible(w, *options):
    records = w.journal.read()
    assert any(r.get('HOTPATCH_TRANSACTION') for r in records), 'there is nothing in the journal'
    assert verdict(records, *options) == 0, [r.get('MESSAGE') for r in records]
    return records


def test_apply_refusal_and_removal(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.root.finish(w.root.apply('hp-one'))
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        records = expect_possible(w)
        # The same without one of its records, which no run of the model leaves out.
        missing = [r for r in records if 'was loaded' not in r.get('MESSAGE', '')]
        assert len(missing) == len(records) - 1
        assert verdict(missing) == 1
        # And in another order.
        assert verdict(list(reversed(records))) == 1


def test_one_supersedes_the_other(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one', stream='line')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.stage('hp-two', stream='line', sequence=2, supersedes=['hp-one'])
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        expect_possible(w, '--supersedes')


def test_killed_in_a_transition(pki):
    with traced(pki) as w:
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        w.daemon.kill()
        w.daemon.start()
        wait_for('the end', lambda: all(j[2] == 'finished' for j in w.root.call('ListJobs')))
        expect_possible(w)


def test_a_transaction_that_stalls(pki):
    with traced(pki) as w:
        w.machine.configure(transition='1s')
        w.daemon.stop()
        w.daemon.start()
        w.machine.kernel.stall = True
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        assert w.root.finish(w.root.apply('hp-one', 'hp-two'))[0] == 'failed'
        expect_possible(w)


def test_a_bad_sign_takes_it_out(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        warn(w, 'hp_one')
        assert w.machine.livepatches() == []
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        records = expect_possible(w)
        # Nobody takes out what is not there.
        assert verdict([r for r in records if 'was loaded' not in r.get('MESSAGE', '')]) == 1


def test_after_a_bad_sign_the_superseded_one_comes_back(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.root.call('EndTrial', ['hp-one'], NO_OPTIONS)
        assert w.root.trial()[1] == 'passed'
        w.machine.stage('hp-two', supersedes=['hp-one'])
        assert w.root.finish(w.root.apply('hp-two'))[0] == 'done'
        warn(w, 'hp_two')
        assert w.machine.livepatches() == ['hp_one']
        expect_possible(w, '--supersedes')


def reboot(w, clean):
    """The machine goes down and comes up; hotpatch-restore and hotpatchd write into another boot's journal."""
    if w.daemon.process.poll() is None:
        w.daemon.kill()
    if clean:
        subprocess.run([hotpatchtest.DAEMON, '--root', w.machine.root, '--clean'], check=True)
    boot = hotpatchtest.read('/proc/sys/kernel/random/boot_id').decode().strip().replace('-', '')
    for folder, _, names in os.walk(w.machine.path('var/lib/hotpatch')):
        for path in [os.path.join(folder, n) for n in names if folder.endswith('trials') or n == 'intent']:
            text = hotpatchtest.read(path).decode().replace('BOOT_ID=' + boot, 'BOOT_ID=%032x' % 0xb007)
            hotpatchtest.write(path, text, 0o600)
    for module in w.machine.livepatches():
        shutil.rmtree(w.machine.path('sys/kernel/livepatch', module))
    for module in w.machine.loaded():
        shutil.rmtree(w.machine.path('sys/module', module))
    shutil.rmtree(w.machine.path('run/hotpatch'), ignore_errors=True)
    w.journal.boot += ', next'
    subprocess.run([hotpatchtest.DAEMON, '--root', w.machine.root, '--restore'], check=True)
    w.daemon.start()
    w.root = w.client()


def test_a_start_after_a_shutdown(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        reboot(w, True)
        assert w.machine.livepatches() == ['hp_one']
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        records = expect_possible(w)
        # Somebody who knows nothing of the first boot.
        assert verdict([r for r in records if r['_BOOT_ID'] != 'first']) == 0
        # What is removed has been restored.
        assert verdict([r for r in records if 'was restored' not in r.get('MESSAGE', '')]) == 1


def test_a_start_after_a_crash(pki):
    with traced(pki) as w:
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        reboot(w, False)
        assert w.machine.livepatches() == []
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        records = expect_possible(w)
        struck = [r for r in records if 'strike 1' in r.get('MESSAGE', '')]
        assert len(struck) == 1, [r.get('MESSAGE') for r in records]
        # The end of the first boot may be lost; how it began is not.
        first = [r for r in records if r['_BOOT_ID'] == 'first' and r.get('HOTPATCH_TRANSACTION')]
        assert verdict([r for r in records if r not in first[len(first) // 2:]]) == 0
        # Nobody restores what crashed the machine when it was new.
        restored = dict(struck[0], MESSAGE_ID='417ac213474e4f02a32608b6de023ccb')
        at = records.index(struck[0]) + 1
        assert verdict(records[:at] + [restored]) == 1


main([f for n, f in list(globals().items()) if n.startswith('test_')])
