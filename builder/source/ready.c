/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was found out while a folder was filled, one KEY=VALUE a line, so that opening it again needs
 * neither apt nor network. Paths below the folder are relative to it. The file comes last, by rename and
 * after everything else is on the disk; without it the folder counts as half-made. What is not understood
 * makes the folder count as half-made too: making it again is always possible.
 */

#include "builder/source/ready.h"

#include <fcntl.h>

#include "dbus/errors.h"
#include "util/file.h"

/* A change of what is in the folder or in the file; other folders are made again. */
#define READY_VERSION "1"
#define READY_MAX ((size_t) 64 * 1024)

/** struct ReadyKey - one line of the file `ready` */
typedef struct ReadyKey {
        const char *name;
        size_t offset; /* in struct Tree */
        bool path;
        bool optional;
} ReadyKey;

static const ReadyKey ready_keys[] = {
        { "release", offsetof(Tree, release) },
        { "folder", offsetof(Tree, folder), .path = true },
        { "headers", offsetof(Tree, headers), .path = true },
        { "makefile", offsetof(Tree, makefile), .path = true, .optional = true },
        { "kernel", offsetof(Tree, kernel), .path = true },
        { "modules", offsetof(Tree, modules), .path = true },
        { "compiler", offsetof(Tree, compiler) },
        { "compiler_version", offsetof(Tree, compiler_version) },
        { "source_version", offsetof(Tree, source_version) },
        { "config_sha256", offsetof(Tree, config_sha256) },
        { "objects", offsetof(Tree, objects), .path = true },
};

static char **key_field(Tree *t, const ReadyKey *k) {
        return (char **) (void *) ((char *) t + k->offset);
}

static int read_key(Tree *t, const char *entry, const char *line) {
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const ReadyKey *k = &ready_keys[i];
                const char *value = startswith(line, k->name);
                char *copy;

                if (!value || *value++ != '=')
                        continue;
                copy = k->path && *value != '/' ? path_join(entry, value) : strdup(value);
                if (!copy)
                        return -ENOMEM;
                free(*key_field(t, k));
                *key_field(t, k) = copy;
        }
        return 0;
}

static bool is_whole(Tree *t, const char *release) {
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const char *value = *key_field(t, &ready_keys[i]);

                if (!value && !ready_keys[i].optional)
                        return false;
                if (value && ready_keys[i].path && access(value, F_OK) < 0)
                        return false;
        }
        return streq(t->release, release);
}

/**
 * ready_read() - what is in a folder of the cache
 * @entry: the folder
 * @release: of the kernel that it should be for
 * @stamp: of what the user gave; NULL: any
 * @ret: without lock; free with tree_free()
 *
 * Return: 1, 0 when the folder is not (not yet, no longer) whole or is another one, or a negative errno.
 */
int ready_read(const char *entry, const char *release, const char *stamp, Tree **ret) {
        _cleanup_free_ char *path = path_join(entry, "ready");
        _cleanup_tree_free_ Tree *t = calloc(1, sizeof(*t));
        _cleanup_free_ void *text = NULL;
        char *line, *rest;
        bool fits = !stamp;
        int r;

        if (!path || !t)
                return -ENOMEM;
        t->lock = -EBADF;
        r = file_read_at(AT_FDCWD, path, READY_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        rest = text;
        line = strsep(&rest, "\n");
        if (!streq(line, "version=" READY_VERSION))
                return 0;
        while ((line = strsep(&rest, "\n"))) {
                const char *value = startswith(line, "stamp=");

                if (value && stamp && streq(value, stamp))
                        fits = true;
                r = read_key(t, entry, line);
                if (r < 0)
                        return r;
        }
        if (!fits || !is_whole(t, release))
                return 0;
        *ret = TAKE_PTR(t);
        return 1;
}

static int ready_print(FILE *f, const char *entry, Tree *t, const char *stamp) {
        size_t length = strlen(entry);

        fprintf(f, "version=%s\n", READY_VERSION);
        if (stamp)
                fprintf(f, "stamp=%s\n", stamp);
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const char *value = *key_field(t, &ready_keys[i]);

                if (!value)
                        continue;
                if (strchr(value, '\n'))
                        return -EINVAL;
                if (ready_keys[i].path && strncmp(value, entry, length) == 0 && value[length] == '/')
                        value += length + 1;
                fprintf(f, "%s=%s\n", ready_keys[i].name, value);
        }
        return ferror(f) ? -ENOMEM : 0;
}

/**
 * ready_write() - say that a folder is whole
 * @entry: the folder
 * @t: what is in it
 * @stamp: of what the user gave; NULL: nothing
 * @error: BuildCacheUnusable
 *
 * Return: 0 or a negative errno.
 */
int ready_write(const char *entry, Tree *t, const char *stamp, sd_bus_error *error) {
        _cleanup_close_ int dir = open(entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f;
        int r;

        if (dir < 0)
                return -errno;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        r = ready_print(f, entry, t, stamp);
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        /* All of the tree is to be on the disk before the file says so. */
        if (syncfs(dir) < 0)
                r = -errno;
        if (r >= 0)
                r = file_replace_at(dir, "ready", text, size, 0644);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot write '%s/ready': %s", entry, strerror(-r));
        return 0;
}

/** tree_free() - free it and give its lock back; NULL is fine. Returns NULL. */
Tree *tree_free(Tree *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++)
                free(*key_field(t, &ready_keys[i]));
        safe_close(t->lock);
        free(t);
        return NULL;
}
