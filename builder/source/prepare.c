/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Preparing a tree.
 *
 * The kernel's own .config and Module.symvers are put into the source, and Kbuild makes what every object
 * includes. It needs no kernel build for that. Then comes the proof that source, configuration, headers
 * and tools belong together: what Kbuild made here must be what it made when the kernel was built. The
 * .config must not have changed (another compiler, assembler or pahole shows here), and the generated
 * headers must be the packaged ones, line by line. asm-offsets.h is the strongest of them: it holds
 * sizes and offsets of the structures that assembly uses, as this compiler computed them from this source.
 */

#include "builder/source/prepare.h"

#include <fcntl.h>

#include "builder/source/step.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"

/* Module.symvers of a distribution is 3 MiB, its .config 250 KiB. */
#define FILE_MAX ((size_t) 64 * 1024 * 1024)

static int copy_file(const Preparation *p, const char *name, sd_bus_error *error) {
        _cleanup_free_ char *from = path_join(p->headers, name);
        _cleanup_close_ int dir = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ void *data = NULL;
        size_t size = 0;
        int r;

        if (!from)
                return -ENOMEM;
        if (dir < 0)
                return -errno;
        r = file_read_at(AT_FDCWD, from, FILE_MAX, &data, &size);
        if (r == -ENOENT)
                return r; /* the caller knows whether that is bad */
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "Cannot read '%s': %s", from, strerror(-r));
        r = file_replace_at(dir, name, data, size, 0644);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot write '%s/%s': %s", p->folder, name, strerror(-r));
        return 0;
}

static int copy_configuration(const Preparation *p, sd_bus_error *error) {
        static const struct {
                const char *name;
                bool optional;
        } files[] = {
                { ".config" },
                { "Module.symvers" },
                { ".kernelvariables", true }, /* Debian's: release and cross compiler prefix, for its Makefile */
        };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                int r = copy_file(p, files[i].name, error);

                if (r == -ENOENT && files[i].optional)
                        continue;
                if (r == -ENOENT)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                                "'%s' has no '%s'", p->headers, files[i].name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run_make(const Preparation *p, sd_bus_error *error) {
        _cleanup_free_ char *cc = NULL, *jobs = NULL, *what = NULL;

        if (str_printf(&cc, "CC=%s", p->compiler) < 0)
                return -ENOMEM;
        if (str_printf(&jobs, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN)) < 0)
                return -ENOMEM;
        if (str_printf(&what, "Preparing the source of kernel '%s' failed", p->release) < 0)
                return -ENOMEM;
        return step_run(&(Step) {
                .arguments = (char *const[]) { (char *) "make", jobs, cc, (char *) "olddefconfig",
                        (char *) "prepare", (char *) "modules_prepare", NULL },
                .folder = p->folder,
                .what = what,
                .error_name = HOTPATCH_ERROR("KernelPrepareFailed"),
                .verbose = p->verbose,
                .tail = true,
        }, error);
}

/* Tools that Kconfig asks for their version and that no C object depends on. What a kernel was built without
 * is often here (rustc), or here in another version. */
static bool is_other_tool(const char *line) {
        static const char *const prefixes[] = { "# CONFIG_", "#define CONFIG_", "CONFIG_" };
        static const char *const tools[] = {
                "BINDGEN_", "PAHOLE_HAS_", "PAHOLE_VERSION", "RUSTC_", "RUST_IS_AVAILABLE",
        };
        const char *name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(prefixes) && !name; i++)
                name = startswith(line, prefixes[i]);
        for (size_t i = 0; i < ELEMENTSOF(tools) && name; i++)
                if (startswith(name, tools[i]))
                        return true;
        return false;
}

/* The next line that counts, cut off at its end; NULL after the last. */
static const char *next_line(char **rest) {
        char *line;

        do
                line = strsep(rest, "\n");
        while (line && is_other_tool(line));
        return line;
}

static int compare_file(const Preparation *p, const char *name, sd_bus_error *error) {
        _cleanup_free_ char *packaged_path = path_join(p->headers, name), *made_path = path_join(p->folder, name);
        _cleanup_free_ void *packaged = NULL, *made = NULL;
        char *packaged_rest, *made_rest;
        const char *a, *b;
        int r;

        if (!packaged_path || !made_path)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, packaged_path, FILE_MAX, &packaged, NULL);
        if (r == -ENOENT) /* not every distribution packages every one */
                return 0;
        if (r >= 0)
                r = file_read_at(AT_FDCWD, made_path, FILE_MAX, &made, NULL);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "Cannot compare '%s' with the headers of kernel '%s': %s", made_path, p->release,
                        strerror(-r));
        packaged_rest = packaged;
        made_rest = made;
        do {
                a = next_line(&packaged_rest);
                b = next_line(&made_rest);
        } while (a && b && streq(a, b));
        if (streq_ptr(a, b))
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "The prepared source is not that of kernel '%s': '%s' has '%s' where the kernel's has '%s'",
                p->release, name, b ?: "its end", a ?: "its end");
}

/*
 * Does the prepared tree agree with the kernel's headers?
 * @error: KernelSourceMismatch, naming the file and the first difference
 *
 * Return: 0 or a negative errno.
 */
static int compare_headers(const Preparation *p, sd_bus_error *error) {
        static const char *const files[] = {
                ".config",
                "include/generated/autoconf.h",
                "include/generated/bounds.h",
                "include/generated/asm-offsets.h",
        };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                int r = compare_file(p, files[i], error);

                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * prepare_check_headers() - are these the headers of that release?
 * @error: KernelSourceMismatch, KernelHeadersMissing
 *
 * include/config/kernel.release is not asked: Debian 6.1 has the upstream version there.
 *
 * Return: 0 or a negative errno.
 */
int prepare_check_headers(const char *release, const char *headers, sd_bus_error *error) {
        _cleanup_free_ char *path = path_join(headers, "include/generated/utsrelease.h"), *wanted = NULL;
        _cleanup_free_ char *line = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        r = file_read_line_at(AT_FDCWD, path, &line);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "'%s' is no folder of kernel headers: %s: %s", headers, path, strerror(-r));
        if (str_printf(&wanted, "#define UTS_RELEASE \"%s\"", release) < 0)
                return -ENOMEM;
        if (!streq(line, wanted))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "The headers in '%s' are not those of kernel '%s': '%s'", headers, release, line);
        return 0;
}

/**
 * prepare_tree() - prepare unpacked source for compiling single objects
 * @error: KernelPrepareFailed, KernelSourceMismatch, KernelHeadersMissing, BuildCacheUnusable
 *
 * When make fails its last lines are shown on standard error.
 *
 * Return: 0 or a negative errno.
 */
int prepare_tree(const Preparation *p, sd_bus_error *error) {
        int r;

        r = copy_configuration(p, error);
        if (r < 0)
                return r;
        r = run_make(p, error);
        if (r < 0)
                return r;
        return compare_headers(p, error);
}
