/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Language helpers every file uses: ownership by cleanup attribute, checked prototypes, sizes.
 *
 * Names follow systemd's, so that who has read sd-bus code can read this one.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _must_check_ __attribute__((warn_unused_result))
#define _nonnull_(...) __attribute__((nonnull(__VA_ARGS__)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

/** ELEMENTSOF() - number of elements of a real array (never of a pointer) */
#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/** TAKE_PTR() - hand ownership of a pointer over; the variable is NULL afterwards */
#define TAKE_PTR(ptr)                          \
        ({                                     \
                typeof(ptr) *_pptr = &(ptr);   \
                typeof(ptr) _taken = *_pptr;   \
                *_pptr = NULL;                 \
                _taken;                        \
        })

/** TAKE_FD() - hand ownership of a descriptor over; the variable is -EBADF afterwards */
#define TAKE_FD(fd)                            \
        ({                                     \
                int *_pfd = &(fd);             \
                int _taken = *_pfd;            \
                *_pfd = -EBADF;                \
                _taken;                        \
        })

/** DEFINE_TRIVIAL_CLEANUP() - `name##p()`, a cleanup function for `_cleanup_()` out of `name()` */
#define DEFINE_TRIVIAL_CLEANUP(type, name)                     \
        static inline void name##p(type *p) {                  \
                if (*p)                                        \
                        name(*p);                              \
        }                                                      \
        struct name##_cleanup_defined_

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

/** safe_close() - close a descriptor unless it is negative; errno is kept. Returns -EBADF. */
static inline int safe_close(int fd) {
        if (fd >= 0) {
                int saved = errno;
                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void closep(int *fd) {
        safe_close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

static inline void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/** streq_ptr() - like streq(), and two NULLs are equal */
static inline bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

/** startswith() - the rest of @s after @prefix, or NULL */
static inline const char *startswith(const char *s, const char *prefix) {
        size_t l = strlen(prefix);
        return strncmp(s, prefix, l) == 0 ? s + l : NULL;
}

static inline bool endswith(const char *s, const char *suffix) {
        size_t l = strlen(s), n = strlen(suffix);
        return l >= n && memcmp(s + l - n, suffix, n) == 0;
}

static inline const char *strempty(const char *s) {
        return s ?: "";
}
