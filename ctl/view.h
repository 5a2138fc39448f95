/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The screen of `monitor`: what is, above what happens. */

#include "ctl/ctl.h"

typedef struct View View;

bool view_is_possible(const Ctl *ctl) _nonnull_(1);
int view_new(Ctl *ctl, View **ret) _must_check_ _nonnull_(1, 2);
View *view_free(View *v);
DEFINE_TRIVIAL_CLEANUP(View *, view_free);
#define _cleanup_view_ _cleanup_(view_freep)

int view_add(View *v, const char *line) _must_check_ _nonnull_(1, 2);
int view_look(View *v) _must_check_ _nonnull_(1);
int view_service_ended(View *v) _must_check_ _nonnull_(1);
bool view_service_is_there(const View *v) _nonnull_(1);
int view_draw(View *v) _must_check_ _nonnull_(1);
