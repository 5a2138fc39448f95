/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The files of the include graph, each once: an array, as it is walked again and again and nodes are named by their
 * index, and a table of hashes to find one by its path. A name where there is no file has a node too: who would
 * include it, should a fix put one there, is its user.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "builder/source/objects-include-internal.h"

/** include_graph_free() - free it; NULL is fine. Returns NULL. */
IncludeGraph *include_graph_free(IncludeGraph *g) {
        if (!g)
                return NULL;
        for (size_t i = 0; i < g->n_nodes; i++) {
                free(g->nodes[i].path);
                free(g->nodes[i].users);
        }
        free(g->nodes);
        free(g->table);
        safe_close(g->tree);
        free(g);
        return NULL;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static size_t hash_string(const char *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *s; s++)
                h = (h ^ (uint8_t) *s) * UINT64_C(0x100000001b3);
        return (size_t) h;
}

static size_t *find_slot(size_t *table, size_t size, const IncludeNode *nodes, const char *path) {
        size_t i = hash_string(path) & (size - 1);

        while (table[i] && !streq(nodes[table[i] - 1].path, path))
                i = (i + 1) & (size - 1);
        return table + i;
}

static int grow(IncludeGraph *g) {
        size_t size = g->table_size ? g->table_size * 2 : 16384;
        size_t *table = calloc(size, sizeof(*table));
        IncludeNode *nodes;

        if (!table)
                return -ENOMEM;
        nodes = reallocarray(g->nodes, size / 2, sizeof(*nodes));
        if (!nodes) {
                free(table);
                return -ENOMEM;
        }
        g->nodes = nodes;
        for (size_t i = 0; i < g->n_nodes; i++)
                *find_slot(table, size, nodes, nodes[i].path) = i + 1;
        free(g->table);
        g->table = table;
        g->table_size = size;
        return 0;
}

/**
 * include_node() - the node of a path, made where there is none
 * @path: below the root of the tree, without "." and ".."; taken over
 * @ret: its index
 *
 * Return: 0 or -ENOMEM.
 */
int include_node(IncludeGraph *g, char *path, size_t *ret) {
        _cleanup_free_ char *owned = path;
        size_t *slot;
        struct stat st;
        int r;

        if (g->n_nodes + 1 > g->table_size / 2) {
                r = grow(g);
                if (r < 0)
                        return r;
        }
        slot = find_slot(g->table, g->table_size, g->nodes, path);
        if (!*slot) {
                g->nodes[g->n_nodes] = (IncludeNode) {
                        .path = TAKE_PTR(owned),
                        .exists = fstatat(g->tree, path, &st, 0) == 0 && S_ISREG(st.st_mode),
                };
                *slot = ++g->n_nodes;
        }
        *ret = *slot - 1;
        return 0;
}

/** include_node_find() - is there a node of that path? @ret: its index */
bool include_node_find(const IncludeGraph *g, const char *path, size_t *ret) {
        size_t slot = *find_slot(g->table, g->table_size, g->nodes, path);

        if (slot == 0)
                return false;
        *ret = slot - 1;
        return true;
}

/** include_node_add_user() - @user includes @used, or would if it were there. Return: 0 or -ENOMEM. */
int include_node_add_user(IncludeGraph *g, size_t used, size_t user) {
        IncludeNode *n = g->nodes + used;
        size_t *grown;

        if (n->n_users > 0 && n->users[n->n_users - 1] == user)
                return 0;
        if ((n->n_users & (n->n_users - 1)) == 0) { /* full at powers of two */
                grown = reallocarray(n->users, n->n_users ? n->n_users * 2 : 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                n->users = grown;
        }
        n->users[n->n_users++] = user;
        return 0;
}

/**
 * include_node_map() - the text of a file
 * @ret: for munmap()
 *
 * Return: 1, 0 when it is empty, or a negative errno.
 */
int include_node_map(const IncludeGraph *g, size_t node, void **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(g->tree, g->nodes[node].path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        void *text;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size == 0)
                return 0;
        text = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED)
                return -errno;
        *ret = text;
        *ret_size = (size_t) st.st_size;
        return 1;
}
