/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What Kbuild leaves beside an object: how it was compiled, and from what. */

#include "util/base.h"

/**
 * struct ObjectCommand - from the .cmd file of one object
 * @deps: files that were read, as the compiler names them; those outside of the tree are absolute
 * @module: compiled as part of a module
 */
typedef struct ObjectCommand {
        char **deps;
        bool module;
} ObjectCommand;

int object_command_read(const char *tree, const char *target, ObjectCommand *ret) _must_check_ _nonnull_(1, 2, 3);
int object_command_parse(char *text, ObjectCommand *ret) _must_check_ _nonnull_(1, 2);
void object_command_done(ObjectCommand *c);
