/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The C file that patch.json becomes: klp_patch, callbacks, self-test and the ELF note. */

#include "bundle/patchfile.h"

int table_text(const PatchFile *p, char **ret) _must_check_ _nonnull_(1, 2);
const char *table_symbol_owner(const PatchSymbol *s) _nonnull_(1);
bool table_has_module_symbols(const PatchFile *p, const char *object) _nonnull_(1);
int table_source(const PatchFile *p, char **ret) _must_check_ _nonnull_(1, 2);
