/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may include a file, directly or not: the graph is walked from the file to its users, each node once. Marks of who
 * was seen are in the nodes, so one search is on at a time.
 */

#include <ctype.h>
#include <sys/mman.h>

#include "builder/source/objects-include-internal.h"
#include "util/strv.h"

static int compare_paths(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Does the text have the name, as a word of its own? */
static bool text_has_name(const char *text, size_t size, const char *name) {
        size_t n = strlen(name);

        for (const char *at = text, *end = text + size; (at = memmem(at, (size_t) (end - at), name, n)); at++) {
                bool begins = at == text || !(isalnum((unsigned char) at[-1]) || at[-1] == '_');

                if (begins && (at + n == end || !(isalnum((unsigned char) at[n]) || at[n] == '_')))
                        return true;
        }
        return false;
}

static int has_a_name(IncludeGraph *g, size_t node, char *const *names) {
        void *text;
        size_t size;
        bool found = false;
        int r;

        r = include_node_map(g, node, &text, &size);
        if (r <= 0)
                return r;
        for (; *names && !found; names++)
                found = text_has_name(text, size, *names);
        (void) munmap(text, size);
        return found;
}

/* Marks what reaches one of the first @n of the queue, and puts it there too; returns their number. */
static size_t spread(IncludeGraph *g, size_t *queue, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const IncludeNode *node = g->nodes + queue[i];

                for (size_t k = 0; k < node->n_users; k++)
                        if (!g->nodes[node->users[k]].seen) {
                                g->nodes[node->users[k]].seen = true;
                                queue[n++] = node->users[k];
                        }
        }
        return n;
}

static void forget(IncludeGraph *g) {
        for (size_t i = 0; i < g->n_nodes; i++)
                g->nodes[i].seen = false;
}

/* The C files of objects in the queue, but for its first @skip; or what is outside of the kernel. */
static int list_sources(const IncludeGraph *g, const size_t *queue, size_t skip, size_t n, bool outside, char ***ret) {
        _cleanup_strv_free_ char **users = NULL;

        for (size_t i = skip; i < n; i++) {
                const IncludeNode *node = g->nodes + queue[i];
                int r = (outside ? node->outside : node->object) ? strv_extend(&users, node->path) : 0;

                if (r < 0)
                        return r;
        }
        if (users)
                qsort(users, strv_length(users), sizeof(*users), compare_paths);
        *ret = TAKE_PTR(users);
        return 0;
}

static int search(IncludeGraph *g, size_t start, bool outside, char ***ret) {
        _cleanup_free_ size_t *queue = calloc(g->n_nodes, sizeof(*queue));

        if (!queue)
                return -ENOMEM;
        forget(g);
        queue[0] = start;
        g->nodes[start].seen = true;
        return list_sources(g, queue, 1, spread(g, queue, 1), outside, ret);
}

/**
 * include_graph_users() - C files of objects that may include a file, directly or not
 * @path: of the file, below the tree's root
 * @ret: their paths, sorted, without @path itself; free with strv_free(); may be NULL
 *
 * Return: 0 or a negative errno.
 */
int include_graph_users(IncludeGraph *g, const char *path, char ***ret) {
        size_t node;

        *ret = NULL;
        return include_node_find(g, path, &node) ? search(g, node, false, ret) : 0;
}

/**
 * include_graph_outside() - like include_graph_users(): assembly, boot code and vDSO that may include a file
 * @ret: their paths, sorted; free with strv_free(); may be NULL
 *
 * Return: 0 or a negative errno.
 */
int include_graph_outside(IncludeGraph *g, const char *path, char ***ret) {
        size_t node;

        *ret = NULL;
        return include_node_find(g, path, &node) ? search(g, node, true, ret) : 0;
}

/**
 * include_graph_users_of_names() - C files of objects that may have a name
 * @names: identifiers; NULL-terminated
 * @ret: those files that have one of them, or may include a file that has; as of include_graph_users()
 * @ret_outside: the same, as of include_graph_outside()
 *
 * Return: 0 or a negative errno.
 */
int include_graph_users_of_names(IncludeGraph *g, char *const *names, char ***ret, char ***ret_outside) {
        _cleanup_free_ size_t *queue = calloc(g->n_nodes, sizeof(*queue));
        _cleanup_strv_free_ char **users = NULL;
        size_t n = 0;
        int r;

        if (!queue)
                return -ENOMEM;
        forget(g);
        for (size_t i = 0; i < g->n_nodes; i++) {
                r = g->nodes[i].exists ? has_a_name(g, i, names) : 0;
                if (r < 0)
                        return r;
                if (r > 0) {
                        g->nodes[i].seen = true;
                        queue[n++] = i;
                }
        }
        n = spread(g, queue, n);
        r = list_sources(g, queue, 0, n, false, &users);
        if (r >= 0)
                r = list_sources(g, queue, 0, n, true, ret_outside);
        if (r >= 0)
                *ret = TAKE_PTR(users);
        return r;
}
