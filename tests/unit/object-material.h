/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Objects for tests, compiled while they run, with the flags that kernel objects have. */

#include "builder/object/object.h"

char *object_compile(const char *folder, const char *name, const char *source);
char *object_compile_with(const char *folder, const char *name, const char *flags, const char *source);
char *object_link_module(const char *folder, const char *name, const char *const *sources);
Object *object_compile_and_read(const char *folder, const char *name, const char *source);
char *object_command(const char *format, ...) _printf_(1, 2);
