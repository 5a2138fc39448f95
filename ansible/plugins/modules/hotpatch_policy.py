#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: hotpatch_policy
short_description: The policy of hotpatchd, as a drop-in of hotpatchd.conf(5)
version_added: 0.1.0
description:
  - Writes one drop-in, has the daemon read its configuration again, and asks it what is in effect now.
  - Unknown keys and bad values are refused before anything is written, with the line and what would be right there
    (C(hotpatchctl policy check)).
  - When another file overrides a setting, the task fails as well and the drop-in is as it was before.
options:
  settings:
    description:
      - Sections of hotpatchd.conf(5) with their keys. A list is written as words, a boolean as C(yes) or C(no).
      - The drop-in has these settings and no other.
    type: dict
    default: {}
  name:
    description: Name of the drop-in, without directory and suffix.
    type: str
    default: 50-ansible
  state:
    description: C(absent) takes the drop-in away.
    type: str
    choices: [present, absent]
    default: present
author:
  - The Hotpatch for Linux authors (@hotpatch)
extends_documentation_fragment:
  - hotpatch.hotpatch.service
attributes:
  check_mode:
    description:
      - Tells whether the file would change, and fails for an unknown section or key, for a bad value, and when a drop-in
        that comes later decides.
    support: full
  diff_mode:
    description: Shows the drop-in before and after.
    support: full
'''

EXAMPLES = r'''
- name: Four restarts a year, in the night after the third Tuesday
  hotpatch.hotpatch.hotpatch_policy:
    settings:
      Policy:
        Ring: canary
        Forbid: ['vmlinux:mm_*']
      Baseline:
        Enable: true
        Months: [1, 4, 7, 10]
        Day: third Tue
        Window: '22:00'

- name: No hotpatches here, but the full monthly update
  hotpatch.hotpatch.hotpatch_policy:
    settings: {Policy: {Hotpatch: false}}
'''

RETURN = r'''
path:
  description: The drop-in.
  returned: always
  type: str
settings:
  description: What is in effect of the settings that were asked for, each with its value and where that comes from.
  returned: when the drop-in is there
  type: list
  elements: dict
round_trips:
  description: Calls that were made to the service.
  returned: always
  type: int
'''

import json
import os
import re
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import Service, ServiceError

DIRECTORY = '/etc/hotpatch/hotpatchd.conf.d'
HEAD = '# Written by Ansible (hotpatch.hotpatch.hotpatch_policy); changes made here are lost.\n'


def text_of(value):
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, (list, tuple)):
        return ' '.join(text_of(v) for v in value)
    return to_text(value).strip()


def drop_in(settings):
    """The drop-in as text; sections and keys in the order of the alphabet, so that it is the same each time."""
    lines = [HEAD]
    for section in sorted(settings):
        if not isinstance(settings[section], dict):
            raise ServiceError("the section '%s' needs keys with values" % section)
        lines.append('\n[%s]\n' % section)
        for key in sorted(settings[section]):
            value = text_of(settings[section][key])
            if '\n' in value:
                raise ServiceError("the value of '%s' in section [%s] has more than one line" % (key, section))
            lines.append('%s=%s\n' % (key, value))
    return ''.join(lines)


def read(path):
    try:
        with open(path, 'rb') as stream:
            return to_text(stream.read(), errors='surrogate_or_strict')
    except (IOError, OSError):
        return None


def write(module, path, text):
    """Write in one step; None takes the file away."""
    if text is None:
        if os.path.exists(path):
            os.unlink(path)
        return
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path), 0o755)
    fd, new = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(fd, 'wb') as stream:
        stream.write(to_bytes(text))
    module.atomic_move(new, path)
    module.set_mode_if_different(path, 0o644, False)


def ignored(module, service, path, text):
    """What hotpatchd would ignore of the drop-in: hotpatchctl reads it by the same code, out of everybody's way.

    What it says of the policy as a whole, such as a window after its deadline, is no fault of this text: another task may be
    about to set the other half.
    """
    folder = tempfile.mkdtemp(dir=module.tmpdir)
    draft = os.path.join(folder, os.path.basename(path))
    try:
        with open(draft, 'wb') as stream:
            stream.write(to_bytes(text))
        status, out, err = service.run([module.get_bin_path('hotpatchctl', required=True), '--json=short', 'policy',
                                        'check', draft])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # 0: all of it would be taken, 11: not so
    if status not in (0, 11):
        raise ServiceError(err.strip() or 'hotpatchctl ended with %d' % status, path=path)
    warnings = json.loads(out)['warnings']
    for warning in warnings:
        if not warning.startswith(draft + ':'):
            module.warn(warning)
    return [path + w[len(draft):] for w in warnings if w.startswith(draft + ':')]


def objections(policy, path, settings):
    """What the daemon has against the drop-in: its warnings, and settings that another place decides."""
    found = [w for w in policy['warnings'] if w.startswith(path + ':')]
    for setting in policy['settings']:
        if setting['key'] not in settings.get(setting['section'], {}):
            continue
        last = setting['sources'][-1] if setting['sources'] else 'the default'
        if not last.startswith(path + ':'):
            found.append("'%s' in section [%s] is decided by %s" % (setting['key'], setting['section'], last))
    return found


def foreseen(policy, path, settings):
    """In check mode: what the daemon, asked before, would have against the drop-in."""
    known = dict(((s['section'], s['key']), s['sources']) for s in policy['settings'])
    found = []
    for section in sorted(settings):
        for key in sorted(settings[section]):
            if (section, key) not in known:
                found.append("unknown key '%s' in section [%s]" % (key, section))
                continue
            last = known[section, key][-1] if known[section, key] else ''
            name = last.rsplit(':', 1)[0]
            if os.path.dirname(name) == os.path.dirname(path) and os.path.basename(name) > os.path.basename(path):
                found.append("'%s' in section [%s] is decided by %s" % (key, section, last))
    return found


def take_back(module, service, path, before):
    """After a failure the machine is as it was; that the daemon cannot be asked again does not hide why."""
    write(module, path, before)
    try:
        service.call('Reload')
    except ServiceError as error:
        module.warn('the daemon could not be made to read its configuration again: %s' % error)


def perform(module, service):
    settings = module.params['settings']
    path = os.path.join(DIRECTORY, module.params['name'] + '.conf')
    before = read(path)
    after = drop_in(settings) if module.params['state'] == 'present' else None
    answer = {'path': path, 'changed': before != after}
    if module._diff:
        answer['diff'] = {'before': before or '', 'after': after or '', 'before_header': path, 'after_header': path}
    wrong = ignored(module, service, path, after) if after is not None else []
    if wrong:
        raise ServiceError('; '.join(wrong), path=path)
    if module.check_mode:
        wrong = foreseen(service.document('GetPolicy'), path, settings) if after is not None else []
        if wrong:
            raise ServiceError('; '.join(wrong), path=path)
        return answer
    if before != after:
        write(module, path, after)
    try:
        if before != after:
            service.call('Reload')
        policy = service.document('GetPolicy')
        wrong = objections(policy, path, settings) if after is not None else []
        if wrong:
            raise ServiceError('; '.join(wrong), path=path)
    except ServiceError as error:
        if before != after:
            take_back(module, service, path, before)
        raise error
    answer['settings'] = [s for s in policy['settings'] if s['key'] in settings.get(s['section'], {})]
    return answer


def main():
    module = AnsibleModule(
        argument_spec={
            'settings': {'type': 'dict', 'default': {}},
            'name': {'type': 'str', 'default': '50-ansible'},
            'state': {'type': 'str', 'default': 'present', 'choices': ['present', 'absent']},
        },
        supports_check_mode=True,
    )
    if not re.match(r'^[A-Za-z0-9][A-Za-z0-9._-]*$', module.params['name']):
        module.fail_json(msg="the name of a drop-in is letters, digits, '.', '_' and '-': '%s'" % module.params['name'])
    service = Service(module)
    try:
        answer = perform(module, service)
    except ServiceError as error:
        service.fail(error)
    service.exit(**answer)


if __name__ == '__main__':
    main()
