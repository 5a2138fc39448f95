/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "     Label: text", the form of everything that is shown about one thing. */

#include "ctl/snapshot.h"
#include "ctl/text.h"

int field_print(const Ctl *ctl, const char *label, const char *text, Style style)
        _must_check_ _nonnull_(1, 2, 3);
int fields_print_blockers(const Ctl *ctl, const JobInfo *job) _must_check_ _nonnull_(1, 2);
int field_printf(const Ctl *ctl, const char *label, Style style, const char *format, ...)
        _must_check_ _nonnull_(1, 2, 4) _printf_(4, 5);
