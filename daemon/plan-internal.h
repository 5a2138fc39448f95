/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the plan-*.c files only. */

#include "daemon/plan.h"
#include "dbus/errors.h"
#include "util/limits.h"

/**
 * struct PlanItem - one bundle of the transaction
 * @target: for the running kernel; NULL: none fits
 * @patch: what the kernel or the records know under its id; NULL: nothing
 * @payload: its module; NULL: not looked at
 * @active: exactly this content is in the kernel already
 * @adopted: its module is in the kernel and in force, and only the record of it is missing
 */
typedef struct PlanItem {
        const Manifest *manifest;
        const char *digest;
        const ManifestTarget *target;
        const PlanPatch *patch;
        const PlanPayload *payload;
        bool active;
        bool adopted;
} PlanItem;

/**
 * struct PlanBuild - a plan while it is made; all but @plan borrowed
 * @items: in the order in which they will be applied
 * @dropped: for each patch of the facts: an item supersedes it, or takes its place with consent
 */
typedef struct PlanBuild {
        const PlanFacts *facts;
        const PlanOptions *options;
        PlanItem items[HOTPATCH_TRANSACTION_MAX];
        size_t n_items;
        bool *dropped;
        Plan *plan;
} PlanBuild;

/* plan-report.c: what the checks say */
int plan_new(Plan **ret) _must_check_ _nonnull_(1);
int plan_add_step(Plan *p, StepAction action, const char *id, const char *module) _must_check_;
int plan_add_function(Plan *p, const char *id, const char *object, const char *function,
                FunctionChange change, bool deferred) _must_check_;
int plan_condition(Plan *p, const char *id, bool ok, const char *found, const char *needed,
                const char *check, ...) _must_check_ _printf_(6, 7);
int plan_note(Plan *p, const char *id, const char *found, const char *needed, const char *check, ...)
        _must_check_ _printf_(5, 6);
int plan_refuse(Plan *p, const char *name, const char *format, ...) _must_check_ _printf_(3, 4);

/* plan-order.c */
int plan_order(PlanBuild *b) _must_check_;

/* plan-target.c: is it for this machine */
int plan_check_machine(PlanBuild *b) _must_check_;
int plan_check_target(PlanBuild *b, const PlanItem *item) _must_check_;

/* plan-payload.c: what the kernel asks of the module */
int plan_check_payload(PlanBuild *b, const PlanItem *item) _must_check_;

/* plan-policy.c: what the administrator forbids */
int plan_check_policy(PlanBuild *b, const PlanItem *item) _must_check_;
/* plan-quarantine.c */
int plan_check_quarantine(PlanBuild *b, const PlanItem *item) _must_check_;

/* plan-relations.c: what it means for the other patches */
void plan_mark_dropped(PlanBuild *b);
int plan_check_superseded_within(PlanBuild *b, const PlanItem *item) _must_check_;
int plan_check_relations(PlanBuild *b, const PlanItem *item) _must_check_;

/* plan-functions.c: can each function be redirected, and whose is it now */
int plan_check_functions(PlanBuild *b, const PlanItem *item) _must_check_;
int plan_report_dropped(PlanBuild *b) _must_check_;
bool plan_same_function(const char *a, const char *b) _nonnull_(1, 2);

/* plan-replace.c: modules that take the place of all others */
void plan_mark_replaced(PlanBuild *b);
int plan_check_replace(PlanBuild *b, const PlanItem *item) _must_check_;

/* plan-steps.c */
int plan_steps_apply(PlanBuild *b) _must_check_;
int plan_steps_remove(Plan *p, const PlanFacts *facts, const bool *wanted, bool replaced) _must_check_;

static inline bool plan_patch_in_kernel(const PlanPatch *p) {
        return p->state == LIVEPATCH_PATCHING || p->state == LIVEPATCH_PATCHED ||
                p->state == LIVEPATCH_UNPATCHING;
}

/** plan_patch_name() - how a message calls it: our id, or the module of somebody else's */
static inline const char *plan_patch_name(const PlanPatch *p) {
        return p->id ?: p->module;
}

const PlanPatch *plan_find_patch(const PlanFacts *facts, const char *id) _nonnull_(1, 2);
const PlanModule *plan_find_module(const PlanFacts *facts, const char *name) _nonnull_(1, 2);
