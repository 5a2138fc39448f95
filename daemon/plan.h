/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Decide: from verified manifests and facts to a list of steps, or a named refusal. Pure: no I/O,
 * no logging, no clock. Apply, Plan, `hotpatchctl plan` and the tests all use the same function.
 */

#include <systemd/sd-bus.h>

#include "bundle/manifest.h"
#include "livepatch/identity.h"
#include "livepatch/state.h"
#include "livepatch/symbols.h"
#include "util/base.h"

/** Certainty - of a thing that the kernel does not always let be known */
typedef enum Certainty {
        UNCERTAIN,
        CERTAINLY,
        CERTAINLY_NOT,
} Certainty;

/**
 * struct PlanModule - a module that a target names, as the running kernel has it: the modules whose
 * functions it replaces, and the name its own patch module would take
 */
typedef struct PlanModule {
        const char *name;
        bool loaded;
        const char *build_id; /* NULL: not loaded, or it has none */
} PlanModule;

/**
 * struct PlanPatch - a livepatch the kernel or the records know
 * @id: bundle id; NULL: not ours
 * @digest: of the manifest; NULL: unknown, as for a patch that only its note identifies
 * @recorded: there is an admitted record, so it is wanted
 * @order: position in the order of application; higher is later
 */
typedef struct PlanPatch {
        const char *module;
        const char *id;
        const char *stream;
        const char *digest;
        const char *build_id; /* of the loaded module of a patch that is not recorded; NULL: not known */
        bool recorded;
        uint64_t sequence;
        uint64_t order;
        char *const *requires;
        char *const *conflicts;
        char *const *supersedes;
        char *const *states; /* system states, "ID:VERSION"; of an unrecorded patch nobody knows them */
        LivepatchState state;
        const ManifestObject *objects; /* what it replaces; may be unknown (none) */
        size_t n_objects;
} PlanPatch;

/**
 * struct PlanStream - the highest sequence that was ever active in a stream
 * @digest: of the manifest that had it; NULL: unknown
 */
typedef struct PlanStream {
        const char *name;
        uint64_t sequence;
        const char *digest;
} PlanStream;

/**
 * struct PlanPayload - the patch module of one bundle
 * @signer: "'NAME' with the serial number …" or "the key with the id …"; NULL: not signed, or not readable
 * @name: the NAME alone, for a table; NULL: the signature does not tell it
 * @key: is the signer's key where the kernel looks for it
 * @ring: in which keyring; NULL: not known
 * @states: system states, "ID:VERSION"
 */
typedef struct PlanPayload {
        const char *build_id; /* NULL: it has none */
        bool is_signed;
        const char *signer;
        const char *name;
        Certainty key;
        const char *ring;
        bool states_known;
        char *const *states;
} PlanPayload;

/** struct PlanOther - another vendor's patcher, see livepatch/others.h */
typedef struct PlanOther {
        const char *name;
        const char *sign;
        bool hidden;
} PlanOther;

/**
 * struct PlanStrikes - what speaks against a bundle of a certain content
 * @last: the latest reason; NULL: the record of them is damaged
 */
typedef struct PlanStrikes {
        const char *id;
        const char *digest;
        size_t count;
        bool quarantined;
        const char *last;
} PlanStrikes;

/** struct PlanFacts - everything a decision rests on; all borrowed */
typedef struct PlanFacts {
        const KernelIdentity *kernel;
        const KernelGates *gates;
        const char *disabled;           /* why hotpatching is off here, NULL: it is on */
        const char *forced;             /* what was forced in this boot, NULL: nothing */
        const char *transition_module;  /* whose transition runs, NULL: none */
        uint64_t now_usec;
        const PlanModule *modules;
        size_t n_modules;
        const PlanPatch *patches;
        size_t n_patches;
        const PlanStream *streams;
        size_t n_streams;
        const SymbolFacts *symbols;
        size_t n_symbols;
        const char *no_tracing;    /* why tracefs, and so @symbols, cannot be read; NULL: it could be */
        const PlanPayload *payloads; /* of the bundle at the same place; NULL: not looked at */
        const char *trusted_keys;    /* those with which a module may be signed, in words; NULL: not known */
        Certainty reliable_stacks; /* of sleeping tasks */
        const PlanOther *others;
        size_t n_others;
        const PlanStrikes *strikes;
        size_t n_strikes;
        char *const *staged; /* ids in the spool; NULL: none */
} PlanFacts;

typedef enum StepAction {
        STEP_INSERT,     /* load the module; the transition starts */
        STEP_TRANSITION, /* wait until every task runs the new code */
        STEP_COMMIT,     /* write down what is active now */
        STEP_DISABLE,    /* start the transition back */
        STEP_VANISH,     /* wait for the transition back and the last reference */
        STEP_UNLOAD,     /* delete the module */
        STEP_FORGET,     /* it is no longer wanted */
        _STEP_ACTION_MAX,
} StepAction;

/** struct PlanStep - one step; strings owned */
typedef struct PlanStep {
        StepAction action;
        char *id;
        char *module;
} PlanStep;

typedef enum FunctionChange {
        FUNCTION_ADDED,   /* was original, becomes patched */
        FUNCTION_KEPT,    /* was patched by another livepatch, now by this one too */
        FUNCTION_DROPPED, /* goes back: its patch is superseded or replaced, removed */
        _FUNCTION_CHANGE_MAX,
} FunctionChange;

/** struct PlanFunction - one function of the report; strings owned */
typedef struct PlanFunction {
        char *id;
        char *object;
        char *function;
        FunctionChange change;
        bool deferred; /* its module is not loaded yet */
} PlanFunction;

/**
 * struct PlanCondition - one checked condition of the report; strings owned
 * @id: the bundle it was checked for; NULL: the machine as a whole
 * @note: it is @ok, and a person should know of it: what is found cannot be known for sure, say
 */
typedef struct PlanCondition {
        char *id;
        char *check;  /* "kernel-release", "function vmlinux:foo", … */
        char *found;
        char *needed;
        bool ok;
        bool note;
} PlanCondition;

/**
 * struct Plan - steps in order, and the report that explains them
 * @replacer: the bundle whose module takes the place of all livepatches; NULL: none, or nothing is there to be replaced
 * @replaced: patches of ours in force that go with its transition
 * @replaced_foreign: modules of others that do
 * @changed: false when everything asked for is already so; then there are no steps
 * @refusal: set when the plan is refused; steps are empty then, the report is complete
 */
typedef struct Plan {
        PlanStep *steps;
        size_t n_steps;
        PlanFunction *functions;
        size_t n_functions;
        PlanCondition *conditions;
        size_t n_conditions;
        char *replacer;
        char **replaced;
        char **replaced_foreign;
        bool changed;
        sd_bus_error refusal;
} Plan;

/**
 * struct PlanPolicy - what the administrator forbids, see plan-policy.c
 * @forbid: valid patterns; NULL: none
 * @unreadable: there is a setting, and nobody knows what it means: nothing is allowed
 * @denied: why hotpatches are not allowed at all, the rest of a sentence; NULL: they are
 * @ineligible: which required checks this machine fails, the rest of a sentence; NULL: none
 */
typedef struct PlanPolicy {
        const char *denied;
        const char *ineligible;
        char *const *forbid;
        bool unreadable;
} PlanPolicy;

/**
 * struct PlanOptions - what the caller asked for, and what the administrator allows
 * @allow_downgrade: accept a sequence that the stream has left behind
 * @allow_replace_foreign: consent that a module takes the place of patches that it does not supersede, other
 *   vendors' included
 */
typedef struct PlanOptions {
        bool allow_downgrade;
        bool allow_replace_foreign;
        PlanPolicy policy;
} PlanOptions;

int plan_apply(const Manifest *const *manifests, const char *const *digests, size_t n_manifests,
                const PlanFacts *facts, const PlanOptions *options, Plan **ret)
        _must_check_ _nonnull_(1, 2, 4, 5, 6);
int plan_remove(char *const *ids, const PlanFacts *facts, Plan **ret) _must_check_ _nonnull_(1, 2, 3);
int plan_dependants(char *const *ids, const PlanFacts *facts, char ***ret_ids, char ***ret_modules)
        _must_check_ _nonnull_(2, 3, 4);
int plan_check_forbidden(const Manifest *manifest, const ManifestTarget *target, const PlanPolicy *policy,
                sd_bus_error *error) _must_check_ _nonnull_(1, 3);
Plan *plan_free(Plan *p);
DEFINE_TRIVIAL_CLEANUP(Plan *, plan_free);
#define _cleanup_plan_free_ _cleanup_(plan_freep)

const char *step_action_to_string(StepAction a);
const char *function_change_to_string(FunctionChange c);
