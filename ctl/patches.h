/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Patches and jobs as JSON and as words; shared by status, list, apply and monitor. */

#include "ctl/json.h"
#include "ctl/snapshot.h"
#include "ctl/text.h"

Style patch_state_style(const char *state);
int patches_to_value(const Snapshot *s, Value **ret) _must_check_ _nonnull_(1, 2);
Style finding_style(const char *severity);
int rollbacks_to_value(const RollbackList *l, Value **ret) _must_check_ _nonnull_(1, 2);
int findings_to_value(const FindingList *l, Value **ret) _must_check_ _nonnull_(1, 2);
int reboot_to_value(const RebootList *l, Value **ret) _must_check_ _nonnull_(1, 2);
int job_to_value(const JobInfo *j, Value **ret) _must_check_ _nonnull_(1, 2);
int jobs_to_value(const Snapshot *s, Value **ret) _must_check_ _nonnull_(1, 2);
