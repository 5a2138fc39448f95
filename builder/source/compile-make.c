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
#include "builder/source/cache.h"
#include "builder/source/folder.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/strv.h"

#define LOG_MAX ((size_t) 16 * 1024 * 1024)

/*
 * OBJECT_FILES_NON_STANDARD keeps objtool away: its sections are made when the module is linked. The map
 * makes debug information say the same in both trees and in every run.
 */
static void print_side(FILE *f, const MakeRun *m, const char *side, char *const *objects) {
        fprintf(f,
                "all: %s\n"
                ".PHONY: all %s\n"
                "%s:\n"
                "\t+@$(MAKE) -C %s/%s --no-print-directory %s-o prepare CC=%s OBJECT_FILES_NON_STANDARD=y "
                "KCFLAGS='-ffunction-sections -fdata-sections -fdebug-prefix-map=%s/%s=/linux'",
                side, side, side, m->work, side, m->verbose ? "V=1 " : "-s ", m->tree->compiler, m->work, side);
        for (; *objects; objects++)
                fprintf(f, " %s", *objects);
        fprintf(f, " >%s/%s.log 2>&1\n", m->work, side);
}

static int write_makefile(const MakeRun *m, const char *path) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        if (m->before)
                print_side(f, m, "before", m->before);
        if (m->after)
                print_side(f, m, "after", m->after);
        if (fclose(f) != 0)
                return -ENOMEM;
        return folder_write(path, text, size);
}

static bool is_noise(const char *line) {
        return startswith(line, "make") && (strstr(line, "] Error ") || strstr(line, "*** Waiting for "));
}

/* What one side said; 1: it made all its objects. */
static int show_log(const MakeRun *m, const char *side, char *const *objects, bool quiet) {
        _cleanup_free_ char *name = NULL, *log = NULL;
        _cleanup_free_ void *text = NULL;
        bool good = true;
        int r;

        for (; *objects && good; objects++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s/%s", m->work, side, *objects) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                good = access(path, R_OK) == 0;
        }
        if (good && quiet)
                return 1;
        if (asprintf(&name, "%s.log", side) < 0)
                name = NULL;
        log = name ? path_join(m->work, name) : NULL;
        if (!log)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, log, LOG_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                if (*line && (m->verbose || !is_noise(line)))
                        fprintf(stderr, "%s\n", line);
        return good;
}

static int check_side(const MakeRun *m, const char *side, char *const *objects, sd_bus_error *error) {
        bool is_after = streq(side, "after");
        int r;

        if (!objects)
                return 0;
        /* Warnings of the unchanged source are not the author's. */
        r = show_log(m, side, objects, !is_after && !m->verbose);
        if (r < 0 || r == 1)
                return r;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                is_after ? "The source of kernel '%s' does not compile with the fix" :
                           "The source of kernel '%s' does not compile without the fix", m->tree->release);
}

/**
 * make_objects() - compile
 * @m: what
 * @error: ModuleBuildFailed; the compiler's lines went to standard error before, with the names that
 *   files have in the kernel's source
 *
 * Return: 0 or a negative errno.
 */
int make_objects(const MakeRun *m, sd_bus_error *error) {
        _cleanup_free_ char *makefile = path_join(m->work, "objects.mk"), *jobs = NULL;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        char *arguments[] = { (char *) "make", (char *) "-s", (char *) "-k", NULL, (char *) "-f", makefile,
                (char *) "all", NULL };
        int r;

        if (!makefile || asprintf(&jobs, "-j%ld", cpus > 0 ? cpus : 1) < 0)
                return -ENOMEM;
        arguments[3] = jobs;
        r = write_makefile(m, makefile);
        if (r < 0)
                return r;
        r = run_program(&(Run) { .arguments = arguments });
        if (r < 0)
                return r;
        if (r == 127)
                return sd_bus_error_set(error, SD_BUS_ERROR_FILE_NOT_FOUND, "GNU make cannot be run");
        r = check_side(m, "before", m->before, error);
        if (r < 0)
                return r;
        return check_side(m, "after", m->after, error);
}
