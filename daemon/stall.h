/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A transition of a job that does not end: what is known of it, and what is done about it. */

#include <systemd/sd-bus.h>

#include "livepatch/blockers.h"
#include "util/base.h"

typedef struct Job Job;
typedef struct Stall Stall;

/* kernel/livepatch/transition.c, SIGNALS_TIMEOUT: after that the kernel wakes whom it can. */
#define STALL_KERNEL_SIGNALS_USEC (15 * USEC_PER_SEC)

void stall_look(Job *j, const char *module, bool patched);
Stall *stall_free(Stall *s);
DEFINE_TRIVIAL_CLEANUP(Stall *, stall_free);

bool stall_is_patching(const Stall *s);
const char *stall_module(const Stall *s);
int stall_note(const Stall *s, char **ret) _must_check_;
int stall_summary(const Stall *s, char **ret) _must_check_;
int stall_append(const Stall *s, sd_bus_message *reply) _must_check_;
