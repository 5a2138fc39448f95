# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to busctl word by word, and what is made of its answers."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import (
    JOB, Service, ServiceError, told, waiting_for, words)


class Module(object):
    """An AnsibleModule that answers with what it was given, and remembers what was run."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.ran = []

    def get_bin_path(self, name, required=False):
        return '/usr/bin/' + name

    def run_command(self, command, environ_update=None, expand_user_and_vars=True):
        assert environ_update['LC_ALL'] == 'C' and not expand_user_and_vars
        self.ran.append(command)
        return self.answers.pop(0)


def job(state, result='', name='', message='', blockers=()):
    values = {'Id': 3, 'Type': 'apply', 'State': state, 'Result': result, 'ErrorName': name, 'ErrorMessage': message,
              'Patches': ['hp-one'], 'Blockers': list(blockers)}
    return 0, json.dumps({'type': 'a{sv}', 'data': [{key: {'data': value} for key, value in values.items()}]}), ''


@pytest.mark.parametrize('signature, arguments, expected', [
    ('', (), []),
    ('s', ('hp-one',), ['s', 'hp-one']),
    ('u', (0,), ['u', '0']),
    ('asa{sv}', (['a', 'b'], {}), ['asa{sv}', '2', 'a', 'b', '0']),
    ('asa{sv}', ([], {'allow-downgrade': True}), ['asa{sv}', '0', '1', 'allow-downgrade', 'b', 'true']),
    ('as', (['$HOME', '; rm', '--x'],), ['as', '3', '$HOME', '; rm', '--x']),
])
def test_words(signature, arguments, expected):
    assert words(signature, arguments) == expected


def test_nothing_is_taken_for_an_option():
    module = Module((0, '{"type":"s","data":["{}"]}', ''))
    Service(module).document('Describe', 's', '--version')
    command = module.ran[0]
    assert command.index('--') < command.index('call') < command.index('--version')


def test_an_error_keeps_the_sentence():
    module = Module((1, '', 'Call failed: There is no patch of that name\n'))
    service = Service(module)
    with pytest.raises(ServiceError, match='^There is no patch of that name$'):
        service.call('Describe', 's', 'x')
    assert service.round_trips == 1


@pytest.mark.parametrize('answer', ['', 'rubbish', '{"no": "data"}'])
def test_an_answer_that_cannot_be_read(answer):
    service = Service(Module((0, answer, '')))
    if not answer:
        assert service.call('Reload') == []
        return
    with pytest.raises(ServiceError, match='cannot be read'):
        service.call('Reload')


def test_a_job_is_followed_to_its_end():
    module = Module(job('loading'), job('transition'), job('finished', 'done'))
    assert Service(module).finish_job('/job/3', 60)['Result'] == 'done'
    assert len(module.ran) == 3 and JOB in module.ran[0]


def test_a_job_that_fails_has_its_name():
    module = Module(job('finished', 'failed', 'org.hotpatch.Error.TransitionTimeout', 'It took too long'))
    with pytest.raises(ServiceError, match='It took too long') as caught:
        Service(module).finish_job('/job/3', 60)
    assert caught.value.name == 'org.hotpatch.Error.TransitionTimeout'
    assert caught.value.details['job']['id'] == 3


def test_a_job_that_does_not_end_names_what_it_waits_for():
    blocker = [12, 13, 'worker', 'db.service', 'sleeping', 'schedule', 'wait']
    module = Module(job('transition', blockers=[blocker]))
    with pytest.raises(ServiceError, match='waiting for db.service'):
        Service(module).finish_job('/job/3', 0)


def test_told():
    assert told('hotpatchctl: No such file\n') == 'No such file'
    assert told('') == ''
    assert waiting_for({'Blockers': []}) == ''
