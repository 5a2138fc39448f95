# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in as text, and what the daemon has against it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.hotpatch.hotpatch.plugins.module_utils.service import ServiceError
from ansible_collections.hotpatch.hotpatch.plugins.modules.hotpatch_policy import drop_in, foreseen, objections

PATH = '/etc/hotpatch/hotpatchd.conf.d/50-ansible.conf'


def lines(settings):
    return drop_in(settings).splitlines()[1:]


def test_sections_keys_and_values():
    assert lines({'Policy': {'Ring': 'canary', 'Hotpatch': False}, 'Baseline': {'Months': [1, 4]}}) == [
        '', '[Baseline]', 'Months=1 4', '', '[Policy]', 'Hotpatch=no', 'Ring=canary']


@pytest.mark.parametrize('settings', [{'Policy': 'x'}, {'Policy': {'Ring': 'a\n[Trust]\nSignaturesMin=0'}}])
def test_what_is_no_setting(settings):
    with pytest.raises(ServiceError):
        drop_in(settings)


def test_foreseen():
    policy = {'settings': [{'section': 'Policy', 'key': 'Ring', 'sources': [PATH + ':3', '/etc/hotpatch/hotpatchd.conf.d/9.conf:1']},
                           {'section': 'Policy', 'key': 'Hotpatch', 'sources': ['/usr/lib/hotpatch/hotpatchd.conf.d/90-a.conf:1']},
                           {'section': 'Policy', 'key': 'Require', 'sources': ['/etc/hotpatch/hotpatchd.conf:9']}]}
    assert foreseen(policy, PATH, {'Policy': {'Hotpatch': False, 'Require': 'lockdown'}}) == []
    assert foreseen(policy, PATH, {'Policy': {'Ring': 'canary', 'Hotptach': True}}) == [
        "unknown key 'Hotptach' in section [Policy]",
        "'Ring' in section [Policy] is decided by /etc/hotpatch/hotpatchd.conf.d/9.conf:1"]


def test_objections():
    policy = {'warnings': [PATH + ":2: unknown key 'Hotptach'", '/etc/hotpatch/hotpatchd.conf:7: other'],
              'settings': [{'section': 'Policy', 'key': 'Ring', 'sources': [PATH + ':3', '/etc/z.conf:1']},
                           {'section': 'Policy', 'key': 'Require', 'sources': []}]}
    found = objections(policy, PATH, {'Policy': {'Ring': 'canary'}})
    assert found == [PATH + ":2: unknown key 'Hotptach'", "'Ring' in section [Policy] is decided by /etc/z.conf:1"]
