/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Opening the tree of a kernel: from the cache, or fetched, prepared, checked and remembered there.
 *
 * Who uses a tree holds its lock shared and does not write into it, so builds run side by side; who makes
 * one holds it exclusively. Only the compiler is asked again each time: it is the one part that an
 * upgrade of the machine changes behind the cache's back.
 */

#include "builder/source/tree.h"

#include <ctype.h>

#include "builder/source/cache.h"
#include "builder/source/compiler.h"
#include "builder/source/fill.h"
#include "builder/source/origin.h"
#include "builder/source/ready.h"
#include "dbus/errors.h"
#include "util/file.h"

/* As uname -r; it becomes part of paths and of package names. */
static bool release_is_valid(const char *s) {
        if (!isalnum((unsigned char) *s) || strlen(s) > 64) /* __NEW_UTS_LEN */
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr("._+-~", *s))
                        return false;
        return true;
}

static int check_compiler(const Tree *t, sd_bus_error *error) {
        _cleanup_free_ char *config = path_join(t->folder, ".config"), *compiler = NULL, *version = NULL;

        if (!config)
                return -ENOMEM;
        return compiler_check(config, &compiler, &version, error);
}

/* One round: 1 when it is open, 0 when it was made just now, or a negative errno. */
static int open_or_make(const TreeOptions *o, const Origin *origin, const char *cache, const char *entry,
                Tree **ret, sd_bus_error *error) {
        _cleanup_tree_free_ Tree *t = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = cache_lock(cache, origin->key, /* exclusive= */ false, o->quiet, &lock, error);
        if (r >= 0)
                r = ready_read(entry, o->release, origin->stamp, &t);
        if (r < 0)
                return r;
        if (r > 0) {
                t->lock = TAKE_FD(lock);
                *ret = TAKE_PTR(t);
                return 1;
        }
        lock = safe_close(lock);
        r = cache_lock(cache, origin->key, /* exclusive= */ true, o->quiet, &lock, error);
        if (r >= 0)
                r = ready_read(entry, o->release, origin->stamp, &t); /* made while we waited? */
        if (r != 0)
                return r < 0 ? r : 0;
        return entry_fill(o, origin, entry, error);
}

/* Somebody else may make or remove it between two locks. A folder that the user edits all the time is
 * never the same twice; that must end too. */
static int open_entry(const TreeOptions *o, const Origin *origin, const char *cache, Tree **ret,
                sd_bus_error *error) {
        _cleanup_free_ char *entry = path_join(cache, origin->key);

        if (!entry)
                return -ENOMEM;
        for (unsigned i = 0; i < 3; i++) {
                int r = open_or_make(o, origin, cache, entry, ret, error);

                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                "'%s' is removed by somebody each time that it is made", entry);
}

/**
 * tree_open() - the prepared source tree of a kernel
 * @o: which
 * @ret: held by a shared lock until tree_free()
 * @error: KernelPackageMissing, KernelDownloadFailed, KernelHeadersMissing, KernelSourceMismatch,
 *   KernelPrepareFailed, CompilerMismatch, BuildCacheUnusable
 *
 * Says on standard error what takes its time, unless @o->quiet.
 *
 * Return: 0 or a negative errno.
 */
int tree_open(const TreeOptions *o, Tree **ret, sd_bus_error *error) {
        _cleanup_(origin_done) Origin origin = {};
        _cleanup_free_ char *cache = NULL;
        _cleanup_tree_free_ Tree *t = NULL;
        int r;

        if (!release_is_valid(o->release))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "'%s' is not the release of a kernel", o->release);
        r = cache_open(o->cache, &cache, error);
        if (r >= 0)
                r = origin_find(o, cache, &origin, error);
        if (r >= 0)
                r = open_entry(o, &origin, cache, &t, error);
        if (r >= 0)
                r = check_compiler(t, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
