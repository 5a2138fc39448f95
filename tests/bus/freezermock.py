#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""freezermock.py ADDRESS ROOT LOG TEMPER…: systemd as far as transitions ask it, in a process of its own.

Tempers: refuse-start (no such unit), start-fails (the job of a start ends as 'failed'), slow-freeze (freezing is
answered when SIGUSR1 comes), never-freeze (no answer, and thawing is refused until SIGUSR1 comes), frozen (units are
frozen by somebody already), mute (no answer to anything).
Each call becomes a line of JSON in LOG. Starting hotpatch-blockers.service writes what it would into
ROOT/run/hotpatch/blockers.json: the content of ROOT/fake/blockers.json. Freezing a unit lets its tasks change
over: ROOT/fake/tasks/UNIT/* are copied to ROOT/proc/*.
"""

import contextlib
import json
import os
import signal
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = 'org.freedesktop.systemd1'
ROOT = '/org/freedesktop/systemd1'
MANAGER = NAME + '.Manager'


def no_answer(reply, error):
    pass


class Systemd(dbus.service.Object):
    def __init__(self, bus, root, log, tempers):
        super().__init__(bus, ROOT)
        self.root, self.log, self.tempers = root, log, tempers
        self.waiting, self.frozen, self.jobs, self.released = [], set(), 0, False

    def write(self, *words):
        with open(self.log, 'a', encoding='utf-8') as f:
            f.write(json.dumps([str(w) for w in words]) + '\n')

    def release(self):
        self.released = True
        for unit, reply in self.waiting:
            self.frozen.add(unit)
            reply()
        self.waiting = []
        return True

    @dbus.service.signal(MANAGER, signature='uoss')
    def JobRemoved(self, number, job, unit, result):
        pass

    def end_job(self, number, job, unit):
        fails = 'start-fails' in self.tempers
        if unit == 'hotpatch-blockers.service' and not fails:
            with contextlib.suppress(FileNotFoundError):
                with open(self.root + '/fake/blockers.json', encoding='utf-8') as f:
                    text = f.read()
                new = self.root + '/run/hotpatch/new'
                with open(new, 'w', encoding='utf-8') as f:
                    f.write(text)
                os.rename(new, self.root + '/run/hotpatch/blockers.json')
        self.JobRemoved(number, job, unit, 'failed' if fails else 'done')
        return False

    @dbus.service.method(MANAGER, in_signature='ss', out_signature='o', async_callbacks=('reply', 'error'))
    def StartUnit(self, unit, mode, reply, error):
        self.write('StartUnit', unit, mode)
        if 'mute' in self.tempers:
            return
        if 'refuse-start' in self.tempers:
            error(dbus.DBusException('Unit %s not found.' % unit, name=NAME + '.NoSuchUnit'))
            return
        self.jobs += 1
        job = '%s/job/%d' % (ROOT, self.jobs)
        # The end of the job may be told before the answer to the call.
        if 'early' in self.tempers:
            self.end_job(self.jobs, job, unit)
            reply(job)
        else:
            reply(job)
            GLib.timeout_add(50, self.end_job, self.jobs, job, unit)

    @dbus.service.method(MANAGER, in_signature='s', async_callbacks=('reply', 'error'))
    def FreezeUnit(self, unit, reply, error):
        self.write('FreezeUnit', unit, 'listed' if self.is_listed(unit) else 'NOT LISTED')
        if 'mute' in self.tempers:
            return
        if 'never-freeze' in self.tempers:
            return
        if 'slow-freeze' in self.tempers:
            self.waiting.append((unit, reply))
            return
        self.frozen.add(unit)
        self.change_over(unit)
        reply()

    def is_listed(self, unit):
        with contextlib.suppress(FileNotFoundError):
            with open(self.root + '/run/hotpatch/frozen', encoding='utf-8') as f:
                return unit in f.read().split('\n')
        return False

    def change_over(self, unit):
        folder = '%s/fake/tasks/%s' % (self.root, unit)
        for pid in os.listdir(folder) if os.path.isdir(folder) else []:
            path = '%s/proc/%s/task/%s/patch_state' % (self.root, pid, pid)
            with open(path, 'w', encoding='ascii') as f:
                f.write('1\n')

    @dbus.service.method(MANAGER, in_signature='s', async_callbacks=('reply', 'error'))
    def ThawUnit(self, unit, reply, error):
        self.write('ThawUnit', unit)
        if 'mute' in self.tempers:
            return
        if 'never-freeze' in self.tempers and not self.released:
            error(dbus.DBusException('still in progress', name='org.freedesktop.DBus.Error.Failed'))
            return
        self.frozen.discard(unit)
        reply()

    @dbus.service.method(MANAGER)
    def Subscribe(self):
        self.write('Subscribe')

    @dbus.service.method(MANAGER)
    def Unsubscribe(self):
        self.write('Unsubscribe')


class Units(dbus.service.FallbackObject):
    """Properties of any unit."""

    def __init__(self, bus, systemd):
        super().__init__(bus, ROOT + '/unit')
        self.systemd = systemd

    @dbus.service.method('org.freedesktop.DBus.Properties', in_signature='ss', out_signature='v',
                         rel_path_keyword='path', async_callbacks=('reply', 'error'))
    def Get(self, interface, name, path, reply, error):
        self.systemd.write('Get', name, path)
        if 'mute' not in self.systemd.tempers:
            reply(dbus.String('frozen' if 'frozen' in self.systemd.tempers else 'running'))


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(sys.argv[1])
    systemd = Systemd(bus, sys.argv[2], sys.argv[3], sys.argv[4:])
    units = Units(bus, systemd)
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, systemd.release)
    bus.request_name(NAME)
    print('ready', flush=True)
    GLib.MainLoop().run()
    del units


main()
