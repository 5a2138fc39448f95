# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""hotpatchd over D-Bus, by busctl(1), which every systemd machine has: the target needs no Python library.

busctl prints the message of an error and drops its name, so what may be refused is asked for with a method that
answers with the refusal (Plan, PlanRemove), and what became of a job is read from its properties. busctl cannot
pass an open file either: for bundles that are files there is hotpatchctl, which comes with the daemon.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import time

NAME = 'org.hotpatch.Hotpatch1'
ROOT = '/org/hotpatch/Hotpatch1'
MANAGER = NAME + '.Manager'
PATCH = NAME + '.Patch'
JOB = NAME + '.Job'

# Between two looks at a job or a trial: the first soon, the later ones so seldom that a fleet does not hammer.
LOOK_FIRST = 0.1
LOOK_LAST = 2.0


class ServiceError(Exception):
    """The daemon, or the way to it, said no."""

    def __init__(self, message, name=None, **details):
        super(ServiceError, self).__init__(message)
        self.name = name
        self.details = details


def words(signature, arguments):
    """The arguments of a call in the words of busctl(1): an array is its length and its members."""
    result = []
    for argument in arguments:
        if isinstance(argument, bool):
            result.append('true' if argument else 'false')
        elif isinstance(argument, dict):
            result.append(str(len(argument)))
            for key in sorted(argument):
                result += [key, 'b' if isinstance(argument[key], bool) else 's'] + words('v', [argument[key]])
        elif isinstance(argument, (list, tuple)):
            result += [str(len(argument))] + [str(a) for a in argument]
        else:
            result.append(str(argument))
    return [signature] + result if signature and signature != 'v' else result


class Service(object):
    """The daemon. Counts its round trips, so that the cost of a task can be told."""

    def __init__(self, module, timeout=60):
        self.module = module
        self.timeout = timeout
        self.round_trips = 0
        self.busctl = module.get_bin_path('busctl', required=True)

    def run(self, command):
        """Run a program without a shell and in the language of the messages; returns status, stdout, stderr."""
        return self.module.run_command(command, environ_update={'LC_ALL': 'C', 'NO_COLOR': '1'},
                                       expand_user_and_vars=False)

    def call(self, method, signature='', *arguments, **where):
        """Call a method; returns the list of what it answered."""
        command = [self.busctl, '--system', '--json=short', '--allow-interactive-authorization=no',
                   '--timeout=%d' % where.get('timeout', self.timeout), '--', 'call', NAME, where.get('path', ROOT),
                   where.get('interface', MANAGER), method]
        self.round_trips += 1
        status, out, err = self.run(command + words(signature, arguments))
        if status != 0:
            raise ServiceError(told(err) or 'busctl ended with %d' % status, call=method)
        try:
            return json.loads(out)['data'] if out.strip() else []
        except (ValueError, KeyError) as error:
            raise ServiceError("the answer to '%s' cannot be read: %s" % (method, error), call=method)

    def document(self, method, signature='', *arguments, **where):
        """Call a method that answers with JSON."""
        return json.loads(self.call(method, signature, *arguments, **where)[0])

    def properties(self, path=ROOT, interface=MANAGER):
        answer = self.call('GetAll', 's', interface, path=path, interface='org.freedesktop.DBus.Properties')
        return dict((name, value['data']) for name, value in answer[0].items())

    def patches(self):
        """Every patch this machine knows, by id, with its properties, in one round trip."""
        answer = self.call('GetManagedObjects', interface='org.freedesktop.DBus.ObjectManager')
        found = {}
        for interfaces in answer[0].values():
            if PATCH in interfaces:
                patch = dict((name, value['data']) for name, value in interfaces[PATCH].items())
                found[patch['Id']] = patch
        return found

    def wait_job(self, path, seconds):
        """Look at a job until it ended; returns its properties. What a transition waits for is told when it does not."""
        end = time.time() + seconds
        pause = LOOK_FIRST
        while True:
            job = self.properties(path, JOB)
            if job['State'] == 'finished':
                return job
            if time.time() >= end:
                raise ServiceError('the job %d has not ended after %d seconds, it is in state %s%s; it goes on'
                                   % (job['Id'], seconds, job['State'], waiting_for(job)),
                                   job=describe_job(job))
            time.sleep(pause)
            pause = min(pause * 1.5, LOOK_LAST)

    def finish_job(self, path, seconds):
        """As wait_job(); a job that did not do what it was made for is an error with the name it ended with."""
        job = self.wait_job(path, seconds)
        if job['Result'] != 'done':
            raise ServiceError(job['ErrorMessage'] or 'the job %d was %s' % (job['Id'], job['Result']),
                               name=job['ErrorName'] or None, job=describe_job(job))
        return job

    def exit(self, **answer):
        self.module.exit_json(round_trips=self.round_trips, **answer)

    def fail(self, error, **answer):
        """End the task with the sentence of the daemon and, where it is known, the name of the error."""
        answer = dict(error.details, round_trips=self.round_trips, **answer)
        if error.name:
            answer['error_name'] = error.name
        self.module.fail_json(msg=str(error), **answer)

    def ctl(self, *arguments):
        """hotpatchctl(1) with --json, for files; returns what it printed."""
        program = self.module.get_bin_path('hotpatchctl', required=True)
        self.round_trips += 1
        status, out, err = self.run([program, '--json'] + list(arguments))
        try:
            answer = json.loads(out) if out.strip() else {}
        except ValueError:
            answer = {}
        return status, answer, told(err)


def told(err):
    """The sentence of an error without the program that passed it on."""
    text = err.strip()
    for prefix in ('Call failed: ', 'hotpatchctl: '):
        if text.startswith(prefix):
            text = text[len(prefix):]
    return text


def waiting_for(job):
    units = sorted(set(blocker[3] or blocker[2] for blocker in job.get('Blockers', [])))
    return ', waiting for ' + ', '.join(units) if units else ''


def describe_job(job):
    return {
        'id': job['Id'],
        'type': job['Type'],
        'state': job['State'],
        'result': job['Result'],
        'error_name': job['ErrorName'],
        'error_message': job['ErrorMessage'],
        'patches': job['Patches'],
    }


def describe_patch(patch):
    """A patch as the modules return it: lower-case keys, times as they are on the bus."""
    return {
        'id': patch['Id'],
        'title': patch['Title'],
        'severity': patch['Severity'],
        'state': patch['State'],
        'module': patch['Module'],
        'stream': patch['Stream'],
        'sequence': patch['Sequence'],
        'fixes': patch['Fixes'],
        'foreign': patch['Foreign'],
        'wanted': patch['Wanted'],
        'quarantined': patch['Quarantined'],
        'strikes': patch['Strikes'],
        'trial_until_usec': patch['TrialUntilUSec'],
        'tripped': patch['Tripped'],
    }


def rows(names, table):
    """Structures of the bus as dictionaries."""
    return [dict(zip(names, row)) for row in table]
