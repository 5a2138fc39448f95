/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Preparing a tree.
 *
 * The kernel's own .config and Module.symvers are put into the source, and Kbuild makes what every object
 * includes. It needs no kernel build for that. Then comes the proof that source, configuration, headers
 * and tools belong together: what Kbuild made here must be what it made when the kernel was built. The
 * .config must not have changed (another compiler, assembler or pahole shows here), and the generated
 * headers must be the packaged ones to the byte. asm-offsets.h is the strongest of them: it holds
 * sizes and offsets of the structures that assembly uses, as this compiler computed them from this source.
 */

#include "builder/source/prepare.h"

#include <fcntl.h>

#include "builder/run.h"
#include "builder/source/cache.h"
#include "dbus/errors.h"
#include "util/file.h"

/* Module.symvers of a distribution is 3 MiB, its .config 250 KiB. */
#define FILE_MAX ((size_t) 64 * 1024 * 1024)

/* What the last lines of make are kept for is to be read by a person. */
#define TAIL_LINES 24U

typedef struct Tail {
        char *lines[TAIL_LINES];
        size_t n;
        char *complaint;
        bool verbose;
} Tail;

static void tail_done(Tail *t) {
        for (size_t i = 0; i < TAIL_LINES; i++)
                free(t->lines[i]);
        free(t->complaint);
}

static bool is_complaint(const char *line) {
        return !startswith(line, "make") && (strstr(line, "rror: ") || strstr(line, "not found") ||
                        strstr(line, "No space left") || strstr(line, "No such file"));
}

static void tail_line(const char *line, void *userdata) {
        Tail *t = userdata;
        char **slot = &t->lines[t->n++ % TAIL_LINES];

        if (t->verbose)
                fprintf(stderr, "%s\n", line);
        if (!t->complaint && is_complaint(line))
                t->complaint = strdup(line);
        free(*slot);
        *slot = strdup(line);
}

static void tail_show(const Tail *t) {
        for (size_t i = t->n < TAIL_LINES ? 0 : t->n - TAIL_LINES; i < t->n && !t->verbose; i++)
                fprintf(stderr, "%s\n", strempty(t->lines[i % TAIL_LINES]));
}

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
        _cleanup_(tail_done) Tail tail = { .verbose = p->verbose };
        _cleanup_free_ char *cc = NULL, *jobs = NULL;
        int r;

        if (asprintf(&cc, "CC=%s", p->compiler) < 0) {
                cc = NULL;
                return -ENOMEM;
        }
        if (asprintf(&jobs, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN)) < 0) {
                jobs = NULL;
                return -ENOMEM;
        }
        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "make", jobs, cc, (char *) "olddefconfig",
                        (char *) "prepare", (char *) "modules_prepare", NULL },
                .folder = p->folder,
                .line = tail_line,
                .userdata = &tail,
        });
        if (r < 0)
                return r;
        if (r == 0)
                return 0;
        tail_show(&tail);
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelPrepareFailed"),
                "Preparing the source of kernel '%s' failed: %s", p->release,
                tail.complaint ?: "see the lines of make");
}

/* The first line of @b that @a does not have at that place. */
static char *first_difference(const char *a, const char *b) {
        while (*b) {
                size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

                if (la != lb || memcmp(a, b, la) != 0)
                        return strndup(b, lb);
                a += la + (a[la] == '\n');
                b += lb + (b[lb] == '\n');
        }
        return strdup("end of file");
}

static int compare_file(const Preparation *p, const char *name, sd_bus_error *error) {
        _cleanup_free_ char *packaged_path = path_join(p->headers, name), *made_path = path_join(p->folder, name);
        _cleanup_free_ char *difference = NULL;
        _cleanup_free_ void *packaged = NULL, *made = NULL;
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
        if (streq(packaged, made))
                return 0;
        difference = first_difference(packaged, made);
        if (!difference)
                return -ENOMEM;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "The prepared source is not that of kernel '%s': '%s' became another one, first at '%s'",
                p->release, name, difference);
}

/**
 * prepare_compare() - does the prepared tree agree with the kernel's headers?
 * @error: KernelSourceMismatch, naming the file and the first difference
 *
 * Return: 0 or a negative errno.
 */
int prepare_compare(const Preparation *p, sd_bus_error *error) {
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
        if (asprintf(&wanted, "#define UTS_RELEASE \"%s\"", release) < 0) {
                wanted = NULL;
                return -ENOMEM;
        }
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
        return prepare_compare(p, error);
}
