/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fix laid on copies of the files that it touches.
 *
 * GNU patch does it, for that is what people try their fixes with, but one file at a time and told
 * both names: it never chooses one. It runs without fuzz, because a hunk whose context is not there
 * was written for other code. Lines above may have moved: patch finds the place, and that is said,
 * since identical code can stand in two places.
 */

#include "builder/source/fix-apply.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "builder/run.h"
#include "builder/source/folder.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/** struct Application - one diff being applied */
typedef struct Application {
        const Fix *fix;
        const FixDiff *diff;
        const char *path; /* below the tree's root */
        const char *name; /* of the diff file */
        size_t failed;    /* number of the first hunk that failed; 0: none */
        Findings *findings;
        int r;
} Application;

/* "Hunk #2 FAILED at 100.", "Hunk #1 succeeded at 12 (offset 3 lines)." (GNU patch 2.7, patch.c) */
static void hear_line(const char *line, void *userdata) {
        Application *a = userdata;
        unsigned hunk, at;
        int offset;

        if (sscanf(line, "Hunk #%u FAILED", &hunk) == 1 && strstr(line, " FAILED ") && a->failed == 0)
                a->failed = hunk;
        else if (sscanf(line, "Hunk #%u succeeded at %u (offset %d line", &hunk, &at, &offset) == 3 && a->r == 0)
                a->r = findings_remark(a->findings, RULE_FIX_OFFSET, a->path,
                        "Hunk %u of '%s' was found %d lines %s, at line %u of '%s'", hunk, a->name,
                        abs(offset), offset > 0 ? "further down" : "further up", at, a->path);
}

static void hear_nothing(_unused_ const char *line, _unused_ void *userdata) {}

/* Runs patch on @before; its exit status, or a negative errno. */
static int run_patch(Application *a, const char *diff, const char *before, const char *after, bool reverse) {
        char *arguments[] = {
                (char *) "patch", (char *) "--force", (char *) "--fuzz=0", (char *) "--binary",
                (char *) "--no-backup-if-mismatch", (char *) "--reject-file=-",
                (char *) (reverse ? "--reverse" : "--forward"), (char *) "--output", (char *) after,
                (char *) before, (char *) diff, NULL,
        };

        return run_program(&(Run) {
                .arguments = arguments,
                .line = reverse ? hear_nothing : hear_line,
                .userdata = a,
        });
}

static int refuse(Application *a, const char *diff, const char *before, const char *after, sd_bus_error *error) {
        int r = 1;

        /* What only removes lines can always be laid on backwards, and proves nothing. */
        if (strstr(a->diff->hunks, "\n+"))
                r = run_patch(a, diff, before, after, true);
        if (r < 0)
                return r;
        if (r == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixAlreadyApplied"),
                        "The source has what '%s' changes in '%s' already", a->name, a->path);
        if (a->failed == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                        "'%s' does not apply to '%s'", a->name, a->path);
        return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                "Hunk %zu of '%s' for '%s' (diff at line %zu) does not apply", a->failed, a->name, a->path,
                a->diff->line);
}

/* patch takes no /dev/null. */
static int make_empty(const char *path, char **ret) {
        char *copy;
        int r;

        r = folder_write(path, "", 0);
        if (r < 0)
                return r;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* The file that a diff is laid on: what an earlier diff left, else the tree's. */
static int find_before(const Application *a, const char *tree, const char *current, char **ret,
                sd_bus_error *error) {
        _cleanup_free_ char *original = path_join(tree, a->path), *real = NULL;
        struct stat st;

        if (access(current, F_OK) == 0) {
                *ret = strdup(current);
                return *ret ? 0 : -ENOMEM;
        }
        if (!original)
                return -ENOMEM;
        real = realpath(original, NULL);
        if (!real && errno != ENOENT && errno != ENOTDIR)
                return -errno;
        if (a->diff->adds) {
                if (real)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                                "'%s' adds '%s', which the source has", a->name, a->path);
                return make_empty(current, ret);
        }
        if (!real)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                        "'%s' changes '%s', which the source does not have", a->name, a->path);
        /* A patched copy of a link, or below one, would stand where no compiler looks. */
        if (!streq(real, original) || lstat(real, &st) < 0 || !S_ISREG(st.st_mode))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                        "'%s' is a symbolic link or no regular file in the source; name the file itself",
                        a->path);
        *ret = TAKE_PTR(original);
        return 0;
}

static int write_diff(const Application *a, const char *path) {
        _cleanup_free_ char *text = NULL;

        if (str_printf(&text, "--- a/%s\n+++ b/%s\n%s", a->path, a->path, a->diff->hunks) < 0)
                return -ENOMEM;
        return folder_write(path, text, strlen(text));
}

/* patch takes no empty --output away, and a file that should be gone must be empty. */
static int finish(const Application *a, const char *after, const char *current, sd_bus_error *error) {
        struct stat st;

        if (stat(after, &st) < 0)
                return -errno;
        if (!a->diff->removes)
                return rename(after, current) < 0 ? -errno : 0;
        if (st.st_size > 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixDoesNotApply"),
                        "'%s' removes '%s', which has more lines in the source", a->name, a->path);
        (void) unlink(after);
        return unlink(current) < 0 && errno != ENOENT ? -errno : 0;
}

static int apply_one(Application *a, const char *tree, const char *folder, sd_bus_error *error) {
        _cleanup_free_ char *current = path_join(folder, a->path), *after = path_join(folder, ".after"),
                            *diff = path_join(folder, ".diff"), *before = NULL;
        int r;

        if (!current || !after || !diff)
                return -ENOMEM;
        r = folder_make_parents(current, strlen(folder));
        if (r < 0)
                return r;
        r = find_before(a, tree, current, &before, error);
        if (r < 0)
                return r;
        r = write_diff(a, diff);
        if (r < 0)
                return r;
        (void) unlink(after);
        r = run_patch(a, diff, before, after, false);
        if (r == 127)
                return sd_bus_error_set(error, SD_BUS_ERROR_FILE_NOT_FOUND, "GNU patch cannot be run");
        if (r > 0)
                r = refuse(a, diff, before, after, error);
        else if (r == 0)
                r = a->r;
        if (r < 0)
                return r;
        (void) unlink(diff);
        return finish(a, after, current, error);
}

/**
 * fix_apply() - make the touched files as they are after the fix
 * @fix: the diffs, applied in their order
 * @tree: source folder, absolute and without symbolic links; not written to
 * @folder: empty folder, where the files are made, at their paths; removed ones are not there
 * @findings: remarks about hunks that were found at another line
 * @error: FixDoesNotApply or FixAlreadyApplied, naming file and hunk
 *
 * Return: 0 or a negative errno.
 */
int fix_apply(const Fix *fix, const char *tree, const char *folder, Findings *findings, sd_bus_error *error) {
        for (size_t i = 0; i < fix->n_diffs; i++) {
                const FixDiff *d = fix->diffs + i;
                Application a = {
                        .fix = fix,
                        .diff = d,
                        .path = fix->files[d->file].path,
                        .name = fix->paths[d->source],
                        .findings = findings,
                };
                int r;

                r = apply_one(&a, tree, folder, error);
                if (r < 0)
                        return r;
        }
        return 0;
}
