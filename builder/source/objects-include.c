/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The include graph of the running configuration.
 *
 * From the C files of all its objects on, "#include" lines are read and looked up as the compiler
 * would: beside the file that has the line, then in the kernel's include folders, then in those that
 * the object's makefile adds. Conditions are not looked at, so the graph says who *may* include a
 * header; the compiler says later who did (compile.c). It must not say too little: a file that is
 * found nowhere else is looked for in every include folder that any makefile adds. A place that was looked
 * at in vain has users, too: who would include the file if a fix put it there.
 *
 * A header that is the value of a macro counts as included, see <linux/drbd_genl_api.h>. Not seen are names
 * that a macro makes up. The kernel has those in <trace/define_trace.h>, whose user includes the file in
 * the plain way before, and in a few places for assembly.
 */

#include "builder/source/objects-include.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util/file.h"
#include "util/strv.h"

#define NOWHERE SIZE_MAX
#define INCLUDE_NAME_MAX 255U

/* LINUXINCLUDE and USERINCLUDE of the kernel's Makefile, x86. */
static const char *const include_folders[] = {
        "arch/x86/include", "arch/x86/include/generated", "include", "arch/x86/include/uapi",
        "arch/x86/include/generated/uapi", "include/uapi", "include/generated/uapi",
};

/* What -include puts in front of every C file. */
static const char *const forced_headers[] = {
        "include/linux/compiler-version.h", "include/linux/kconfig.h", "include/linux/compiler_types.h",
};

/* In the image, but not kernel code; as in objects-kind.c. */
static const char *const outside_folders[] = {
        "arch/x86/boot", "arch/x86/boot/compressed", "arch/x86/entry/vdso", "arch/x86/entry/vdso/vdso32", "arch/x86/purgatory",
        "arch/x86/realmode/rm", "drivers/firmware/efi/libstub", "lib/vdso",
};

/** struct Node - one file, or a name where there is none */
typedef struct Node {
        char *path;
        bool exists;
        bool object; /* source of one of the configuration's objects */
        bool outside; /* assembly, or code of the image that is not the kernel's */
        bool seen;   /* in a search */
        size_t *users;
        size_t n_users;
} Node;


struct IncludeGraph {
        int tree;
        const ObjectList *list;
        Node *nodes;
        size_t n_nodes;
        size_t *table; /* open addressing; indices of nodes plus one */
        size_t table_size;
};

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

static size_t *find_slot(size_t *table, size_t size, const Node *nodes, const char *path) {
        size_t i = hash_string(path) & (size - 1);

        while (table[i] && !streq(nodes[table[i] - 1].path, path))
                i = (i + 1) & (size - 1);
        return table + i;
}

static int grow(IncludeGraph *g) {
        size_t size = g->table_size ? g->table_size * 2 : 16384;
        size_t *table = calloc(size, sizeof(*table));
        Node *nodes;

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

/* The node of a path, made where there is none. Takes @path over. */
static int node_of(IncludeGraph *g, char *path, size_t *ret) {
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
                g->nodes[g->n_nodes] = (Node) {
                        .path = TAKE_PTR(owned),
                        .exists = fstatat(g->tree, path, &st, 0) == 0 && S_ISREG(st.st_mode),
                };
                *slot = ++g->n_nodes;
        }
        *ret = *slot - 1;
        return 0;
}

static int add_user(IncludeGraph *g, size_t used, size_t user) {
        Node *n = g->nodes + used;
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

/* FOLDER/NAME as a node if there is such a file, else NOWHERE. Were there one, @user would include it. */
static int look_in(IncludeGraph *g, size_t user, const char *folder, size_t folder_length, const char *name, size_t *ret) {
        _cleanup_free_ char *joined = NULL;
        char *path;
        size_t node;
        int r;

        if (asprintf(&joined, "%.*s/%s", (int) folder_length, folder, name) < 0) {
                joined = NULL;
                return -ENOMEM;
        }
        *ret = NOWHERE;
        r = path_normalize(*joined == '/' ? joined + 1 : joined, &path);
        if (r == -EINVAL)
                return 0;
        if (r < 0)
                return r;
        r = node_of(g, path, &node);
        if (r < 0)
                return r;
        if (g->nodes[node].exists)
                *ret = node;
        return g->nodes[node].exists ? 0 : add_user(g, node, user);
}

static bool is_below(const char *path, const char *folder) {
        const char *rest = startswith(path, folder);

        return rest && *rest == '/';
}

/* The folders that makefiles add: those of the file's own folder and above, then any. */
static int look_in_added(IncludeGraph *g, size_t user, const char *name, size_t *ret) {
        const ObjectList *l = g->list;
        int r;

        *ret = NOWHERE;
        for (unsigned own = 1; own < 2; own--)
                for (size_t i = 0; i < l->n_includes && *ret == NOWHERE; i++) {
                        if (is_below(g->nodes[user].path, l->includes[i].folder) != (own == 1))
                                continue;
                        r = look_in(g, user, l->includes[i].include, strlen(l->includes[i].include), name, ret);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int resolve(IncludeGraph *g, size_t user, const char *name, bool quoted, size_t *ret) {
        const char *path = g->nodes[user].path, *slash = strrchr(path, '/');
        int r;

        *ret = NOWHERE;
        if (quoted) {
                r = look_in(g, user, path, slash ? (size_t) (slash - path) : 0, name, ret);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(include_folders) && *ret == NOWHERE; i++) {
                r = look_in(g, user, include_folders[i], strlen(include_folders[i]), name, ret);
                if (r < 0)
                        return r;
        }
        return *ret == NOWHERE ? look_in_added(g, user, name, ret) : 0;
}

static const char *skip_blanks(const char *c, const char *end) {
        while (c < end && (*c == ' ' || *c == '\t'))
                c++;
        return c;
}

/* What is behind "#include", or behind "#define NAME", for who says "#include NAME"; NULL: neither. */
static const char *skip_directive(const char *c, const char *end, bool *ret_defined) {
        c = skip_blanks(c, end);
        if (c == end || *c++ != '#')
                return NULL;
        c = skip_blanks(c, end);
        if (end - c < 10) /* #include "x" */
                return NULL;
        *ret_defined = memcmp(c, "define", 6) == 0;
        if (!*ret_defined)
                return memcmp(c, "include", 7) == 0 ? skip_blanks(c + 7, end) : NULL;
        for (c = skip_blanks(c + 6, end); c < end && (isalnum((unsigned char) *c) || *c == '_');)
                c++;
        return skip_blanks(c, end);
}

/* The name in an "#include" line, or that of a header in a "#define" line; or false. */
static bool scan_include(const char *line, const char *end, char *name, bool *ret_quoted) {
        bool defined;
        const char *c = skip_directive(line, end, &defined), *close;

        if (!c || c == end || (*c != '"' && *c != '<'))
                return false;
        *ret_quoted = *c == '"';
        close = memchr(c + 1, *c == '"' ? '"' : '>', (size_t) (end - c - 1));
        if (!close || close == c + 1 || close - c - 1 > (ptrdiff_t) INCLUDE_NAME_MAX)
                return false;
        if (defined && (close - c < 4 || memcmp(close - 2, ".h", 2) != 0))
                return false;
        memcpy(name, c + 1, (size_t) (close - c - 1));
        name[close - c - 1] = '\0';
        return true;
}

static int scan_text(IncludeGraph *g, size_t user, const char *text, size_t size) {
        char name[INCLUDE_NAME_MAX + 1];
        bool quoted;
        int r;

        for (const char *line = text, *end = text + size, *newline; line < end; line = newline + 1) {
                size_t used;

                newline = memchr(line, '\n', (size_t) (end - line)) ?: end;
                if (!scan_include(line, newline, name, &quoted))
                        continue;
                r = resolve(g, user, name, quoted, &used);
                if (r == 0 && used != NOWHERE)
                        r = add_user(g, used, user);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns 1 and the text of a file, for munmap(); 0 when it is empty. */
static int map_file(const IncludeGraph *g, size_t node, void **ret, size_t *ret_size) {
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

static int scan_file(IncludeGraph *g, size_t user) {
        void *text;
        size_t size;
        int r;

        r = map_file(g, user, &text, &size);
        if (r <= 0)
                return r;
        r = scan_text(g, user, text, size);
        (void) munmap(text, size);
        return r;
}

/* A node that is not there is no source; one of an object stays it: arch/x86/entry/vdso/vma.c. */
static int add_outside(IncludeGraph *g, char *path) {
        size_t node;
        int r;

        if (!path)
                return -ENOMEM;
        r = node_of(g, path, &node);
        if (r == 0)
                g->nodes[node].outside = g->nodes[node].exists && !g->nodes[node].object;
        return r;
}

static int add_outside_folder(IncludeGraph *g, const char *folder) {
        _cleanup_closedir_ DIR *d = NULL;
        int r = directory_open_at(g->tree, folder, 0, &d);

        if (r < 0)
                return 0; /* a tree of another time */
        for (struct dirent *e; r >= 0 && (e = readdir(d));)
                if (endswith(e->d_name, ".c") || endswith(e->d_name, ".S"))
                        r = add_outside(g, path_join(folder, e->d_name));
        return r;
}

static int add_all_outside(IncludeGraph *g) {
        int r = 0;

        for (size_t i = 0; i < g->list->n_objects && r >= 0; i++) {
                char *path = strdup(g->list->objects[i].path);

                if (!path)
                        return -ENOMEM;
                path[strlen(path) - 1] = 'S';
                r = add_outside(g, path);
        }
        for (size_t i = 0; i < ELEMENTSOF(outside_folders) && r >= 0; i++)
                r = add_outside_folder(g, outside_folders[i]);
        return r;
}

static int add_sources(IncludeGraph *g) {
        size_t forced[ELEMENTSOF(forced_headers)], node;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(forced_headers); i++) {
                char *path = strdup(forced_headers[i]);

                r = path ? node_of(g, path, forced + i) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < g->list->n_objects; i++) {
                char *path = strdup(g->list->objects[i].path);

                if (!path)
                        return -ENOMEM;
                path[strlen(path) - 1] = 'c';
                r = node_of(g, path, &node);
                if (r < 0)
                        return r;
                g->nodes[node].object = g->nodes[node].exists; /* else assembly, or made by make */
                for (size_t k = 0; g->nodes[node].object && k < ELEMENTSOF(forced_headers); k++) {
                        r = add_user(g, forced[k], node);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/**
 * include_graph_new() - read the sources of a configuration
 * @tree: prepared source tree
 * @l: its objects; must stay as long as the graph
 * @ret: free with include_graph_free()
 *
 * Return: 0 or a negative errno.
 */
int include_graph_new(const char *tree, const ObjectList *l, IncludeGraph **ret) {
        _cleanup_include_graph_free_ IncludeGraph *g = calloc(1, sizeof(*g));
        int r;

        if (!g)
                return -ENOMEM;
        g->list = l;
        g->tree = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (g->tree < 0)
                return -errno;
        r = add_sources(g);
        if (r >= 0)
                r = add_all_outside(g);
        if (r < 0)
                return r;
        /* Nodes are added at the end while the files before are read. */
        for (size_t i = 0; i < g->n_nodes; i++) {
                r = g->nodes[i].exists ? scan_file(g, i) : 0;
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(g);
        return 0;
}

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

        r = map_file(g, node, &text, &size);
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
                const Node *node = g->nodes + queue[i];

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
                const Node *node = g->nodes + queue[i];
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
        size_t slot = *find_slot(g->table, g->table_size, g->nodes, path);

        *ret = NULL;
        return slot == 0 ? 0 : search(g, slot - 1, false, ret);
}

/**
 * include_graph_outside() - like include_graph_users(): assembly, boot code and vDSO that may include a file
 * @ret: their paths, sorted; free with strv_free(); may be NULL
 *
 * Return: 0 or a negative errno.
 */
int include_graph_outside(IncludeGraph *g, const char *path, char ***ret) {
        size_t slot = *find_slot(g->table, g->table_size, g->nodes, path);

        *ret = NULL;
        return slot == 0 ? 0 : search(g, slot - 1, true, ret);
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
