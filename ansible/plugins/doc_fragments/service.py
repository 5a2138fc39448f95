# -*- coding: utf-8 -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    """What all modules of the collection share."""

    DOCUMENTATION = r'''
options: {}
requirements:
  - hotpatchd and busctl(1) on the target; no Python library beside the standard one
notes:
  - The daemon decides. In check mode the answer is its own plan, not a guess of this module.
  - Needs the privileges that polkit asks for, as a rule C(become=true).
'''
