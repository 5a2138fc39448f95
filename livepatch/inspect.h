/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a kernel module file says about itself; safe on hostile input. */

#include <systemd/sd-bus.h>

#include "livepatch/modsig.h"
#include "livepatch/note.h"
#include "util/base.h"

/** struct InspectedObject - functions that the module replaces in `vmlinux` or in a module */
typedef struct InspectedObject {
        char *name;
        char **functions; /* sorted; "NAME", or "NAME,SYMPOS" when sympos is not 0 */
} InspectedObject;

/** struct SystemState - one struct klp_state: what a livepatch changes beside code, and its version */
typedef struct SystemState {
        uint64_t id;
        uint32_t version;
} SystemState;

/** struct ModuleInfo - all owned; strings that the file does not have are NULL */
typedef struct ModuleInfo {
        char *arch;     /* as uname -m: from e_machine */
        char *name;     /* .modinfo name= */
        char *vermagic; /* whole */
        char *release;  /* first word of vermagic */
        char *license;
        char *depends;
        char *build_id;
        bool livepatch; /* .modinfo livepatch=Y */
        bool has_versions;   /* symbol CRCs */
        bool has_structures; /* a filled struct klp_patch was found in the file */
        bool replace;        /* klp_patch.replace; only known with has_structures */
        SystemState *states; /* klp_patch.states; only known with has_structures */
        size_t n_states;
        ModuleSignature signature; /* appended; not checked here */
        bool has_note;
        PatchNote note;
        InspectedObject *objects; /* recovered from data, else from the note; sorted by name */
        size_t n_objects;
        char **klp_symbols;  /* "OBJECT:SYMBOL,SYMPOS", from .klp.sym.* */
        char **needed;       /* undefined symbols, to be resolved from exports */
} ModuleInfo;

int module_inspect(int fd, ModuleInfo **ret, sd_bus_error *error) _must_check_ _nonnull_(2);
int module_info_require_livepatch(const ModuleInfo *i, sd_bus_error *error) _must_check_
                _nonnull_(1);
ModuleInfo *module_info_free(ModuleInfo *i);
DEFINE_TRIVIAL_CLEANUP(ModuleInfo *, module_info_free);
#define _cleanup_module_info_free_ _cleanup_(module_info_freep)

/* For the other files here. */
int inspected_objects_add(InspectedObject **objects, size_t *n, const char *object,
                const char *function, uint64_t sympos) _must_check_ _nonnull_(1, 2, 3, 4);
void inspected_objects_sort(InspectedObject *objects, size_t n);
void inspected_objects_free(InspectedObject *objects, size_t n);
