/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is fixed in the running kernel, as VEX documents. */

#include "ctl/json.h"

/**
 * struct VexFacts - all borrowed
 * @author: a person or an organisation
 * @host: name of this machine
 * @document_id: UUID, another one for each document
 * @machine_id: UUID, of this machine, not its machine-id(5)
 * @purl: of the running kernel
 * @status: as GetStatus() has it
 */
typedef struct VexFacts {
        const char *author;
        const char *host;
        const char *document_id;
        const char *machine_id;
        const char *purl;
        const char *tool;
        uint64_t now_usec;
        const Value *status;
} VexFacts;

/** vex_is_empty() - is nothing fixed? Then there is no document. */
static inline bool vex_is_empty(const VexFacts *f) {
        return value_length(value_get(f->status, "fixed")) == 0;
}

int vex_note(const VexFacts *f, const char *fix, char **ret) _must_check_ _nonnull_(1, 2, 3);
bool vex_patch_fixes(const Value *patch, const char *fix);
int vex_openvex(const VexFacts *f, Value **ret) _must_check_ _nonnull_(1, 2);
int vex_csaf(const VexFacts *f, Value **ret) _must_check_ _nonnull_(1, 2);
