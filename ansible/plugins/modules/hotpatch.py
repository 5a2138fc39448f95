#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: hotpatch
short_description: Apply, stage and remove hotpatches of the running kernel
version_added: 0.1.0
description:
  - Brings hotpatches into the state that is asked for, as one transaction, and waits until it is reached.
  - Whether something has to be done, and what, is the daemon's own plan; a refusal of the plan fails the task
    with the daemon's sentence, before the kernel is touched.
options:
  id:
    description:
      - Ids of hotpatches; bundles of these ids have to be staged, or applied already.
      - With C(state=latest) the streams of these ids only; without it every stream.
    type: list
    elements: str
    aliases: [ids, name]
    default: []
  src:
    description:
      - A bundle on the controller, or on the target with C(remote_src=true), for C(state=present) and
        C(state=staged). It is verified on the target, against the target's own trust anchors.
    type: path
  remote_src:
    description: C(src) is a file of the target.
    type: bool
    default: false
  state:
    description:
      - C(present) applies them. C(absent) takes them out and forgets that they are wanted.
      - C(staged) puts C(src) into the spool and leaves the kernel alone.
      - C(latest) applies, of what is staged for the running kernel, all that is newer than what is applied.
    type: str
    choices: [present, absent, latest, staged]
    default: present
  allow_downgrade:
    description: Accept a lower sequence than this machine has seen in the stream.
    type: bool
    default: false
  allow_replace_foreign:
    description: Consent that a module which replaces all livepatches takes the place of other vendors' patches.
    type: bool
    default: false
  wait_trial:
    description:
      - Wait until the trial has ended, and fail when a patch was rolled back.
      - Without it the task ends when the patch is in effect, and its trial goes on.
    type: bool
    default: false
  timeout:
    description:
      - Seconds to wait for the end of the job, and the same again for the end of the trial.
      - When they are over the task fails; the job goes on, the daemon has a deadline of its own.
    type: int
    default: 600
author:
  - The Hotpatch for Linux authors (@hotpatch)
extends_documentation_fragment:
  - hotpatch.hotpatch.service
attributes:
  check_mode:
    description: Runs the daemon's own plan and tells what would be done, and what would be refused.
    support: full
  diff_mode:
    description: Shows the states of the patches and the functions before and after.
    support: full
'''

EXAMPLES = r'''
- name: Apply a bundle that lies on the controller, and wait until its trial has passed
  hotpatch.hotpatch.hotpatch:
    src: hp-2026-11-fsmount.hpb
    wait_trial: true

- name: Stage ahead of the window, apply later
  hotpatch.hotpatch.hotpatch:
    src: hp-2026-11-fsmount.hpb
    state: staged

- name: Apply all that is staged and newer
  hotpatch.hotpatch.hotpatch:
    state: latest

- name: Take a hotpatch out
  hotpatch.hotpatch.hotpatch:
    id: hp-2026-11-fsmount
    state: absent
'''

RETURN = r'''
ids:
  description: The ids that were meant.
  returned: always
  type: list
  elements: str
patches:
  description: These patches afterwards; in check mode as they are.
  returned: when the service was reached
  type: list
  elements: dict
plan:
  description: The daemon's plan, see org.hotpatch.Hotpatch1(5).
  returned: with C(state=present), C(state=absent) and C(state=latest)
  type: dict
job:
  description: The job that did it.
  returned: when something was changed in the kernel, or should have been
  type: dict
  sample: {id: 3, type: apply, state: finished, result: done, error_name: '', error_message: '', patches: [hp-1]}
error_name:
  description: Name of the refusal, as in the daemon's table of errors.
  returned: on failure, where it is known
  type: str
  sample: org.hotpatch.Error.KernelReleaseMismatch
round_trips:
  description: Calls that were made to the service.
  returned: always
  type: int
'''

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import (
    LOOK_LAST, Service, ServiceError, describe_patch)


class Task(object):
    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.service = Service(module)
        self.before = None
        self.ids = list(self.params['id'])
        self.answer = {}

    def options(self):
        wanted = {'allow-downgrade': self.params['allow_downgrade'],
                  'allow-replace-foreign': self.params['allow_replace_foreign']}
        return dict((key, True) for key in wanted if wanted[key])

    def flags(self):
        return ['--' + key for key in sorted(self.options())]

    # --- what the daemon says beforehand ---

    def refuse(self, plan):
        """A refusal in a plan fails the task, in check mode, too: that is what would happen."""
        refusal = plan.get('refusal')
        if refusal:
            raise ServiceError('%s. %s' % (refusal['message'], refusal['remedy']), name=refusal['name'], plan=plan)

    def plan_ids(self, method):
        arguments = [self.ids, self.options()] if method == 'Plan' else [self.ids, {}]
        plan = self.service.document(method, 'asa{sv}', *arguments)
        self.answer['plan'] = plan
        self.refuse(plan)
        return plan

    def plan_file(self):
        status, plan, err = self.service.ctl('plan', '--', *([self.params['src']]))
        if 'ids' not in plan:
            raise ServiceError(err or 'hotpatchctl plan ended with %d' % status, name=plan.get('error', {}).get('name'))
        self.answer['plan'] = plan
        self.ids = plan['ids']
        self.refuse(plan)
        return plan

    # --- doing it ---

    def look(self):
        return self.service.patches()

    def stage(self):
        status, answer, err = self.service.ctl('stage', '--', self.params['src'])
        if status != 0:
            raise ServiceError(err or 'hotpatchctl stage ended with %d' % status)
        return answer

    def run(self, method, options):
        answer = self.service.call(method, 'asa{sv}', self.ids, options)
        job = self.service.finish_job(answer[1], self.params['timeout'])
        self.answer['job'] = {'id': job['Id'], 'type': job['Type'], 'state': job['State'], 'result': job['Result'],
                              'error_name': job['ErrorName'], 'error_message': job['ErrorMessage'],
                              'patches': job['Patches']}

    def await_trial(self):
        end = time.time() + self.params['timeout']
        while True:
            patches = self.look()
            gone = [i for i in self.ids if i not in patches or patches[i]['State'] != 'active']
            if gone:
                raise ServiceError(self.why_gone(gone))
            until = max(patches[i]['TrialUntilUSec'] for i in self.ids)
            if not until:
                return
            if time.time() >= end:
                raise ServiceError('the trial of %s has not ended after %d seconds; it goes on'
                                   % (', '.join(self.ids), self.params['timeout']))
            time.sleep(min(LOOK_LAST, max(0.2, until / 1e6 - time.time())))

    def why_gone(self, gone):
        """Why patches are not active any more; a rollback that runs has its reason already, and is waited for."""
        for job in self.service.call('ListJobs')[0]:
            if job[1] == 'rollback' and job[2] != 'finished':
                self.service.wait_job(job[7], self.params['timeout'])
        rolled_back = dict((row[0], row[2]) for row in self.service.properties()['RolledBack'])
        return '; '.join("'%s' was rolled back: %s" % (i, rolled_back[i]) if i in rolled_back
                         else "'%s' is not active any more" % i for i in gone)

    # --- the states ---

    def present(self):
        if self.params['src'] and not self.ids:
            plan = self.plan_file()
        else:
            plan = self.plan_ids('Plan')
        if plan['changed'] and not self.module.check_mode:
            if self.params['src']:
                self.stage()
            self.run('Apply', self.options())
        if self.params['wait_trial'] and not self.module.check_mode:
            self.await_trial()
        return plan['changed']

    def absent(self):
        known = self.look()
        self.ids = [i for i in self.ids if i in known]
        if not self.ids:
            return False
        plan = self.plan_ids('PlanRemove')
        if plan['changed'] and not self.module.check_mode:
            self.run('Remove', {})
        return plan['changed']

    def staged(self):
        status, verified, err = self.service.ctl('verify', '--', self.params['src'])
        if status != 0 or 'manifest' not in verified:
            raise ServiceError(err or 'hotpatchctl verify ended with %d' % status)
        self.ids = [verified['manifest']['id']]
        if self.ids[0] in self.look():
            described = self.service.document('Describe', 's', self.ids[0])
            if described.get('digest') == verified['digest']:
                return False
        if not self.module.check_mode:
            self.stage()
        return True

    def latest(self):
        patches = self.look()
        streams = set(patches[i]['Stream'] for i in self.ids if i in patches)
        unknown = [i for i in self.ids if i not in patches]
        if unknown:
            raise ServiceError('there is no patch %s on this machine' % ', '.join(unknown))
        self.ids = self.newer(patches, streams if self.ids else None)
        return self.present() if self.ids else False

    def newer(self, patches, streams):
        """Staged for this kernel, and above what is applied of the stream; the daemon's plan has the last word."""
        applied = {}
        for patch in patches.values():
            if patch['Wanted'] or patch['State'] == 'active':
                applied[patch['Stream']] = max(applied.get(patch['Stream'], -1), patch['Sequence'])
        found = [p for p in patches.values()
                 if p['State'] == 'staged' and p['Module'] and not p['Quarantined']
                 and (streams is None or p['Stream'] in streams)
                 and p['Sequence'] > applied.get(p['Stream'], -1)]
        ids = [p['Id'] for p in sorted(found, key=lambda p: (p['Stream'], p['Sequence']))]
        return self.without_superseded(ids)

    def without_superseded(self, ids):
        """A transaction cannot hold a patch together with the one that takes its place."""
        if len(ids) < 2:
            return ids
        gone = set(old for i in ids for old in self.service.document('Describe', 's', i).get('supersedes', []))
        return [i for i in ids if i not in gone]

    def perform(self):
        state = self.params['state']
        if self.module._diff:
            self.before = self.look()
        changed = getattr(self, state)()
        after = self.look()
        self.answer['ids'] = self.ids
        self.answer['patches'] = [describe_patch(after[i]) for i in self.ids if i in after]
        if self.module._diff:
            self.answer['diff'] = self.diff(after)
        return changed

    def diff(self, after):
        plan = self.answer.get('plan') or {'functions': [], 'steps': []}
        before = states(self.before, self.ids)
        then = states(after, self.ids)
        if self.module.check_mode and plan.get('changed'):
            goal = 'removed' if self.params['state'] == 'absent' else 'active'
            then = ''.join('%s: %s\n' % (i, goal) for i in sorted(self.ids))
        functions = ''.join('%s %s in %s by %s\n' % (f['change'], f['function'], f['object'], f['patch'])
                            for f in plan['functions'] if plan.get('changed'))
        return {'before': before, 'after': then + functions,
                'before_header': 'hotpatches', 'after_header': 'hotpatches'}


def states(patches, ids):
    return ''.join('%s: %s\n' % (i, patches[i]['State'] if i in patches else 'not there') for i in sorted(ids))


def main():
    module = AnsibleModule(
        argument_spec={
            'id': {'type': 'list', 'elements': 'str', 'default': [], 'aliases': ['ids', 'name']},
            'src': {'type': 'path'},
            'remote_src': {'type': 'bool', 'default': False},
            'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent', 'latest', 'staged']},
            'allow_downgrade': {'type': 'bool', 'default': False},
            'allow_replace_foreign': {'type': 'bool', 'default': False},
            'wait_trial': {'type': 'bool', 'default': False},
            'timeout': {'type': 'int', 'default': 600},
        },
        mutually_exclusive=[('id', 'src')],
        required_if=[('state', 'staged', ('src',)), ('state', 'absent', ('id',))],
        supports_check_mode=True,
    )
    if module.params['state'] == 'present' and not (module.params['id'] or module.params['src']):
        module.fail_json(msg='state is present but none of the following are given: id, src')
    task = Task(module)
    try:
        changed = task.perform()
    except ServiceError as error:
        answer = dict((key, value) for key, value in task.answer.items() if key not in error.details)
        task.service.fail(error, ids=task.ids, **answer)
    task.service.exit(changed=changed, **task.answer)


if __name__ == '__main__':
    main()
