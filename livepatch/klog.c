/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lines of the kernel log from a mark on.
 *
 * The kernel answers a refused livepatch with a bare errno and says the reason only in its log, so
 * a mark is set before a module goes in and the lines since are read when it was refused.
 *
 * Each read(2) of /dev/kmsg gives one record. Records that were overwritten before we came are reported by
 * EPIPE, once, and reading goes on behind them. klog-follow.c is for those who wait for what comes.
 *
 * A log that cannot be opened (no permission, a container) is an empty log: patching works without
 * it, only the messages are poorer. Root may write any text there, so lines are made printable and
 * cut; they explain a refusal that was already given and decide nothing by themselves.
 */

#include <fcntl.h>

#include "livepatch/klog-record.h"
#include "livepatch/klog.h"
#include "util/limits.h"

struct KernelLog {
        int fd;
};

/**
 * kernel_log_open() - set the mark: lines that come from now on will be read
 * @ret: to be freed with kernel_log_free()
 *
 * Return: 0 or -ENOMEM.
 */
int kernel_log_open(const Kernel *k, KernelLog **ret) {
        KernelLog *l = malloc(sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->fd = openat(kernel_root_fd(k), "dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (l->fd >= 0 && lseek(l->fd, 0, SEEK_END) < 0)
                l->fd = safe_close(l->fd);
        *ret = l;
        return 0;
}

/** kernel_log_free() - close the log. Return: NULL */
KernelLog *kernel_log_free(KernelLog *l) {
        if (!l)
                return NULL;
        safe_close(l->fd);
        free(l);
        return NULL;
}

static bool is_word_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
}

/* "foo" is mentioned in "'foo':", not in "foobar". */
static bool mentions(const char *text, const char *word) {
        size_t l = strlen(word);

        for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
                if ((p == text || !is_word_character(p[-1])) && !is_word_character(p[l]))
                        return true;
        return false;
}

/* The last lines that matter, the oldest overwritten by the newest. */
typedef struct Tail {
        char lines[HOTPATCH_KERNEL_LOG_LINES][HOTPATCH_KERNEL_LOG_LINE_MAX + 1];
        size_t n;
} Tail;

static void tail_add(Tail *t, const char *text) {
        char *line = t->lines[t->n++ % HOTPATCH_KERNEL_LOG_LINES];
        size_t i;

        for (i = 0; text[i] && i < HOTPATCH_KERNEL_LOG_LINE_MAX; i++)
                line[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
        line[i] = 0;
}

static int tail_join(const Tail *t, char **ret) {
        size_t first = t->n > HOTPATCH_KERNEL_LOG_LINES ? t->n - HOTPATCH_KERNEL_LOG_LINES : 0;
        char *text = calloc(1, HOTPATCH_KERNEL_LOG_LINES * (HOTPATCH_KERNEL_LOG_LINE_MAX + 1) + 1);
        char *p = text;

        if (!text)
                return -ENOMEM;
        for (size_t i = first; i < t->n; i++) {
                if (p > text)
                        *p++ = '\n';
                p = stpcpy(p, t->lines[i % HOTPATCH_KERNEL_LOG_LINES]);
        }
        *ret = text;
        return 0;
}

/* Takes the records of one read: one, unless it is a captured file. */
static void take_records(Tail *t, char *buf, const char *module) {
        KernelRecord record;

        while (kernel_record_next(&buf, &record) > 0)
                if (strstr(record.text, "livepatch:") || strstr(record.text, "hotpatch:") ||
                    (module && mentions(record.text, module)))
                        tail_add(t, record.text);
}

/**
 * kernel_log_read() - the lines since the mark that mention `livepatch:`, `hotpatch:` or @module
 * @module: may be NULL
 * @ret: printable ASCII, lines separated by newlines, the last HOTPATCH_KERNEL_LOG_LINES of them;
 *   empty when there is none; to be freed
 *
 * The mark moves behind what was read.
 *
 * Return: 0 or a negative errno.
 */
int kernel_log_read(KernelLog *l, const char *module, char **ret) {
        _cleanup_free_ char *buf = malloc(KERNEL_RECORD_MAX + 1);
        Tail tail = {};

        if (!buf)
                return -ENOMEM;
        while (l->fd >= 0) {
                ssize_t n = read(l->fd, buf, KERNEL_RECORD_MAX);

                if (n < 0 && (errno == EPIPE || errno == EINTR))
                        continue;
                if (n < 0 && errno != EAGAIN)
                        return -errno;
                if (n <= 0)
                        break;
                buf[n] = 0;
                take_records(&tail, buf, module);
        }
        return tail_join(&tail, ret);
}
