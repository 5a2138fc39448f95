/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl key generate`: a root, an intermediate and a signer of one's own, for sites that
 * make their own hotpatches.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "bundle/pki.h"
#include "ctl/bundle-options.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "util/strv.h"

typedef struct KeyOptions {
        const char *name;
        const char *type;
} KeyOptions;

static const BundleOption key_generate_options[] = {
        { "name", 'n', OPTION_STRING, "NAME", offsetof(KeyOptions, name),
          "what the certificates are called; default: Hotpatch HOSTNAME" },
        { "type", 0, OPTION_STRING, "TYPE", offsetof(KeyOptions, type),
          "P-256, P-384 (default), RSA-3072 or RSA-4096" },
        {},
};

static int directory_open(const char *path, int *ret, sd_bus_error *error) {
        /* 0700: the keys have 0600 each, and their names are nobody's business either. */
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be made: %s", path, strerror(errno));
        *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret >= 0 ? 0 : sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be opened: %s", path,
                strerror(errno));
}

static int generate(const char *directory, const char *name, const char *type, sd_bus_error *error) {
        _cleanup_close_ int fd = -EBADF;
        int r = directory_open(directory, &fd, error);

        return r < 0 ? r : pki_generate(fd, name, type, (uint64_t) time(NULL) * USEC_PER_SEC, error);
}

static bool type_is_allowed(const char *type) {
        static const char *const allowed[] = { "P-256", "P-384", "RSA-3072", "RSA-4096" };

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                if (streq(type, allowed[i]))
                        return true;
        return false;
}

static int key_generate(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_strv_free_ char **args = NULL;
        _cleanup_free_ char *shown = NULL;
        char host[65] = "", name[sizeof(host) + sizeof("Hotpatch ")];
        KeyOptions o = { .type = "P-384" };
        int r = bundle_options_parse(verb, argc, argv, &o, &args);

        if (r != 0)
                return r;
        if (strv_length(args) != 1)
                return ctl_usage("'key generate' takes one directory");
        if (!type_is_allowed(o.type))
                return ctl_usage("--type takes P-256, P-384, RSA-3072 or RSA-4096");
        (void) gethostname(host, sizeof(host) - 1);
        snprintf(name, sizeof(name), "Hotpatch %s", host);
        /* Common names have at most 64 characters (RFC 5280, ub-common-name); ours get a suffix. */
        if (o.name && (!*o.name || strlen(o.name) > 48))
                return ctl_usage("--name takes 1 to 48 bytes");
        name[48] = 0;
        r = generate(args[0], o.name ?: name, o.type, &error);
        if (r < 0)
                return ctl_fail(ctl, args[0], &error, r);
        if (ctl->json)
                return value_print_pair(ctl, "directory", args[0]) < 0 ? HOTPATCH_EXIT_FAILURE : HOTPATCH_EXIT_OK;
        shown = text_line(args[0]);
        if (!ctl->quiet)
                printf("Keys and certificates are in %1$s.\n"
                       "  Machines believe them:  copy %1$s/root.pem and revocation.crl to /etc/hotpatch/trust.d\n"
                       "  Sign a bundle:          hotpatchctl bundle sign --key %1$s/signer.key FILE.hpb\n"
                       "  Put away, offline:      root.key and intermediate.key\n",
                        strempty(shown));
        return HOTPATCH_EXIT_OK;
}

static const BundleVerb verbs[] = {
        { "generate", "DIRECTORY", "make keys and certificates of your own", key_generate_options, key_generate },
};

int verb_key(Ctl *ctl, int argc, char *argv[]) {
        return bundle_verbs_run("key", verbs, ELEMENTSOF(verbs), ctl, argc, argv);
}
