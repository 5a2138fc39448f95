/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of Kbuild: what lies in the folder, and how make is run in it. */

#include "builder/module/kbuild.h"

int kbuild_lay_out(const Kbuild *b, sd_bus_error *error) _must_check_ _nonnull_(1);
int kbuild_lay_out_with(const Kbuild *b, char ***ret_objects, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int kbuild_make(const Kbuild *b, char *const *goals, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
