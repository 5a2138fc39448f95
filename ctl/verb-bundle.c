/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl bundle …`: making bundles, taking them apart and judging them, without the daemon
 * and without root. What several of these verbs need is here as well: trust, and output files.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "ctl/argument.h"
#include "ctl/bundle-verbs.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

static const BundleVerb verbs[] = {
        { "create", "MODULE.ko...", "make an unsigned bundle of patch modules", bundle_create_options, bundle_create },
        { "sign", "FILE", "add a signature to a bundle", bundle_sign_options, bundle_sign },
        { "show", "FILE...", "what a bundle says about itself", bundle_show_options, bundle_show },
        { "verify", "FILE...", "are signatures and digests of a bundle good?", bundle_verify_options, bundle_check },
        { "extract", "FILE [DIRECTORY]", "write the members of a bundle as files", bundle_extract_options, bundle_extract },
};

int verb_bundle(Ctl *ctl, int argc, char *argv[]) {
        return bundle_verbs_run("bundle", verbs, ELEMENTSOF(verbs), ctl, argc, argv);
}

/** bundle_now_usec() - the present, microseconds since 1970 */
uint64_t bundle_now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

/**
 * bundle_created_now_usec() - the present as products of a build shall show it
 *
 * Return: SOURCE_DATE_EPOCH (reproducible-builds.org) in microseconds if set, else the present.
 */
uint64_t bundle_created_now_usec(void) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        char *end;
        unsigned long long seconds;

        if (!epoch || *epoch < '0' || *epoch > '9')
                return bundle_now_usec();
        seconds = strtoull(epoch, &end, 10);
        return *end || seconds > UINT32_MAX ? bundle_now_usec() : seconds * USEC_PER_SEC;
}

/**
 * bundle_load_trust() - the trust that was asked for, or this machine's
 * @ret: free with trust_free()
 * @error: TrustStoreInvalid, InvalidArgs
 *
 * Return: 0 or a negative errno.
 */
int bundle_load_trust(const TrustOptions *o, Trust **ret, sd_bus_error *error) {
        TrustPolicy policy = { .signatures_min = 1, .require_crl = o->require_crl };
        _cleanup_close_ int root_fd = -EBADF;

        if (o->signatures) {
                char *end;
                unsigned long n = strtoul(o->signatures, &end, 10);

                if (*o->signatures < '1' || *o->signatures > '9' || *end || n > HOTPATCH_SIGNATURES_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                "--signatures takes a number from 1 to %u", HOTPATCH_SIGNATURES_MAX);
                policy.signatures_min = (unsigned) n;
        }
        if (o->files)
                return trust_load_files(o->files, &policy, ret, error);
        root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return root_fd < 0 ? -errno : trust_load(root_fd, &policy, ret, error);
}

/** bundle_open_file() - bundle_open() of a file by name */
int bundle_open_file(const char *path, Bundle **ret, sd_bus_error *error) {
        _cleanup_close_ int fd = -EBADF;
        int r = argument_open(path, &fd, error);

        return r < 0 ? r : bundle_open(fd, ret, error);
}

/**
 * bundle_read_file() - read a regular file as a whole
 * @ret: the bytes and a NUL after them; to be freed
 *
 * Return: 0 or a negative errno.
 */
int bundle_read_file(const char *path, size_t max, void **ret, size_t *ret_size, sd_bus_error *error) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_free_ char *buf = NULL;
        struct stat st;
        int r = 0;

        if (fd < 0 || fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode))
                r = -EBADF;
        else if ((uint64_t) st.st_size > max)
                r = -EFBIG;
        else {
                buf = malloc((size_t) st.st_size + 1);
                r = buf ? file_pread_all(fd, buf, (size_t) st.st_size, 0) : -ENOMEM;
        }
        if (r < 0)
                return sd_bus_error_setf(error,
                        r == -ENOENT ? SD_BUS_ERROR_FILE_NOT_FOUND : SD_BUS_ERROR_FAILED,
                        "'%s' cannot be read: %s", path, strerror(-r));
        buf[st.st_size] = 0;
        *ret_size = (size_t) st.st_size;
        *ret = TAKE_PTR(buf);
        return 0;
}

/**
 * output_file_open() - begin a file beside its final name
 * @f: end it with output_file_commit(); output_file_done() in any case
 * @path: must live as long as @f
 *
 * Return: 0 or a negative errno.
 */
int output_file_open(OutputFile *f, const char *path, sd_bus_error *error) {
        struct stat st;

        *f = (OutputFile) { .path = path, .fd = -EBADF };
        /* Renaming over a device, as root, would replace it for everybody. */
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' is not a regular file", path);
        if (str_printf(&f->temporary, "%s.XXXXXX", path) < 0)
                return -ENOMEM;
        f->fd = mkostemp(f->temporary, O_CLOEXEC);
        if (f->fd >= 0)
                return 0;
        free(f->temporary);
        f->temporary = NULL;
        return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be written: %s", path, strerror(errno));
}

/** output_file_commit() - give the complete file its name; returns 0 or a negative errno */
int output_file_commit(OutputFile *f, sd_bus_error *error) {
        mode_t mask = umask(0);

        (void) umask(mask);
        if (fchmod(f->fd, 0666 & ~mask) < 0 || fsync(f->fd) < 0 || rename(f->temporary, f->path) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be written: %s",
                        f->path, strerror(errno));
        free(f->temporary);
        f->temporary = NULL;
        return 0;
}

/** output_file_done() - close; what was not committed disappears */
void output_file_done(OutputFile *f) {
        if (f->temporary)
                (void) unlink(f->temporary);
        free(f->temporary);
        safe_close(f->fd);
        *f = (OutputFile) { .fd = -EBADF };
}
