/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The spool: bundles that somebody staged, or put there. Nothing in it is trusted or wanted; each is
 * verified when it is applied, from a copy. So listing it reads names and not files.
 *
 * Whether it is as it was is asked of inotify(7): whoever changes it, by the time that his call is over the kernel has
 * put an event into the queue. Nobody is waked by that; the queue is read when somebody wants to know. What changes
 * a file of the spool by a mapping of it, or under another of its names, is no event.
 */

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static int refuse_id(const char *id, sd_bus_error *error) {
        if (manifest_id_is_valid(id))
                return 0;
        /* The text is a stranger's: it is not repeated. */
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "That is not the form of a bundle id");
}

static char *spool_name(const char *id) {
        char *name;

        return str_printf(&name, "%s" STORE_BUNDLE_SUFFIX, id) < 0 ? NULL : name;
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

/** store_spool_watch() - let store_spool_changed() know; without that each answer is "maybe" */
void store_spool_watch(Store *s) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
        int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

        if (fd < 0)
                return;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", s->spool_fd);
        if (inotify_add_watch(fd, path, IN_CREATE | IN_DELETE | IN_MOVE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
                fd = safe_close(fd);
        s->spool_watch_fd = fd;
}

/**
 * store_spool_changed() - may the spool be another one than at the call before this?
 *
 * To be asked before the spool is listed: what changes in between is told by the next call.
 */
bool store_spool_changed(const Store *s) {
        char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        bool changed = false;
        ssize_t n;

        if (s->spool_watch_fd < 0)
                return true;
        while ((n = read(s->spool_watch_fd, events, sizeof(events))) > 0)
                changed = true;
        /* Anything but "nothing" is not known to be nothing. */
        return changed || n == 0 || errno != EAGAIN;
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
