# SPDX-License-Identifier: LGPL-2.1-or-later
"""A session: a bus of its own, the notifier in it as an ordinary user, and a notification daemon that keeps what it is told.

The daemon does what the Desktop Notifications Specification 1.2 says of ids and signals, and has the property Inhibited
when it is asked to; what it can and whether it closes what was clicked on differs from one to the next, as among real ones.
"""

import os
import shutil
import subprocess
import tempfile

import dbus
import dbus.service

from hotpatchtest import BUILD, NOBODY, PROPERTIES, read, wait_for, write

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

    def close_one(self, number, reason):
        if self.open.pop(number, None):
            self.NotificationClosed(number, reason)

    def dismiss(self, number):
        """A person closes it."""
        assert number in self.open, self.open
        self.close_one(number, 2)

    def press(self, number, key):
        """A person presses a button, or clicks on it ('default')."""
        assert key in self.open[number]['actions'], self.open[number]
        self.ActionInvoked(number, key)
        if self.closes:
            self.close_one(number, 2)

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
    """The program under test, as nobody, on two private buses."""

    def __init__(self, world, session, **environment):
        self.log_path = os.path.join(session.directory, 'notifier.log')
        self.session = session
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [NOTIFIER], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=NOBODY, group=NOBODY, extra_groups=[], cwd='/',
                env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': world.bus.address, 'DBUS_SESSION_BUS_ADDRESS': session.address,
                     'TZ': 'UTC', 'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99', 'UBSAN_OPTIONS': 'halt_on_error=1', **environment})
        wait_for('the notifier to own its name', lambda: self.process.poll() is not None
                 or session.connection.name_has_owner(NOTIFIER_NAME))

    def log(self):
        return read(self.log_path).decode()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(30)
        if status != 0:
            raise AssertionError('the notifier ended with %d:\n%s' % (status, self.log()))
