/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Gathering what a plan needs to know: the kernel, its livepatches, the records, and the symbols of
 * the functions asked about. The symbol pass reads /proc/kallsyms and tracefs and may take a few
 * hundred milliseconds: facts_symbols() runs in a worker, whose output facts_add_symbols() reads.
 */

#include <systemd/sd-bus.h>

#include "bundle/manifest.h"
#include "daemon/payload.h"
#include "daemon/plan.h"
#include "daemon/store.h"
#include "livepatch/kernel.h"

typedef struct Facts Facts;

int facts_gather(const Kernel *k, const Store *s, const Manifest *const *manifests, size_t n_manifests,
                const char *disabled, uint64_t now_usec, Facts **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 7);
int facts_symbols(const Kernel *k, const Manifest *const *manifests, size_t n_manifests, int output_fd)
        _must_check_ _nonnull_(1, 2);
int facts_add_symbols(Facts *f, const void *output, size_t size) _must_check_ _nonnull_(1);
int facts_add_payloads(Facts *f, const Kernel *k, const Payload *const *payloads, size_t n)
        _must_check_ _nonnull_(1, 2, 3);
int facts_set_no_tracing(Facts *f, const char *why) _must_check_ _nonnull_(1);
const char *facts_unreadable(const Facts *f) _nonnull_(1);
int facts_record_fits(const Kernel *k, const AdmittedRecord *record) _must_check_ _nonnull_(1, 2);
const PlanFacts *facts_for_plan(const Facts *f);
Facts *facts_free(Facts *f);
DEFINE_TRIVIAL_CLEANUP(Facts *, facts_free);
#define _cleanup_facts_free_ _cleanup_(facts_freep)
