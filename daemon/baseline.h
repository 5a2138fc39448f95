/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* This machine's baseline: its state, kept durable, and the steps that need no package manager. */

#include <systemd/sd-bus.h>

#include "baseline/run.h"
#include "baseline/state.h"

/* The daily timer looks before: a day, and an hour for the change from summer time. */
#define BASELINE_NEAR_USEC (26 * 60 * USEC_PER_MINUTE)

typedef struct Baseline Baseline;
typedef struct Manager Manager;

int baseline_new(Manager *m, Baseline **ret) _must_check_ _nonnull_(1, 2);
Baseline *baseline_free(Baseline *b);
DEFINE_TRIVIAL_CLEANUP(Baseline *, baseline_free);

/* Each writes the state before it returns, and looks what is next. */
void baseline_look(Baseline *b) _nonnull_(1);
void baseline_recover(Baseline *b) _nonnull_(1);
void baseline_ran(Baseline *b, const RunResult *result, const sd_bus_error *error) _nonnull_(1, 3);
int baseline_schedule(Baseline *b, const char *name, const char *bundle, const char *kernel,
                uint64_t deadline_usec, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
bool baseline_pending(const Baseline *b) _nonnull_(1);
int baseline_set_restart(Baseline *b, uint64_t usec, bool firm, sd_bus_error *error) _must_check_ _nonnull_(1);
int baseline_hand_over(Baseline *b, uint64_t usec) _must_check_ _nonnull_(1);
int baseline_taken_over(Baseline *b) _must_check_ _nonnull_(1);
int baseline_forget_restart(Baseline *b) _must_check_ _nonnull_(1);
int baseline_defer(Baseline *b, uint64_t until_usec, bool counts, sd_bus_error *error) _must_check_ _nonnull_(1);
int baseline_goes_down(Baseline *b, bool start) _must_check_ _nonnull_(1);

const BaselineState *baseline_state(const Baseline *b) _nonnull_(1);
CalendarPolicy baseline_calendar_policy(const Baseline *b, const char **ret_monthly_because) _nonnull_(1);
uint64_t baseline_coverage(const Baseline *b, const CalendarPolicy *p, uint64_t now_usec) _nonnull_(1, 2);
int baseline_calendar_json(Baseline *b, int year, char **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 3);
