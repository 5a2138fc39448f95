/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The include graph as a table of files; shared by the objects-include*.c files. */

#include "builder/source/objects-include.h"

#define INCLUDE_NAME_MAX 255U

/** struct IncludeNode - one file, or a name where there is none */
typedef struct IncludeNode {
        char *path;
        bool exists;
        bool object; /* source of one of the configuration's objects */
        bool outside; /* assembly, or code of the image that is not the kernel's */
        bool seen;   /* in a search */
        size_t *users;
        size_t n_users;
} IncludeNode;

struct IncludeGraph {
        int tree;
        const ObjectList *list;
        IncludeNode *nodes;
        size_t n_nodes;
        size_t *table; /* open addressing; indices of nodes plus one */
        size_t table_size;
};

/* objects-include-node.c */
int include_node(IncludeGraph *g, char *path, size_t *ret) _must_check_ _nonnull_(1, 2, 3);
bool include_node_find(const IncludeGraph *g, const char *path, size_t *ret) _nonnull_(1, 2, 3);
int include_node_add_user(IncludeGraph *g, size_t used, size_t user) _must_check_ _nonnull_(1);
int include_node_map(const IncludeGraph *g, size_t node, void **ret, size_t *ret_size) _must_check_ _nonnull_(1, 3, 4);

/* objects-include-line.c */
bool include_line(const char *line, const char *end, char name[static INCLUDE_NAME_MAX + 1], bool *ret_quoted)
        _nonnull_(1, 2, 3, 4);
