/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Marks in the log. QEMU's log has none of its own, so they are writes to the end of the disk, behind the file system.
 *
 * A mark flushes nothing, and the state is only looked at after its first sector is written: what the daemon forgot
 * to flush must not come to the disk by being asked about.
 */

#include <fcntl.h>

#include "daemon/store.h"
#include "tests/faults/replay.h"
#include "tests/faults/state-lines.h"
#include "util/strv.h"

static int append(char *buf, size_t *at, const char *line) {
        int n = snprintf(buf + *at, REPLAY_MARK_TEXT_SIZE - *at, "%s\n", line);

        if (n < 0 || (size_t) n >= REPLAY_MARK_TEXT_SIZE - *at)
                return -E2BIG;
        *at += (size_t) n;
        return 0;
}

static int fill(char *buf, const char *name, const char *root) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_strv_free_ char **lines = NULL;
        size_t at = strlen(REPLAY_MARK_TEXT);
        int r;

        memset(buf, 0, REPLAY_MARK_TEXT_SIZE);
        memcpy(buf, REPLAY_MARK_TEXT, at);
        r = store_open_to_look(root, &s);
        if (r >= 0)
                r = state_lines(s, root, true, &lines);
        if (r >= 0)
                r = append(buf, &at, name);
        for (char **line = lines; r >= 0 && line && *line; line++)
                r = append(buf, &at, *line);
        return r;
}

static int put(int fd, const void *buf, size_t size, uint64_t offset) {
        ssize_t n = pwrite(fd, buf, size, (off_t) offset);

        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -EIO;
}

/**
 * replay_mark_write() - say in the log that an operation is over, and what the state directory says now
 * @disk: that is logged
 * @offset: where the file system ends
 * @root: the state directory is at @root/var/lib/hotpatch
 *
 * Return: 0 or a negative errno.
 */
int replay_mark_write(const char *disk, uint64_t offset, const char *name, const char *root) {
        _cleanup_close_ int fd = open(disk, O_WRONLY | O_DIRECT | O_CLOEXEC);
        _cleanup_free_ char *buf = NULL;
        int r;

        if (fd < 0)
                return -errno;
        if (posix_memalign((void **) &buf, 4096, REPLAY_MARK_TEXT_SIZE) != 0)
                return -ENOMEM;
        memset(buf, 0, REPLAY_MARK_TEXT_SIZE);
        memcpy(buf, REPLAY_MARK_BEGIN, strlen(REPLAY_MARK_BEGIN));
        r = put(fd, buf, 4096, offset);
        if (r >= 0)
                r = fill(buf, name, root);
        return r < 0 ? r : put(fd, buf, REPLAY_MARK_TEXT_SIZE, offset + REPLAY_MARK_TEXT_OFFSET);
}

/* --- reading --- */

static int read_lines(const WriteLogEntry *e, ReplayMark *mark) {
        _cleanup_free_ char *text = strndup((const char *) e->data, e->size);
        char *rest = text + strlen(REPLAY_MARK_TEXT);
        char *line;

        if (!text)
                return -ENOMEM;
        mark->name = strdup(strsep(&rest, "\n"));
        if (!mark->name)
                return -ENOMEM;
        while ((line = strsep(&rest, "\n")))
                if (*line && strv_extend(&mark->live, line) < 0)
                        return -ENOMEM;
        return 0;
}

static bool begins(const WriteLogEntry *e, uint64_t offset, const char *with) {
        return e->data && e->offset == offset && e->size >= strlen(with) && memcmp(e->data, with, strlen(with)) == 0;
}

/**
 * replay_marks_find() - the marks of a log
 * @offset: where the file system ends
 * @ret: array of @ret_n; free with replay_marks_free()
 *
 * Return: 0 or a negative errno.
 */
int replay_marks_find(const WriteLog *log, uint64_t offset, ReplayMark **ret, size_t *ret_n) {
        ReplayMark *marks = calloc(log->n_entries + 1, sizeof(*marks));
        size_t n = 0, begin = 0;
        int r = marks ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < log->n_entries; i++) {
                const WriteLogEntry *e = &log->entries[i];

                if (begins(e, offset, REPLAY_MARK_BEGIN))
                        begin = i;
                if (!begins(e, offset + REPLAY_MARK_TEXT_OFFSET, REPLAY_MARK_TEXT))
                        continue;
                marks[n].entry = begin;
                r = read_lines(e, &marks[n]);
                n++;
        }
        if (r < 0) {
                replay_marks_free(marks, n);
                return r;
        }
        *ret = marks;
        *ret_n = n;
        return 0;
}

/** replay_mark_module() - Return: which module the kernel is about to load or unload, to be freed; NULL: none. */
char *replay_mark_module(const WriteLogEntry *e, uint64_t offset) {
        size_t n = strlen(REPLAY_MARK_KERNEL);
        const char *name;

        if (!begins(e, offset + REPLAY_MARK_KERNEL_OFFSET, REPLAY_MARK_KERNEL))
                return NULL;
        name = (const char *) e->data + n;
        return strndup(name, strcspn(name, "\n"));
}

/** replay_marks_free() - free an array from replay_marks_find() */
void replay_marks_free(ReplayMark *marks, size_t n) {
        for (size_t i = 0; marks && i < n; i++) {
                free(marks[i].name);
                strv_free(marks[i].live);
                strv_free(marks[i].settled);
        }
        free(marks);
}
