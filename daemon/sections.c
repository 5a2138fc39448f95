/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A worker that is asked several things at once, because a process more costs more than the answer, tells them in
 * sections. Who writes an answer writes into a file of its own, so that its size is known before it is told. Who reads
 * knows which section comes next: any other is no answer.
 */

#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/sections.h"
#include "daemon/worker.h"
#include "util/file.h"

/** section_open() - a file for the content of a section, or a negative errno */
int section_open(void) {
        int fd = memfd_create("hotpatch-section", MFD_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/**
 * section_write() - tell a section
 * @name: a word
 * @content_fd: from section_open()
 *
 * Return: 0 or a negative errno.
 */
int section_write(int output_fd, const char *name, int content_fd) {
        _cleanup_free_ char *data = NULL;
        struct stat st;
        int n, r;

        if (fstat(content_fd, &st) < 0)
                return -errno;
        if ((uint64_t) st.st_size > WORKER_OUTPUT_MAX)
                return -EFBIG;
        data = malloc((size_t) st.st_size + 64 + strlen(name));
        if (!data)
                return -ENOMEM;
        n = sprintf(data, "%s %zu\n", name, (size_t) st.st_size);
        r = file_pread_all(content_fd, data + n, (size_t) st.st_size, 0);
        return r < 0 ? r : file_write_all(output_fd, data, (size_t) n + (size_t) st.st_size);
}

/**
 * section_read() - the content of the next section, if it has that name
 * @p, @left: what is left of the output; they move on
 * @ret, @ret_size: in the output
 *
 * Return: 0, -ENOENT when another section comes next or none, -EBADMSG when it is not whole; then nothing has moved.
 */
int section_read(const char **p, size_t *left, const char *name, const char **ret, size_t *ret_size) {
        const char *end = *left > 0 ? memchr(*p, '\n', *left) : NULL, *q;
        size_t size = 0, head, l = strlen(name);

        if (!end || (size_t) (end - *p) <= l || memcmp(*p, name, l) != 0 || (*p)[l] != ' ')
                return -ENOENT;
        q = *p + l + 1;
        if (q == end || end - q > 9)
                return -EBADMSG;
        for (; q < end; q++) {
                if (*q < '0' || *q > '9')
                        return -EBADMSG;
                size = size * 10 + (size_t) (*q - '0');
        }
        head = (size_t) (end + 1 - *p);
        if (size > *left - head)
                return -EBADMSG;
        *ret = end + 1;
        *ret_size = size;
        *p = end + 1 + size;
        *left -= head + size;
        return 0;
}
