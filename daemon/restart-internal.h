/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the restart*.c files only. */

#include "baseline/restart.h"
#include "daemon/logind.h"
#include "daemon/manager.h"
#include "daemon/restart.h"

/**
 * struct Restart
 * @request: a caller waits for it; NULL: nobody
 * @telling: logind is being told something; a look would come between its two calls
 * @next_usec: what becomes of the plan once logind has let go of it
 * @text: what holds the restart up, or NULL
 * @overdue: beyond the deadline; it is a finding
 */
struct Restart {
        Manager *manager;
        Logind *logind;
        sd_event_source *timer;
        Request *request;
        bool telling;
        uint64_t next_usec;
        char *text;
        bool overdue;
};

static inline const BaselineState *restart_state(const Restart *r) {
        return baseline_state(r->manager->baseline);
}

/* restart.c */
void restart_set_text(Restart *r, const char *text) _nonnull_(1);
void restart_tell(const Restart *r, int priority, const char *text) _nonnull_(1, 3);
int restart_spell(const Restart *r, const char *what, uint64_t usec, char **ret) _must_check_ _nonnull_(1, 2, 4);
bool restart_is_ours(const Restart *r, const LogindView *view) _nonnull_(1, 2);
RestartBudget restart_budget(const Restart *r, const CalendarPolicy *p) _nonnull_(1, 2);
void restart_refuse_logind(Restart *r, const sd_bus_error *why) _nonnull_(1);
int restart_count_reason(void *userdata, const char *id, const char *sentence) _nonnull_(1);
void restart_looked(void *userdata, const LogindView *view, const sd_bus_error *error) _nonnull_(1);

/* restart-request.c */
void restart_refuse(Restart *r, int k, const sd_bus_error *error) _nonnull_(1);
void restart_decide_request(Restart *r, const LogindView *view) _nonnull_(1, 2);
