/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every object that a fix touches, compiled twice.
 *
 * Both sides are compiled in shadow trees at the same relative paths and with the same options, so
 * that what differs between the two objects differs because of the fix. Both keep debug information,
 * which the rules about data layout read. Objects of the unchanged source are kept between runs.
 *
 * Which objects a header belongs to, the compiler says: candidates come from the text of the sources,
 * and what the compiler then did not read the header for is dropped.
 */

#include "builder/source/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "builder/source/compile-cache.h"
#include "builder/source/compile-deps.h"
#include "builder/source/compile-make.h"
#include "builder/source/compile-options.h"
#include "builder/source/compile-step.h"
#include "builder/source/fix-apply.h"
#include "builder/source/objects.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* So many candidates more than objects are taken are preprocessed to know how many there are. */
#define CANDIDATES_FACTOR 4U

/* A folder opened on one round may lead to another on the next. */
#define ROUNDS_MAX 8U

static uint64_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

static int run_make(Step *s, char *const *before, char *const *after, MakeResult *ret, sd_bus_error *error) {
        uint64_t begin = now_usec();
        int r;

        r = make_targets(&(MakeRun) { s->tree, s->work, before, after, s->verbose }, ret, error);
        s->result.compiler_usec += now_usec() - begin;
        return r;
}

static int show(const Step *s, const char *side) {
        return make_show(&(MakeRun) { .work = s->work, .verbose = s->verbose }, side);
}

static int compile_failed(const Step *s, const char *side, sd_bus_error *error) {
        int r;

        r = show(s, side);
        if (r < 0)
                return r;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                "The source of kernel '%s' does not compile %s the fix", s->tree->release,
                streq(side, "after") ? "with" : "without");
}

static void unit_done(CompiledUnit *u) {
        free(u->path);
        free(u->target);
        free(u->source);
        free(u->object);
        free(u->before);
        free(u->after);
        free(u->header);
}

static void drop_unit(Compiled *c, size_t i) {
        unit_done(c->units + i);
        c->n_units--;
        memmove(c->units + i, c->units + i + 1, (c->n_units - i) * sizeof(*c->units));
}

/* 1 when the compiler read a touched file. */
static int reads_fix(const Step *s, char *const *deps) {
        for (; *deps; deps++) {
                _cleanup_free_ char *normal = NULL;
                int r;

                r = path_normalize(*deps, &normal);
                if (r == -EINVAL)
                        continue;
                if (r < 0)
                        return r;
                if (fix_find(s->fix, normal))
                        return 1;
        }
        return 0;
}

/* "x.o" as "x.i", what the preprocessor makes of it. */
static int add_preprocessed(char ***targets, const CompiledUnit *u) {
        _cleanup_free_ char *target = strdup(u->target);

        if (!target)
                return -ENOMEM;
        target[strlen(target) - 1] = 'i';
        return strv_extend(targets, target);
}

/* 1 when the preprocessor did not read the fix for an object; 0 also when it could not run: some headers
 * are made only with the object. */
static int is_innocent(const Step *s, const char *target) {
        _cleanup_(object_command_done) ObjectCommand command = {};
        _cleanup_free_ char *before = path_join(s->work, "before");
        int r;

        if (!before)
                return -ENOMEM;
        r = object_command_read(before, target, &command);
        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = reads_fix(s, command.deps);
        return r < 0 ? r : r == 0;
}

/* Many candidates: ask the preprocessor before anything is compiled. */
static int drop_candidates(Step *s, sd_bus_error *error) {
        _cleanup_strv_free_ char **targets = NULL;
        Compiled *c = &s->result;
        MakeResult result;
        int r;

        for (size_t i = 0; i < c->n_units; i++)
                if (c->units[i].header) {
                        r = add_preprocessed(&targets, c->units + i);
                        if (r < 0)
                                return r;
                }
        r = run_make(s, targets, NULL, &result, error);
        if (r < 0)
                return r;
        for (size_t i = 0, k = 0; i < c->n_units; i++) {
                if (!c->units[i].header)
                        continue;
                r = is_innocent(s, targets[k++]);
                if (r < 0)
                        return r;
                if (r > 0)
                        drop_unit(c, i--);
        }
        return 0;
}

static int find_objects(Step *s, sd_bus_error *error) {
        _cleanup_object_list_free_ ObjectList *list = NULL;
        _cleanup_free_ char *shadow = path_join(s->work, "before");
        int r;

        if (!shadow)
                return -ENOMEM;
        r = object_list_open(s->tree, shadow, s->work, &list, error);
        if (r < 0)
                return r;
        r = objects_find(s->tree->folder, s->patched, list, s->fix, &s->result, s->findings);
        if (r < 0)
                return r;
        r = step_open_folders(s);
        if (r < 0)
                return r;
        if (s->result.n_units > HOTPATCH_UNITS_MAX && s->result.n_units <= HOTPATCH_UNITS_MAX * CANDIDATES_FACTOR) {
                r = drop_candidates(s, error);
                if (r < 0)
                        return r;
        }
        return objects_limit(&s->result, HOTPATCH_UNITS_MAX, s->findings);
}

/* Takes what is kept; the rest is to be compiled. Two modules that share an object share the target. */
static int plan(Step *s, char ***before, char ***after) {
        for (size_t i = 0; i < s->result.n_units; i++) {
                CompiledUnit *u = s->result.units + i;
                int r;

                r = object_cache_find(s->tree, MAKE_OPTIONS, u->target, &u->before);
                if (r == 0 && !strv_contains(*before, u->target))
                        r = strv_extend(before, u->target);
                if (r >= 0 && !strv_contains(*after, u->target))
                        r = strv_extend(after, u->target);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The directives that keep line numbers make the compiler point at other lines: once more without. */
static int explain_failure(Step *s, char *const *after, sd_bus_error *error) {
        MakeResult result;
        int r;

        r = step_place_files(s, false);
        if (r == 0)
                r = run_make(s, NULL, after, &result, error);
        if (r < 0)
                return r;
        if (!result.after)
                return compile_failed(s, "after", error);
        return findings_remark(s->findings, RULE_UNSUPPORTED, NULL,
                "The numbers of lines after a change could not be kept: functions may differ in nothing else");
}

/* Objects that got a touched file past the shadow; see shadow.c. */
static int find_strays(Step *s, char *const *after, char ***ret) {
        _cleanup_free_ char *folder = path_join(s->work, "after");
        int r;

        if (!folder)
                return -ENOMEM;
        for (; *after; after++) {
                _cleanup_(object_command_done) ObjectCommand command = {};

                r = object_command_read(folder, *after, &command);
                if (r == 0)
                        r = step_open_dependencies(s, *after, command.deps);
                if (r > 0)
                        r = strv_extend(ret, *after);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compile_strays(Step *s, char *const *after, sd_bus_error *error) {
        for (unsigned round = 0; round < ROUNDS_MAX; round++) {
                _cleanup_strv_free_ char **strays = NULL;
                MakeResult result;
                int r;

                r = find_strays(s, after, &strays);
                if (r < 0 || !strays)
                        return r;
                r = step_place_files(s, true); /* a folder that was opened has links in it again */
                if (r == 0)
                        r = run_make(s, NULL, strays, &result, error);
                if (r < 0)
                        return r;
                if (!result.after)
                        return explain_failure(s, strays, error);
        }
        return sd_bus_error_set(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                "A file of the fix is included in a way that the builder does not follow");
}

static int keep_before(Step *s, char *const *before) {
        _cleanup_free_ char *folder = path_join(s->work, "before");
        int r;

        if (!folder)
                return -ENOMEM;
        for (; before && *before; before++) {
                r = object_cache_keep(s->tree, MAKE_OPTIONS, folder, *before);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int name_files(const Step *s, CompiledUnit *u) {
        int r = u->before ? 0 : str_printf(&u->before, "%s/before/%s", s->work, u->path);

        return r < 0 ? r : str_printf(&u->after, "%s/after/%s", s->work, u->path);
}

/* Gives up what an object was compiled to, so that make compiles it again. */
static int forget_objects(const Step *s, CompiledUnit *u) {
        _cleanup_free_ char *before = NULL;

        if (str_printf(&before, "%s/before/%s", s->work, u->path) < 0)
                return -ENOMEM;
        if ((unlink(before) < 0 && errno != ENOENT) || (unlink(u->after) < 0 && errno != ENOENT))
                return -errno;
        free(u->before);
        u->before = TAKE_PTR(before);
        return 0;
}

/* All units that share such an object: one may have it from an earlier build, too. */
static int forget_different(Step *s, char *const *targets) {
        int r = 0;

        for (size_t i = 0; i < s->result.n_units && r >= 0; i++)
                if (strv_contains((char **) targets, s->result.units[i].target))
                        r = forget_objects(s, s->result.units + i);
        return r;
}

/* Targets of the objects that were not compiled with the same options before and after. */
static int find_different(const Step *s, char ***ret, sd_bus_error *error) {
        for (size_t i = 0; i < s->result.n_units; i++) {
                const CompiledUnit *u = s->result.units + i;
                int r;

                if (strv_contains(*ret, u->target)) /* shared by two modules */
                        continue;
                r = options_differ(u->before, u->after, error);
                if (r > 0)
                        r = strv_extend(ret, u->target);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns 1 when all objects can be relied on; what differs after a second time is refused by who compares. */
static int compile_different(Step *s, char ***before, sd_bus_error *error) {
        _cleanup_strv_free_ char **again = NULL, **still = NULL;
        MakeResult result;
        int r;

        r = find_different(s, &again, error);
        if (r < 0 || !again)
                return r < 0 ? r : 1;
        r = forget_different(s, again);
        if (r >= 0)
                r = run_make(s, again, again, &result, error);
        if (r < 0)
                return r;
        if (!result.before || !result.after)
                return compile_failed(s, result.before ? "after" : "before", error);
        for (char **target = again; *target && r >= 0; target++)
                r = strv_contains(*before, *target) ? 0 : strv_extend(before, *target);
        if (r >= 0)
                r = find_different(s, &still, error);
        return r < 0 ? r : !still;
}

static int compile(Step *s, sd_bus_error *error) {
        _cleanup_strv_free_ char **before = NULL, **after = NULL;
        MakeResult result;
        int r;

        r = plan(s, &before, &after);
        if (r == 0)
                r = run_make(s, before, after, &result, error);
        if (r < 0)
                return r;
        if (!result.before)
                return compile_failed(s, "before", error);
        if (!result.after)
                r = explain_failure(s, after, error);
        else {
                r = show(s, "after"); /* warnings */
                if (r == 0)
                        r = compile_strays(s, after, error);
        }
        for (size_t i = 0; i < s->result.n_units && r >= 0; i++)
                r = name_files(s, s->result.units + i);
        if (r >= 0)
                r = compile_different(s, &before, error);
        if (r <= 0)
                return r;
        r = keep_before(s, before);
        if (r == -ENOSPC || r == -EROFS || r == -EACCES)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot write in '%s': %s", s->tree->objects, strerror(-r));
        return r;
}

/* 1 when both objects have the same bytes. */
static int same_objects(const CompiledUnit *u) {
        _cleanup_free_ void *before = NULL, *after = NULL;
        size_t before_size, after_size;
        int r;

        r = file_read_at(AT_FDCWD, u->before, HOTPATCH_OBJECT_MAX, &before, &before_size);
        if (r == 0)
                r = file_read_at(AT_FDCWD, u->after, HOTPATCH_OBJECT_MAX, &after, &after_size);
        if (r < 0)
                return r;
        return before_size == after_size && memcmp(before, after, after_size) == 0;
}

/*
 * 1 when the unit is to be dropped: the compiler read none of the touched files, or made the same of
 * them. In passing, makefiles and compiler must agree whether it is part of a module.
 */
static int is_untouched(Step *s, const CompiledUnit *u, sd_bus_error *error) {
        _cleanup_(object_command_done) ObjectCommand command = {};
        _cleanup_free_ char *folder = path_join(s->work, "after");
        int r;

        if (!folder)
                return -ENOMEM;
        r = object_command_read(folder, u->target, &command);
        if (r < 0)
                return r;
        if (command.module == streq(u->object, "vmlinux"))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The makefiles link '%s' into '%s', and Kbuild compiles it for %s", u->path, u->object,
                        command.module ? "a module" : "the kernel");
        r = reads_fix(s, command.deps);
        if (r < 0)
                return r;
        if (r == 0 && u->header)
                return 1;
        r = same_objects(u);
        if (r > 0)
                r = strv_contains(s->result.unchanged, u->path) ? 1 :
                        strv_extend(&s->result.unchanged, u->path) < 0 ? -ENOMEM : 1;
        return r;
}

static int sort_out(Step *s, sd_bus_error *error) {
        Compiled *c = &s->result;
        int r;

        for (size_t i = 0; i < c->n_units;) {
                r = is_untouched(s, c->units + i, error);
                if (r < 0)
                        return r;
                if (r > 0)
                        drop_unit(c, i);
                else
                        i++;
        }
        if (c->n_units > 0)
                return 0;
        return findings_refuse(s->findings, RULE_NO_CHANGE, NULL,
                "The objects of this kernel that the fix touches are the same with it and without it");
}

static int run_step(Step *s, const char *work_dir, sd_bus_error *error) {
        int r;

        r = step_open(s, work_dir, error);
        if (r == 0)
                r = fix_apply(s->fix, s->tree->folder, s->patched, s->findings, error);
        if (r == 0)
                r = find_objects(s, error);
        if (r < 0)
                return r;
        if (s->result.n_units == 0 || findings_refusals(s->findings) > 0) {
                compiled_done(&s->result);
                return 0;
        }
        r = step_place_files(s, true);
        if (r == 0)
                r = compile(s, error);
        return r < 0 ? r : sort_out(s, error);
}

/**
 * compile_fix() - compile what a fix touches, before and after it
 * @t: prepared tree; not written to, but for its folder of objects
 * @fix: the fix
 * @work_dir: empty folder for this call alone; what is compiled lies in it
 * @verbose: show make's commands
 * @ret: end it with compiled_done(); no units when there is a refusal: nothing to compile, or something
 *   that cannot be hotpatched, and then nothing was compiled
 * @findings: files that cannot be hotpatched or have no influence, hunks that were found elsewhere
 * @error: FixDoesNotApply, FixAlreadyApplied; ModuleBuildFailed, after the compiler's lines went to standard
 *   error
 *
 * Return: 0 or a negative errno.
 */
int compile_fix(const Tree *t, const Fix *fix, const char *work_dir, bool verbose, Compiled *ret,
                Findings *findings, sd_bus_error *error) {
        _cleanup_(step_done) Step s = { .tree = t, .fix = fix, .findings = findings, .verbose = verbose };
        int r;

        r = run_step(&s, work_dir, error);
        if (r < 0)
                return r;
        *ret = s.result;
        s.result = (Compiled) {};
        return 0;
}

/** compiled_done() - free what it has; the compiled files stay */
void compiled_done(Compiled *c) {
        for (size_t i = 0; i < c->n_units; i++)
                unit_done(c->units + i);
        free(c->units);
        strv_free(c->unchanged);
        *c = (Compiled) {};
}
