/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * make, and what it says.
 *
 * The same input gives the same bytes: paths are mapped away, and what depends on tools that may or may
 * not be installed (BTF wants pahole) is off. Debug information is off unless asked for.
 *
 * modpost may not refuse undefined symbols, for the post-link step comes after it; its lines about them
 * are dropped, everything else make and the compiler say is shown, with the author's file names in place
 * of the copies'. What objtool warns of in ready objects, whose code the kernel's build was silent
 * about, was broken by taking it out; then the module is not made.
 */

#include "builder/module/kbuild-internal.h"
#include "builder/run.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

static int format_argument(char ***v, const char *name, const char *value) {
        _cleanup_free_ char *s = NULL;

        if (str_printf(&s, "%s%s", name, value) < 0)
                return -ENOMEM;
        return strv_extend(v, s);
}

/*
 * __FILE__ and DWARF name the author's files as patch/NAME, wherever the copy lies, and the headers
 * as if they were installed.
 */
static int map_paths(const Kbuild *b, char ***v) {
        _cleanup_free_ char *map = NULL;
        const char *folder = b->headers->folder;

        if (str_printf(&map, "KCFLAGS=-ffile-prefix-map=%s/= -ffile-prefix-map=%.*s/=/usr/src/", b->work_dir,
                            (int) (strrchr(folder, '/') - folder), folder) < 0)
                return -ENOMEM;
        return strv_extend(v, map);
}

static int make_arguments(const Kbuild *b, char *const *goals, char ***ret) {
        static const char *const no_debug_info[] = { "CONFIG_DEBUG_INFO=", "CONFIG_DEBUG_INFO_BTF=" };
        char cpus[24];
        _cleanup_strv_free_ char **v = NULL;
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        int r;

        snprintf(cpus, sizeof(cpus), "%ld", n > 0 ? n : 1);
        const struct {
                const char *name;
                const char *value;
        } arguments[] = {
                { "make", "" },
                { "-C", b->headers->folder },
                { b->headers->makefile ? "-f" : "", strempty(b->headers->makefile) },
                { "-j", cpus },
                { "-Otarget", "" },
                { "--no-print-directory", "" },
                { b->verbose ? "" : "-s", "" },
                { "M=", b->work_dir },
                { "KBUILD_MODPOST_WARN=1", "" },
                { "CONFIG_DEBUG_INFO_BTF_MODULES=", "" },
        };
        for (size_t i = 0; i < ELEMENTSOF(arguments); i++)
                if (*arguments[i].name) {
                        r = format_argument(&v, arguments[i].name, arguments[i].value);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; !b->debug_info && i < ELEMENTSOF(no_debug_info); i++) {
                r = strv_extend(&v, no_debug_info[i]);
                if (r < 0)
                        return r;
        }
        r = map_paths(b, &v);
        for (; r >= 0 && *goals; goals++)
                r = strv_extend(&v, *goals);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

/** struct Make - what make says, while it runs */
typedef struct Make {
        const Kbuild *build;
        size_t n_warnings; /* of objtool */
} Make;

/* The post-link step answers for undefined symbols, and the compiler's lines say why make ends. */
static bool is_noise(const char *line) {
        if (startswith(line, "WARNING: modpost: ") &&
                        (strstr(line, "] undefined!") || strstr(line, " unresolved symbol warnings ")))
                return true;
        return startswith(line, "make") && (strstr(line, "] Error ") || strstr(line, "*** Waiting for "));
}

/* Paths of the private folder are shown as the author's own. */
static void show_line(const char *line, void *userdata) {
        Make *m = userdata;
        const Kbuild *b = m->build;
        size_t l = strlen(b->work_dir);

        if (strstr(line, "warning: objtool: "))
                m->n_warnings++;
        if (!b->verbose && is_noise(line))
                return;
        for (const char *hit; (hit = strstr(line, b->work_dir)); line = hit) {
                const char *rest;

                fwrite(line, 1, (size_t) (hit - line), stderr);
                hit += l;
                rest = startswith(hit, "/patch/");
                if (rest) {
                        if (b->patch_dir)
                                fprintf(stderr, "%s/", b->patch_dir);
                        hit = rest;
                } else if ((rest = startswith(hit, "/hotpatch/"))) {
                        fputs("<hotpatch>/", stderr);
                        hit = rest;
                }
        }
        fprintf(stderr, "%s\n", line);
}

/**
 * kbuild_make() - run make in the private folder
 * @goals: what to make, NULL-terminated
 * @error: ModuleBuildFailed; what the compiler said went to standard error before
 */
int kbuild_make(const Kbuild *b, char *const *goals, sd_bus_error *error) {
        _cleanup_strv_free_ char **arguments = NULL;
        Make make = { .build = b };
        int r;

        r = make_arguments(b, goals, &arguments);
        if (r < 0)
                return r;
        r = run_program(&(Run) { .arguments = arguments, .line = show_line, .userdata = &make });
        if (r < 0 && r != -EINTR)
                return r;
        if (r != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "%s%s%s could not be built for kernel '%s'", b->patch ? "The module '" : "The code",
                        b->patch ? b->patch->module : "", b->patch ? "'" : "", b->headers->release);
        if (make.n_warnings > 0 && b->objects && b->objects[0])
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "objtool does not understand the module '%s' for kernel '%s'", b->patch->module,
                        b->headers->release);
        return 0;
}
