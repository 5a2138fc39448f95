/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every Check program needs: assertions on negative errno, a scratch folder, a main(). */

#include <check.h>
#include <ftw.h>
#include <sys/stat.h>

#include "util/base.h"

/** ck_assert_ok() - the call returned zero or more */
#define ck_assert_ok(expr)                                                                       \
        do {                                                                                     \
                int _r = (expr);                                                                 \
                ck_assert_msg(_r >= 0, "%s: %s", #expr, strerror(-_r));                          \
        } while (0)

static inline int scratch_unlink(const char *path, _unused_ const struct stat *st,
                _unused_ int flag, _unused_ struct FTW *ftw) {
        return remove(path);
}

/** scratch_new() - a new empty folder under $TMPDIR or /tmp; free with scratch_free() */
static inline char *scratch_new(void) {
        char *path = NULL;

        ck_assert_int_ge(asprintf(&path, "%s/hotpatch-test-XXXXXX", getenv("TMPDIR") ?: "/tmp"), 0);
        ck_assert_ptr_nonnull(mkdtemp(path));
        return path;
}

/** scratch_free() - delete the folder and everything in it */
static inline void scratch_free(char *path) {
        nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
        free(path);
}

/** UNIT_MAIN() - run one suite; exit status 1 when a test failed */
#define UNIT_MAIN(suite_function)                                  \
        int main(void) {                                           \
                SRunner *runner = srunner_create(suite_function());\
                int failed;                                        \
                srunner_run_all(runner, CK_ENV);                   \
                failed = srunner_ntests_failed(runner);            \
                srunner_free(runner);                              \
                return failed > 0;                                 \
        }
