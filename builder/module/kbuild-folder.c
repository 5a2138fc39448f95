/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The private folder that make is given.
 *
 * It has four parts: the generated Kbuild file, `hotpatch/` with the runtime and the generated table,
 * `patch/` with the author's files, `units/` with objects that are ready but for objtool. So no name of
 * theirs meets one of ours, the author's folder stays clean, and two builds at once do not disturb each
 * other.
 *
 * objtool's work on ready objects is the kernel's own: a rule of ours copies the object and then says
 * $(cmd_objtool), which is empty on kernels that run objtool on the linked module.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "builder/module/kbuild-internal.h"
#include "builder/module/table.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

#define SOURCE_MAX (4U * 1024 * 1024)
#define OBJECT_MAX (64U * 1024 * 1024)

/* Replacements have no prototype in any header, by their nature. */
#define CCFLAGS "ccflags-y := -I$(src) -Wno-missing-prototypes -Wno-missing-declarations\n"

static const char *const runtime_files[] = {
        "hotpatch.h", "reload.c", "runtime.c", "runtime.h", "selftest.c", "shadow.h", "tripwire-begin.c",
        "tripwire-end.c", "tripwire.c",
};

static int write_file(const char *folder, const char *name, const char *text) {
        _cleanup_free_ char *path = path_join(folder, name);
        _cleanup_close_ int fd = -EBADF;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        return file_write_all(fd, text, strlen(text));
}

static int copy_file(const char *source, const char *to, const char *name, size_t max, sd_bus_error *error) {
        _cleanup_free_ char *target = path_join(to, name);
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        int r;

        if (!target)
                return -ENOMEM;
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
        _cleanup_free_ char *source = path_join(from, name);

        return source ? copy_file(source, to, name, SOURCE_MAX, error) : -ENOMEM;
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

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Names with one suffix in a folder, sorted: the order of linking must not be readdir()'s. */
static int list_files(const char *folder, const char *suffix, char ***ret, sd_bus_error *error) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_closedir_ DIR *d = opendir(folder);
        int r;

        if (!d)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "Cannot read the folder '%s': %s", folder, strerror(errno));
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.' || !endswith(e->d_name, suffix))
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

static const char *name_in(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/**
 * kbuild_check_with() - can the author's single files be taken?
 * @with: their paths, NULL-terminated; may be NULL
 * @error: ModuleBuildFailed, FileNotFound
 *
 * Return: 0 or a negative errno.
 */
int kbuild_check_with(char *const *with, sd_bus_error *error) {
        bool source = !with || !*with;

        for (char *const *path = with; path && *path; path++) {
                const char *name = name_in(*path);
                int r;

                if (!endswith(name, ".c") && !endswith(name, ".h"))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "'%s' is neither a C file nor a header", *path);
                r = check_file_name(name, error);
                if (r < 0)
                        return r;
                for (char *const *other = with; other < path; other++)
                        if (streq(name_in(*other), name))
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                        "There are two files '%s'", name);
                if (access(*path, R_OK) < 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                                "Cannot read '%s': %s", *path, strerror(errno));
                source |= endswith(name, ".c");
        }
        return source ? 0 : sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                              "There is no C file to compile beside '%s'", with[0]);
}

/* Single files, wherever they are; what is to be compiled is added to @sources. */
static int copy_with(const Kbuild *b, const char *to, char ***sources, sd_bus_error *error) {
        int r;

        r = kbuild_check_with(b->with, error);
        if (r < 0)
                return r;
        for (char *const *path = b->with; path && *path; path++) {
                const char *name = name_in(*path);

                r = copy_file(*path, to, name, SOURCE_MAX, error);
                if (r >= 0 && endswith(name, ".c"))
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
        fprintf(f,
                "obj-m := %s.o\n"
                CCFLAGS
                "%s-y := hotpatch/tripwire-begin.o hotpatch/runtime.o hotpatch/selftest.o hotpatch/tripwire.o "
                "hotpatch/table.o\n",
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
        _cleanup_free_ char *path = path_join(parent, name);

        if (!path)
                return -ENOMEM;
        if (mkdir(path, 0755) < 0)
                return -errno;
        *ret = TAKE_PTR(path);
        return 0;
}

static int copy_runtime(const Kbuild *b, char **ret_folder, sd_bus_error *error) {
        _cleanup_free_ char *runtime = NULL;
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
        *ret_folder = TAKE_PTR(runtime);
        return 0;
}

static int write_table(const Kbuild *b, const char *folder) {
        _cleanup_free_ char *table = NULL;
        int r = table_source(b->patch, &table);

        return r < 0 ? r : write_file(folder, "table.c", table);
}

/** kbuild_lay_out() - fill the private folder with everything that the module is made of */
int kbuild_lay_out(const Kbuild *b, sd_bus_error *error) {
        _cleanup_strv_free_ char **sources = NULL;
        _cleanup_free_ char *patch = NULL, *units = NULL, *runtime = NULL;
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
                r = copy_runtime(b, &runtime, error);
        if (r >= 0)
                r = write_table(b, runtime);
        return r < 0 ? r : write_kbuild(b, sources);
}

/* A module that is never linked: modules are what Kbuild compiles for. */
static int write_kbuild_of_with(const Kbuild *b, char *const *objects) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fputs("obj-m := hotpatch_with.o\n"
              CCFLAGS, f);
        for (; *objects; objects++)
                fprintf(f, "hotpatch_with-y += %s\n", *objects);
        if (fclose(f) != 0)
                return -ENOMEM;
        return write_file(b->work_dir, "Kbuild", text);
}

/**
 * kbuild_lay_out_with() - fill the private folder with the author's single files and their headers
 * @ret_objects: what to make, "patch/NAME.o"; free with strv_free()
 */
int kbuild_lay_out_with(const Kbuild *b, char ***ret_objects, sd_bus_error *error) {
        _cleanup_strv_free_ char **sources = NULL, **objects = NULL;
        _cleanup_free_ char *patch = NULL, *runtime = NULL;
        int r;

        r = make_folder(b->work_dir, "patch", &patch);
        if (r >= 0)
                r = copy_with(b, patch, &sources, error);
        if (r >= 0)
                r = copy_runtime(b, &runtime, error);
        for (char **s = sources; r >= 0 && s && *s; s++) {
                _cleanup_free_ char *object = NULL;

                if (str_printf(&object, "patch/%.*s.o", (int) strlen(*s) - 2, *s) < 0)
                        return -ENOMEM;
                r = strv_extend(&objects, object);
        }
        if (r >= 0)
                r = write_kbuild_of_with(b, objects);
        if (r >= 0)
                *ret_objects = TAKE_PTR(objects);
        return r;
}
