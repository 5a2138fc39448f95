# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of the module hotpatch: a bundle that lies here goes there first, also in check mode, into
the temporary directory of the task. Everything else happens on the target."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):

    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        arguments = dict(self._task.args)
        directory = self._connection._shell.tmpdir
        try:
            if arguments.get('src') and not boolean(arguments.get('remote_src', False), strict=False):
                arguments['src'] = self._send(arguments['src'], directory)
            result.update(self._execute_module(module_name='hotpatch.hotpatch.hotpatch', module_args=arguments,
                                               task_vars=task_vars))
        except AnsibleError as error:
            result.update(failed=True, msg=to_text(error))
        finally:
            self._remove_tmp_path(directory)
        return result

    def _send(self, source, directory):
        path = self._connection._shell.join_path(directory, 'bundle.hpb')
        self._transfer_file(self._find_needle('files', source), path)
        self._fixup_perms2((directory, path))
        return path
