#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: hotpatch_info
short_description: What is hotpatched on a machine, and what it has to do
version_added: 0.1.0
description:
  - Returns patches, eligibility, findings, the state of the baseline and why the machine has to be restarted.
  - Changes nothing, and needs no privilege.
options:
  gather:
    description:
      - What to ask for beside the state and the patches, which two round trips bring.
      - C(eligibility) is the table of checks, C(policy) every setting with where it comes from, C(calendar) the
        baseline year, C(baseline) the last plan, download and installation.
    type: list
    elements: str
    choices: [eligibility, policy, calendar, baseline]
    default: []
author:
  - The Hotpatch for Linux authors (@hotpatch)
extends_documentation_fragment:
  - hotpatch.hotpatch.service
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
'''

EXAMPLES = r'''
- name: What is the state of this machine?
  hotpatch.hotpatch.hotpatch_info:
  register: machine

- name: Stop when it needs a restart
  ansible.builtin.assert:
    that: machine.reboot_required | length == 0
    fail_msg: "{{ machine.reboot_required | map(attribute='text') | join('; ') }}"

- name: Why is it not eligible?
  hotpatch.hotpatch.hotpatch_info:
    gather: [eligibility]
  register: machine
'''

RETURN = r'''
version:
  description: Version of hotpatchd.
  returned: always
  type: str
kernel:
  description: The running kernel.
  returned: always
  type: dict
  sample: {release: 6.1.0-50-cloud-amd64, build_id: 00112233…, architecture: x86_64}
eligible:
  description: Whether this machine takes hotpatches.
  returned: always
  type: bool
ineligible_reason:
  description: Why it does not, as a sentence; empty when it does.
  returned: always
  type: str
denied:
  description: Why its configuration does not allow them; empty when it does.
  returned: always
  type: str
patches:
  description: Every livepatch the machine knows, in the order of the ids.
  returned: always
  type: list
  elements: dict
  sample: [{id: hp-2026-11-fsmount, state: active, fixes: [CVE-2026-0000], trial_until_usec: 0}]
fixed:
  description: What the active patches repair, CVE numbers as a rule, sorted.
  returned: always
  type: list
  elements: str
rolled_back:
  description: Patches that failed their trial since the machine started, with the sign that was seen.
  returned: always
  type: list
  elements: dict
findings:
  description: What is not as it should be, worst first.
  returned: always
  type: list
  elements: dict
reboot_required:
  description: Why the machine has to be restarted; empty when it need not be.
  returned: always
  type: list
  elements: dict
reboot_planned_usec:
  description: When hotpatchd restarts the machine, in microseconds since 1970; 0 when it does not.
  returned: always
  type: int
baseline:
  description: Where the machine stands with its baseline.
  returned: always
  type: dict
  sample: {state: reached, name: '2026.10', text: …, reached: '2026.10', covered_until_usec: 1800000000000000}
eligibility:
  description: The table of checks.
  returned: with C(gather) of C(eligibility)
  type: list
  elements: dict
policy:
  description: The answer of GetPolicy.
  returned: with C(gather) of C(policy)
  type: dict
calendar:
  description: The answer of Calendar for this year.
  returned: with C(gather) of C(calendar)
  type: dict
baseline_work:
  description: The answer of DescribeBaseline.
  returned: with C(gather) of C(baseline)
  type: dict
round_trips:
  description: Calls that were made to the service.
  returned: always
  type: int
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import (
    Service, ServiceError, describe_patch, rows)

CHECK = ('check', 'verdict', 'found', 'needed', 'remedy', 'required', 'blocks')
FINDING = ('kind', 'severity', 'patch', 'object', 'message', 'remedy')


def gather(service, wanted):
    manager = service.properties()
    patches = service.patches()
    answer = {
        'version': manager['Version'],
        'kernel': {'release': manager['KernelRelease'], 'build_id': manager['KernelBuildId'],
                   'architecture': manager['Architecture']},
        'eligible': manager['Eligible'],
        'ineligible_reason': manager['IneligibleReason'],
        'denied': manager['Denied'],
        'patches': [describe_patch(patches[i]) for i in sorted(patches)],
        'fixed': sorted(set(fix for p in patches.values() if p['State'] == 'active' for fix in p['Fixes'])),
        'rolled_back': rows(('id', 'time_usec', 'reason'), manager['RolledBack']),
        'findings': rows(FINDING, manager['Findings']),
        'reboot_required': rows(('reason', 'text'), manager['RebootRequired']),
        'reboot_planned_usec': manager['RebootSchedule'][0],
        'baseline': {'state': manager['BaselineState'], 'name': manager['BaselineName'],
                     'text': manager['BaselineText'], 'reached': manager['BaselineReached'],
                     'covered_until_usec': manager['CoveredUntil']},
    }
    if 'eligibility' in wanted:
        answer['eligibility'] = rows(CHECK, service.call('CheckEligibility')[0])
    if 'policy' in wanted:
        answer['policy'] = service.document('GetPolicy')
    if 'calendar' in wanted:
        answer['calendar'] = service.document('Calendar', 'u', 0)
    if 'baseline' in wanted:
        answer['baseline_work'] = service.document('DescribeBaseline')
    return answer


def main():
    module = AnsibleModule(
        argument_spec={
            'gather': {'type': 'list', 'elements': 'str', 'default': [],
                       'choices': ['eligibility', 'policy', 'calendar', 'baseline']},
        },
        supports_check_mode=True,
    )
    service = Service(module)
    try:
        answer = gather(service, module.params['gather'])
    except ServiceError as error:
        service.fail(error)
    service.exit(changed=False, **answer)


if __name__ == '__main__':
    main()
