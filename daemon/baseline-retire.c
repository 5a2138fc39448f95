/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A baseline is reached, and the hotpatches that are contained in it are not wanted any more. baseline/retire.c
 * decides about each; here it is written down, done and told.
 *
 * First it is on disk which baseline retires which patch, then they are staged again, one by one; who is interrupted
 * between the two is not at the baseline yet, and does the same again. The bundles stay at hand: somebody may start
 * the older kernel.
 */

#include <syslog.h>

#include "baseline/retire.h"
#include "daemon/admit.h"
#include "daemon/baseline-internal.h"
#include "daemon/bus.h"
#include "daemon/findings.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/restored.h"
#include "util/str.h"
#include "util/strv.h"

/** baseline_outcome_done() - free what it owns */
void baseline_outcome_done(BaselineOutcome *o) {
        strv_free(o->retired);
        strv_free(o->stayed);
        strv_free(o->kept);
        strv_free(o->why);
        *o = (BaselineOutcome) { 0 };
}

/* Staged again, where its bundle is there. */
static int give_up(const Store *s, const char *id) {
        int r = store_admitted_demote(s, id);

        if (r >= 0)
                r = store_admitted_remove(s, id);
        return r == -ENOENT ? 0 : r;
}

static bool was_looked_at(const Restored *report, const char *id) {
        for (size_t i = 0; report->ids && report->ids[i]; i++)
                if (streq(report->ids[i], id))
                        return streq(report->results[i], "other-kernel");
        return false;
}

/*
 * The hotpatches that the bundle of the baseline says it contains. It was verified when it was planned, and is once more,
 * as nothing but its id was kept: one that is gone meanwhile, or not trusted any more, says nothing.
 */
static int read_superseded(const Manager *m, const char *bundle, char ***ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = bundle ? store_spool_open(m->store, bundle, &error) : -ENOENT;
        _cleanup_verified_free_ Verified *v = NULL;
        const Manifest *manifest;
        int r;

        if (fd < 0)
                return fd == -ENOMEM ? fd : 0;
        r = admit_open(fd, m->root, &m->config->trust, clock_usec(CLOCK_REALTIME), &v, &error);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        manifest = verified_manifest(v);
        if (manifest->kind != MANIFEST_BASELINE || !streq(manifest->id, bundle) || !manifest->supersedes)
                return 0;
        return strv_copy(manifest->supersedes, ret);
}

static int sort(const Baseline *b, const char *name, char **superseded, const AdmittedRecord *record, const Restored *report,
                BaselineOutcome *o) {
        const char *why;
        int r;

        switch (retire_decide(&(RetireFacts) {
                        .reached = name,
                        .running = b->manager->identity.release,
                        .release = record->release,
                        .made_for = record->baseline,
                        .looked = was_looked_at(report, record->id),
                        .superseded = strv_contains(superseded, record->id),
                }, &why)) {
        case RETIRE_STAYS:
                return strv_extend(&o->stayed, record->id);
        case RETIRE_CONTAINED:
                return strv_extend(&o->retired, record->id);
        default:
                r = strv_extend(&o->kept, record->id);
                return r < 0 ? r : strv_extend(&o->why, why);
        }
}

/**
 * baseline_judge_patches() - what becomes of the wanted hotpatches at a baseline
 * @s: with the baseline that is reached
 * @ret: baseline_outcome_done() it
 *
 * Return: 0 or a negative errno.
 */
int baseline_judge_patches(const Baseline *b, const BaselineState *s, BaselineOutcome *ret) {
        _cleanup_(baseline_outcome_done) BaselineOutcome o = { 0 };
        _cleanup_(restored_done) Restored report = { 0 };
        _cleanup_strv_free_ char **superseded = NULL;
        AdmittedRecord *records;
        size_t n;
        int r = restored_read(kernel_root_fd(b->manager->kernel), &report);

        if (r != -ENOMEM)
                r = read_superseded(b->manager, s->bundle, &superseded);
        if (r < 0)
                return r;
        r = store_admitted_list(b->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sort(b, s->name, superseded, &records[i], &report, &o);
        admitted_records_free(records, n);
        if (r < 0)
                return r;
        *ret = o;
        o = (BaselineOutcome) { 0 };
        return 0;
}

/* @why: it is kept; NULL: it is retired */
static void tell(const char *id, const char *baseline, const char *why) {
        _cleanup_free_ char *sentence = NULL;
        int r = why ? str_printf(&sentence, "The patch '%s' is kept at baseline %s, because %s", id, baseline, why)
                    : str_printf(&sentence, "The kernel contains the patch '%s': retired by baseline %s", id, baseline);

        if (r < 0)
                return;
        (void) record_write(&(Record) {
                .message_id = why ? HOTPATCH_MESSAGE_PATCH_KEPT : HOTPATCH_MESSAGE_PATCH_RETIRED,
                .priority = LOG_NOTICE,
                .text = sentence,
                .patch = id,
                .caller_uid = UINT32_MAX,
        });
}

/**
 * baseline_retire_patches() - carry out what was judged, and is on disk
 *
 * One that cannot be staged again is kept, and said.
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_retire_patches(Baseline *b, BaselineOutcome *o) {
        const char *name = b->state.name;
        char **retired = TAKE_PTR(o->retired);
        int r = 0;

        for (char **id = retired; r >= 0 && id && *id; id++) {
                if (give_up(b->manager->store, *id) >= 0) {
                        tell(*id, name, NULL);
                        r = strv_extend(&o->retired, *id);
                        continue;
                }
                r = strv_extend(&o->kept, *id);
                if (r >= 0)
                        r = strv_extend(&o->why, "its bundle cannot be staged again");
        }
        strv_free(retired);
        for (size_t i = 0; o->kept && o->kept[i]; i++)
                tell(o->kept[i], name, o->why[i]);
        return r;
}

/** baseline_tell_outcome() - tell on the bus; the baseline is reached */
void baseline_tell_outcome(const Baseline *b, const BaselineOutcome *o) {
        bus_baseline_settled(b->manager, b->state.name, o->retired, o->stayed, o->kept);
        if (b->manager->findings)
                findings_look_again(b->manager->findings);
}
