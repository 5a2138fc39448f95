#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""polkitmock.py ADDRESS TEMPER LOG: a polkitd that always answers the same way.

Tempers: allow, deny, challenge, wait (SIGUSR1: yes to all that wait, SIGUSR2: no), dead (never answers),
broken (answers with an error), nonsense (answers with the wrong types).
Each question becomes a line of JSON in LOG.
"""

import json
import signal
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = 'org.freedesktop.PolicyKit1'
EMPTY = dbus.Dictionary({}, signature='ss')
ANSWERS = {'allow': (True, False), 'deny': (False, False), 'challenge': (False, True)}


class Authority(dbus.service.Object):
    def __init__(self, bus, temper, log):
        super().__init__(bus, '/org/freedesktop/PolicyKit1/Authority')
        self.temper, self.log, self.waiting = temper, log, []

    def write(self, **record):
        with open(self.log, 'a', encoding='utf-8') as f:
            f.write(json.dumps(record) + '\n')

    def give(self, yes):
        for reply in self.waiting:
            reply(ANSWERS['allow' if yes else 'deny'] + (EMPTY,))
        self.waiting = []
        return True

    @dbus.service.method(NAME + '.Authority', in_signature='(sa{sv})sa{ss}us', out_signature='(bba{ss})',
                         async_callbacks=('reply', 'error'))
    def CheckAuthorization(self, subject, action, details, flags, cookie, reply, error):
        self.write(subject=[str(subject[0]), {str(k): str(v) for k, v in subject[1].items()}],
                   action=str(action), details={str(k): str(v) for k, v in details.items()},
                   flags=int(flags), cookie=str(cookie))
        if self.temper in ANSWERS:
            reply(ANSWERS[self.temper] + (EMPTY,))
        elif self.temper == 'wait':
            self.waiting.append(reply)
        elif self.temper == 'broken':
            error(dbus.DBusException('broken', name=NAME + '.Error.Failed'))

    @dbus.service.method(NAME + '.Authority', in_signature='s')
    def CancelCheckAuthorization(self, cookie):
        self.write(cancelled=str(cookie))


class Nonsense(dbus.service.Object):
    @dbus.service.method(NAME + '.Authority', in_signature='(sa{sv})sa{ss}us', out_signature='s')
    def CheckAuthorization(self, _subject, _action, _details, _flags, _cookie):
        return 'yes, by all means'


def main():
    address, temper, log = sys.argv[1:]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    if temper == 'nonsense':
        Nonsense(bus, '/org/freedesktop/PolicyKit1/Authority')
    else:
        authority = Authority(bus, temper, log)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, authority.give, True)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR2, authority.give, False)
    bus.request_name(NAME)
    print('ready', flush=True)
    GLib.MainLoop().run()


main()
