/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The shadow tree.
 *
 * A kernel's source is 80 000 files; a fix changes one or two. The shadow is a folder of symbolic links
 * into the prepared tree, with real folders only where something is written: on the way to each
 * touched file and each object. It is made in a few milliseconds, needs no privileges (an overlay
 * mount would), and make runs in it as in the tree itself: all paths in the kernel's own build are
 * relative.
 *
 * What a build leaves behind (objects, Kbuild's .cmd files) is not linked, so that make finds nothing
 * to be up to date and writes no file through a link.
 *
 * The kernel resolves "LINK/.." physically: from a linked folder it leads into the prepared tree, not
 * into the shadow. Where a file is included that way can be seen in the dependencies that the
 * compiler writes; who compiles looks there (compile.c) and opens that folder.
 */

#include "builder/source/shadow.h"

#include <dirent.h>
#include <sys/stat.h>

#include "builder/source/folder.h"
#include "util/file.h"
#include "util/strv.h"

struct Shadow {
        char *tree;
        char *folder;
        char **real; /* folders that are not links, but the root */
};

static bool is_built(const char *name) {
        static const char *const suffixes[] = { ".o", ".a", ".ko", ".mod", ".mod.c", ".order" };

        if (*name == '.')
                return endswith(name, ".cmd") || endswith(name, ".d");
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (endswith(name, suffixes[i]))
                        return true;
        return false;
}

/* Makes @to a folder of links to what is in @from. */
static int link_entries(const char *from, const char *to) {
        _cleanup_closedir_ DIR *d = opendir(from);

        if (!d && errno != ENOENT)
                return -errno;
        if (mkdir(to, 0755) < 0)
                return -errno;
        for (struct dirent *e; d && (e = readdir(d));) {
                _cleanup_free_ char *target = NULL, *path = NULL;

                if (streq(e->d_name, ".") || streq(e->d_name, "..") || is_built(e->d_name))
                        continue;
                target = path_join(from, e->d_name);
                path = path_join(to, e->d_name);
                if (!target || !path)
                        return -ENOMEM;
                if (symlink(target, path) < 0)
                        return -errno;
        }
        return 0;
}

/**
 * shadow_new() - make a shadow of a tree
 * @tree: absolute path of the prepared tree; must stay as long as the shadow is used
 * @folder: is made
 * @ret: free with shadow_free(); the folder stays
 *
 * Return: 0 or a negative errno.
 */
int shadow_new(const char *tree, const char *folder, Shadow **ret) {
        _cleanup_shadow_free_ Shadow *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->tree = strdup(tree);
        s->folder = strdup(folder);
        if (!s->tree || !s->folder)
                return -ENOMEM;
        r = link_entries(tree, folder);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/** shadow_free() - free it; NULL is fine. The folder stays. Returns NULL. */
Shadow *shadow_free(Shadow *s) {
        if (!s)
                return NULL;
        free(s->tree);
        free(s->folder);
        strv_free(s->real);
        free(s);
        return NULL;
}

static int open_one(Shadow *s, const char *folder) {
        _cleanup_free_ char *from = NULL, *to = NULL;
        int r;

        if (strv_contains(s->real, folder))
                return 0;
        from = path_join(s->tree, folder);
        to = path_join(s->folder, folder);
        if (!from || !to)
                return -ENOMEM;
        if (unlink(to) < 0 && errno != ENOENT)
                return -errno;
        r = link_entries(from, to);
        if (r < 0)
                return r;
        return strv_extend(&s->real, folder);
}

/**
 * shadow_open() - make a folder real, and those that lead to it
 * @folder: below the root, "" for the root; one that the tree does not have is made empty
 *
 * Return: 0 or a negative errno.
 */
int shadow_open(Shadow *s, const char *folder) {
        _cleanup_free_ char *path = strdup(folder);
        int r;

        if (!path)
                return -ENOMEM;
        for (char *end = path; *end;) {
                char saved;

                end += strcspn(end, "/");
                saved = *end;
                *end = '\0';
                r = open_one(s, path);
                if (r < 0)
                        return r;
                *end = saved;
                end += saved == '/';
        }
        return 0;
}

static int open_parent(Shadow *s, const char *path) {
        _cleanup_free_ char *parent = strdup(path);
        char *slash;

        if (!parent)
                return -ENOMEM;
        slash = strrchr(parent, '/');
        if (!slash)
                return 0;
        *slash = '\0';
        return shadow_open(s, parent);
}

/* Where a file is in the shadow; the folders above it are its own from now on. */
static int open_place(Shadow *s, const char *path, char **ret) {
        int r = open_parent(s, path);

        if (r < 0)
                return r;
        *ret = path_join(s->folder, path);
        return *ret ? 0 : -ENOMEM;
}

/**
 * shadow_write() - put a file into the shadow, new or in a link's place
 * @path: below the root
 *
 * Return: 0 or a negative errno.
 */
int shadow_write(Shadow *s, const char *path, const void *data, size_t size) {
        _cleanup_free_ char *full = NULL;
        int r = open_place(s, path, &full);

        return r < 0 ? r : folder_write(full, data, size);
}

/** shadow_remove() - take a file out of the shadow; 0 or a negative errno */
int shadow_remove(Shadow *s, const char *path) {
        _cleanup_free_ char *full = NULL;
        int r = open_place(s, path, &full);

        if (r < 0)
                return r;
        return unlink(full) < 0 ? -errno : 0;
}
