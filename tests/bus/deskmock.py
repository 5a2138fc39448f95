# SPDX-License-Identifier: LGPL-2.1-or-later
"""A session: a bus of its own, the notifier in it as an ordinary user, and a notification daemon that keeps what it is told.

The daemon does what the Desktop Notifications Specification 1.2 says of ids and signals, and has the property Inhibited
when it is asked to; what it can and whether it closes what was clicked on differs from one to the next, as among real ones.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import dbus
import dbus.lowlevel
import dbus.service

from hotpatchtest import BUILD, NOBODY, PATIENCE, PROPERTIES, read, wait_for, write

NOTIFIER = os.path.join(BUILD, 'notifier/hotpatch-notifier')
NOTIFIER_NAME = 'org.hotpatch.Notifier1'
DESK = 'org.freedesktop.Notifications'
DESK_PATH = '/org/freedesktop/Notifications'

CONFIG = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%s/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
'''


BUS = ('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus')

# Answered when a person has answered polkit.
PATIENT = ('DeferBaseline', 'Reboot')


def delivered(connection):
    """The bus has passed on what was sent on CONNECTION."""
    connection.call_blocking(*BUS, 'GetId', '', ())


class Traffic:
    """What one program says on a bus and is told there, counted by a monitor."""

    def __init__(self, bus):
        self.caller, self.monitor = bus.connect(), bus.connect()
        self.me = self.caller.get_unique_name()
        self.name = None  # of the program, as soon as it is known
        self.pings = 0
        self.messages = []
        self.monitor.call_blocking(*BUS[:2], 'org.freedesktop.DBus.Monitoring', 'BecomeMonitor', 'asu', (dbus.Array([], 's'), 0))
        self.monitor.add_message_filter(self.on_message)

    def on_message(self, _connection, message):
        self.messages.append((message.get_sender(), message.get_destination(), message.get_type(), message.get_serial(),
                              message.get_reply_serial(), message.get_member()))
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    def find(self, pid):
        """Is the program here? It is whoever has this PID."""
        for name in () if self.name else self.caller.list_names():
            with contextlib.suppress(dbus.DBusException):
                if name.startswith(':') and self.caller.call_blocking(*BUS, 'GetConnectionUnixProcessID', 's', (name,)) == pid:
                    self.name = str(name)
        return self.name

    def answers(self):
        """Calls of the program: serial -> (member, type of the answer or None)."""
        calls = {}
        for sender, to, kind, serial, reply_to, member in self.messages:
            if sender == self.name and kind == dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
                calls[serial] = (str(member), None)
            elif to == self.name and reply_to in calls:
                calls[reply_to] = (calls[reply_to][0], kind)
        return calls

    def count(self):
        """Messages from and to the program, without our own and without what everybody gets."""
        return sum(self.name in m[:2] and self.me not in m[:2] and m[1] is not None for m in self.messages)

    def told(self, name):
        """What the program has sent to somebody."""
        return [m for m in self.messages if m[:2] == (self.name, name)]

    def waits(self):
        """Is a call unanswered?"""
        return any(kind is None and member not in PATIENT for member, kind in self.answers().values())

    def ping(self):
        """What was sent to the program before has been dealt with, and the monitor has seen what it said to that."""
        self.pings += 1
        # Any question does, and any answer. Not Peer.Ping: libdbus answers that by itself, on the monitor as well, which ends it.
        self.caller.call_async(self.name, '/', 'org.freedesktop.DBus.Introspectable', 'Introspect', '', (), lambda *_: None,
                               lambda _: None)
        wait_for('an answer', lambda: self.pings == sum(m[:2] == (self.name, self.me) for m in self.messages))

    def close(self):
        self.monitor.close()
        self.caller.close()


class Session:
    """A session bus that ordinary users reach, too."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='hotpatch-session-')
        os.chmod(self.directory, 0o755)
        os.mkdir(os.path.join(self.directory, 'services'))
        write(os.path.join(self.directory, 'bus.conf'), CONFIG % (self.directory, self.directory))
        self.process = subprocess.Popen(
            ['dbus-daemon', '--nofork', '--print-address', '--config-file', os.path.join(self.directory, 'bus.conf')],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        os.chmod(os.path.join(self.directory, 'bus'), 0o666)
        self.connection = self.connect()

    def connect(self):
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        return connection

    def activatable(self, name, command):
        """The bus starts COMMAND for whoever wants NAME."""
        write(os.path.join(self.directory, 'services', name + '.service'), '[D-BUS Service]\nName=%s\nExec=%s\n' % (name, command))
        self.connection.call_blocking('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'ReloadConfig', '', ())

    def close(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.directory)


class Desk(dbus.service.Object):
    """@closes: a notification goes when one of its buttons is pressed, unless it is resident and we know that."""

    def __init__(self, session, capabilities=('body', 'body-markup', 'actions'), inhibited=None, closes=True):
        self.owner = session.connect()
        self.capabilities, self.inhibited, self.closes = capabilities, inhibited, closes
        self.shown = []      # everything, in its order: dictionaries
        self.open = {}       # id -> the last of these
        self.next = 1
        super().__init__(self.owner, DESK_PATH)
        self.owner.request_name(DESK)

    @dbus.service.method(DESK, out_signature='as')
    def GetCapabilities(self):
        return dbus.Array(self.capabilities, signature='s')

    @dbus.service.method(DESK, in_signature='susssasa{sv}i', out_signature='u')
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        number = int(replaces) if replaces in self.open else self.next
        self.next = max(self.next, number + 1)
        told = {'id': number, 'app': str(app), 'replaces': int(replaces), 'icon': str(icon), 'summary': str(summary),
                'body': str(body), 'actions': [str(a) for a in actions[::2]], 'labels': [str(a) for a in actions[1::2]],
                'hints': {str(k): v for k, v in hints.items()}, 'timeout': int(timeout)}
        self.shown.append(told)
        self.open[number] = told
        return dbus.UInt32(number)

    @dbus.service.method(DESK, in_signature='u')
    def CloseNotification(self, number):
        self.close_one(int(number), 3)

    @dbus.service.method(PROPERTIES, in_signature='ss', out_signature='v')
    def Get(self, _interface, name):
        if name != 'Inhibited' or self.inhibited is None:
            raise dbus.DBusException('there is none', name='org.freedesktop.DBus.Error.UnknownProperty')
        return dbus.Boolean(self.inhibited, variant_level=1)

    @dbus.service.signal(PROPERTIES, signature='sa{sv}as')
    def PropertiesChanged(self, interface, changed, invalidated):
        pass

    @dbus.service.signal(DESK, signature='uu')
    def NotificationClosed(self, number, reason):
        pass

    @dbus.service.signal(DESK, signature='us')
    def ActionInvoked(self, number, key):
        pass

    def inhibit(self, inhibited):
        self.inhibited = inhibited
        self.PropertiesChanged(DESK, {'Inhibited': dbus.Boolean(inhibited)}, dbus.Array([], signature='s'))
        delivered(self.owner)

    def close_one(self, number, reason):
        if self.open.pop(number, None):
            self.NotificationClosed(number, reason)

    def dismiss(self, number):
        """A person closes it."""
        assert number in self.open, self.open
        self.close_one(number, 2)
        delivered(self.owner)

    def press(self, number, key):
        """A person presses a button, or clicks on it ('default')."""
        assert key in self.open[number]['actions'], self.open[number]
        self.ActionInvoked(number, key)
        if self.closes:
            self.close_one(number, 2)
        delivered(self.owner)

    def about(self, topic):
        """All that was told about a topic."""
        return [t for t in self.shown if t['hints']['category'] == 'x-hotpatch.' + topic]

    def wait(self, topic, condition=lambda told: True):
        """Wait until the last about a topic is as wanted; return it."""
        return wait_for('a notification about ' + topic, lambda: (self.about(topic) and condition(self.about(topic)[-1])
                                                                 and self.about(topic)[-1]) or None)

    def close(self):
        self.remove_from_connection()
        self.owner.close()


class Notifier:
    """The program under test, as nobody, on two private buses. It has had its first look."""

    def __init__(self, world, session, **environment):
        self.log_path = os.path.join(session.directory, 'notifier.log')
        self.session = session
        self.system_traffic, self.session_traffic = Traffic(world.bus), Traffic(session)
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [NOTIFIER], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=NOBODY, group=NOBODY, extra_groups=[], cwd='/',
                env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': world.bus.address, 'DBUS_SESSION_BUS_ADDRESS': session.address,
                     'TZ': 'UTC', 'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99', 'UBSAN_OPTIONS': 'halt_on_error=1', **environment})
        wait_for('the notifier to own its name', lambda: self.process.poll() is not None
                 or session.connection.name_has_owner(NOTIFIER_NAME) and self.session_traffic.find(self.process.pid))
        wait_for('the notifier on the system bus', lambda: self.process.poll() is not None
                 or self.system_traffic.find(self.process.pid))
        self.wait_look(0)

    def looks(self):
        """How many have been: each ends with the objects, or before them with an error."""
        return sum(member == 'GetManagedObjects' and kind is not None
                   or member == 'GetAll' and kind == dbus.lowlevel.MESSAGE_TYPE_ERROR
                   for member, kind in self.system_traffic.answers().values())

    def wait_look(self, before):
        """Wait until there were more looks than BEFORE, and the notifier knows what it saw."""
        wait_for('a look', lambda: self.process.poll() is not None or self.looks() > before)
        if self.process.poll() is None:
            self.system_traffic.ping()

    def settle(self, ask):
        """Wait until it has nothing to do any more. @ask: a question to hotpatchd; what that had to say is said before

        A round passes through every queue there is. One in which the notifier asks and is asked nothing is the last.
        """
        traffic = (self.system_traffic, self.session_traffic)
        deadline = time.monotonic() + PATIENCE
        before = None
        while before != [t.count() for t in traffic] or any(t.waits() for t in traffic):
            assert time.monotonic() < deadline, 'the notifier does not come to rest'
            before = [t.count() for t in traffic]
            ask()
            for t in traffic:
                t.ping()

    def log(self):
        return read(self.log_path).decode()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(30)
        self.system_traffic.close()
        self.session_traffic.close()
        if status != 0:
            raise AssertionError('the notifier ended with %d:\n%s' % (status, self.log()))
