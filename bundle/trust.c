/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whom this machine believes.
 *
 * Certificates and revocation lists lie as PEM files in two directories, the vendor's and the
 * administrator's; the administrator's wins by name. They are read once, as a whole, into a store
 * that knows nothing of the system's certificate authorities. A file that does not parse stops
 * everything: a revocation list that is silently left out would be a hole.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "bundle/signature.h"
#include "bundle/trust-internal.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/* Lower priority first. */
static const char *const trust_directories[] = {
        "usr/lib/hotpatch/trust.d",
        "etc/hotpatch/trust.d",
};

/** trust_anchors() - how many certificates are trusted to sign for */
size_t trust_anchors(const Trust *t) {
        return signature_store_anchors(t->store);
}

/** trust_free() - free; accepts NULL. Returns NULL. */
Trust *trust_free(Trust *t) {
        if (t)
                signature_store_free(t->store);
        free(t);
        return NULL;
}

static int trust_new(const TrustPolicy *policy, Trust **ret) {
        _cleanup_trust_free_ Trust *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->policy = *policy;
        if (t->policy.signatures_min == 0)
                t->policy.signatures_min = 1;
        r = signature_store_new(&t->store);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

static bool name_ends_with(const char *name, const char *suffix) {
        size_t n = strlen(name), l = strlen(suffix);

        return n > l && streq(name + n - l, suffix);
}

static int trust_add_file(Trust *t, int dir_fd, const char *name, bool crl, sd_bus_error *error) {
        _cleanup_free_ void *pem = NULL;
        size_t size;
        int r;

        if (t->n_files == HOTPATCH_ANCHORS_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                        "There are more than %u certificate and revocation files", HOTPATCH_ANCHORS_MAX);
        r = file_read_at(dir_fd, name, HOTPATCH_ANCHOR_MAX, &pem, &size);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                        "'%s' cannot be read: %s", name,
                        r == -ELOOP ? "it is a symbolic link" : strerror(-r));
        t->n_files++;
        return crl ? signature_store_add_crls(t->store, name, pem, size, error)
                   : signature_store_add_anchors(t->store, name, pem, size, error);
}

static int is_trust_file(const struct dirent *e) {
        return e->d_name[0] != '.' &&
                (name_ends_with(e->d_name, ".pem") || name_ends_with(e->d_name, ".crl"));
}

static bool is_masked(int dir_fd, const char *name) {
        char target[sizeof("/dev/null")];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

        return n == (ssize_t) strlen("/dev/null") && memcmp(target, "/dev/null", (size_t) n) == 0;
}

/* Is the name taken in a directory of higher priority than that of index @above - 1? */
static bool is_hidden(int root_fd, size_t above, const char *name) {
        for (size_t i = above; i < ELEMENTSOF(trust_directories); i++) {
                char path[PATH_MAX];

                snprintf(path, sizeof(path), "%s/%s", trust_directories[i], name);
                if (faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return true;
        }
        return false;
}

static void dirent_list_free(struct dirent **list, int n) {
        for (int i = 0; i < n; i++)
                free(list[i]);
        free(list);
}

static int trust_add_directory(Trust *t, int root_fd, size_t index, sd_bus_error *error) {
        _cleanup_close_ int dir_fd =
                openat(root_fd, trust_directories[index], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent **list = NULL;
        int n, r = 0;

        if (dir_fd < 0 && errno == ENOENT)
                return 0;
        n = dir_fd < 0 ? -1 : scandirat(dir_fd, ".", &list, is_trust_file, alphasort);
        if (n < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                        "The directory '/%s' cannot be read: %s", trust_directories[index],
                        strerror(errno));
        for (int i = 0; r >= 0 && i < n; i++) {
                const char *name = list[i]->d_name;

                if (!is_masked(dir_fd, name) && !is_hidden(root_fd, index + 1, name))
                        r = trust_add_file(t, dir_fd, name, name_ends_with(name, ".crl"), error);
        }
        dirent_list_free(list, n);
        return r;
}

/**
 * trust_load() - read the anchors and revocation lists of a machine
 * @root_fd: root directory of the machine, open for reading
 * @policy: copied
 * @ret: free with trust_free(); it may hold no anchor at all, then bundle_verify() refuses
 * @error: TrustStoreInvalid, with the file named
 *
 * Return: 0 or a negative errno.
 */
int trust_load(int root_fd, const TrustPolicy *policy, Trust **ret, sd_bus_error *error) {
        _cleanup_trust_free_ Trust *t = NULL;
        int r = trust_new(policy, &t);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(trust_directories); i++)
                r = trust_add_directory(t, root_fd, i, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

/**
 * trust_load_files() - trust exactly these files, and no directory
 * @files: paths; names that end in `.crl` are revocation lists, all others certificates
 * @policy: copied
 * @ret: free with trust_free()
 * @error: TrustStoreInvalid, with the file named
 *
 * Return: 0 or a negative errno.
 */
int trust_load_files(char *const *files, const TrustPolicy *policy, Trust **ret, sd_bus_error *error) {
        _cleanup_trust_free_ Trust *t = NULL;
        int r = trust_new(policy, &t);

        for (; r >= 0 && *files; files++) {
                /* Named by a person, not found in a directory: links may be followed. */
                _cleanup_free_ char *path = realpath(*files, NULL);

                r = trust_add_file(t, AT_FDCWD, path ?: *files, name_ends_with(*files, ".crl"), error);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
