/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether this machine takes hotpatches, for the bus, for plans and for the calendar. */

#include <systemd/sd-bus.h>

#include "eligibility/rows.h"

typedef struct Manager Manager;

/**
 * struct EligibilityView - the last look
 * @stack_traces: unknown until somebody asks, the same from then on
 * @iteration: turn of the event loop in which it was made; UINT64_MAX: never
 * @monthly_because: why this machine gets its fixes by a restart each month; NULL: it need not
 */
typedef struct EligibilityView {
        Possession stack_traces;
        EligibilityTable table;
        uint64_t iteration;
        char *monthly_because;
} EligibilityView;

int eligibility_table(Manager *m, const Config *c, EligibilityTable *ret) _must_check_ _nonnull_(1, 2, 3);
const char *eligibility_monthly_because(Manager *m) _nonnull_(1);
void eligibility_forget(EligibilityView *v) _nonnull_(1);
int eligibility_bus_check(sd_bus_message *call, void *userdata, sd_bus_error *error);
int eligibility_bus_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
