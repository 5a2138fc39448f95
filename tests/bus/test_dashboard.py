#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dashboard of doc/examples, asked of a real Prometheus that scrapes what real daemons say.

Grafana itself is in no package that this project can name; what it would ask is in the file."""

import contextlib
import functools
import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

from hotpatchtest import BUILD, PATIENCE, SOURCE, World, main, read, wait_for, write

CTL = os.path.join(BUILD, 'ctl/hotpatchctl')
DASHBOARD = json.loads(read(os.path.join(SOURCE, 'doc/examples/grafana-dashboard.json')))
PANELS = DASHBOARD['panels']


def metrics(w, code=0):
    done = subprocess.run([CTL, 'metrics'], env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': w.bus.address},
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE)
    assert done.returncode == code, done
    return done.stdout


def fresh(pki):
    """A machine on which nothing ever happened, and what it says when hotpatchd is gone."""
    with World(pki, polkit='allow').start() as w:
        text = metrics(w)
        assert w.daemon.stop() == 0
        return text, metrics(w, code=9)


def troubled(pki):
    """One whose patch somebody switched off, whose restart is due, and whom nobody covers any more."""
    with World(pki, polkit='allow').start() as w:
        w.machine.write('etc/hotpatch/hotpatchd.conf.d/baseline.conf', '[Baseline]\nEnable=yes\n')
        w.root.call('Reload', signature='')
        w.machine.stage('hp-one')
        assert w.root.finish(w.root.apply('hp-one'))[0] == 'done'
        w.machine.write('run/reboot-required', '')
        write(w.machine.path('sys/kernel/livepatch/hp_one/enabled'), '0\n')
        wait_for('its end', lambda: w.root.patches()['hp-one'] not in ('active', 'removing', 'transition'))
        w.root.call('Audit', signature='')
        text = metrics(w)
        assert b'hotpatch_patches_missing 1\n' in text and b'hotpatch_coverage_until_timestamp_seconds' in text, text
        return text


class Exporter(http.server.BaseHTTPRequestHandler):
    """@texts: path -> what is said there"""

    def __init__(self, texts, *args):
        self.texts = texts
        super().__init__(*args)

    def do_GET(self):  # noqa: N802, the name is of http.server
        self.send_response(200)
        # With this type Prometheus reads it by the strict grammar.
        self.send_header('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
        self.end_headers()
        self.wfile.write(self.texts[self.path])

    def log_message(self, *_):
        pass


class Prometheus:
    def __init__(self, port):
        self.base = 'http://127.0.0.1:%d/api/v1/' % port

    def ask(self, what, **arguments):
        try:
            with urllib.request.urlopen(self.base + what + '?' + urllib.parse.urlencode(arguments), timeout=30) as answer:
                return json.load(answer)['data']
        except urllib.error.HTTPError as e:
            if e.code == 503:  # it is not up yet
                raise
            raise AssertionError('%s %s: %s' % (what, arguments, e.read().decode())) from e

    def query(self, expression, instance='.*'):
        """As Grafana puts it, with its variable replaced. Return: the series."""
        return self.ask('query', query=expression.replace('$instance', instance))['result']

    def up(self):
        with contextlib.suppress(OSError):
            return {t['labels']['instance']: (t['health'], t['lastError'])
                    for t in self.ask('targets')['activeTargets']}
        return {}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def scraping(texts):
    """A Prometheus for which each of @texts is what a machine of that name says."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0),
                                             functools.partial(Exporter, {'/' + n: t for n, t in texts.items()}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    jobs = [{'targets': ['127.0.0.1:%d' % server.server_port], 'labels': {'instance': n, '__metrics_path__': '/' + n}}
            for n in texts]
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, 'prometheus.yml')
        # JSON is YAML.
        write(config, json.dumps({'global': {'scrape_interval': '1s'},
                                  'scrape_configs': [{'job_name': 'hotpatch', 'static_configs': jobs}]}))
        port = free_port()
        with open(os.path.join(folder, 'log'), 'w+') as log:
            child = subprocess.Popen(['prometheus', '--config.file', config, '--storage.tsdb.path', folder + '/data',
                                      '--web.listen-address', '127.0.0.1:%d' % port],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                p = Prometheus(port)
                wait_for('the first scrape', lambda: set(p.up()) == set(texts) and
                         all(health != 'unknown' for health, _ in p.up().values()))
                assert all(health == 'up' for health, _ in p.up().values()), p.up()
                yield p
            finally:
                child.terminate()
                child.wait()
                server.shutdown()
                server.server_close()


def test_what_the_file_says_of_itself_is_right(_pki):
    ids = [p['id'] for p in PANELS]
    assert len(set(ids)) == len(ids) and DASHBOARD['uid'] == 'hotpatch'
    taken = set()
    for p in PANELS:
        g = p['gridPos']
        place = {(x, y) for x in range(g['x'], g['x'] + g['w']) for y in range(g['y'], g['y'] + g['h'])}
        assert not place & taken and g['x'] + g['w'] <= 24, p['title']
        taken |= place
        assert p['title'] and p['description'] and p['targets'], p
        for t in p['targets']:
            assert t['datasource'] == p['datasource'] == {'type': 'prometheus', 'uid': '${datasource}'}, p
            assert '$instance' in t['expr'], p


def test_each_panel_has_something_to_show(pki):
    quiet, silent = fresh(pki)
    with scraping({'quiet': quiet, 'silent': silent, 'troubled': troubled(pki)}) as p:
        instances = p.ask('label/instance/values', **{'match[]': 'hotpatch_up'})
        assert instances == ['quiet', 'silent', 'troubled'], instances
        shown = {}
        for panel in PANELS:
            for t in panel['targets']:
                shown[panel['title']] = p.query(t['expr'])
        empty = [title for title, series in shown.items() if not series]
        assert not empty, empty
        value = {title: int(float(series[0]['value'][1])) for title, series in shown.items()}
        assert value['Not answering'] == 1 and value['Wanted, not in force'] == 1 and value['Alerts'] >= 1, value
        due = [(s['metric']['instance'], s['metric']['reason']) for s in shown['Restart needed']]
        assert due == [('troubled', 'packages')], due
        # That one was audited, the silent one says nothing of itself.
        late = [s['metric']['instance'] for s in shown['Audit older than eight days, or none since the start']]
        assert 'troubled' not in late and 'quiet' in late, late
        # Chosen alone, a machine without any trouble has numbers and not "No data" in the first row.
        for panel in PANELS:
            if panel['type'] == 'stat':
                series, = p.query(panel['targets'][0]['expr'], 'quiet')
                assert series['value'][1] == '0', (panel['title'], series)


# tools/test fetches it.
WITHOUT_PROMETHEUS = [test_what_the_file_says_of_itself_is_right]

if __name__ == '__main__':
    if not shutil.which('prometheus'):
        print('# not among the tests: what a Prometheus says, because there is none')
        main(WITHOUT_PROMETHEUS)
    else:
        main([f for n, f in sorted(globals().items()) if n.startswith('test_')])
