#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start, exit when idle, notification of systemd, signals on objects that come and go."""

import os
import socket
import time

from hotpatchtest import (NO_OPTIONS, NOBODY, OBJECTS, PATCH, ROOT, Bus, Client, Daemon, World, main, wait_for)


def test_it_leaves_when_idle(pki):
    with World(pki) as w:
        w.machine.configure(idle='1s', trial=['MaxSec=0'])
        w.start()
        w.root.patches()
        wait_for('the exit', lambda: w.daemon.process.poll() is not None, 10)
        assert w.daemon.process.returncode == 0


def test_it_stays_while_a_transition_runs(pki):
    with World(pki) as w:
        w.machine.configure(idle='1s', trial=['MaxSec=0'])
        w.machine.kernel.stall = True
        w.start()
        w.machine.stage('hp-one')
        job = w.root.apply('hp-one')
        wait_for('transition', lambda: w.root.job(job[1])['State'] == 'transition')
        time.sleep(3)
        assert w.daemon.process.poll() is None
        w.machine.kernel.stall = False
        assert w.root.finish(job)[0] == 'done'
        # What is in force is watched, see test_drift.py.
        assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
        wait_for('the exit', lambda: w.daemon.process.poll() is not None, 10)


def test_it_stays_while_polkit_is_asked(pki):
    with World(pki, 'wait') as w:
        w.machine.configure(idle='1s', trial=['MaxSec=0'])
        w.start()
        w.machine.stage('hp-one')
        c = w.client(NOBODY)
        call = c.begin('Apply', ['hp-one'], NO_OPTIONS, interactive=True)
        wait_for('the question', w.polkit.log)
        time.sleep(3)
        assert w.daemon.process.poll() is None
        w.polkit.answer(True)
        c.finish(call.result())


def test_it_tells_systemd(pki):
    with World(pki) as w:
        path = os.path.join(w.bus.directory, 'notify')
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        notify.settimeout(10)
        os.environ['NOTIFY_SOCKET'] = path
        try:
            w.machine.configure(idle='1s', trial=['MaxSec=0'])
            w.start()
        finally:
            del os.environ['NOTIFY_SOCKET']
        assert b'READY=1' in notify.recv(1000)
        wait_for('the exit', lambda: w.daemon.process.poll() is not None, 10)
        assert b'STOPPING=1' in notify.recv(1000)
        notify.close()


def test_a_second_daemon_does_not_start(pki):
    with World(pki).start() as w:
        try:
            other = Daemon.__new__(Daemon)
            other.machine, other.bus, other.prefix = w.machine, w.bus, ()
            other.log_path = w.daemon.log_path
            other.log = w.daemon.log
            other.start()
            status = other.process.wait(10)
        except AssertionError:
            status = other.process.returncode
        assert status == 1, status
        assert w.root.patches() == {}


def test_objects_come_and_go_with_signals(pki):
    with World(pki).start() as w:
        seen = []
        for name in ('InterfacesAdded', 'InterfacesRemoved'):
            w.root.connection.add_signal_receiver(
                lambda path, *_, n=name: seen.append((n, str(path))), name, OBJECTS)
        job = w.root.apply_file(w.machine.bundle('hp-one'))
        w.root.finish(job)
        patch = ROOT + '/patch/hp_2done'
        assert ('InterfacesAdded', str(job[1])) in seen and ('InterfacesAdded', patch) in seen, seen
        w.root.finish(w.root.remove('hp-one'))
        wait_for('the end of the patch', lambda: ('InterfacesRemoved', patch) in seen)


def test_hits_of_a_tripwire_are_signalled(pki):
    """The wake-up itself is the kernel's (tests/vm/service.sh); here the count is seen by a question."""
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.root.finish(w.root.apply('hp-one'))
        w.machine.write('sys/module/hp_one/hotpatch/tripwires', 'CVE-2026-0001 3\n')
        w.root.patches()
        hits = wait_for('the signal', lambda: [int(c['Tripped']) for _, i, c in w.root.properties
                                               if i == PATCH and 'Tripped' in c])
        assert hits == [3], hits


def test_it_ends_when_the_bus_does(pki):
    with World(pki) as w:
        w.bus2 = Bus()
        daemon = Daemon(w.machine, w.bus2)
        w.bus2.process.terminate()
        wait_for('the exit', lambda: daemon.process.poll() is not None, 10)
        assert daemon.process.returncode == 1, daemon.process.returncode
        daemon.log.close()


main([f for n, f in list(globals().items()) if n.startswith('test_')])
