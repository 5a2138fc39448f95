/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The line of production. Everything is examined before anything is built: a fix that cannot become a
 * live patch is refused with all its reasons, and the linker never sees it.
 */

#include "builder/build/build.h"

#include <sys/stat.h>
#include <time.h>

#include "builder/build/description.h"
#include "builder/module/finish.h"
#include "builder/module/sign.h"
#include "builder/module/kbuild.h"
#include "builder/workdir.h"
#include "bundle/signature-sign.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

uint64_t build_now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static int open_source(Build *b, sd_bus_error *error) {
        uint64_t begin = build_now_usec();
        int r;

        r = fix_read(b->options->patches, &b->fix, error);
        if (r >= 0)
                r = tree_open(&b->options->tree, &b->tree, error);
        b->times.source_usec = build_now_usec() - begin;
        return r;
}

/* The package says what it is by its name; the image says it itself. */
static int check_banner(const Build *b, sd_bus_error *error) {
        const char *rest = startswith(strempty(b->kernel->banner), "Linux version ");

        rest = rest ? startswith(rest, b->tree->release) : NULL;
        if (!rest || *rest != ' ')
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelImageInvalid"),
                        "'%s' is not the kernel '%s': it says '%.80s'", b->tree->kernel, b->tree->release,
                        strempty(b->kernel->banner));
        return 0;
}

static int open_kernel(Build *b, sd_bus_error *error) {
        int r = image_open_kernel(b->tree->kernel, &b->kernel, error);

        return r < 0 ? r : check_banner(b, error);
}

static int find_image(Build *b, const char *object, const Image **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;
        Image **grown;
        int r;

        if (streq(object, "vmlinux")) {
                *ret = b->kernel;
                return 0;
        }
        for (size_t i = 0; i < b->n_modules; i++)
                if (streq(b->modules[i]->object, object)) {
                        *ret = b->modules[i];
                        return 0;
                }
        r = tree_module_path(b->tree, object, &path);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                        "The package of kernel '%s' has no module '%s'", b->tree->release, object);
        grown = reallocarray(b->modules, b->n_modules + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        b->modules = grown;
        r = image_open_module(path, &grown[b->n_modules], error);
        if (r < 0)
                return r;
        *ret = grown[b->n_modules++];
        return 0;
}

static int load_symvers(const Build *b, Symvers **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;

        if (str_printf(&path, "%s/Module.symvers", b->tree->headers) < 0)
                return -ENOMEM;
        return symvers_load(path, ret, error);
}

static int examine_units(Build *b, const UnitContext *context, sd_bus_error *error) {
        b->units = calloc(b->compiled.n_units + 1, sizeof(*b->units));
        if (!b->units)
                return -ENOMEM;
        for (; b->n_units < b->compiled.n_units; b->n_units++) {
                BuildUnit *u = b->units + b->n_units;
                int r;

                u->compiled = b->compiled.units + b->n_units;
                r = find_image(b, u->compiled->object, &u->image, error);
                if (r >= 0)
                        r = unit_examine(u, context, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The two folders that Kbuild fills: one to look at the author's files, one for the module. */
static int prepare_kbuild(const Build *b, const char *folder, const KernelHeaders *headers, Kbuild *ret, char **ret_path) {
        if (str_printf(ret_path, "%s/%s", b->work_dir, folder) < 0)
                return -ENOMEM;
        if (mkdir(*ret_path, 0755) < 0)
                return -errno;
        *ret = (Kbuild) {
                .headers = headers,
                .patch = b->patch,
                .with = b->options->with,
                .runtime_dir = b->options->runtime_dir,
                .work_dir = *ret_path,
                .verbose = b->options->verbose,
        };
        return 0;
}

static KernelHeaders tree_headers(const Tree *t) {
        return (KernelHeaders) { .release = t->release, .folder = t->headers, .makefile = t->makefile };
}

static int examine_with(Build *b, sd_bus_error *error) {
        KernelHeaders headers = tree_headers(b->tree);
        _cleanup_free_ char *folder = NULL;
        uint64_t begin = build_now_usec();
        Kbuild kbuild;
        int r;

        if (!b->options->with)
                return 0;
        r = prepare_kbuild(b, "with", &headers, &kbuild, &folder);
        if (r >= 0)
                r = with_examine(&kbuild, &b->with, error);
        b->times.compiler_usec += build_now_usec() - begin;
        return r;
}

static int extract_units(Build *b, const UnitContext *context, sd_bus_error *error) {
        _cleanup_(provided_done) Provided provided = {};
        int r = 0;

        for (char **name = b->with.provided; name && *name && r >= 0; name++)
                r = provided_add(&provided, *name, "");
        for (size_t i = 0; i < b->n_units && r >= 0; i++)
                if (b->units[i].proved)
                        r = extract_provided(b->units[i].changes, b->units[i].compiled->object, &provided);
        for (size_t i = 0; i < b->n_units && r >= 0; i++)
                r = unit_extract(b->units + i, context, &provided, (unsigned) i, error);
        return r;
}

static int decide(Build *b, sd_bus_error *error) {
        _cleanup_symvers_free_ Symvers *symvers = NULL;
        UnitContext context = { .fix = b->fix, .work_dir = b->work_dir, .findings = &b->findings };
        int r;

        r = open_kernel(b, error);
        if (r >= 0)
                r = load_symvers(b, &symvers, error);
        if (r < 0)
                return r;
        context.kernel = b->kernel;
        context.symvers = symvers;
        r = examine_units(b, &context, error);
        if (r >= 0)
                r = extract_units(b, &context, error);
        b->findings.object = b->findings.file = NULL;
        return r;
}

/**
 * build_require_effect() - refuse a fix that would redirect nothing
 * @b: examined; the refusal goes to its findings
 *
 * New code alone has no effect: only replaced functions lead to it.
 *
 * Return: 0 or a negative errno.
 */
int build_require_effect(Build *b) {
        bool changed = false;

        if (findings_refusals(&b->findings) > 0)
                return 0;
        for (size_t i = 0; i < b->n_units; i++) {
                if (b->units[i].extracted.n_functions > 0)
                        return 0;
                changed |= unit_is_changed(b->units + i);
        }
        return findings_refuse(&b->findings, RULE_NO_CHANGE, NULL, changed
                ? "The fix only adds code to kernel '%s', and changes no function that would use it"
                : "The fix changes nothing in the machine code of kernel '%s'", b->tree->release);
}

/**
 * build_examine() - everything up to the decision
 * @b: with options; filled in
 * @error: what kept us from deciding; a refusal is in b->findings instead
 *
 * Return: 0 or a negative errno.
 */
int build_examine(Build *b, sd_bus_error *error) {
        uint64_t begin;
        int r;

        r = workdir_make("hotpatch-build", &b->work_dir);
        if (r >= 0)
                r = open_source(b, error);
        if (r >= 0)
                r = compile_fix(b->tree, b->fix, b->work_dir, b->options->verbose, &b->compiled, &b->findings, error);
        if (r < 0)
                return r;
        b->times.compiler_usec = b->compiled.compiler_usec;
        r = examine_with(b, error);
        if (r < 0)
                return r;
        begin = build_now_usec();
        r = decide(b, error);
        if (r >= 0)
                r = build_require_effect(b);
        b->times.analysis_usec = build_now_usec() - begin;
        return r;
}

/* The paths of the extracted objects, NULL-terminated; the strings are the units'. */
static int list_objects(const Build *b, const char ***ret) {
        const char **objects = calloc(b->n_units + 1, sizeof(*objects));
        size_t n = 0;

        if (!objects)
                return -ENOMEM;
        for (size_t i = 0; i < b->n_units; i++)
                if (b->units[i].extracted_path)
                        objects[n++] = b->units[i].extracted_path;
        *ret = objects;
        return 0;
}

static int link_module(Build *b, const KernelHeaders *headers, sd_bus_error *error) {
        _cleanup_free_ const char **objects = NULL;
        _cleanup_free_ char *folder = NULL;
        Kbuild kbuild;
        int r;

        r = list_objects(b, &objects);
        if (r >= 0)
                r = prepare_kbuild(b, "module", headers, &kbuild, &folder);
        if (r < 0)
                return r;
        kbuild.objects = objects;
        return kbuild_run(&kbuild, &b->module, error);
}

static int sign_module(const Build *b, const KernelHeaders *headers, sd_bus_error *error) {
        const char *key = b->options->module_key;
        _cleanup_free_ char *beside = b->options->module_certificate ? NULL : signing_certificate_beside(key);

        return module_sign(b->module, headers, key, b->options->module_certificate ?: strempty(beside), error);
}

/**
 * build_module() - link what was examined and found good
 * @b: after build_examine(), without refusals; b->module is set
 * @error: ModuleBuildFailed, ModuleInvalid …
 *
 * Return: 0 or a negative errno.
 */
int build_module(Build *b, sd_bus_error *error) {
        KernelHeaders headers = tree_headers(b->tree);
        uint64_t begin = build_now_usec();
        int r;

        r = describe_patch(b, &b->patch, error);
        if (r >= 0)
                r = with_callbacks(&b->with, b->patch);
        if (r >= 0)
                r = link_module(b, &headers, error);
        if (r >= 0)
                r = module_finish(b->module, b->patch, &headers, NULL, error);
        if (r >= 0 && b->options->module_key)
                r = sign_module(b, &headers, error);
        b->times.compiler_usec += build_now_usec() - begin;
        return r;
}

void build_done(Build *b) {
        for (size_t i = 0; i < b->n_units; i++)
                unit_done(b->units + i);
        free(b->units);
        for (size_t i = 0; i < b->n_modules; i++)
                image_free(b->modules[i]);
        free(b->modules);
        image_free(b->kernel);
        compiled_done(&b->compiled);
        findings_done(&b->findings);
        with_done(&b->with);
        patch_file_free(b->patch);
        tree_free(b->tree);
        fix_free(b->fix);
        free(b->module);
        workdir_remove(b->work_dir);
        *b = (Build) {};
}
