/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* NULL-terminated arrays of strings, owned as a whole. */

#include <stdarg.h>

#include "util/base.h"

char **strv_free(char **v);
DEFINE_TRIVIAL_CLEANUP(char **, strv_free);
#define _cleanup_strv_free_ _cleanup_(strv_freep)

size_t strv_length(char *const *v);
bool strv_contains(char *const *v, const char *s);
int strv_extend(char ***v, const char *s) _must_check_ _nonnull_(1, 2);
int strv_extendf(char ***v, const char *format, ...) _must_check_ _printf_(2, 3);
int strv_extendv(char ***v, const char *format, va_list ap) _must_check_ _printf_(2, 0);
void strv_remove(char **v, const char *s) _nonnull_(2);
int strv_copy(char *const *v, char ***ret) _must_check_ _nonnull_(2);
int strv_join(char *const *v, const char *between, char **ret) _must_check_ _nonnull_(2, 3);
int strv_quote(char *const *v, char **ret) _must_check_ _nonnull_(2);
