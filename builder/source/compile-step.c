/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The folder in which a fix is compiled:
 *
 *   patched/  the touched files after the fix
 *   before/   shadow of the prepared tree
 *   after/    the same with the touched files, which have line directives
 */

#include "builder/source/compile-step.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "builder/source/objects-list.h"
#include "builder/source/shadow-lines.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/** step_done() - free what it has; the folder stays */
void step_done(Step *s) {
        free(s->work);
        free(s->patched);
        shadow_free(s->before);
        shadow_free(s->after);
        compiled_done(&s->result);
}

/* make and the shell get this path as it is. */
static int check_work(const char *work, sd_bus_error *error) {
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+,@/";

        if (work[strspn(work, allowed)])
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "The work folder '%s' has characters in its name that make cannot take", work);
        return 0;
}

/**
 * step_open() - lay the folder out
 * @s: with tree and fix set
 * @work_dir: an empty folder
 * @error: InvalidArgs for a path that make cannot take
 *
 * Return: 0 or a negative errno.
 */
int step_open(Step *s, const char *work_dir, sd_bus_error *error) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        int r;

        s->work = realpath(work_dir, NULL);
        if (!s->work)
                return -errno;
        r = check_work(s->work, error);
        if (r < 0)
                return r;
        before = path_join(s->work, "before");
        after = path_join(s->work, "after");
        s->patched = path_join(s->work, "patched");
        if (!before || !after || !s->patched)
                return -ENOMEM;
        r = shadow_new(s->tree->folder, before, &s->before);
        if (r == 0)
                r = shadow_new(s->tree->folder, after, &s->after);
        if (r < 0)
                return r;
        return mkdir(s->patched, 0755) < 0 ? -errno : 0;
}

static int place_file(Step *s, const FixFile *file, bool keep_lines) {
        _cleanup_free_ char *original = path_join(s->tree->folder, file->path), *kept = NULL;
        _cleanup_free_ char *patched = path_join(s->patched, file->path);
        _cleanup_free_ LineChange *changes = NULL;
        _cleanup_free_ void *text = NULL;
        size_t size, n, kept_size;
        int r;

        if (file->removed)
                return file->added ? 0 : shadow_remove(s->after, file->path);
        if (!original || !patched)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, patched, HOTPATCH_SOURCE_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        if (!keep_lines || file->added || (!endswith(file->path, ".c") && !endswith(file->path, ".h")))
                return shadow_write(s->after, file->path, text, size);
        r = line_changes(original, patched, &changes, &n);
        if (r < 0)
                return r;
        r = lines_keep(text, size, changes, n, &kept, &kept_size);
        if (r < 0)
                return r;
        return shadow_write(s->after, file->path, kept, kept_size);
}

/**
 * step_place_files() - put the touched files into the tree of the fix
 * @keep_lines: with directives that keep the numbers of unchanged lines
 *
 * Return: 0 or a negative errno.
 */
int step_place_files(Step *s, bool keep_lines) {
        for (size_t i = 0; i < s->fix->n_files; i++) {
                int r = place_file(s, s->fix->files + i, keep_lines);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_both(Step *s, const char *folder) {
        int r;

        r = shadow_open(s->before, folder);
        return r < 0 ? r : shadow_open(s->after, folder);
}

static int open_parent(Step *s, const char *path, size_t length) {
        _cleanup_free_ char *folder = strndup(path, length);

        if (!folder)
                return -ENOMEM;
        return *folder ? open_both(s, folder) : 0;
}

/* Every folder of @path before a "/..": through a link it would lead out of the shadow. */
static int open_ups(Step *s, const char *path) {
        for (const char *up = path; (up = strstr(up, "/..")); up += 3) {
                _cleanup_free_ char *folder = strndup(path, (size_t) (up - path)), *normal = NULL;
                int r;

                if (!folder)
                        return -ENOMEM;
                r = path_normalize(folder, &normal);
                if (r == 0 && *normal)
                        r = open_both(s, normal);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * step_open_folders() - make the folders real in which objects are made
 *
 * Return: 0 or a negative errno.
 */
int step_open_folders(Step *s) {
        for (size_t i = 0; i < s->result.n_units; i++) {
                const CompiledUnit *u = s->result.units + i;
                const char *slash = strrchr(u->path, '/');
                int r;

                r = open_parent(s, u->path, slash ? (size_t) (slash - u->path) : 0);
                if (r == 0)
                        r = open_ups(s, u->target);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * step_open_dependencies() - was a touched file read past the shadow?
 * @deps: of @target, compiled in the tree of the fix
 *
 * Return: 1 when one was; then the folders that led past it are real now and the object must be compiled
 * again; 0 when not; or a negative errno.
 */
int step_open_dependencies(Step *s, const char *target, char *const *deps) {
        (void) target;
        for (; *deps; deps++) {
                _cleanup_free_ char *normal = NULL, *full = NULL, *real = NULL;
                const FixFile *file;
                int r;

                if (**deps == '/' || !strstr(*deps, ".."))
                        continue;
                r = path_normalize(*deps, &normal);
                if (r == -EINVAL)
                        continue;
                if (r < 0)
                        return r;
                file = fix_find(s->fix, normal);
                if (!file || file->removed)
                        continue;
                if (str_printf(&full, "%s/after/%s", s->work, *deps) < 0)
                        return -ENOMEM;
                real = realpath(full, NULL);
                if (real && startswith(real, s->work))
                        continue;
                r = open_ups(s, *deps);
                return r < 0 ? r : 1;
        }
        return 0;
}
