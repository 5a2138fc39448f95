/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by patch.c and patch-gather.c. */

#include "daemon/patch.h"

int patch_set_string(char **field, const char *value) _must_check_ _nonnull_(1);
int patch_set_add(Manager *m, PatchSet *s, const char *id, Patch **ret) _must_check_ _nonnull_(1, 2, 3, 4);
int patch_keep(PatchSet *s, Patch *old, Patch **ret) _must_check_ _nonnull_(1, 2, 3);
int patch_own(PatchSet *s, Patch **p) _must_check_ _nonnull_(1, 2);
int patch_copy_staged(Patch *p, const Patch *old) _must_check_ _nonnull_(1, 2);
int patch_set_gather(Manager *m, PatchSet *s) _must_check_ _nonnull_(1, 2);
