/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may include whom, by the text of the sources. */

#include "builder/source/objects-list.h"

typedef struct IncludeGraph IncludeGraph;

int include_graph_new(const char *tree, const ObjectList *l, IncludeGraph **ret) _must_check_ _nonnull_(1, 2, 3);
IncludeGraph *include_graph_free(IncludeGraph *g);
DEFINE_TRIVIAL_CLEANUP(IncludeGraph *, include_graph_free);
#define _cleanup_include_graph_free_ _cleanup_(include_graph_freep)

int include_graph_users_of_names(IncludeGraph *g, char *const *names, char ***ret, char ***ret_outside)
        _must_check_ _nonnull_(1, 2, 3, 4);
int include_graph_outside(IncludeGraph *g, const char *path, char ***ret) _must_check_ _nonnull_(1, 2, 3);
int include_graph_users(IncludeGraph *g, const char *path, char ***ret) _must_check_ _nonnull_(1, 2, 3);
