/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel's own make compiles our objects, before and after the fix, in one run: a makefile of two
 * lines calls it in both shadow trees, so that the two share the processors, and what it costs to
 * start is paid side by side.
 *
 * `-o prepare` tells make that the tree is prepared (which tree_open() answers for). Without it each
 * run would look into objtool, the atomic headers and so on, a second of nothing; worse, our compiler
 * options would make it compile asm-offsets anew and write into the prepared tree.
 *
 * Nothing is taken out of the .cmd files that make leaves: a command line read back from a file and
 * given to a shell would save 0.2 s and be a second way to do the same thing.
 */

#include "builder/source/compile-make.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "builder/run.h"
#include "builder/source/folder.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

#define LOG_MAX ((size_t) 16 * 1024 * 1024)

/*
 * OBJECT_FILES_NON_STANDARD keeps objtool away: its sections are made when the module is linked. The map
 * makes debug information say the same in both trees and in every run.
 */
static void print_side(FILE *f, const MakeRun *m, const char *side, char *const *targets) {
        fprintf(f,
                "all: %s\n"
                ".PHONY: all %s\n"
                "%s:\n"
                "\t+@$(MAKE) -C %s/%s --no-print-directory %s-o prepare CC=%s "
                MAKE_OPTIONS " -fdebug-prefix-map=%s/%s=/linux'",
                side, side, side, m->work, side, m->verbose ? "V=1 " : "-s ", m->tree->compiler, m->work, side);
        for (; *targets; targets++)
                fprintf(f, " %s", *targets);
        fprintf(f, " >%s/%s.log 2>&1\n", m->work, side);
}

static bool wanted(char *const *targets) {
        return targets && *targets;
}

static int write_makefile(const MakeRun *m, const char *path) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        if (wanted(m->before))
                print_side(f, m, "before", m->before);
        if (wanted(m->after))
                print_side(f, m, "after", m->after);
        if (fclose(f) != 0)
                return -ENOMEM;
        return folder_write(path, text, size);
}

/* What an earlier run left must not pass for this one's. */
static int remove_targets(const MakeRun *m, const char *side, char *const *targets) {
        for (; targets && *targets; targets++) {
                _cleanup_free_ char *path = NULL;

                if (str_printf(&path, "%s/%s/%s", m->work, side, *targets) < 0)
                        return -ENOMEM;
                if (unlink(path) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

static int check_targets(const MakeRun *m, const char *side, char *const *targets, bool *ret) {
        *ret = true;
        for (; targets && *targets && *ret; targets++) {
                _cleanup_free_ char *path = NULL;

                if (str_printf(&path, "%s/%s/%s", m->work, side, *targets) < 0)
                        return -ENOMEM;
                *ret = access(path, R_OK) == 0;
        }
        return 0;
}

/* make's own lines: the compiler's say why it ends. */
static bool is_noise(const char *line) {
        return startswith(line, "make") && (strstr(line, "] Error ") || strstr(line, "*** Waiting for ") ||
                        strstr(line, " not remade because of errors"));
}

/**
 * make_show() - what was said while one side was made, to standard error
 * @side: `before` or `after`
 *
 * Files are named as in the kernel's source.
 *
 * Return: 0 or a negative errno.
 */
int make_show(const MakeRun *m, const char *side) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *text = NULL;
        int r;

        if (str_printf(&path, "%s/%s.log", m->work, side) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, LOG_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                if (*line && (m->verbose || !is_noise(line)))
                        fprintf(stderr, "%s\n", line);
        return 0;
}

static void hear_nothing(_unused_ const char *line, _unused_ void *userdata) {}

/**
 * make_targets() - compile
 * @m: what; what is there of it is made anew
 * @error: FileNotFound when there is no make
 *
 * Return: 0, whatever came of it, or a negative errno.
 */
int make_targets(const MakeRun *m, MakeResult *ret, sd_bus_error *error) {
        _cleanup_free_ char *makefile = path_join(m->work, "objects.mk"), *jobs = NULL;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        int r;

        *ret = (MakeResult) { true, true };
        if (!wanted(m->before) && !wanted(m->after))
                return 0;
        if (!makefile || str_printf(&jobs, "-j%ld", cpus > 0 ? cpus : 1) < 0)
                return -ENOMEM;
        r = remove_targets(m, "before", m->before);
        if (r == 0)
                r = remove_targets(m, "after", m->after);
        if (r == 0)
                r = write_makefile(m, makefile);
        if (r < 0)
                return r;
        /* -k: all errors of both sides in one run. What make says itself is in the logs, but for its last line. */
        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "make", (char *) "-s", (char *) "-k", jobs, (char *) "-f",
                        makefile, (char *) "all", NULL },
                .line = hear_nothing,
        });
        if (r < 0)
                return r;
        if (r == 127)
                return sd_bus_error_set(error, SD_BUS_ERROR_FILE_NOT_FOUND, "GNU make cannot be run");
        r = check_targets(m, "before", m->before, &ret->before);
        if (r < 0)
                return r;
        return check_targets(m, "after", m->after, &ret->after);
}
