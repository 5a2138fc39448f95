# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real notification daemon, dunst, on a screen that nobody sees (Xvfb)."""

import json
import os
import shutil
import subprocess
import tempfile
import time

from hotpatchtest import wait_for, write

# Nothing of the machine's own configuration; what is shown stays until it is closed.
CONFIG = '''[global]
    font = DejaVu Sans 10
    width = 400
    height = 300
    origin = top-right
    offset = 10x10
    notification_limit = 8
    markup = full
    format = "<b>%%s</b>\\n%%b"
    ignore_newline = no
    word_wrap = yes
    padding = 10
    horizontal_padding = 12
    frame_width = 1
    icon_position = off
    show_indicators = yes
    history_length = 50
    dmenu = %s
[urgency_low]
    background = "#f6f6f4"
    foreground = "#202020"
    frame_color = "#9a9a96"
    timeout = 0
[urgency_normal]
    background = "#f6f6f4"
    foreground = "#202020"
    frame_color = "#3465a4"
    timeout = 0
[urgency_critical]
    background = "#fff4f0"
    foreground = "#202020"
    frame_color = "#c01c28"
    timeout = 0
'''

# dunst hands the actions of all notifications to a menu program, a line each, and takes back the chosen one.
MENU = '''#!/bin/sh
cat >%(directory)s/menu.new
mv %(directory)s/menu.new %(directory)s/menu
exec grep -m 1 "$(cat %(directory)s/choice)" %(directory)s/menu
'''


class Dunst:
    def __init__(self, session, size='640x360'):
        self.directory = tempfile.mkdtemp(prefix='hotpatch-dunst-')
        menu = os.path.join(self.directory, 'menu.sh')
        write(menu, MENU % {'directory': self.directory}, 0o755)
        write(os.path.join(self.directory, 'dunstrc'), CONFIG % menu)
        self.log = open(os.path.join(self.directory, 'log'), 'wb')
        # The server says which display it took when it is ready: no number is guessed, no time is waited.
        ready, tell = os.pipe()
        self.server = subprocess.Popen(['Xvfb', '-displayfd', str(tell), '-screen', '0', size + 'x24', '-nolisten', 'tcp'],
                                       pass_fds=[tell], stdout=self.log, stderr=self.log)
        os.close(tell)
        with os.fdopen(ready) as f:
            display = f.readline().strip()
        assert display, 'Xvfb did not start'
        self.environment = {'PATH': os.environ['PATH'], 'HOME': self.directory, 'XDG_RUNTIME_DIR': self.directory, 'LC_ALL': 'C.UTF-8',
                            'DISPLAY': ':' + display, 'DBUS_SESSION_BUS_ADDRESS': session.address}
        self.session = session
        self.start()

    def start(self):
        self.process = subprocess.Popen(['dunst', '-conf', os.path.join(self.directory, 'dunstrc')], env=self.environment,
                                        stdout=self.log, stderr=self.log)
        wait_for('dunst', lambda: self.session.connection.name_has_owner('org.freedesktop.Notifications'))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ctl(self, *words):
        return subprocess.run(['dunstctl', *words], env=self.environment, check=True, capture_output=True, text=True).stdout

    def displayed(self):
        return int(self.ctl('count', 'displayed'))

    def choose(self, words):
        """A person opens the menu of actions and takes the first that has these words. Return: what the menu had."""
        write(os.path.join(self.directory, 'choice'), words)
        menu = os.path.join(self.directory, 'menu')
        if os.path.exists(menu):
            os.unlink(menu)
        asked = [0.0]

        def opened():
            # dunst refuses a second menu until it has dealt with the first one.
            if not os.path.exists(menu) and time.monotonic() > asked[0] + 2:
                self.ctl('context')
                asked[0] = time.monotonic()
            return os.path.exists(menu)
        wait_for('the menu', opened)
        with open(menu, encoding='utf-8') as f:
            return f.read().splitlines()

    def history(self):
        """What was closed, the last first: (summary, message as dunst shows it)."""
        entries = json.loads(self.ctl('history'))['data'][0]
        return [(e['summary']['data'], e['message']['data']) for e in entries]

    def picture(self, path):
        subprocess.run(['import', '-window', 'root', path], env=self.environment, check=True)

    def close(self):
        self.stop()
        self.server.terminate()
        self.server.wait()
        self.log.close()
        shutil.rmtree(self.directory)
