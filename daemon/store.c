/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state directory: open it, clean up what a crash left, say what in it is damaged. What is in it
 * has a file of its own for each reason: store-spool.c, store-admitted.c, store-stream.c,
 * store-intent.c, store-trial.c, store-strike.c, store-superseded.c; what all of them do with files is
 * in store-file.c.
 *
 * No name comes from a caller unchecked: ids are `[a-z0-9][a-z0-9._-]*`, so no separator, no leading
 * dot, no way out of the directory. The directory is the daemon's alone (0700), one process writes.
 *
 * Files that cannot be read as what they should be are damage. They are never deleted, since they
 * are what a person has to look at; store_damaged() names them.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/strv.h"

#define LOCK "lock"

/* --- directories --- */

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
        return store_open_directory(lib_fd, "hotpatch", ret_fd);
}

static int remove_temporary(int dir_fd, const char *name, _unused_ void *userdata) {
        if (startswith(name, STORE_TEMPORARY_PREFIX))
                (void) unlinkat(dir_fd, name, 0);
        return 0;
}

static int store_clean(const Store *s) {
        const int fds[] = { s->dir_fd, s->spool_fd, s->admitted_fd, s->streams_fd, s->trials_fd, s->strikes_fd };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                r = store_walk(fds[i], remove_temporary, NULL);
                if (r < 0)
                        return r;
        }
        r = store_superseded_clean(s);
        return r < 0 ? r : store_admitted_clean(s);
}

/* A second daemon, started by hand, would take the work of the first for what a crash left, long before
 * the bus refuses it the name. A lock of fcntl(2) and not of flock(2): it ends with this process, and is
 * not passed on to a worker that may outlive it. */
static int take_lock(int dir_fd, int *ret) {
        const struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = openat(dir_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

        if (fd < 0)
                return -errno;
        if (fcntl(fd, F_SETLK, &all) < 0)
                return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

typedef struct Directory {
        const char *name;
        int *fd;
} Directory;

#define DIRECTORIES(s)                                                                                           \
        {                                                                                                        \
                { "spool", &(s)->spool_fd },   { "admitted", &(s)->admitted_fd }, { "streams", &(s)->streams_fd }, \
                { "trials", &(s)->trials_fd }, { "strikes", &(s)->strikes_fd },                                  \
                { "superseded", &(s)->superseded_fd },                                                           \
        }

static int open_directories(Store *s) {
        const Directory directories[] = DIRECTORIES(s);

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                int fd, r = store_open_directory(s->dir_fd, directories[i].name, &fd);

                if (r < 0)
                        return r;
                safe_close(*directories[i].fd);
                *directories[i].fd = fd;
        }
        /* The directories themselves must outlive a crash. */
        return fsync(s->dir_fd) < 0 ? -errno : 0;
}

/* Is what is open still what has this name? */
static bool is_there(int parent_fd, const char *name, int fd) {
        struct stat there, open;

        return fstatat(parent_fd, name, &there, AT_SYMLINK_NOFOLLOW) >= 0 && fstat(fd, &open) >= 0 &&
                there.st_ino == open.st_ino && there.st_dev == open.st_dev;
}

static bool all_there(Store *s) {
        const Directory directories[] = DIRECTORIES(s);
        struct stat st;

        /* One that was deleted, or replaced by another one; only the daemon is in it by a descriptor alone. */
        if (fstat(s->dir_fd, &st) < 0 || st.st_nlink == 0 || !is_there(s->dir_fd, LOCK, s->lock_fd))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (!is_there(s->dir_fd, directories[i].name, *directories[i].fd))
                        return false;
        return true;
}

static int store_open_all(const char *root, Store *s) {
        int r;

        r = open_state_directory(root, &s->dir_fd);
        if (r < 0)
                return r;
        r = take_lock(s->dir_fd, &s->lock_fd);
        if (r < 0)
                return r;
        r = open_directories(s);
        return r < 0 ? r : store_clean(s);
}

static Store *store_new(void) {
        Store *s = malloc(sizeof(*s));

        if (s)
                *s = (Store) {
                        .dir_fd = -EBADF, .lock_fd = -EBADF, .spool_fd = -EBADF,
                        .spool_watch_fd = -EBADF, .admitted_fd = -EBADF,
                        .streams_fd = -EBADF, .trials_fd = -EBADF, .strikes_fd = -EBADF,
                        .superseded_fd = -EBADF,
                };
        return s;
}

/**
 * store_open_to_look() - open the state directory beside a daemon that may be at work in it
 * @ret: the store, for reading only; free with store_free()
 *
 * Return: 0 or a negative errno.
 */
int store_open_to_look(const char *root, Store **ret) {
        _cleanup_(store_freep) Store *s = store_new();
        int r;

        if (!s)
                return -ENOMEM;
        r = open_state_directory(root, &s->dir_fd);
        if (r >= 0)
                r = open_directories(s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
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
        _cleanup_(store_freep) Store *s = store_new();
        int r;

        if (!s)
                return -ENOMEM;
        r = store_open_all(root, s);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                "Cannot open the state directory '/" STORE_DIRECTORY "': %s",
                                r == -EBUSY ? "another hotpatchd or hotpatch-restore is at work in it" : strerror(-r));
        store_spool_watch(s);
        *ret = TAKE_PTR(s);
        return 0;
}

/* What cannot be locked is not worked in: until then all stays as it is. */
static int reopen(Store *s, const char *root) {
        _cleanup_close_ int dir_fd = -EBADF, lock_fd = -EBADF;
        int r = open_state_directory(root, &dir_fd);

        if (r < 0)
                return r;
        /* Closing a file ends this process's lock of it: only when it is another one. */
        if (!is_there(dir_fd, LOCK, s->lock_fd)) {
                r = take_lock(dir_fd, &lock_fd);
                if (r < 0)
                        return r;
                safe_close(s->lock_fd);
                s->lock_fd = TAKE_FD(lock_fd);
        }
        safe_close(s->dir_fd);
        s->dir_fd = TAKE_FD(dir_fd);
        return open_directories(s);
}

/**
 * store_renew() - somebody may have deleted what is in the state directory under our hands: make it again
 * @root: as given to store_open()
 * @error: StateUnwritable
 *
 * Costs some calls of stat(2) when nothing has happened.
 *
 * Return: 1 when something was made again, 0, or a negative errno.
 */
int store_renew(Store *s, const char *root, sd_bus_error *error) {
        int r;

        if (all_there(s))
                return 0;
        r = reopen(s, root);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                "The state directory '/" STORE_DIRECTORY "' was deleted and cannot be made again (%s); "
                                "restart hotpatchd.service",
                                r == -EBUSY ? "another hotpatchd or hotpatch-restore is at work in it" : strerror(-r));
        s->spool_watch_fd = safe_close(s->spool_watch_fd);
        store_spool_watch(s);
        return 1;
}

/** store_free() - close the directories; accepts NULL. Returns NULL. */
Store *store_free(Store *s) {
        if (!s)
                return NULL;
        safe_close(s->dir_fd);
        safe_close(s->lock_fd);
        safe_close(s->spool_fd);
        safe_close(s->spool_watch_fd);
        safe_close(s->admitted_fd);
        safe_close(s->streams_fd);
        safe_close(s->trials_fd);
        safe_close(s->strikes_fd);
        safe_close(s->superseded_fd);
        free(s);
        return NULL;
}

/* --- damage --- */

/** store_damage_add() - append the name of a damaged file, if there is room. Return: 0 or -ENOMEM. */
int store_damage_add(char ***names, const char *format, ...) {
        va_list ap;
        int r;

        if (strv_length(*names) >= HOTPATCH_RECORD_LIST_MAX)
                return 0;
        va_start(ap, format);
        r = strv_extendv(names, format, ap);
        va_end(ap);
        return r;
}

/**
 * store_damaged() - names of the state files that cannot be read, relative to the state directory
 * @ret_names: never NULL; free with strv_free(). They may hold any byte: escape them for showing
 *
 * Return: 0 or a negative errno.
 */
int store_damaged(const Store *s, char ***ret_names) {
        static int (*const collectors[])(const Store *s, char ***names) = {
                store_admitted_damaged, store_streams_damaged, store_intent_damaged,
                store_trials_damaged,   store_strikes_damaged, store_superseded_damaged,
                store_forced_damaged,   store_baseline_damaged,
        };
        _cleanup_strv_free_ char **names = NULL;
        int r;

        r = strv_copy(NULL, &names);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(collectors); i++)
                r = collectors[i](s, &names);
        if (r < 0)
                return r;
        *ret_names = TAKE_PTR(names);
        return 0;
}
