/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The site's own checks, /etc/hotpatch/checks.d/. */

#include "daemon/trial-internal.h"

int trial_checks_new(Trials *t, TrialChecks **ret) _must_check_ _nonnull_(1, 2);
TrialChecks *trial_checks_free(TrialChecks *c);
DEFINE_TRIVIAL_CLEANUP(TrialChecks *, trial_checks_free);
void trial_checks_run(TrialChecks *c);           /* NULL: there are none */
bool trial_checks_running(const TrialChecks *c); /* NULL: no */
