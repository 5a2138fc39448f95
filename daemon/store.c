/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state directory: open, list, and the files that are not admitted bundles.
 *
 * Two ways to write, both old-or-new: small files through file_replace_at(), bundles through an
 * unnamed file (O_TMPFILE) that is flushed, linked as `.#NAME` and renamed. What a crash can leave is
 * an unnamed file, which the file system frees, or a `.#` file, which store_open() removes.
 *
 * No name comes from a caller unchecked: ids are `[a-z0-9][a-z0-9._-]*`, so no separator, no leading
 * dot, no way out of the directory; symbolic links are not followed. The directory is the
 * daemon's alone (0700), one process writes.
 *
 * Files that cannot be read as what they should be are damage. They are never deleted, since they
 * are what a person has to look at; store_damaged() names them.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

#define STATE_DIRECTORY "var/lib/hotpatch"
#define INTENT "intent"
#define LOCK "lock"
#define TEMPORARY_PREFIX ".#"

/* --- what values may be --- */

/** store_valid_hex() - a build-id: lower-case hexadecimal, at most 64 bytes of it */
bool store_valid_hex(const char *s) {
        size_t n = strspn(s, "0123456789abcdef");

        return n > 0 && s[n] == 0 && n % 2 == 0 && n <= 128;
}

/** store_valid_digest() - SHA-256 in lower-case hexadecimal */
bool store_valid_digest(const char *s) {
        return strlen(s) == 64 && store_valid_hex(s);
}

static bool valid_intent_type(const char *s) {
        return streq(s, "apply") || streq(s, "remove");
}

/* --- directories --- */

static int walk_entries(DIR *dir, int dir_fd, StoreVisit visit, void *userdata) {
        for (;;) {
                struct dirent *de;
                int r;

                errno = 0;
                de = readdir(dir);
                if (!de)
                        return -errno;
                if (streq(de->d_name, ".") || streq(de->d_name, ".."))
                        continue;
                r = visit(dir_fd, de->d_name, userdata);
                if (r < 0)
                        return r;
        }
}

/** store_walk() - visit every name of a directory, in no order. Return: 0 or a negative errno. */
int store_walk(int dir_fd, StoreVisit visit, void *userdata) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir;
        int r;

        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                r = -errno;
                safe_close(fd);
                return r;
        }
        r = walk_entries(dir, dir_fd, visit, userdata);
        closedir(dir);
        return r;
}

/** store_id_of() - "ID" of "ID" @suffix; NULL when it is not that or memory is out */
char *store_id_of(const char *name, const char *suffix) {
        size_t n = strlen(name), k = strlen(suffix);
        _cleanup_free_ char *id = NULL;

        if (n <= k || !streq(name + n - k, suffix))
                return NULL;
        id = strndup(name, n - k);
        if (!id || !manifest_id_is_valid(id))
                return NULL;
        return TAKE_PTR(id);
}

static int open_directory(int parent_fd, const char *name, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        /* Whoever owns it could replace what is in it. */
        if (st.st_uid != geteuid())
                return -EPERM;
        if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* /var/lib exists on any machine; below a test's root it may not. */
static int open_state_directory(const char *root, int *ret_fd) {
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int lib_fd = -EBADF;

        if (root_fd < 0)
                return -errno;
        if (mkdirat(root_fd, "var", 0755) < 0 && errno != EEXIST && errno != EROFS)
                return -errno;
        if (mkdirat(root_fd, "var/lib", 0755) < 0 && errno != EEXIST && errno != EROFS)
                return -errno;
        lib_fd = openat(root_fd, "var/lib", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lib_fd < 0)
                return -errno;
        return open_directory(lib_fd, "hotpatch", ret_fd);
}

static int remove_temporary(int dir_fd, const char *name, _unused_ void *userdata) {
        if (startswith(name, TEMPORARY_PREFIX))
                (void) unlinkat(dir_fd, name, 0);
        return 0;
}

static int store_clean(const Store *s) {
        const int fds[] = { s->dir_fd, s->spool_fd, s->admitted_fd, s->streams_fd };

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                int r = store_walk(fds[i], remove_temporary, NULL);
                if (r < 0)
                        return r;
        }
        return store_admitted_clean(s);
}

/* A second daemon, started by hand, would take the work of the first for what a crash left, long before
 * the bus refuses it the name. A lock of fcntl(2) and not of flock(2): it ends with this process, and is
 * not passed on to a worker that may outlive it. */
static int take_lock(Store *s) {
        const struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        s->lock_fd = openat(s->dir_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
        if (s->lock_fd < 0)
                return -errno;
        if (fcntl(s->lock_fd, F_SETLK, &all) < 0)
                return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
        return 0;
}

static int store_open_all(const char *root, Store *s) {
        int r;

        r = open_state_directory(root, &s->dir_fd);
        if (r < 0)
                return r;
        r = take_lock(s);
        if (r < 0)
                return r;
        r = open_directory(s->dir_fd, "spool", &s->spool_fd);
        if (r < 0)
                return r;
        r = open_directory(s->dir_fd, "admitted", &s->admitted_fd);
        if (r < 0)
                return r;
        r = open_directory(s->dir_fd, "streams", &s->streams_fd);
        if (r < 0)
                return r;
        /* The directories themselves must outlive a crash. */
        if (fsync(s->dir_fd) < 0)
                return -errno;
        return store_clean(s);
}

/**
 * store_open() - open the state directory, make what is missing, remove what a crash left half done
 * @root: root directory; the state is at @root/var/lib/hotpatch
 * @ret: the store; free with store_free()
 * @error: StateUnwritable
 *
 * Return: 0 or a negative errno.
 */
int store_open(const char *root, Store **ret, sd_bus_error *error) {
        _cleanup_(store_freep) Store *s = malloc(sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        *s = (Store) {
                .dir_fd = -EBADF, .lock_fd = -EBADF, .spool_fd = -EBADF, .admitted_fd = -EBADF, .streams_fd = -EBADF
        };
        r = store_open_all(root, s);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                "Cannot open the state directory '/" STATE_DIRECTORY "': %s",
                                r == -EBUSY ? "another hotpatchd is at work in it" : strerror(-r));
        *ret = TAKE_PTR(s);
        return 0;
}

/** store_free() - close the directories; accepts NULL. Returns NULL. */
Store *store_free(Store *s) {
        if (!s)
                return NULL;
        safe_close(s->dir_fd);
        safe_close(s->lock_fd);
        safe_close(s->spool_fd);
        safe_close(s->admitted_fd);
        safe_close(s->streams_fd);
        free(s);
        return NULL;
}

/* --- files --- */

/** store_read() - read a state file. Return: 0, -ENOENT, -EBADMSG for damage, or another errno. */
int store_read(int dir_fd, const char *name, const Field *fields, size_t n_fields, void *object) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        r = file_read_at(dir_fd, name, HOTPATCH_RECORD_MAX, &data, &size);
        /* Too large, a link, a directory: none of them did we write. */
        if (r == -EFBIG || r == -ELOOP || r == -EISDIR)
                return -EBADMSG;
        if (r < 0)
                return r;
        return fields_parse(fields, n_fields, data, size, object);
}

/** store_write() - replace a state file. Return: 0 or a negative errno; see file_replace_at() for it. */
int store_write(int dir_fd, const char *name, const Field *fields, size_t n_fields, const void *object) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = fields_format(fields, n_fields, object, &data, &size);
        if (r < 0)
                return r;
        if (size > HOTPATCH_RECORD_MAX)
                return -EFBIG;
        return file_replace_at(dir_fd, name, data, size, 0600);
}

/** store_open_file() - open a regular file for reading. Return: descriptor or a negative errno. */
int store_open_file(int dir_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOENT;
        return TAKE_FD(fd);
}

/** store_unlink() - delete a file for good. Return: 0, -ENOENT, or another negative errno. */
int store_unlink(int dir_fd, const char *name) {
        if (unlinkat(dir_fd, name, 0) < 0)
                return -errno;
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/** store_write_failed() - set StateUnwritable. Return: its negative errno. */
int store_write_failed(sd_bus_error *error, const char *what, int r) {
        if (r == -ENOMEM)
                return r;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "Cannot write %s in '/" STATE_DIRECTORY "': %s", what, strerror(-r));
}

/* linkat() by descriptor needs CAP_DAC_READ_SEARCH, which the daemon does not have; by /proc it is
 * open to all (open(2), O_TMPFILE). */
static int link_temporary(int fd, int dir_fd, const char *temporary) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, path, dir_fd, temporary, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/**
 * store_link() - give an unnamed file a name, in place of what had it
 * @fd: from store_tmpfile(), completely written
 *
 * Return: 0 or a negative errno; then the old file stands (or, when only the last flush of the
 * directory failed, the new one does, and a power cut may still bring the old one back).
 */
int store_link(_unused_ const Store *s, int fd, int dir_fd, const char *name) {
        _cleanup_free_ char *temporary = NULL;
        int r;

        if (asprintf(&temporary, TEMPORARY_PREFIX "%s", name) < 0)
                return -ENOMEM;
        if (fsync(fd) < 0)
                return -errno;
        r = link_temporary(fd, dir_fd, temporary);
        if (r < 0)
                return r;
        if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
                r = -errno;
                (void) unlinkat(dir_fd, temporary, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/**
 * store_tmpfile() - an empty unnamed file in the state directory, for reading and writing
 *
 * Return: descriptor, or a negative errno with StateUnwritable.
 */
int store_tmpfile(const Store *s, sd_bus_error *error) {
        int fd = openat(s->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return fd < 0 ? store_write_failed(error, "a new file", -errno) : fd;
}

/* --- the spool --- */

static int refuse_id(const char *id, sd_bus_error *error) {
        if (manifest_id_is_valid(id))
                return 0;
        /* The text is a stranger's: it is not repeated. */
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "That is not the form of a bundle id");
}

static char *spool_name(const char *id) {
        char *name;

        return asprintf(&name, "%s" STORE_BUNDLE_SUFFIX, id) < 0 ? NULL : name;
}

/**
 * store_spool_open() - open a staged bundle
 *
 * Return: descriptor for reading, or a negative errno with InvalidArgs or NoSuchBundle.
 */
int store_spool_open(const Store *s, const char *id, sd_bus_error *error) {
        _cleanup_free_ char *name = NULL;
        int r = refuse_id(id, error);

        if (r < 0)
                return r;
        name = spool_name(id);
        if (!name)
                return -ENOMEM;
        r = store_open_file(s->spool_fd, name);
        if (r == -ENOENT || r == -ELOOP)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchBundle"),
                                "There is no staged bundle '%s'", id);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                                "Cannot open the staged bundle '%s': %s", id, strerror(-r));
        return r;
}

static int collect_bundle_id(int dir_fd, const char *name, void *userdata) {
        _cleanup_free_ char *id = store_id_of(name, STORE_BUNDLE_SUFFIX);
        char ***ids = userdata;
        struct stat st;

        if (!id)
                return 0;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return 0;
        if (strv_length(*ids) >= HOTPATCH_SPOOL_MAX)
                return 0;
        return strv_extend(ids, id);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/**
 * store_spool_list() - ids of the staged bundles, in alphabetical order
 * @ret_ids: at most HOTPATCH_SPOOL_MAX; never NULL; free with strv_free()
 *
 * Names are read, bundles are not. Return: 0 or a negative errno.
 */
int store_spool_list(const Store *s, char ***ret_ids) {
        _cleanup_strv_free_ char **ids = NULL;
        int r;

        r = strv_copy(NULL, &ids);
        if (r < 0)
                return r;
        r = store_walk(s->spool_fd, collect_bundle_id, &ids);
        if (r < 0)
                return r;
        qsort(ids, strv_length(ids), sizeof(*ids), compare_strings);
        *ret_ids = TAKE_PTR(ids);
        return 0;
}

/** store_spool_remove() - delete a staged bundle. Return: 0, -ENOENT, -EINVAL or another errno. */
int store_spool_remove(const Store *s, const char *id) {
        _cleanup_free_ char *name = NULL;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        name = spool_name(id);
        if (!name)
                return -ENOMEM;
        return store_unlink(s->spool_fd, name);
}

static int spool_has_room(const Store *s, const char *id) {
        _cleanup_strv_free_ char **ids = NULL;
        int r = store_spool_list(s, &ids);

        if (r < 0)
                return r;
        return strv_length(ids) < HOTPATCH_SPOOL_MAX || strv_contains(ids, id);
}

/**
 * store_spool_commit() - put a bundle into the spool, in place of one of the same id
 * @fd: from store_tmpfile(), completely written
 * @id: the id in its verified manifest
 *
 * Return: 0, or a negative errno with InvalidArgs, SpoolFull or StateUnwritable.
 */
int store_spool_commit(const Store *s, int fd, const char *id, sd_bus_error *error) {
        _cleanup_free_ char *name = NULL;
        int r = refuse_id(id, error);

        if (r < 0)
                return r;
        name = spool_name(id);
        if (!name)
                return -ENOMEM;
        r = spool_has_room(s, id);
        if (r == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SpoolFull"),
                                "%u bundles are staged already, there is no room for '%s'",
                                HOTPATCH_SPOOL_MAX, id);
        if (r > 0)
                r = store_link(s, fd, s->spool_fd, name);
        return r < 0 ? store_write_failed(error, "a staged bundle", r) : 0;
}

/* --- streams --- */

typedef struct Stream {
        char *name;
        uint64_t sequence;
        char *digest;
} Stream;

static const Field stream_fields[] = {
        { "STREAM", FIELD_STRING, true, offsetof(Stream, name), manifest_id_is_valid },
        { "SEQUENCE", FIELD_U64, true, offsetof(Stream, sequence), NULL },
        { "DIGEST", FIELD_STRING, true, offsetof(Stream, digest), store_valid_digest },
};

static void stream_done(Stream *s) {
        fields_done(stream_fields, ELEMENTSOF(stream_fields), s);
}

static int stream_read(const Store *s, const char *name, Stream *ret) {
        Stream stream = { 0 };
        int r = store_read(s->streams_fd, name, stream_fields, ELEMENTSOF(stream_fields), &stream);

        if (r < 0)
                return r;
        if (!streq(stream.name, name)) {
                stream_done(&stream);
                return -EBADMSG;
        }
        *ret = stream;
        return 0;
}

/**
 * store_stream_get() - the highest sequence of a stream that was ever active here
 * @ret: 0: none yet
 * @ret_digest: of the manifest that had it, to be freed; NULL when there is none. May be NULL
 *
 * Return: 0, -EBADMSG when the mark is damaged (then a downgrade cannot be told: refuse), -EINVAL
 * for a name that is none, or another negative errno.
 */
int store_stream_get(const Store *s, const char *stream, uint64_t *ret, char **ret_digest) {
        _cleanup_(stream_done) Stream mark = { 0 };
        int r;

        if (!manifest_id_is_valid(stream))
                return -EINVAL;
        r = stream_read(s, stream, &mark);
        if (r < 0 && r != -ENOENT)
                return r;
        *ret = mark.sequence;
        if (ret_digest)
                *ret_digest = TAKE_PTR(mark.digest);
        return 0;
}

/** store_stream_set() - write the mark. Return: 0 or a negative errno; see store_write(). */
int store_stream_set(const Store *s, const char *stream, uint64_t sequence, const char *digest) {
        Stream mark = { .name = (char *) stream, .sequence = sequence, .digest = (char *) digest };

        if (!manifest_id_is_valid(stream) || !digest)
                return -EINVAL;
        return store_write(s->streams_fd, stream, stream_fields, ELEMENTSOF(stream_fields), &mark);
}

/* --- the intent --- */

const Field store_intent_fields[] = {
        { "TYPE", FIELD_STRING, true, offsetof(Intent, type), valid_intent_type },
        { "ID", FIELD_STRV, true, offsetof(Intent, ids), manifest_id_is_valid },
        { "MODULE", FIELD_STRV, false, offsetof(Intent, modules), manifest_module_is_valid },
        { "BOOT_ID", FIELD_ID128, true, offsetof(Intent, boot_id), NULL },
        { "STARTED_USEC", FIELD_U64, true, offsetof(Intent, started_usec), NULL },
};
const size_t store_n_intent_fields = ELEMENTSOF(store_intent_fields);

/** intent_done() - free what it owns */
void intent_done(Intent *i) {
        fields_done(store_intent_fields, ELEMENTSOF(store_intent_fields), i);
}

/**
 * store_intent_write() - say durably what is about to be done; call it before the kernel is touched
 *
 * Return: 0, or a negative errno with StateUnwritable: then nothing must be done.
 */
int store_intent_write(const Store *s, const Intent *i, sd_bus_error *error) {
        int r = store_write(s->dir_fd, INTENT, store_intent_fields, ELEMENTSOF(store_intent_fields), i);

        return r < 0 ? store_write_failed(error, "the intent", r) : 0;
}

/**
 * store_intent_read() - the open intent
 * @ret: filled on success; intent_done() it
 *
 * Return: 0, -ENOENT when there is none, -EBADMSG when it is damaged, or another negative errno.
 */
int store_intent_read(const Store *s, Intent *ret) {
        Intent i = { 0 };
        int r = store_read(s->dir_fd, INTENT, store_intent_fields, ELEMENTSOF(store_intent_fields), &i);

        if (r < 0)
                return r;
        /* Each module is that of the id at the same place. */
        if (strv_length(i.ids) != strv_length(i.modules)) {
                intent_done(&i);
                return -EBADMSG;
        }
        *ret = i;
        return 0;
}

/** store_intent_clear() - the work is done or undone. Return: 0 (also when there was none) or errno. */
int store_intent_clear(const Store *s) {
        int r = store_unlink(s->dir_fd, INTENT);

        return r == -ENOENT ? 0 : r;
}

/* --- damage --- */

typedef struct Damage {
        const Store *store;
        char ***names;
} Damage;

static int collect_damaged_stream(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_(stream_done) Stream stream = { 0 };
        _cleanup_free_ char *path = NULL;
        Damage *d = userdata;

        if (startswith(name, TEMPORARY_PREFIX) || stream_read(d->store, name, &stream) >= 0)
                return 0;
        if (strv_length(*d->names) >= HOTPATCH_RECORD_LIST_MAX)
                return 0;
        if (asprintf(&path, "streams/%s", name) < 0)
                return -ENOMEM;
        return strv_extend(d->names, path);
}

/**
 * store_damaged() - names of the state files that cannot be read, relative to the state directory
 * @ret_names: never NULL; free with strv_free(). They may hold any byte: escape them for showing
 *
 * Return: 0 or a negative errno.
 */
int store_damaged(const Store *s, char ***ret_names) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_(intent_done) Intent intent = { 0 };
        Damage d = { .store = s, .names = &names };
        int r;

        r = strv_copy(NULL, &names);
        if (r < 0)
                return r;
        r = store_admitted_damaged(s, &names);
        if (r < 0)
                return r;
        r = store_walk(s->streams_fd, collect_damaged_stream, &d);
        if (r < 0)
                return r;
        r = store_intent_read(s, &intent);
        if (r < 0 && r != -ENOENT) {
                r = strv_extend(&names, INTENT);
                if (r < 0)
                        return r;
        }
        *ret_names = TAKE_PTR(names);
        return 0;
}
