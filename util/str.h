/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One string, owned. */

#include <stdarg.h>

#include "util/base.h"

int str_printf(char **ret, const char *format, ...) _must_check_ _nonnull_(1) _printf_(2, 3);
int str_vprintf(char **ret, const char *format, va_list ap) _must_check_ _nonnull_(1) _printf_(2, 0);
int str_extendf(char **s, const char *format, ...) _must_check_ _nonnull_(1) _printf_(2, 3);
