/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Kbuild in a private copy of the patch.
 *
 * The folder given to make has four parts: the generated Kbuild file, `hotpatch/` with the runtime
 * and the generated table, `patch/` with the author's files, `units/` with objects that are ready
 * but for objtool. So no name of theirs meets one of ours, the author's folder stays clean, and two
 * builds at once do not disturb each other.
 *
 * objtool's work on ready objects is the kernel's own: a rule of ours copies the object and then says
 * $(cmd_objtool), which is empty on kernels that run objtool on the linked module. What it warns of
 * in code that the kernel's build was silent about was broken by taking it out; then the module is
 * not made.
 *
 * The same input gives the same bytes: the environment is ours, paths are mapped away, and what
 * depends on tools that may or may not be installed (BTF wants pahole) is off. Debug information is
 * off unless asked for.
 *
 * modpost may not refuse undefined symbols, for the post-link step comes after it; its lines about
 * them are dropped, everything else make and the compiler say is shown, with the author's file
 * names in place of the copies'.
 */

#include "builder/module/kbuild.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "builder/module/table.h"
#include "builder/run.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/strv.h"

#define SOURCE_MAX (4U * 1024 * 1024)
#define OBJECT_MAX (64U * 1024 * 1024)

static const char *const runtime_files[] = {
        "hotpatch.h", "reload.c", "runtime.c", "runtime.h", "shadow.h", "tripwire-begin.c", "tripwire-end.c", "tripwire.c",
};

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

static int write_file(const char *folder, const char *name, const char *text) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/%s", folder, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        return file_write_all(fd, text, strlen(text));
}

static int copy_file(const char *source, const char *to, const char *name, size_t max, sd_bus_error *error) {
        _cleanup_free_ char *target = NULL;
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        int r;

        if (asprintf(&target, "%s/%s", to, name) < 0) {
                target = NULL;
                return -ENOMEM;
        }
        in = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (in < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "Cannot read '%s': %s", source, strerror(errno));
        out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (out < 0)
                return errno == EEXIST ? sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "There are two files '%s'", name) : -errno;
        r = file_copy(in, out, max, NULL);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "Cannot copy '%s': %s", source, strerror(-r));
        return 0;
}

static int copy_file_of(const char *from, const char *name, const char *to, sd_bus_error *error) {
        _cleanup_free_ char *source = NULL;

        if (asprintf(&source, "%s/%s", from, name) < 0) {
                source = NULL;
                return -ENOMEM;
        }
        return copy_file(source, to, name, SOURCE_MAX, error);
}

static int copy_files(const char *from, char *const *names, const char *to, sd_bus_error *error) {
        int r;

        for (; names && *names; names++) {
                r = copy_file_of(from, *names, to, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_suffix(const char *name, const char *suffix) {
        size_t l = strlen(name), s = strlen(suffix);

        return l > s && streq(name + l - s, suffix);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Names with one suffix in a folder, sorted: the order of linking must not be readdir()'s. */
static int list_files(const char *folder, const char *suffix, char ***ret, sd_bus_error *error) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_(closedirp) DIR *d = opendir(folder);
        int r;

        if (!d)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "Cannot read the folder '%s': %s", folder, strerror(errno));
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.' || !has_suffix(e->d_name, suffix))
                        continue;
                r = strv_extend(&names, e->d_name);
                if (r < 0)
                        return r;
        }
        if (names)
                qsort(names, strv_length(names), sizeof(*names), compare_names);
        *ret = TAKE_PTR(names);
        return 0;
}

static int check_file_name(const char *name, sd_bus_error *error) {
        if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")] || *name == '-')
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The file name '%s' has characters that make cannot take", name);
        return 0;
}

static int list_sources(const Kbuild *b, char ***ret, sd_bus_error *error) {
        _cleanup_strv_free_ char **sources = NULL;
        int r;

        if (b->patch->sources)
                return strv_copy(b->patch->sources, ret);
        r = list_files(b->patch_dir, ".c", &sources, error);
        if (r < 0)
                return r;
        if (strv_length(sources) == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "There is no C file in '%s'", b->patch_dir);
        for (char **s = sources; *s; s++) {
                r = check_file_name(*s, error);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(sources);
        return 0;
}

static int copy_folder(const Kbuild *b, const char *to, char ***sources, sd_bus_error *error) {
        _cleanup_strv_free_ char **headers = NULL;
        int r;

        r = list_sources(b, sources, error);
        if (r < 0)
                return r;
        r = list_files(b->patch_dir, ".h", &headers, error);
        if (r < 0)
                return r;
        r = copy_files(b->patch_dir, *sources, to, error);
        return r < 0 ? r : copy_files(b->patch_dir, headers, to, error);
}

/* Single files, wherever they are; what is to be compiled is added to @sources. */
static int copy_with(const Kbuild *b, const char *to, char ***sources, sd_bus_error *error) {
        for (char *const *path = b->with; path && *path; path++) {
                const char *slash = strrchr(*path, '/'), *name = slash ? slash + 1 : *path;
                int r;

                if (!has_suffix(name, ".c") && !has_suffix(name, ".h"))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "'%s' is neither a C file nor a header", *path);
                r = check_file_name(name, error);
                if (r >= 0)
                        r = copy_file(*path, to, name, SOURCE_MAX, error);
                if (r >= 0 && has_suffix(name, ".c"))
                        r = strv_extend(sources, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* units/0.raw … in the order of the list */
static int copy_objects(const Kbuild *b, const char *to, sd_bus_error *error) {
        for (size_t i = 0; b->objects && b->objects[i]; i++) {
                char name[32];
                int r;

                snprintf(name, sizeof(name), "%zu.raw", i);
                r = copy_file(b->objects[i], to, name, OBJECT_MAX, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void put_objects(FILE *f, const Kbuild *b) {
        if (!b->objects || !b->objects[0])
                return;
        for (size_t i = 0; b->objects[i]; i++)
                fprintf(f, "%s-y += units/%zu.o\n", b->patch->module, i);
        fputs("quiet_cmd_hotpatch_unit = UNIT    $@\n"
              "      cmd_hotpatch_unit = cat $< > $@ $(cmd_objtool)\n", f);
        for (size_t i = 0; b->objects[i]; i++)
                fprintf(f, "$(obj)/units/%zu.o: $(obj)/units/%zu.raw FORCE\n"
                           "\t$(call if_changed,hotpatch_unit)\n", i, i);
}

/* tripwire-begin.o is the first and tripwire-end.o the last of the link, see module/tripwire.c. */
static int write_kbuild(const Kbuild *b, char *const *sources) {
        _cleanup_free_ char *text = NULL;
        const char *m = b->patch->module;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        /* Replacements have no prototype in any header, by their nature. */
        fprintf(f,
                "obj-m := %s.o\n"
                "ccflags-y := -I$(src) -Wno-missing-prototypes -Wno-missing-declarations\n"
                "%s-y := hotpatch/tripwire-begin.o hotpatch/runtime.o hotpatch/tripwire.o hotpatch/table.o\n",
                m, m);
        if (table_has_module_symbols(b->patch, NULL))
                fprintf(f, "%s-y += hotpatch/reload.o\n", m);
        for (char *const *s = sources; s && *s; s++)
                fprintf(f, "%s-y += patch/%.*s.o\n", m, (int) strlen(*s) - 2, *s);
        put_objects(f, b);
        fprintf(f, "%s-y += hotpatch/tripwire-end.o\n", m);
        if (fclose(f) != 0)
                return -ENOMEM;
        return write_file(b->work_dir, "Kbuild", text);
}

static int make_folder(const char *parent, const char *name, char **ret) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", parent, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (mkdir(path, 0755) < 0)
                return -errno;
        *ret = TAKE_PTR(path);
        return 0;
}

static int lay_out_runtime(const Kbuild *b, sd_bus_error *error) {
        _cleanup_free_ char *runtime = NULL, *table = NULL;
        int r;

        if (faccessat(AT_FDCWD, b->runtime_dir, R_OK | X_OK, AT_EACCESS) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                        "The redirection runtime is not in '%s': %s", b->runtime_dir, strerror(errno));
        r = make_folder(b->work_dir, "hotpatch", &runtime);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(runtime_files); i++) {
                r = copy_file_of(b->runtime_dir, runtime_files[i], runtime, error);
                if (r < 0)
                        return r;
        }
        r = table_source(b->patch, &table);
        return r < 0 ? r : write_file(runtime, "table.c", table);
}

static int lay_out(const Kbuild *b, sd_bus_error *error) {
        _cleanup_strv_free_ char **sources = NULL;
        _cleanup_free_ char *patch = NULL, *units = NULL;
        int r;

        r = make_folder(b->work_dir, "patch", &patch);
        if (r >= 0 && b->patch_dir)
                r = copy_folder(b, patch, &sources, error);
        if (r >= 0)
                r = copy_with(b, patch, &sources, error);
        if (r >= 0)
                r = make_folder(b->work_dir, "units", &units);
        if (r >= 0)
                r = copy_objects(b, units, error);
        if (r >= 0)
                r = lay_out_runtime(b, error);
        return r < 0 ? r : write_kbuild(b, sources);
}

static int format_argument(char ***v, const char *name, const char *value) {
        _cleanup_free_ char *s = NULL;

        if (asprintf(&s, "%s%s", name, value) < 0) {
                s = NULL;
                return -ENOMEM;
        }
        return strv_extend(v, s);
}

/*
 * __FILE__ and DWARF name the author's files as patch/NAME, wherever the copy lies, and the headers
 * as if they were installed.
 */
static int map_paths(const Kbuild *b, char ***v) {
        _cleanup_free_ char *map = NULL;
        const char *folder = b->headers->folder;

        if (asprintf(&map, "KCFLAGS=-ffile-prefix-map=%s/= -ffile-prefix-map=%.*s/=/usr/src/", b->work_dir,
                            (int) (strrchr(folder, '/') - folder), folder) < 0) {
                map = NULL;
                return -ENOMEM;
        }
        return strv_extend(v, map);
}

static int make_arguments(const Kbuild *b, char ***ret) {
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
                { "modules", "" },
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

static int run_make(const Kbuild *b, sd_bus_error *error) {
        _cleanup_strv_free_ char **arguments = NULL;
        Make make = { .build = b };
        int r;

        r = make_arguments(b, &arguments);
        if (r < 0)
                return r;
        r = run_program(&(Run) { .arguments = arguments, .line = show_line, .userdata = &make });
        if (r < 0 && r != -EINTR)
                return r;
        if (r != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The module '%s' could not be built for kernel '%s'", b->patch->module,
                        b->headers->release);
        if (make.n_warnings > 0 && b->objects && b->objects[0])
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "objtool does not understand the module '%s' for kernel '%s'", b->patch->module,
                        b->headers->release);
        return 0;
}

/**
 * kbuild_run() - compile and link the module, without the post-link step
 * @b: what and where
 * @ret_module: path of the .ko in the work folder; free with free()
 * @error: ModuleBuildFailed; the compiler's lines went to standard error before
 *
 * Return: 0 or a negative errno.
 */
int kbuild_run(const Kbuild *b, char **ret_module, sd_bus_error *error) {
        _cleanup_free_ char *module = NULL;
        int r;

        r = lay_out(b, error);
        if (r < 0)
                return r;
        r = run_make(b, error);
        if (r < 0)
                return r;
        if (asprintf(&module, "%s/%s.ko", b->work_dir, b->patch->module) < 0) {
                module = NULL;
                return -ENOMEM;
        }
        *ret_module = TAKE_PTR(module);
        return 0;
}
