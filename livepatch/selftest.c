/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ask a patch module whether it is well: module/selftest.c.
 *
 * The write of "1" comes back when the module has had its tripwires report once and its author's self-test has run. So
 * whoever polls the tripwires must have been woken by then, and must find the counts that were there, or more: that
 * is what the alarm of an attack depends on, and it is looked at here from the end that hotpatchd uses.
 *
 * The call may sleep for as long as the author's code does, and in the kernel: it belongs into a child.
 */

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>

#include "livepatch/selftest.h"
#include "livepatch/state.h"
#include "livepatch/tripwires.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* It was woken before the write came back; this is for a machine that is very busy. */
#define WAKE_MSEC 5000

static int complain(char **ret, int r, const char *format, ...) _printf_(3, 4);
static int complain(char **ret, int r, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = str_vprintf(ret, format, ap);
        va_end(ap);
        return n < 0 ? n : r;
}

/* Without these we cannot ask, which says nothing about the module. */
static bool is_our_failure(int r) {
        return r == -EACCES || r == -EPERM || r == -EROFS || r == -EMFILE || r == -ENFILE || r == -ENOMEM ||
                r == -ENODEV || r == -EINTR;
}

static int run(const Kernel *k, const char *module) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r = kernel_module_path("sys/module", module, "hotpatch/self_test", &path);

        if (r < 0)
                return r;
        fd = openat(kernel_root_fd(k), path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        return write(fd, "1", 1) < 0 ? -errno : 0;
}

/* A captured tree has nobody who wakes. */
static bool can_wake(int fd) {
        struct statfs s;

        return fd >= 0 && fstatfs(fd, &s) == 0 && s.f_type == SYSFS_MAGIC;
}

static bool was_woken(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLPRI };
        int n;

        do
                n = poll(&p, 1, WAKE_MSEC);
        while (n < 0 && errno == EINTR);
        return n > 0;
}

static bool still_counts(const TripwireCounts *before, const TripwireCounts *after) {
        if (before->n != after->n)
                return false;
        for (size_t i = 0; i < before->n; i++)
                if (!streq(before->items[i].name, after->items[i].name) || after->items[i].n < before->items[i].n)
                        return false;
        return true;
}

/**
 * livepatch_self_test() - let a patch module test itself
 * @module: loaded, and ours
 * @ret_reason: why it failed, one sentence, to be freed; NULL when it is no failure of the module
 *
 * Return: 1 when it is well, 0 when it has no such test or is not loaded, or a negative errno.
 */
int livepatch_self_test(const Kernel *k, const char *module, char **ret_reason) {
        _cleanup_(tripwire_counts_done) TripwireCounts before = {}, after = {};
        _cleanup_close_ int fd = -EBADF;
        bool tripwires, wakes;
        char buffer[64];
        int r;

        *ret_reason = NULL;
        if (!kernel_module_name_valid(module))
                return -EINVAL;
        fd = livepatch_tripwire_open(k, module);
        /* sysfs wakes up only who has read through this descriptor. */
        wakes = can_wake(fd) && pread(fd, buffer, sizeof(buffer), 0) >= 0;
        tripwires = livepatch_tripwires(k, module, &before) >= 0;
        r = run(k, module);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && is_our_failure(r))
                return r;
        if (r < 0)
                return complain(ret_reason, r, "the self-test of module '%s' failed: %s", module, strerror(-r));
        if (wakes && !was_woken(fd))
                return complain(ret_reason, -ETIME, "the tripwires of module '%s' do not wake who waits for them", module);
        if (!tripwires)
                return 1;
        r = livepatch_tripwires(k, module, &after);
        if (r == -ENOENT)
                return 0; /* unloaded in between */
        if (r < 0 || !still_counts(&before, &after))
                return complain(ret_reason, -EBADMSG, "the tripwires of module '%s' do not count", module);
        return 1;
}
