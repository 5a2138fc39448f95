/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * hotpatch-restore(8): what hotpatchd applied is put back when the machine starts, without a bus and
 * before the network; what is said about it afterwards; and the word that the machine went down in order.
 */

#include "livepatch/kernel.h"

int restore_run(const char *root, const ModuleOps *ops, void *ops_userdata) _must_check_ _nonnull_(1);
int restore_mark_clean(const char *root) _must_check_ _nonnull_(1);
int restore_check(const char *root, const ModuleOps *ops, void *ops_userdata) _must_check_ _nonnull_(1);
