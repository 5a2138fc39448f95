/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the facts*.c files only. */

#include "daemon/facts.h"
#include "livepatch/others.h"

/* A patch with what its PlanPatch points to. */
typedef struct FactsPatch {
        char *module;
        char *id;
        char *build_id;
        InspectedObject *objects;
        ManifestObject *views; /* the same, as the plan takes them; borrowed from @objects */
        size_t n_objects;
} FactsPatch;

struct Facts {
        PlanFacts plan;
        KernelIdentity identity;
        KernelGates gates;
        char *disabled;
        char *forced;
        char *transition_module;
        AdmittedRecord *records;
        size_t n_records;
        char *unreadable; /* record that is not among them */
        FactsPatch *owned;   /* parallel to @patches */
        PlanPatch *patches;
        size_t n_patches;
        PlanModule *modules; /* strings owned */
        size_t n_modules;
        PlanStream *streams; /* strings owned */
        size_t n_streams;
        char *symbols_text;
        SymbolFacts *symbols; /* strings in @symbols_text */
        char *no_tracing;
        PlanPayload *payloads; /* signers owned */
        size_t n_payloads;
        char *trusted_keys;
        char **staged;
        OtherPatcher *found_others;
        PlanOther *others; /* strings of @found_others */
        size_t n_others;
        StrikeRecord *strike_records;
        PlanStrikes *strikes; /* borrowed from @strike_records */
        size_t n_strikes;
};

Certainty facts_reliable_stacks(const SymbolFacts *symbols, size_t n);
void facts_take_symbols(Facts *f, char *text, SymbolFacts *symbols, size_t n) _nonnull_(1, 2, 3);
void facts_take_payloads(Facts *f, PlanPayload *payloads, size_t n) _nonnull_(1, 2);
void facts_take_trusted_keys(Facts *f, char *keys) _nonnull_(1);
void facts_payloads_free(PlanPayload *payloads, size_t n);

/* facts-patches.c */
void facts_patches_free(Facts *f) _nonnull_(1);
int facts_gather_patches(Facts *f, const Kernel *k, const Store *s) _must_check_ _nonnull_(1, 2, 3);
int facts_add_leftover(Facts *f, const Kernel *k, const Manifest *m, const char *module) _must_check_ _nonnull_(1, 2, 3, 4);
