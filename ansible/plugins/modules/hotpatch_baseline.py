#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: hotpatch_baseline
short_description: Plan, fetch, install and schedule the baseline of a machine, and its restart
version_added: 0.1.0
description:
  - A baseline is the cumulative update that needs a restart. This asks hotpatchd for its steps out of turn; by
    itself the daemon follows its calendar.
  - The machine is not restarted by C(state=installed). Use M(ansible.builtin.reboot) when C(reboot_required) says so,
    or C(state=restart_planned) to have the daemon do it, with its warnings and its respect for others.
options:
  state:
    description:
      - C(planned) asks the package manager what would be installed. C(downloaded) fetches it ahead, too.
      - C(scheduled) makes the baseline due now; it is fetched, installed and restarted into by itself, in the windows.
      - C(installed) installs it now and waits for the end. C(mended) completes what a cut-off installation has left.
      - C(restart_planned) has the daemon restart the machine at C(when), if a restart is required.
      - C(deferred) puts the restart for a baseline off until C(when), within the budget.
      - C(cancelled) takes the restart that is planned back.
    type: str
    choices: [planned, downloaded, scheduled, installed, mended, restart_planned, deferred, cancelled]
    required: true
  bundle:
    description: Id of a staged baseline bundle; without it all that the repositories have newer.
    type: str
    default: ''
  when:
    description:
      - Seconds since 1970, for C(restart_planned) and C(deferred). 0 with C(restart_planned) is in five minutes.
    type: int
    default: 0
  timeout:
    description: Seconds to wait for the package manager. It goes on when they are over.
    type: int
    default: 3600
author:
  - The Hotpatch for Linux authors (@hotpatch)
extends_documentation_fragment:
  - hotpatch.hotpatch.service
attributes:
  check_mode:
    description: C(downloaded), C(scheduled) and C(installed) ask for the plan only; the others tell what they would do.
    support: full
  diff_mode:
    description: Shows the packages of the plan.
    support: full
'''

EXAMPLES = r'''
- name: Fetch what the next window will install
  hotpatch.hotpatch.hotpatch_baseline:
    state: downloaded

- name: Install the baseline now
  hotpatch.hotpatch.hotpatch_baseline:
    state: installed
  register: baseline

- name: Restart into it
  ansible.builtin.reboot:
  when: baseline.reboot_required | length > 0
  throttle: 1
'''

RETURN = r'''
result:
  description: The answer of the step, see org.hotpatch.Hotpatch1(5), "DESCRIBEBASELINE".
  returned: with the states that are the package manager's work
  type: dict
restart_usec:
  description: When the machine restarts, in microseconds since 1970; 0 when it does not.
  returned: always
  type: int
reboot_required:
  description: Why the machine has to be restarted; empty when it need not be.
  returned: always
  type: list
  elements: dict
round_trips:
  description: Calls that were made to the service.
  returned: always
  type: int
'''

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import Service, ServiceError, rows

WORK = ('planned', 'downloaded', 'scheduled', 'installed', 'mended')


class Task(object):
    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.service = Service(module)
        self.answer = {}

    def ask(self, method, **options):
        answer = self.service.call(method, 'sa{sv}', self.params['bundle'], options, timeout=self.params['timeout'])
        result = json.loads(answer[0])
        self.answer['result'] = result
        if result.get('outcome') == 'failed':
            raise ServiceError(result.get('text') or 'the baseline failed: %s' % result.get('cause'), **self.answer)
        return result

    def work(self):
        """The steps of the package manager; the plan says beforehand whether there is anything to do."""
        state = self.params['state']
        if state == 'mended':
            if not self.module.check_mode:
                self.ask('InstallBaseline', mend=True)
            return True
        plan = self.ask('PlanBaseline')
        packages = plan.get('packages', [])
        if self.module._diff:
            self.answer['diff'] = {'before': '', 'after': ''.join(
                '%s %s %s\n' % (p['action'], p['name'], p.get('to', '')) for p in packages), 'after_header': 'packages'}
        if state == 'planned' or not packages:
            return False
        if not self.module.check_mode:
            if state == 'installed':
                self.ask('InstallBaseline')
            else:
                self.ask('PlanBaseline', **{'downloaded': {'download': True}, 'scheduled': {'schedule': True}}[state])
        return True

    def restart(self, planned):
        """The restart: the daemon refuses what is not its own, and what the budget does not allow."""
        state, when = self.params['state'], self.params['when'] * 1000000
        if state == 'cancelled':
            method, arguments, changed = 'CancelReboot', ('a{sv}', {}), planned != 0
        elif state == 'deferred':
            method, arguments, changed = 'DeferBaseline', ('ta{sv}', when, {}), planned < when
        else:
            method, arguments, changed = 'ScheduleReboot', ('ta{sv}', when, {}), planned == 0 or (when and planned != when)
        if changed and not self.module.check_mode:
            self.service.call(method, *arguments)
        return bool(changed)

    def perform(self):
        if self.params['state'] in WORK:
            changed = self.work()
        else:
            changed = self.restart(self.service.properties()['RebootSchedule'][0])
        manager = self.service.properties()
        self.answer['restart_usec'] = manager['RebootSchedule'][0]
        self.answer['reboot_required'] = rows(('reason', 'text'), manager['RebootRequired'])
        return changed


def main():
    module = AnsibleModule(
        argument_spec={
            'state': {'type': 'str', 'required': True,
                      'choices': list(WORK) + ['restart_planned', 'deferred', 'cancelled']},
            'bundle': {'type': 'str', 'default': ''},
            'when': {'type': 'int', 'default': 0},
            'timeout': {'type': 'int', 'default': 3600},
        },
        required_if=[('state', 'deferred', ('when',))],
        supports_check_mode=True,
    )
    task = Task(module)
    try:
        changed = task.perform()
    except ServiceError as error:
        task.service.fail(error)
    task.service.exit(changed=changed, **task.answer)


if __name__ == '__main__':
    main()
