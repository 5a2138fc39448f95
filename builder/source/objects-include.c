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

#include <fcntl.h>
#include <sys/mman.h>

#include "builder/source/objects-include-internal.h"
#include "util/file.h"
#include "util/str.h"

#define NOWHERE SIZE_MAX

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

/* FOLDER/NAME as a node if there is such a file, else NOWHERE. Were there one, @user would include it. */
static int look_in(IncludeGraph *g, size_t user, const char *folder, size_t folder_length, const char *name, size_t *ret) {
        _cleanup_free_ char *joined = NULL;
        char *path;
        size_t node;
        int r;

        *ret = NOWHERE;
        r = str_printf(&joined, "%.*s/%s", (int) folder_length, folder, name);
        if (r < 0)
                return r;
        r = path_normalize(*joined == '/' ? joined + 1 : joined, &path);
        if (r == -EINVAL)
                return 0;
        if (r < 0)
                return r;
        r = include_node(g, path, &node);
        if (r < 0)
                return r;
        if (g->nodes[node].exists)
                *ret = node;
        return g->nodes[node].exists ? 0 : include_node_add_user(g, node, user);
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

static int scan_text(IncludeGraph *g, size_t user, const char *text, size_t size) {
        char name[INCLUDE_NAME_MAX + 1];
        bool quoted;
        int r;

        for (const char *line = text, *end = text + size, *newline; line < end; line = newline + 1) {
                size_t used;

                newline = memchr(line, '\n', (size_t) (end - line)) ?: end;
                if (!include_line(line, newline, name, &quoted))
                        continue;
                r = resolve(g, user, name, quoted, &used);
                if (r == 0 && used != NOWHERE)
                        r = include_node_add_user(g, used, user);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_file(IncludeGraph *g, size_t user) {
        void *text;
        size_t size;
        int r;

        r = include_node_map(g, user, &text, &size);
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
        r = include_node(g, path, &node);
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

                r = path ? include_node(g, path, forced + i) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < g->list->n_objects; i++) {
                char *path = strdup(g->list->objects[i].path);

                if (!path)
                        return -ENOMEM;
                path[strlen(path) - 1] = 'c';
                r = include_node(g, path, &node);
                if (r < 0)
                        return r;
                g->nodes[node].object = g->nodes[node].exists; /* else assembly, or made by make */
                for (size_t k = 0; g->nodes[node].object && k < ELEMENTSOF(forced_headers); k++) {
                        r = include_node_add_user(g, forced[k], node);
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

