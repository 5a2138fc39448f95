/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Following the kernel log: epoll wakes up when /dev/kmsg has a record, nothing is polled, and nothing
 * is done at all while the kernel is quiet.
 *
 * A record is found again by its sequence number, which lasts as long as the boot: who is interrupted
 * goes on behind the last record he has seen. There is no call that tells the number of the next record,
 * so a follower that begins "now" knows its place only after the first one.
 *
 * A kernel that writes without end must not keep its reader from everything else: in each turn of the loop a
 * bounded number of records is read, and turns are bounded by the event loop's rate limit. What is
 * overwritten meanwhile is told as lost; the kernel says so with EPIPE and goes on behind the gap.
 *
 * What this does not do: say what a record means (kernelsigns.c).
 */

#include <fcntl.h>
#include <sys/epoll.h>

#include "livepatch/klog-follow.h"
#include "util/limits.h"

struct KernelLogFollower {
        int fd;
        sd_event_source *source;
        KernelLogRecord on_record;
        KernelLogLost on_lost;
        void *userdata;
        uint64_t from; /* records before are left out */
        uint64_t next; /* number behind the last one; KERNEL_LOG_NOW: none seen yet */
        bool *freed;   /* set in a callback that frees the follower */
        char buffer[KERNEL_RECORD_MAX + 1];
};

/** kernel_log_follower_free() - stop following; also from a callback. Return: NULL */
KernelLogFollower *kernel_log_follower_free(KernelLogFollower *f) {
        if (!f)
                return NULL;
        if (f->freed)
                *f->freed = true;
        sd_event_source_disable_unref(f->source);
        safe_close(f->fd);
        free(f);
        return NULL;
}

/**
 * kernel_log_follower_sequence() - the number that the next record has
 *
 * Return: the number, or KERNEL_LOG_NOW when no record was seen yet.
 */
uint64_t kernel_log_follower_sequence(const KernelLogFollower *f) {
        return f->next;
}

/* Return: whether the follower still exists. */
static bool tell_lost(KernelLogFollower *f, uint64_t n) {
        bool freed = false;

        if (!f->on_lost)
                return true;
        f->freed = &freed;
        f->on_lost(f->userdata, n);
        if (freed)
                return false;
        f->freed = NULL;
        return true;
}

/* Return: whether the follower still exists. */
static bool tell_record(KernelLogFollower *f, const KernelRecord *record) {
        bool freed = false;

        f->freed = &freed;
        f->on_record(f->userdata, record);
        if (freed)
                return false;
        f->freed = NULL;
        return true;
}

/* Return: whether the follower still exists. */
static bool take(KernelLogFollower *f, const KernelRecord *record) {
        if (f->from != KERNEL_LOG_NOW && record->sequence < f->from)
                return true;
        /* Numbers grow; what does not is no news. */
        if (f->next != KERNEL_LOG_NOW && record->sequence < f->next)
                return true;
        /* EPIPE said that some are missing; the gap says how many. */
        if (f->next != KERNEL_LOG_NOW && record->sequence > f->next) {
                uint64_t gap = record->sequence - f->next;

                f->next = record->sequence;
                if (!tell_lost(f, gap))
                        return false;
        }
        f->next = record->sequence + 1;
        return tell_record(f, record);
}

/* Return: 1 when something was read, 0 at the end, -ECANCELED when the follower is gone, or another
 * negative errno. */
static int read_one(KernelLogFollower *f) {
        char *p = f->buffer;
        KernelRecord record;
        ssize_t n;

        n = read(f->fd, f->buffer, KERNEL_RECORD_MAX);
        if (n < 0 && (errno == EPIPE || errno == EINTR))
                return 1;
        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
                return 0;
        f->buffer[n] = 0;
        while (kernel_record_next(&p, &record) > 0)
                if (!take(f, &record))
                        return -ECANCELED;
        return 1;
}

static int on_input(_unused_ sd_event_source *source, _unused_ int fd, uint32_t revents, void *userdata) {
        KernelLogFollower *f = userdata;
        int r = 1;

        for (unsigned i = 0; r > 0 && i < HOTPATCH_KERNEL_LOG_TURN; i++)
                r = read_one(f);
        if (r == -ECANCELED)
                return 0;
        /* Nothing more will come: the writer of a captured log has gone, or the device has. */
        if (r < 0 || (r == 0 && (revents & (EPOLLHUP | EPOLLIN)) == EPOLLHUP))
                f->source = sd_event_source_disable_unref(f->source);
        return 0;
}

static int watch(KernelLogFollower *f, sd_event *event) {
        int r;

        r = sd_event_add_io(event, &f->source, f->fd, EPOLLIN, on_input, f);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(f->source, "kernel-log");
        return sd_event_source_set_ratelimit(f->source, HOTPATCH_KERNEL_LOG_TURN_USEC, 1);
}

/**
 * kernel_log_follow() - begin to follow the kernel log
 * @k: the kernel
 * @event: calls back from there
 * @from: number of the first record that is wanted, or KERNEL_LOG_NOW
 * @on_record: called for each record
 * @on_lost: called when records are missing; may be NULL
 * @userdata: for both
 * @ret: to be freed with kernel_log_follower_free()
 *
 * Return: 0, -ENOENT or -EACCES when there is no log to be read, or another negative errno.
 */
int kernel_log_follow(const Kernel *k, sd_event *event, uint64_t from, KernelLogRecord on_record,
                KernelLogLost on_lost, void *userdata, KernelLogFollower **ret) {
        _cleanup_kernel_log_follower_free_ KernelLogFollower *f = NULL;
        int r;

        f = malloc(sizeof(*f));
        if (!f)
                return -ENOMEM;
        *f = (KernelLogFollower) {
                .on_record = on_record,
                .on_lost = on_lost,
                .userdata = userdata,
                .from = from,
                .next = from,
                .fd = openat(kernel_root_fd(k), "dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY),
        };
        if (f->fd < 0)
                return -errno;
        /* Without a seek the first record is the oldest one that the kernel has. */
        if (from == KERNEL_LOG_NOW && lseek(f->fd, 0, SEEK_END) < 0 && errno != ESPIPE)
                return -errno;
        r = watch(f, event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

/**
 * kernel_log_follower_catch_up() - read what is there now, without waiting for the event loop
 * @f: calls back meanwhile
 *
 * Return: 0, -ECANCELED when a callback freed @f, or another negative errno.
 */
int kernel_log_follower_catch_up(KernelLogFollower *f) {
        int r = 1;

        for (unsigned i = 0; r > 0 && i < HOTPATCH_KERNEL_LOG_CATCH_UP; i++)
                r = read_one(f);
        return r < 0 ? r : 0;
}
