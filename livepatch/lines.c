/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel's long lists of functions: /proc/kallsyms and the lists in tracefs.
 *
 * They have some hundred thousand lines of a few short words, so a line is looked at where it
 * stands, and words are told by pointer and length. No strspn(3): for words this short its setting
 * up would be most of the time.
 */

#include <fcntl.h>
#include <stdio_ext.h>

#include "livepatch/lines.h"

/**
 * lines_scan() - call @handler with each line of a file
 *
 * The line is NUL terminated, with its newline, and valid until @handler returns.
 *
 * Return: 0 or a negative errno.
 */
int lines_scan(int dir_fd, const char *path, line_handler handler, void *userdata) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        size_t room = 0;

        if (fd < 0)
                return -errno;
        f = fdopen(fd, "r");
        if (!f)
                return -errno;
        (void) TAKE_FD(fd);
        (void) __fsetlocking(f, FSETLOCKING_BYCALLER);
        errno = 0;
        while (getline(&line, &room, f) >= 0)
                handler(userdata, line);
        return ferror(f) ? -(errno ?: EIO) : 0;
}

/** word_is() - whether a word is that string */
bool word_is(Word w, const char *s) {
        return strncmp(s, w.s, w.l) == 0 && s[w.l] == 0;
}

/** word_next() - take a word off a line; words are separated by blanks and tabs. Empty at the end.
 */
Word word_next(const char **p) {
        Word w;
        const char *s = *p;

        while (*s == ' ' || *s == '\t')
                s++;
        w.s = s;
        while (*s && *s != ' ' && *s != '\t' && *s != '\n')
                s++;
        w.l = (size_t) (s - w.s);
        *p = s;
        return w;
}

/** word_object() - the object that the word behind a name tells: "[ext4]", anything else is vmlinux
 */
Word word_object(Word w) {
        if (w.l > 2 && w.s[0] == '[' && w.s[w.l - 1] == ']')
                return (Word) { .s = w.s + 1, .l = w.l - 2 };
        return (Word) { .s = "vmlinux", .l = strlen("vmlinux") };
}
