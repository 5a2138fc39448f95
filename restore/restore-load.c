/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Into the kernel, one patch after the other, each decided by plan_apply() as if a person had asked:
 * every one is a transaction of its own, so that one that is refused stops only those that require it.
 *
 * The order is that in which they were applied. A patch whose requirement came later than itself (it was
 * superseded, say) waits for the next round; rounds end when one brings nothing.
 *
 * Time is bounded. A transition that has not ended by then goes on by itself, and the daemon shows it; the
 * kernel takes no other patch until it has ended. Those are postponed, and the daemon's to put back.
 */

#include <sys/mman.h>
#include <time.h>

#include "daemon/loaddir.h"
#include "daemon/plan.h"
#include "dbus/errors.h"
#include "livepatch/load.h"
#include "livepatch/state.h"
#include "restore/restore-internal.h"
#include "util/file.h"

/* Hardly a task runs yet; kernel threads are moved by the kernel's own retry, once a second
 * (kernel/livepatch/transition.c). */
#define TRANSITION_TIMEOUT_USEC (15 * USEC_PER_SEC)
#define LOOK_NSEC (5L * 1000 * 1000)

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* Return: 0 when it is in force, -ETIME when it is not yet, or another negative errno. */
static int wait_for_transition(const Restore *r, const char *module, sd_bus_error *error) {
        uint64_t end = now_usec() + TRANSITION_TIMEOUT_USEC;

        if (end > r->deadline_usec)
                end = r->deadline_usec;
        for (;;) {
                LivepatchState state;
                int k = livepatch_state(r->kernel, module, &state);

                if (k < 0)
                        return k;
                if (state == LIVEPATCH_PATCHED)
                        return 0;
                if (state != LIVEPATCH_PATCHING)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("RefusedByKernel"),
                                "Its module '%s' is %s", module, livepatch_state_to_string(state));
                if (now_usec() >= end) {
                        (void) sd_bus_error_set(error, HOTPATCH_ERROR("TransitionStalled"),
                                "Its transition has not ended in time and goes on");
                        return -ETIME;
                }
                (void) nanosleep(&(struct timespec) { .tv_nsec = LOOK_NSEC }, NULL);
        }
}

static int make_plan(const Restore *r, const Candidate *c, Plan **ret, sd_bus_error *error) {
        const Manifest *manifest = verified_manifest(c->verified);
        /* What the person consented to when it was applied is not asked again. */
        const PlanOptions options = {
                .allow_downgrade = true,
                .policy = { .forbid = r->config->forbid, .unreadable = r->config->forbid_unreadable },
        };
        const char *digest = verified_digest(c->verified);
        _cleanup_facts_free_ Facts *facts = NULL;
        int k;

        k = facts_gather(r->kernel, r->store, &manifest, 1, NULL, c->record->admitted_usec, &facts, error);
        if (k >= 0)
                k = facts_add_symbols(facts, r->symbols, r->symbols_size);
        return k < 0 ? k : plan_apply(&manifest, &digest, 1, facts_for_plan(facts), &options, ret);
}

static int insert(const Restore *r, const Candidate *c, sd_bus_error *error) {
        _cleanup_free_ char *path = loaddir_module_path(r->root, "restore", c->record->module);

        return path ? module_load(r->kernel, path, error) : -ENOMEM;
}

static void load(Restore *r, Candidate *c) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k = restore_trial_add(r, c, &error);

        if (k >= 0)
                k = insert(r, c, &error);
        if (k < 0) {
                (void) (restore_trial_take_back(r, c) < 0);
                return restore_outcome(r, c, "failed", k, &error);
        }
        k = wait_for_transition(r, c->record->module, &error);
        restore_outcome(r, c, k == 0 ? "restored" : k == -ETIME ? "unfinished" : "failed", k, &error);
}

/* A line that cannot be read forbids as well, but nobody meant this patch by it. */
static bool is_forbidden(const Restore *r, const sd_bus_error *error) {
        return sd_bus_error_has_name(error, HOTPATCH_ERROR("ForbiddenByPolicy")) && !r->config->forbid_unreadable;
}

/* It, or what supersedes it. */
static bool is_on_its_way(const Restore *r, const char *id) {
        for (size_t i = 0; i < r->n_candidates; i++) {
                const AdmittedRecord *record = r->candidates[i].record;
                const char *result = restored_find(&r->report, record->id);

                if (result && admitted_record_provides(record, id) &&
                    (streq(result, "postponed") || streq(result, "unfinished")))
                        return true;
        }
        return false;
}

/* Nothing speaks against it but that the kernel has no time: hotpatchd puts it back later, see daemon/restore-rest.c. */
static bool is_postponed(const Restore *r, const Candidate *c, const sd_bus_error *error) {
        if (sd_bus_error_has_names(error, HOTPATCH_ERROR("TransitionInProgress"), HOTPATCH_ERROR("TransitionStalled")))
                return true;
        if (sd_bus_error_has_name(error, HOTPATCH_ERROR("MissingRequirement")))
                for (char **id = c->record->requires; id && *id; id++)
                        if (is_on_its_way(r, *id))
                                return true;
        return false;
}

/* Return: 1 when the candidate is done, 0 when it waits for another one, or -ENOMEM. */
static int try(Restore *r, Candidate *c, bool last_round) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        int k = make_plan(r, c, &plan, &error);

        if (k == -ENOMEM)
                return k;
        if (k >= 0 && sd_bus_error_is_set(&plan->refusal)) {
                if (!last_round && sd_bus_error_has_name(&plan->refusal, HOTPATCH_ERROR("MissingRequirement")))
                        return 0;
                k = sd_bus_error_copy(&error, &plan->refusal);
        } else if (k >= 0 && now_usec() >= r->deadline_usec)
                k = sd_bus_error_set(&error, HOTPATCH_ERROR("TransitionStalled"),
                        "There was no time left for it at the start of the machine");
        if (k < 0)
                restore_outcome(r, c, is_forbidden(r, &error)        ? "forbidden"
                                      : is_postponed(r, c, &error) ? "postponed"
                                                                   : "failed", k, &error);
        else
                load(r, c);
        return 1;
}

/* Return: whether something was done, or -ENOMEM. */
static int do_round(Restore *r, bool last_round) {
        bool progress = false;

        for (size_t i = 0; i < r->n_candidates; i++) {
                int k = r->candidates[i].done ? 0 : try(r, &r->candidates[i], last_round);

                if (k < 0)
                        return k;
                progress = progress || k > 0;
        }
        return progress;
}

/* All functions of all candidates in one pass over the kernel's lists. */
static int look_up_symbols(Restore *r) {
        _cleanup_free_ const Manifest **manifests = calloc(r->n_candidates + 1, sizeof(*manifests));
        _cleanup_close_ int fd = memfd_create("hotpatch-symbols", MFD_CLOEXEC);
        size_t n = 0;
        off_t size;
        int k;

        if (!manifests || fd < 0)
                return -ENOMEM;
        for (size_t i = 0; i < r->n_candidates; i++)
                if (!r->candidates[i].done)
                        manifests[n++] = verified_manifest(r->candidates[i].verified);
        k = facts_symbols(r->kernel, manifests, n, fd);
        if (k < 0)
                return k;
        size = lseek(fd, 0, SEEK_END);
        if (size < 0)
                return -errno;
        r->symbols = malloc((size_t) size + 1);
        if (!r->symbols)
                return -ENOMEM;
        r->symbols_size = (size_t) size;
        return file_pread_all(fd, r->symbols, r->symbols_size, 0);
}

static void fail_all(Restore *r, int code, const sd_bus_error *error) {
        for (size_t i = 0; i < r->n_candidates; i++)
                if (!r->candidates[i].done)
                        restore_outcome(r, &r->candidates[i], "failed", code, error);
}

static bool any_left(const Restore *r) {
        for (size_t i = 0; i < r->n_candidates; i++)
                if (!r->candidates[i].done)
                        return true;
        return false;
}

/**
 * restore_load() - load the candidates that are not done
 *
 * Return: 0 or a negative errno that is about none of them.
 */
int restore_load(Restore *r) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k;

        if (!any_left(r))
                return 0;
        k = look_up_symbols(r);
        if (k == -ENOMEM)
                return k;
        if (k < 0) {
                k = sd_bus_error_setf(&error, HOTPATCH_ERROR("TracingUnavailable"),
                        "The kernel's list of functions that can be replaced cannot be read: %s", strerror(-k));
                fail_all(r, k, &error);
                return 0;
        }
        restore_trial_begin(r);
        while ((k = do_round(r, false)) > 0)
                ;
        if (k >= 0)
                k = do_round(r, true);
        if (k >= 0)
                k = restore_trial_end(r);
        return k < 0 ? k : 0;
}
