/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-build: a source fix becomes a signed bundle for one stock kernel.
 *
 * Here are the command line and the four ways to end; build.c is the line of production.
 */

#include <getopt.h>

#include "builder/build/build.h"
#include "builder/build/bundle.h"
#include "builder/build/description.h"
#include "builder/build/report.h"
#include "builder/module/kbuild.h"
#include "config.h"
#include "dbus/errors.h"
#include "util/strv.h"

#define EXIT_REFUSED 10 /* hotpatch-build(1), "EXIT STATUS" */

static void show_help(void) {
        printf("hotpatch-build [OPTION…] --kernel=RELEASE -o OUT.hpb FIX.patch…\n\n"
               "Make a live patch of a source fix, for a distribution's kernel.\n\n"
               "  -k, --kernel=RELEASE    build for this kernel, as uname -r names it\n"
               "  -o, --output=OUT.hpb    the bundle\n"
               "      --explain           show what would be redirected and why; without -o, stop there\n"
               "      --source=DIR|DEB    the kernel's source; default: the distribution's, by apt\n"
               "      --with=FILE         add this C file or header of yours: callbacks, tripwires\n\n"
               "      --id=ID             id of the bundle; default: the name of OUT.hpb\n"
               "      --title=TEXT        default: the subject of the fix\n"
               "      --fix=ID[=SUMMARY]  what it repairs; default: the CVE numbers in the fix\n"
               "      --severity=LEVEL    low, moderate, important, critical; default: moderate\n"
               "      --stream=ID         default: the bundle's id\n"
               "      --sequence=N        default: 1\n\n"
               "      --sign=KEY          sign with this private key (PEM)\n"
               "      --cert=CERT         its certificate (PEM); default: beside the key, *.pem for *.key\n"
               "      --module-key=KEY    sign the module for the kernel, as Secure Boot wants it\n"
               "      --module-cert=CERT  as --cert\n\n"
               "      --json              print the result as JSON\n"
               "      --cache=DIR         prepared sources; default: ~/.cache/hotpatch-build\n"
               "      --runtime=DIR       the redirection runtime; default: %s/module\n"
               "  -q, --quiet             show refusals and errors only\n"
               "  -v, --verbose           show what the programs do that are run\n"
               "  -h, --help              show this help\n"
               "      --version           show the version\n\n"
               "See hotpatch-build(1).\n",
                HOTPATCH_DATADIR);
}

static int usage(const char *text) {
        fprintf(stderr, "hotpatch-build: %s; see --help\n", text);
        return -EINVAL;
}

/* Options that hold one string; the rest is in parse_options(). */
enum { ARG_FIRST = 256, ARG_SOURCE, ARG_ID, ARG_TITLE, ARG_SEVERITY, ARG_STREAM, ARG_SEQUENCE, ARG_SIGN, ARG_CERT,
       ARG_MODULE_KEY, ARG_MODULE_CERT,       ARG_CACHE, ARG_RUNTIME, ARG_EXPLAIN, ARG_JSON, ARG_WITH, ARG_FIX, ARG_VERSION };

static const struct {
        int option;
        size_t offset;
} string_options[] = {
        { 'k', offsetof(BuildOptions, tree.release) },
        { 'o', offsetof(BuildOptions, output) },
        { ARG_SOURCE, offsetof(BuildOptions, tree.source) },
        { ARG_CACHE, offsetof(BuildOptions, tree.cache) },
        { ARG_ID, offsetof(BuildOptions, id) },
        { ARG_TITLE, offsetof(BuildOptions, title) },
        { ARG_SEVERITY, offsetof(BuildOptions, severity) },
        { ARG_STREAM, offsetof(BuildOptions, stream) },
        { ARG_SEQUENCE, offsetof(BuildOptions, sequence) },
        { ARG_SIGN, offsetof(BuildOptions, key) },
        { ARG_CERT, offsetof(BuildOptions, certificate) },
        { ARG_MODULE_KEY, offsetof(BuildOptions, module_key) },
        { ARG_MODULE_CERT, offsetof(BuildOptions, module_certificate) },
        { ARG_RUNTIME, offsetof(BuildOptions, runtime_dir) },
};

static bool take_string(BuildOptions *o, int c) {
        for (size_t i = 0; i < ELEMENTSOF(string_options); i++)
                if (string_options[i].option == c) {
                        *(const char **) ((char *) o + string_options[i].offset) = optarg;
                        return true;
                }
        return false;
}

/* Returns 1 to go on, 0 when all is said, or a negative errno. */
static int take_option(BuildOptions *o, int c) {
        switch (c) {
        case ARG_EXPLAIN:
                o->explain = true;
                return 1;
        case ARG_JSON:
                o->json = true;
                return 1;
        case ARG_WITH:
                return strv_extend(&o->with, optarg) < 0 ? -ENOMEM : 1;
        case ARG_FIX:
                return strv_extend(&o->fixes, optarg) < 0 ? -ENOMEM : 1;
        case 'q':
                o->quiet = o->tree.quiet = true;
                return 1;
        case 'v':
                o->verbose = o->tree.verbose = true;
                return 1;
        case 'h':
                show_help();
                return 0;
        case ARG_VERSION:
                puts("hotpatch-build " HOTPATCH_VERSION);
                return 0;
        default:
                return take_string(o, c) ? 1 : -EINVAL;
        }
}

static int check_options(const BuildOptions *o) {
        if (!o->tree.release)
                return usage("say for which kernel with --kernel");
        if (!*o->patches)
                return usage("give the fix, one or several unified diffs");
        if (!o->output && !o->explain)
                return usage("say where to put the bundle with -o");
        if (o->certificate && !o->key)
                return usage("--cert needs --sign");
        if (o->module_certificate && !o->module_key)
                return usage("--module-cert needs --module-key");
        return 1;
}

/* As take_option(). */
static int parse_options(int argc, char **argv, BuildOptions *o) {
        static const struct option options[] = {
                { "kernel", required_argument, NULL, 'k' },
                { "output", required_argument, NULL, 'o' },
                { "explain", no_argument, NULL, ARG_EXPLAIN },
                { "source", required_argument, NULL, ARG_SOURCE },
                { "with", required_argument, NULL, ARG_WITH },
                { "id", required_argument, NULL, ARG_ID },
                { "title", required_argument, NULL, ARG_TITLE },
                { "fix", required_argument, NULL, ARG_FIX },
                { "severity", required_argument, NULL, ARG_SEVERITY },
                { "stream", required_argument, NULL, ARG_STREAM },
                { "sequence", required_argument, NULL, ARG_SEQUENCE },
                { "sign", required_argument, NULL, ARG_SIGN },
                { "cert", required_argument, NULL, ARG_CERT },
                { "module-key", required_argument, NULL, ARG_MODULE_KEY },
                { "module-cert", required_argument, NULL, ARG_MODULE_CERT },
                { "json", no_argument, NULL, ARG_JSON },
                { "cache", required_argument, NULL, ARG_CACHE },
                { "runtime", required_argument, NULL, ARG_RUNTIME },
                { "quiet", no_argument, NULL, 'q' },
                { "verbose", no_argument, NULL, 'v' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                {},
        };
        int c, r;

        argv[0] = program_invocation_short_name; /* what getopt's own messages begin with */
        while ((c = getopt_long(argc, argv, "k:o:qvh", options, NULL)) >= 0) {
                r = take_option(o, c);
                if (r <= 0)
                        return r;
        }
        o->patches = argv + optind;
        return check_options(o);
}

/* ---- the ends ---- */

static int finish(Build *b, BuildResult result, const sd_bus_error *error, int code, uint64_t begin) {
        b->times.total_usec = build_now_usec() - begin;
        if (b->options->json)
                return report_json(b, result, error, code);
        switch (result) {
        case BUILD_REFUSED:
                report_findings(b, true);
                break;
        case BUILD_BUILT:
                if (!b->options->quiet)
                        printf("%s: %zu %s for kernel %s%s, in %.1f s\n", b->options->output, b->patch->n_functions,
                                b->patch->n_functions == 1 ? "function" : "functions", b->tree->release,
                                b->options->key ? ", signed" : ", not signed yet", (double) b->times.total_usec / 1e6);
                break;
        default:
                break;
        }
        return 0;
}

static int fail(Build *b, const sd_bus_error *error, int code, uint64_t begin) {
        const HotpatchError *row = error->name ? hotpatch_error_find(error->name) : NULL;

        fprintf(stderr, "hotpatch-build: %s\n", error->message ?: strerror(-code));
        if (row)
                fprintf(stderr, "%s\n", row->exit == HOTPATCH_EXIT_USAGE ? "See hotpatch-build(1)." : row->remedy);
        if (finish(b, BUILD_FAILED, error, code, begin) < 0)
                return EXIT_FAILURE;
        return row && row->exit == HOTPATCH_EXIT_USAGE ? HOTPATCH_EXIT_USAGE : EXIT_FAILURE;
}

/* What would only be found out after a minute of work. */
static int check_early(const Build *b, sd_bus_error *error) {
        int r;

        r = kbuild_check_with(b->options->with, error);
        if (r < 0 || !b->options->output)
                return r;
        r = bundle_check_output(b->options->output, error);
        return r < 0 ? r : describe_check(b, error);
}

static int run(Build *b, uint64_t begin, sd_bus_error *error) {
        BuildResult result = BUILD_BUILT;
        int r;

        r = check_early(b, error);
        if (r >= 0)
                r = build_examine(b, error);
        if (r < 0)
                return r;
        if (b->options->explain && !b->options->json)
                report_explain(b);
        if (findings_refusals(&b->findings) > 0)
                return finish(b, BUILD_REFUSED, NULL, 0, begin) < 0 ? -EIO : EXIT_REFUSED;
        if (!b->options->output)
                result = BUILD_EXPLAINED;
        else {
                r = build_module(b, error);
                if (r >= 0)
                        r = bundle_write(b, error);
                if (r < 0)
                        return r;
                if (!b->options->explain && !b->options->json && !b->options->quiet)
                        report_findings(b, false);
        }
        return finish(b, result, NULL, 0, begin) < 0 ? -EIO : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        BuildOptions options = { .runtime_dir = HOTPATCH_DATADIR "/module" };
        Build b = { .options = &options };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t begin = build_now_usec();
        int r;

        r = hotpatch_errors_register();
        if (r < 0)
                return EXIT_FAILURE;
        r = parse_options(argc, argv, &options);
        if (r > 0) {
                r = run(&b, begin, &error);
                if (r < 0)
                        r = fail(&b, &error, r, begin);
        } else if (r < 0)
                r = HOTPATCH_EXIT_USAGE;
        build_done(&b);
        sd_bus_error_free(&error);
        strv_free(options.with);
        strv_free(options.fixes);
        return r;
}
