/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon as one object: what it stands on, what it knows, and the requests it carries out. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "config/config.h"
#include "daemon/audit.h"
#include "daemon/backend.h"
#include "daemon/baseline-call.h"
#include "daemon/authorize.h"
#include "daemon/baseline.h"
#include "daemon/eligibility.h"
#include "daemon/findings.h"
#include "daemon/freezer.h"
#include "daemon/job.h"
#include "daemon/leftovers.h"
#include "daemon/patch.h"
#include "daemon/publish.h"
#include "daemon/query.h"
#include "daemon/restart.h"
#include "daemon/store.h"
#include "daemon/systemd.h"
#include "daemon/trial.h"
#include "daemon/watch.h"
#include "livepatch/identity.h"
#include "util/limits.h"

/**
 * struct Manager
 * @root: every path hangs off it; "/" in the product
 * @systemd: PID 1 on @bus; it may not answer
 * @jobs: oldest first; at most one is not finished
 * @refreshed_iteration: turn of the event loop in which @patches was read last
 * @activity_usec: CLOCK_MONOTONIC, when something was last asked for
 */
struct Manager {
        sd_event *event;
        sd_bus *bus;
        char *root;
        Kernel *kernel;
        KernelIdentity identity;
        bool livepatch_supported;
        EligibilityView eligibility;
        char **config_warnings;
        Config *config; /* what is begun from now on; jobs keep their own */
        Store *store;
        Authorizer *authorizer;
        Systemd *systemd;
        Freezer *freezer;
        Trials *trials;
        Baseline *baseline;
        Restart *restart;
        struct RestoreRest *restore_rest; /* NULL: nothing was postponed */

        PatchSet patches;
        char **spool_ids; /* when the spool was last listed for @patches; NULL: it has to be */
        uint64_t refreshed_iteration;
        bool packages_ask; /* for a restart, when the bus was told */

        Job *jobs[HOTPATCH_JOBS_FINISHED_MAX + 1];
        size_t n_jobs;
        uint32_t last_job;
        uint32_t unfinished_job; /* what its intent says is not so, and is for the next start to see to; 0: none */

        Leftovers *leftovers; /* NULL: no sweep is under way */
        Query *queries;
        size_t n_queries;

        Backend *backend;
        BaselineCall *baseline_call; /* somebody waits for @backend */

        Findings *findings;
        Audit *audit;
        Watch *watch;
        Publisher *publisher;

        sd_event_source *flush;
        sd_event_source *untold; /* when @flush waits for a load; NULL: it does not */
        uint64_t activity_usec;
};

int manager_renew_store(Manager *m, sd_bus_error *error) _must_check_ _nonnull_(1);
int manager_new(sd_event *event, const char *root, const ModuleOps *ops, void *ops_userdata,
                Manager **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 5);
Manager *manager_free(Manager *m);
DEFINE_TRIVIAL_CLEANUP(Manager *, manager_free);

int manager_attach_bus(Manager *m, sd_bus *bus) _must_check_ _nonnull_(1, 2);
int manager_start(Manager *m) _must_check_ _nonnull_(1);
int manager_handle(Manager *m, sd_bus_message *call, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
bool manager_is_idle(const Manager *m);

Job *manager_running_job(const Manager *m);
int manager_add_job(Manager *m, Job *j) _must_check_ _nonnull_(1, 2);

char *manager_disabled(const Manager *m);

/** clock_usec() - microseconds of a clock, CLOCK_REALTIME or CLOCK_MONOTONIC */
static inline uint64_t clock_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}
