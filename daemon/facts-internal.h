/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the facts*.c files only. */

#include "daemon/facts.h"

Certainty facts_reliable_stacks(const SymbolFacts *symbols, size_t n);
void facts_take_symbols(Facts *f, char *text, SymbolFacts *symbols, size_t n) _nonnull_(1, 2, 3);
void facts_take_payloads(Facts *f, PlanPayload *payloads, size_t n) _nonnull_(1, 2);
void facts_take_trusted_keys(Facts *f, char *keys) _nonnull_(1);
void facts_payloads_free(PlanPayload *payloads, size_t n);
