/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lines with which the kernel begins a report about itself, and the forms that lines of a report have. */

#include "livepatch/kernelsigns.h"

bool kernel_line_matches(const char *form, const char *text) _nonnull_(1, 2);
const char *kernel_headline_form(size_t i);
bool kernel_headline_find(const KernelRecord *record, KernelSignKind *ret) _nonnull_(1, 2);
