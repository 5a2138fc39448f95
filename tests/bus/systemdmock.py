# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd on the private bus, as far as hotpatchd asks it during trials: units that run, fail, and are started."""

import dbus
import dbus.lowlevel
import dbus.service
from gi.repository import GLib

NAME = 'org.freedesktop.systemd1'
PATH = '/org/freedesktop/systemd1'
MANAGER = NAME + '.Manager'


def escape(name):
    return ''.join(c if c.isalnum() else '_%02x' % ord(c) for c in name)


def failure(unit, destination=None):
    """What systemd says of a unit that has failed."""
    message = dbus.lowlevel.SignalMessage(PATH + '/unit/' + escape(unit), 'org.freedesktop.DBus.Properties',
                                          'PropertiesChanged')
    message.append(NAME + '.Unit', {'ActiveState': 'failed', 'SubState': 'failed'}, [], signature='sa{sv}as')
    if destination:
        message.set_destination(destination)
    return message


class Systemd(dbus.service.Object):
    """@active: services that run. @results: unit → result of its start job; anything else is 'done'."""

    def __init__(self, bus, active=(), results=None):
        self.owner = bus.connect()
        self.owner.request_name(NAME)
        super().__init__(self.owner, PATH)
        self.active = list(active)
        self.failed = []
        self.results = results or {}
        self.started = []
        self.listed = 0
        self.on_start = None

    @dbus.service.method(MANAGER)
    def Subscribe(self):
        pass

    @dbus.service.method(MANAGER)
    def Unsubscribe(self):
        pass

    @dbus.service.method(MANAGER, in_signature='asas', out_signature='a(ssssssouso)')
    def ListUnitsByPatterns(self, states, _patterns):
        self.listed += 1
        return [(u, u, 'loaded', state, sub, '', PATH + '/unit/' + escape(u), 0, '', '/')
                for state, sub, units in (('active', 'running', self.active), ('failed', 'failed', self.failed))
                for u in units if state in states]

    @dbus.service.method(MANAGER, in_signature='ss', out_signature='o')
    def StartUnit(self, unit, _mode):
        unit = str(unit)
        self.started.append(unit)
        if self.on_start:
            self.on_start(unit)
        number = len(self.started)
        path = '%s/job/%d' % (PATH, number)
        GLib.timeout_add(20, lambda: self.JobRemoved(number, dbus.ObjectPath(path), unit,
                                                     self.results.get(unit, 'done')))
        return dbus.ObjectPath(path)

    @dbus.service.signal(MANAGER, signature='uoss')
    def JobRemoved(self, number, job, unit, result):
        pass

    def fail(self, unit):
        """A service that ran has failed."""
        if unit in self.active:
            self.active.remove(unit)
            self.failed.append(unit)
        self.owner.send_message(failure(unit))
        self.owner.flush()

    def close(self):
        self.remove_from_connection()
        self.owner.close()
