/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-module: a patch folder becomes a livepatch module for one kernel.
 *
 * The steps are other files' (patch.json, headers, Kbuild, post-link); here is the command line,
 * the private folder and the output, which appears under its name only when it was checked.
 */

#include <fcntl.h>
#include <getopt.h>

#include "builder/module/finish.h"
#include "builder/module/headers.h"
#include "builder/module/kbuild.h"
#include "builder/workdir.h"
#include "bundle/patchfile.h"
#include "config.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define MODULE_MAX (64U * 1024 * 1024)

typedef struct Options {
        const char *kernel;
        const char *headers;
        const char *output_dir;
        const char *runtime_dir;
        const char *patch_dir;
        bool debug_info;
        bool verbose;
} Options;

static void show_help(void) {
        printf("hotpatch-module [OPTION…] PATCHDIR\n\n"
               "Build a livepatch module from a folder with patch.json and C files.\n\n"
               "  -k, --kernel=RELEASE  build for this kernel; default: the running one\n"
               "      --headers=DIR     use the kernel headers in DIR\n"
               "  -o, --output=DIR      where to put MODULE-RELEASE.ko; default: here\n"
               "      --runtime=DIR     the redirection runtime; default: %s/module\n"
               "  -g, --debug-info      keep debug information\n"
               "  -v, --verbose         show what make does\n"
               "  -h, --help            show this help\n"
               "      --version         show the version\n\n"
               "See hotpatch-module(1).\n",
                HOTPATCH_DATADIR);
}

static int check_options(const Options *o) {
        if (!o->patch_dir) {
                fprintf(stderr, "hotpatch-module: give one patch folder; see --help\n");
                return -EINVAL;
        }
        if (o->kernel && o->headers) {
                fprintf(stderr, "hotpatch-module: --kernel and --headers exclude each other\n");
                return -EINVAL;
        }
        return 1;
}

enum { ARG_HEADERS = 256, ARG_RUNTIME, ARG_VERSION };

static const struct option long_options[] = {
        { "kernel", required_argument, NULL, 'k' },
        { "headers", required_argument, NULL, ARG_HEADERS },
        { "output", required_argument, NULL, 'o' },
        { "runtime", required_argument, NULL, ARG_RUNTIME },
        { "debug-info", no_argument, NULL, 'g' },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, ARG_VERSION },
        {},
};

/* Returns 1 to go on, 0 when all is said, or a negative errno. */
static int parse_options(int argc, char **argv, Options *o) {
        int c;

        argv[0] = program_invocation_short_name; /* what getopt's own messages begin with */
        while ((c = getopt_long(argc, argv, "k:o:gvh", long_options, NULL)) >= 0)
                switch (c) {
                case 'k':
                        o->kernel = optarg;
                        break;
                case ARG_HEADERS:
                        o->headers = optarg;
                        break;
                case 'o':
                        o->output_dir = optarg;
                        break;
                case ARG_RUNTIME:
                        o->runtime_dir = optarg;
                        break;
                case 'g':
                        o->debug_info = true;
                        break;
                case 'v':
                        o->verbose = true;
                        break;
                case 'h':
                        show_help();
                        return 0;
                case ARG_VERSION:
                        puts("hotpatch-module " HOTPATCH_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }
        o->patch_dir = optind + 1 == argc ? argv[optind] : NULL;
        return check_options(o);
}

static int load_patch(const char *folder, PatchFile **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *text = NULL;
        size_t size;
        int r;

        if (str_printf(&path, "%s/patch.json", folder) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_MANIFEST_MAX, &text, &size);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("PatchFileInvalid"),
                        "Cannot read '%s': %s", path, strerror(-r));
        return patch_file_parse(text, size, ret, error);
}

static int finish_module(const char *path, const PatchFile *p, const KernelHeaders *h, sd_bus_error *error) {
        _cleanup_strv_free_ char **symbols = NULL;
        int r;

        r = module_finish(path, p, h, &symbols, error);
        /* A misspelt name looks the same as an unexported one: let the author see them. */
        for (char **s = symbols; s && *s; s++)
                fprintf(stderr, "unexported symbol, to be found when the patch is applied: %s\n", *s);
        return r;
}

static int publish(const char *module, const Options *o, const PatchFile *p, const KernelHeaders *h,
                sd_bus_error *error) {
        _cleanup_free_ char *name = NULL;
        _cleanup_free_ void *data = NULL;
        _cleanup_close_ int dir = -EBADF;
        size_t size;
        int r;

        if (str_printf(&name, "%s-%s.ko", p->module, h->release) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, module, MODULE_MAX, &data, &size);
        if (r < 0)
                return r;
        dir = open(o->output_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? -errno : file_replace_at(dir, name, data, size, 0644);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_IO_ERROR, "Cannot write '%s/%s': %s",
                        o->output_dir, name, strerror(-r));
        printf("%s/%s\n", o->output_dir, name);
        return 0;
}

static int build(const Options *o, sd_bus_error *error) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;
        _cleanup_workdir_ char *work_dir = NULL;
        _cleanup_free_ char *module = NULL;
        int r;

        r = load_patch(o->patch_dir, &p, error);
        if (r < 0)
                return r;
        r = o->headers ? kernel_headers_open(o->headers, &h, error) :
                         kernel_headers_find(o->kernel, &h, error);
        if (r < 0)
                return r;
        r = workdir_make("hotpatch-module", &work_dir);
        if (r < 0)
                return r;
        r = kbuild_run(&(Kbuild) {
                .headers = h,
                .patch = p,
                .patch_dir = o->patch_dir,
                .runtime_dir = o->runtime_dir,
                .work_dir = work_dir,
                .debug_info = o->debug_info,
                .verbose = o->verbose,
        }, &module, error);
        if (r < 0)
                return r;
        r = finish_module(module, p, h, error);
        if (r < 0)
                return r;
        return publish(module, o, p, h, error);
}

int main(int argc, char **argv) {
        Options options = { .output_dir = ".", .runtime_dir = HOTPATCH_DATADIR "/module" };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const HotpatchError *row;
        int r;

        r = hotpatch_errors_register();
        if (r < 0)
                return EXIT_FAILURE;
        r = parse_options(argc, argv, &options);
        if (r <= 0)
                return r < 0 ? HOTPATCH_EXIT_USAGE : EXIT_SUCCESS;
        r = build(&options, &error);
        if (r < 0) {
                row = error.name ? hotpatch_error_find(error.name) : NULL;
                fprintf(stderr, "hotpatch-module: %s\n", error.message ?: strerror(-r));
                if (row)
                        fprintf(stderr, "%s\n", row->remedy);
        }
        sd_bus_error_free(&error);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
