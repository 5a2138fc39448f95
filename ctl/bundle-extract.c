/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl bundle extract`: the members as files. Nothing that is there is overwritten, and
 * what nobody vouches for is written only when asked for by --unverified.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/archive.h"
#include "ctl/bundle-verbs.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

typedef struct ExtractOptions {
        TrustOptions trust;
        const char *directory;
        bool unverified;
} ExtractOptions;

const BundleOption bundle_extract_options[] = {
        { "directory", 'C', OPTION_STRING, "DIRECTORY", offsetof(ExtractOptions, directory),
          "write there; made if missing; default: here" },
        { "unverified", 0, OPTION_SWITCH, NULL, offsetof(ExtractOptions, unverified),
          "do not verify: the files can be anybody's" },
        TRUST_OPTIONS(ExtractOptions, trust),
        {},
};

/* Verified: digest checked on the way. NULL: as it stands in the file. */
static int write_member(
                const Bundle *b, const Verified *v, const char *name, int fd, sd_bus_error *error) {
        const char *text;
        size_t size;

        if (!v || (startswith(name, ARCHIVE_MANIFEST) && !streq(name, ARCHIVE_MANIFEST)))
                return bundle_unverified_copy(b, name, fd, error);
        if (!streq(name, ARCHIVE_MANIFEST))
                return verified_copy_member(v, name, fd, error);
        text = verified_manifest_text(v, &size);
        return file_write_all(fd, text, size);
}

static int extract_member(
                const Bundle *b, const Verified *v, const char *name, int dir_fd, sd_bus_error *error) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        int r;

        if (fd < 0)
                return sd_bus_error_setf(error, errno == EEXIST ? HOTPATCH_ERROR("FileExists") : SD_BUS_ERROR_FAILED,
                        "'%s' cannot be written: %s", name, strerror(errno));
        r = write_member(b, v, name, fd, error);
        if (r < 0)
                (void) unlinkat(dir_fd, name, 0);
        return r;
}

static int extract(const ExtractOptions *o, const char *path, const char *directory, sd_bus_error *error) {
        const char *names[HOTPATCH_MEMBERS_MAX];
        _cleanup_bundle_free_ Bundle *b = NULL, *judged = NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        _cleanup_close_ int dir_fd = -EBADF;
        size_t n;
        int r = bundle_open_file(path, &b, error);

        if (r >= 0 && !o->unverified) {
                r = bundle_open_file(path, &judged, error);
                if (r >= 0)
                        r = bundle_load_trust(&o->trust, &trust, error);
                if (r >= 0)
                        r = bundle_verify(&judged, trust, bundle_present(bundle_now_usec()), &v, error);
        }
        if (r < 0)
                return r;
        if (mkdir(directory, 0777) < 0 && errno != EEXIST)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be made: %s", directory,
                        strerror(errno));
        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be opened: %s", directory,
                        strerror(errno));
        n = bundle_unverified_members(b, names, ELEMENTSOF(names));
        for (size_t i = 0; i < n && r >= 0; i++)
                r = extract_member(b, v, names[i], dir_fd, error);
        return r;
}

static int print_extracted(const Ctl *ctl, const char *path, const char *directory, bool unverified) {
        _cleanup_free_ char *from = text_line(path), *to = text_line(directory);
        _cleanup_value_ Value *answer = NULL;

        if (ctl->json) {
                answer = value_object();
                if (value_set_string(answer, "file", path) < 0 || value_set_string(answer, "directory", directory) < 0 ||
                    value_set_bool(answer, "verified", !unverified) < 0)
                        return -ENOMEM;
                return value_print(ctl, answer);
        }
        if (ctl->quiet)
                return 0;
        return printf("%s is extracted to %s%s\n", strempty(from), strempty(to), unverified ? ", NOT VERIFIED" : "") > 0 ? 0 : -EIO;
}

int bundle_extract(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_strv_free_ char **args = NULL;
        ExtractOptions o = { 0 };
        const char *directory;
        int r = bundle_options_parse(verb, argc, argv, &o, &args);

        if (r == 0 && (strv_length(args) < 1 || strv_length(args) > 2 || (args[1] && o.directory)))
                r = ctl_usage("'bundle extract' takes a bundle and a directory");
        if (r == 0) {
                directory = o.directory ?: args[1] ?: ".";
                r = extract(&o, args[0], directory, &error);
                if (r < 0)
                        r = ctl_fail(ctl, args[0], &error, r);
                else if (print_extracted(ctl, args[0], directory, o.unverified) < 0)
                        r = HOTPATCH_EXIT_FAILURE;
        }
        strv_free(o.trust.files);
        return r;
}
