# SPDX-License-Identifier: LGPL-2.1-or-later
"""logind on the private bus, as far as hotpatchd asks it about a restart.

What it has in common with the real one of systemd 252, and what matters: one schedule for everybody that the next
caller overwrites, no signal when it changes, and inhibitors that root is not held up by.
"""

import dbus
import dbus.service

NAME = 'org.freedesktop.login1'
PATH = '/org/freedesktop/login1'
MANAGER = NAME + '.Manager'
NONE = ('', 2**64 - 1)


class Logind(dbus.service.Object):
    def __init__(self, bus):
        self.owner = bus.connect()
        self.owner.request_name(NAME)
        super().__init__(self.owner, PATH)
        self.scheduled = NONE
        self.wall = None
        self.sessions = []
        self.inhibitors = []
        self.power = True
        self.calls = []
        self.refuse = False
        self.goes_down = False

    @dbus.service.method('org.freedesktop.DBus.Properties', in_signature='s', out_signature='a{sv}')
    def GetAll(self, _interface):
        return {'ScheduledShutdown': dbus.Struct((self.scheduled[0], dbus.UInt64(self.scheduled[1])), signature='st'),
                'OnExternalPower': dbus.Boolean(self.power), 'PreparingForShutdown': dbus.Boolean(self.goes_down),
                'BlockInhibited': 'shutdown', 'NCurrentSessions': dbus.UInt64(9)}

    @dbus.service.method(MANAGER, out_signature='a(ssssuu)')
    def ListInhibitors(self):
        return [(what, who, why, mode, 0, 1) for what, who, why, mode in self.inhibitors]

    @dbus.service.method(MANAGER, out_signature='a(susso)')
    def ListSessions(self):
        return [(str(i), uid, user, 'seat0', PATH + '/session/_3%d' % i) for i, (uid, user) in enumerate(self.sessions)]

    @dbus.service.method(MANAGER, in_signature='sb')
    def SetWallMessage(self, text, enable):
        self.wall = str(text) if enable else None

    @dbus.service.method(MANAGER, in_signature='st')
    def ScheduleShutdown(self, kind, usec):
        self.calls.append(('schedule', str(kind), int(usec)))
        if self.refuse:
            raise dbus.DBusException('not today', name='org.freedesktop.DBus.Error.AccessDenied')
        self.scheduled = (str(kind), int(usec))

    @dbus.service.method(MANAGER, out_signature='b')
    def CancelScheduledShutdown(self):
        self.calls.append(('cancel',))
        had, self.scheduled = self.scheduled != NONE, NONE
        return had

    @dbus.service.method(MANAGER, in_signature='b', message_keyword='message')
    def Reboot(self, interactive, message):
        self.calls.append(('reboot', bool(interactive), str(message.get_sender()),
                           bool(message.get_allow_interactive_authorization())))
        if self.refuse:
            raise dbus.DBusException('not today', name=self.refuse)

    @dbus.service.signal(MANAGER, signature='b')
    def PrepareForShutdown(self, start):
        pass

    def close(self):
        if self.owner:
            self.remove_from_connection()
            self.owner.close()
            self.owner = None
