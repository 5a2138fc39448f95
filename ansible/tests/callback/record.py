# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests: the result of each task as a line of JSON, and nothing else."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = '''
    name: record
    type: stdout
    short_description: the result of each task as a line of JSON
    description: For the tests of this collection.
'''


class CallbackModule(CallbackBase):

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'record'

    def record(self, result, **more):
        line = dict(result._result, _host=result._host.get_name(), _task=result._task.get_name(), **more)
        self._display.display(json.dumps(line, sort_keys=True, default=str))

    def v2_runner_on_ok(self, result):
        self.record(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self.record(result, unreachable=True)

    def v2_runner_on_skipped(self, result):
        self.record(result, skipped=True)
