/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An object is the same if what it was made from is the same.
 *
 * Beside each kept object lies the list of the files that the compiler read for it, headed by a
 * digest over the configuration, the compiler, the options, the makefiles on the way and the content
 * of every one of those files, and over the object itself. All of it is computed anew before the
 * object is used: a thousand headers, 20 ms instead of 4 s. Whatever does not fit is compiled again, and
 * no reason is asked.
 */

#include "builder/source/compile-cache.h"

#include <fcntl.h>

#include "builder/source/compile-deps.h"
#include "builder/source/folder.h"
#include "bundle/digest.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define CACHE_VERSION "hotpatch object 1"

/* "fs/namespace.o" is kept as "fs%namespace.o". */
static int entry_path(const Tree *t, const char *target, const char *suffix, char **ret) {
        char *path, *name;

        if (str_printf(&path, "%s/%s%s", t->objects, target, suffix) < 0)
                return -ENOMEM;
        name = path + strlen(t->objects) + 1;
        for (char *c = name; *c; c++)
                if (*c == '/')
                        *c = '%';
        *ret = path;
        return 0;
}

static int add_string(Digest *d, const char *s) {
        return digest_update(d, s, strlen(s) + 1);
}

/* A file that is not there counts as such: a makefile may come into being. */
static int add_file(Digest *d, const char *folder, const char *name) {
        _cleanup_free_ char *path = *name == '/' ? strdup(name) : path_join(folder, name);
        _cleanup_free_ char *real = NULL;
        _cleanup_free_ void *text = NULL;
        uint8_t digest[DIGEST_SIZE] = {};
        size_t size;
        int r;

        if (!path)
                return -ENOMEM;
        r = add_string(d, name);
        if (r < 0)
                return r;
        real = realpath(path, NULL);
        if (real) {
                r = file_read_at(AT_FDCWD, real, HOTPATCH_OBJECT_MAX, &text, &size);
                if (r < 0)
                        return r;
                r = digest_bytes(text, size, digest);
                if (r < 0)
                        return r;
        }
        return digest_update(d, digest, sizeof(digest));
}

/* What decides about the command line: makefiles from the object's folder up, and the common ones. */
static int add_makefiles(Digest *d, const Tree *t, const char *target) {
        static const char *const names[] = { "Kbuild", "Makefile" };
        static const char *const common[] = {
                "arch/x86/Makefile", "include/config/auto.conf", "scripts/Kbuild.include",
                "scripts/Makefile.build", "scripts/Makefile.compiler", "scripts/Makefile.extrawarn",
                "scripts/Makefile.lib",
        };
        _cleanup_free_ char *folder = strdup(target);
        int r;

        if (!folder)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(common); i++) {
                r = add_file(d, t->folder, common[i]);
                if (r < 0)
                        return r;
        }
        for (char *slash = folder + strlen(folder); slash;) {
                slash = memrchr(folder, '/', (size_t) (slash - folder));
                folder[slash ? slash - folder : 0] = '\0';
                for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                        _cleanup_free_ char *path = NULL;

                        if (str_printf(&path, "%s%s%s", folder, *folder ? "/" : "", names[i]) < 0)
                                return -ENOMEM;
                        r = add_file(d, t->folder, path);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int compute_key(const Tree *t, const char *options, const char *target, const char *object,
                char *const *deps, char **ret) {
        const char *const strings[] = { CACHE_VERSION, t->config_sha256, t->compiler, t->compiler_version, options, target };
        _cleanup_digest_free_ Digest *d = NULL;
        uint8_t digest[DIGEST_SIZE];
        int r;

        r = digest_new(&d);
        for (size_t i = 0; i < ELEMENTSOF(strings) && r == 0; i++)
                r = add_string(d, strings[i]);
        if (r == 0)
                r = add_makefiles(d, t, target);
        for (; r == 0 && *deps; deps++)
                r = add_file(d, t->folder, *deps);
        if (r == 0)
                r = add_file(d, "/", object);
        if (r == 0)
                r = digest_finish(d, digest);
        if (r < 0)
                return r;
        *ret = hex_encode(digest, sizeof(digest));
        return *ret ? 0 : -ENOMEM;
}

/**
 * object_cache_find() - the object of the unchanged source, if it was compiled before
 * @t: prepared tree
 * @options: what make was told about the compiler's command line
 * @target: the object
 * @ret: its path in the cache; free with free()
 *
 * Return: 1, 0 when there is none that can be used, or a negative errno.
 */
int object_cache_find(const Tree *t, const char *options, const char *target, char **ret) {
        _cleanup_free_ char *object = NULL, *list = NULL, *key = NULL;
        _cleanup_strv_free_ char **deps = NULL;
        _cleanup_free_ void *text = NULL;
        char *rest, *expected;
        int r;

        r = entry_path(t, target, "", &object);
        if (r == 0)
                r = entry_path(t, target, ".deps", &list);
        if (r < 0)
                return r;
        r = file_read_at(AT_FDCWD, list, HOTPATCH_COMMAND_FILE_MAX, &text, NULL);
        if (r == -ENOENT || access(object, R_OK) < 0)
                return 0;
        if (r < 0)
                return r;
        rest = text;
        expected = strsep(&rest, "\n");
        for (char *line; (line = strsep(&rest, "\n"));)
                if (*line) {
                        r = strv_extend(&deps, line);
                        if (r < 0)
                                return r;
                }
        if (!deps)
                return 0;
        r = compute_key(t, options, target, object, deps, &key);
        if (r < 0 || !streq(key, expected))
                return r < 0 ? r : 0;
        *ret = TAKE_PTR(object);
        return 1;
}

static int copy_object(const char *from, const char *to) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -EBADF;
        _cleanup_free_ char *temporary = NULL;
        int r;

        if (in < 0)
                return -errno;
        if (str_printf(&temporary, "%s.XXXXXX", to) < 0)
                return -ENOMEM;
        out = mkostemp(temporary, O_CLOEXEC);
        if (out < 0)
                return -errno;
        r = file_copy(in, out, HOTPATCH_OBJECT_MAX, NULL);
        if (r == 0 && rename(temporary, to) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

static int write_list(const char *path, const char *key, char *const *deps) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fprintf(f, "%s\n", key);
        for (; *deps; deps++)
                fprintf(f, "%s\n", *deps);
        if (fclose(f) != 0)
                return -ENOMEM;
        return folder_write(path, text, size);
}

/**
 * object_cache_keep() - keep what was compiled
 * @shadow: tree in which it was compiled, with Kbuild's .cmd file
 *
 * Two builders at a time may keep the same object: it is the same, and a list that fits neither is
 * only a reason to compile once more.
 *
 * Return: 0 or a negative errno.
 */
int object_cache_keep(const Tree *t, const char *options, const char *shadow, const char *target) {
        _cleanup_free_ char *from = path_join(shadow, target), *object = NULL, *list = NULL, *key = NULL;
        _cleanup_(object_command_done) ObjectCommand command = {};
        int r;

        if (!from)
                return -ENOMEM;
        r = object_command_read(shadow, target, &command);
        if (r == 0)
                r = entry_path(t, target, "", &object);
        if (r == 0)
                r = entry_path(t, target, ".deps", &list);
        if (r == 0)
                r = copy_object(from, object);
        if (r == 0)
                r = compute_key(t, options, target, object, command.deps, &key);
        return r < 0 ? r : write_list(list, key, command.deps);
}
