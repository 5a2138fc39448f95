/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every object that a fix touches, compiled twice.
 *
 * Both sides are compiled in shadow trees at the same relative paths and with the same options, so
 * that what differs between the two objects differs because of the fix. Both keep debug information,
 * which the rules about data layout read.
 */

#include "builder/source/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "builder/source/cache.h"
#include "builder/source/compile-make.h"
#include "builder/source/fix-apply.h"
#include "builder/source/objects.h"
#include "builder/source/shadow-lines.h"
#include "builder/source/shadow.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/** struct Step - one call of compile_fix() */
typedef struct Step {
        const Tree *tree;
        const Fix *fix;
        char *work;
        char *patched; /* the touched files after the fix */
        Shadow *before;
        Shadow *after;
        Compiled result;
} Step;

static void step_done(Step *s) {
        free(s->work);
        free(s->patched);
        shadow_free(s->before);
        shadow_free(s->after);
        compiled_done(&s->result);
}

static uint64_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

static int make_folder(const char *work, const char *name, char **ret) {
        char *path = path_join(work, name);

        if (!path)
                return -ENOMEM;
        if (mkdir(path, 0755) < 0) {
                free(path);
                return -errno;
        }
        *ret = path;
        return 0;
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

static int open_step(Step *s, const char *work_dir, sd_bus_error *error) {
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
        if (!before || !after)
                return -ENOMEM;
        r = shadow_new(s->tree->folder, before, &s->before);
        if (r < 0)
                return r;
        r = shadow_new(s->tree->folder, after, &s->after);
        if (r < 0)
                return r;
        return make_folder(s->work, "patched", &s->patched);
}

static bool has_suffix(const char *name, const char *suffix) {
        size_t l = strlen(name), s = strlen(suffix);

        return l > s && streq(name + l - s, suffix);
}

/* A touched file into the tree of the fix, with the line numbers of old. */
static int place_file(Step *s, const FixFile *file) {
        _cleanup_free_ char *original = NULL, *patched = NULL, *kept = NULL;
        _cleanup_free_ LineChange *changes = NULL;
        _cleanup_free_ void *text = NULL;
        size_t size, n, kept_size;
        int r;

        if (file->removed)
                return file->added ? 0 : shadow_remove(s->after, file->path);
        original = path_join(s->tree->folder, file->path);
        patched = path_join(s->patched, file->path);
        if (!original || !patched)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, patched, HOTPATCH_SOURCE_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        if (file->added || (!has_suffix(file->path, ".c") && !has_suffix(file->path, ".h")))
                return shadow_write(s->after, file->path, text, size);
        r = line_changes(original, patched, &changes, &n);
        if (r < 0)
                return r;
        r = lines_keep(text, size, changes, n, &kept, &kept_size);
        if (r < 0)
                return r;
        return shadow_write(s->after, file->path, kept, kept_size);
}

static int open_folders(Shadow *shadow, const char *path) {
        _cleanup_free_ char *folder = strdup(path);
        char *slash;

        if (!folder)
                return -ENOMEM;
        slash = strrchr(folder, '/');
        if (slash)
                *slash = '\0';
        return slash ? shadow_open(shadow, folder) : 0;
}

static int prepare(Step *s) {
        int r;

        for (size_t i = 0; i < s->fix->n_files; i++) {
                r = place_file(s, s->fix->files + i);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < s->result.n_units; i++) {
                r = open_folders(s->before, s->result.units[i].path);
                if (r < 0)
                        return r;
                r = open_folders(s->after, s->result.units[i].path);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compile(Step *s, bool verbose, sd_bus_error *error) {
        _cleanup_strv_free_ char **objects = NULL;
        uint64_t begin = now_usec();
        int r;

        for (size_t i = 0; i < s->result.n_units; i++) {
                r = strv_extend(&objects, s->result.units[i].path);
                if (r < 0)
                        return r;
        }
        r = make_objects(&(MakeRun) {
                .tree = s->tree,
                .work = s->work,
                .before = objects,
                .after = objects,
                .verbose = verbose,
        }, error);
        s->result.compiler_usec += now_usec() - begin;
        return r;
}

/* The .cmd file that Kbuild leaves beside an object, "DIR/.NAME.o.cmd". */
static char *command_path(const Step *s, const CompiledUnit *u) {
        const char *slash = strrchr(u->path, '/'), *name = slash ? slash + 1 : u->path;
        char *path;

        if (asprintf(&path, "%s/after/%.*s.%s.cmd", s->work, (int) (name - u->path), u->path, name) < 0)
                return NULL;
        return path;
}

/*
 * What the object is linked into, as Kbuild told the compiler: -DMODULE for modules, and
 * KBUILD_MODFILE, the module's path without suffix (scripts/Makefile.lib, modfile_flags).
 */
static int read_object(const Step *s, CompiledUnit *u, sd_bus_error *error) {
        static const char modfile[] = "-DKBUILD_MODFILE='\"";
        _cleanup_free_ char *path = command_path(s, u), *name = NULL;
        _cleanup_free_ void *text = NULL;
        char *begin, *end;
        int r;

        if (!path)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_COMMAND_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        ((char *) text)[strcspn(text, "\n")] = '\0';
        if (!strstr(text, " -DMODULE ")) {
                name = strdup("vmlinux");
        } else {
                begin = strstr(text, modfile);
                end = begin ? strchr(begin + strlen(modfile), '"') : NULL;
                if (!end)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "Kbuild does not say which module '%s' belongs to", u->path);
                *end = '\0';
                name = strdup(strrchr(begin, '/') ? strrchr(begin, '/') + 1 : begin + strlen(modfile));
        }
        if (!name)
                return -ENOMEM;
        for (char *c = name; *c; c++)
                if (*c == '-' || *c == ',')
                        *c = '_';
        free(u->object);
        u->object = TAKE_PTR(name);
        return 0;
}

static int name_files(Step *s, sd_bus_error *error) {
        int r;

        for (size_t i = 0; i < s->result.n_units; i++) {
                CompiledUnit *u = s->result.units + i;

                if (asprintf(&u->before, "%s/before/%s", s->work, u->path) < 0)
                        u->before = NULL;
                if (asprintf(&u->after, "%s/after/%s", s->work, u->path) < 0)
                        u->after = NULL;
                if (!u->before || !u->after)
                        return -ENOMEM;
                r = read_object(s, u, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run_step(Step *s, const char *work_dir, bool verbose, Findings *findings, sd_bus_error *error) {
        int r;

        r = open_step(s, work_dir, error);
        if (r < 0)
                return r;
        r = fix_apply(s->fix, s->tree->folder, s->patched, findings, error);
        if (r < 0)
                return r;
        r = objects_find(s->tree, s->fix, &s->result, findings, error);
        if (r < 0 || s->result.n_units == 0)
                return r;
        r = prepare(s);
        if (r < 0)
                return r;
        r = compile(s, verbose, error);
        if (r < 0)
                return r;
        return name_files(s, error);
}

/**
 * compile_fix() - compile what a fix touches, before and after it
 * @t: prepared tree; not written to, but for its folder of objects
 * @fix: the fix
 * @work_dir: folder for this call alone; what is compiled lies in it
 * @verbose: show make's commands
 * @ret: end it with compiled_done(); no units when there is nothing to compile, and then findings say
 *   why
 * @findings: files that cannot be hotpatched, hunks that were found elsewhere
 * @error: FixDoesNotApply, FixAlreadyApplied; ModuleBuildFailed, after the compiler's lines went to standard
 *   error
 *
 * Return: 0 or a negative errno.
 */
int compile_fix(const Tree *t, const Fix *fix, const char *work_dir, bool verbose, Compiled *ret,
                Findings *findings, sd_bus_error *error) {
        _cleanup_(step_done) Step s = { .tree = t, .fix = fix };
        int r;

        r = run_step(&s, work_dir, verbose, findings, error);
        if (r < 0)
                return r;
        *ret = s.result;
        s.result = (Compiled) {};
        return 0;
}

void compiled_done(Compiled *c) {
        for (size_t i = 0; i < c->n_units; i++) {
                free(c->units[i].path);
                free(c->units[i].source);
                free(c->units[i].object);
                free(c->units[i].before);
                free(c->units[i].after);
                free(c->units[i].header);
        }
        free(c->units);
        *c = (Compiled) {};
}
