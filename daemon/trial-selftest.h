/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/trial-internal.h"

int trial_self_tests_new(Trials *t, TrialSelfTests **ret) _must_check_ _nonnull_(1, 2);
TrialSelfTests *trial_self_tests_free(TrialSelfTests *s);
DEFINE_TRIVIAL_CLEANUP(TrialSelfTests *, trial_self_tests_free);
void trial_self_tests_run(TrialSelfTests *s);
bool trial_self_tests_running(const TrialSelfTests *s);
