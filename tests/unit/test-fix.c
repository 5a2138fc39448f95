/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Diffs as people have them, and what of them is refused. */

#include <fcntl.h>

#include "builder/source/fix.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

static char *root;
static sd_bus_error error;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
        error = SD_BUS_ERROR_NULL;
}

static void teardown(void) {
        sd_bus_error_free(&error);
        scratch_free(root);
}

static char *put(const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", root, name), 0);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, data, size));
        return path;
}

static int read_text(const char *text, Fix **ret) {
        _cleanup_free_ char *path = put("fix.patch", text, strlen(text));

        return fix_read((char *[]) { path, NULL }, ret, &error);
}

#define HUNK "@@ -1,3 +1,4 @@ int f(void)\n a\n+b\n c\n d\n"
#define HEADER(old, new) "--- " old "\n+++ " new "\n"

START_TEST(test_git_mail) {
        _cleanup_fix_free_ Fix *f = NULL;

        ck_assert_ok(read_text(
                "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
                "From: Somebody <somebody@example.org>\n"
                "Date: Sat, 21 Nov 2026 12:00:00 +0000\n"
                "Subject: [PATCH 6.1 03/12] net: ipv4: do not believe\n"
                " what options say\n"
                "\n"
                "This is CVE-2026-53249, and CVE-2026-1 is none; see CVE-2026-46234, CVE-2026-53249.\n"
                "--- a/not/a/diff\n"
                "---\n"
                " net/ipv4/ip_options.c | 1 +\n"
                "\n"
                "diff --git a/net/ipv4/ip_options.c b/net/ipv4/ip_options.c\n"
                "index 0123456..789abcd 100644\n"
                HEADER("a/net/ipv4/ip_options.c", "b/net/ipv4/ip_options.c")
                HUNK "@@ -10 +11 @@\n-x\n+y CVE-2026-77777\n"
                "-- \n"
                "2.39.5\n", &f));
        ck_assert_str_eq(f->subject, "net: ipv4: do not believe what options say");
        ck_assert_uint_eq(strv_length(f->cves), 2);
        ck_assert_str_eq(f->cves[0], "CVE-2026-46234");
        ck_assert_str_eq(f->cves[1], "CVE-2026-53249");
        ck_assert_uint_eq(f->n_files, 1);
        ck_assert_str_eq(f->files[0].path, "net/ipv4/ip_options.c");
        ck_assert(!f->files[0].added && !f->files[0].removed);
        ck_assert_uint_eq(f->n_diffs, 1);
        ck_assert_uint_eq(f->diffs[0].n_hunks, 2);
        ck_assert_str_eq(f->diffs[0].hunks, HUNK "@@ -10 +11 @@\n-x\n+y CVE-2026-77777\n");
}
END_TEST

START_TEST(test_git_show) {
        _cleanup_fix_free_ Fix *f = NULL;

        ck_assert_ok(read_text(
                "commit 0123456789abcdef0123456789abcdef01234567\n"
                "Author: Somebody <somebody@example.org>\n"
                "Date:   Sat Nov 21 12:00:00 2026 +0000\n"
                "\n"
                "    fs: refuse kernel-internal file systems\n"
                "    \n"
                "    More.\n"
                "\n"
                "diff --git a/fs/a.c b/fs/a.c\n" HEADER("a/fs/a.c", "b/fs/a.c") HUNK, &f));
        ck_assert_str_eq(f->subject, "fs: refuse kernel-internal file systems");
}
END_TEST

/* Header lines, and the path that they mean. */
static const struct {
        const char *old, *new, *path;
} names[] = {
        { "a/fs/a.c", "b/fs/a.c", "fs/a.c" },
        { "a/ubuntu/x.c", "b/ubuntu/x.c", "ubuntu/x.c" },
        { "fs/a.c", "fs/a.c", "fs/a.c" },
        { "linux-6.1.orig/fs/a.c\t2026-01-01 00:00:00.000000000 +0000", "linux-6.1/fs/a.c\t2026-01-02", "fs/a.c" },
        { "kernel.old/net/a.c", "kernel/net/a.c", "net/a.c" },
        { "i/fs/a.c", "w/fs/a.c", "fs/a.c" },
        { "a/Makefile", "b/Makefile", "Makefile" },
        { "linux/kernel/fs/a.c", "linux/kernel/fs/a.c", "kernel/fs/a.c" },
};

START_TEST(test_names) {
        _cleanup_fix_free_ Fix *f = NULL;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_ge(asprintf(&text, "--- %s\n+++ %s\n" HUNK, names[_i].old, names[_i].new), 0);
        ck_assert_ok(read_text(text, &f));
        ck_assert_str_eq(f->files[0].path, names[_i].path);
        ck_assert_ptr_null(f->subject);
}
END_TEST

static const struct {
        const char *text, *message;
} bad[] = {
        { "hello\n", "no unified diff" },
        { "", "no unified diff" },
        { HEADER("/etc/passwd", "/etc/passwd") HUNK, "absolute" },
        { HEADER("a/fs/../../etc/passwd", "b/fs/../../etc/passwd") HUNK, "'..' component" },
        { HEADER("a/fs//a.c", "b/fs//a.c") HUNK, "empty" },
        { HEADER("a/fs/./a.c", "b/fs/./a.c") HUNK, "'.'" },
        { HEADER("a/fs/a b.c", "b/fs/a b.c") HUNK, "characters" },
        { HEADER("a/fs/$(id).c", "b/fs/$(id).c") HUNK, "characters" },
        { HEADER("a/-oProxy/a.c", "b/-oProxy/a.c") HUNK, "begins with '-'" },
        { HEADER("\"a/fs/\\303.c\"", "\"b/fs/\\303.c\"") HUNK, "characters" },
        { HEADER("a/fs/a.c", "b/fs/b.c") HUNK, "not the names of one file" },
        { HEADER("x.c", "x.c") HUNK, "not the names of one file" },
        { HEADER("/dev/null", "/dev/null") HUNK, "both" },
        { HEADER("a/fs/a.c", "b/fs/a.c"), "no hunk" },
        { HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1,3 +1,4 @@\n a\n+b\n c\n", "ends inside" },
        { HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1,2 +1,4 @@\n a\n+b\n c\n d\n", "not as many" },
        { HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1,1 +1,1 @@\n a\n", "changes nothing" },
        { HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1,3 1,4 @@\n a\n", "'@@' line" },
        { HEADER("a/fs/a.c", "b/fs/a.c") "@@ -99999999999999999999 +1,4 @@\n a\n", "'@@' line" },
        { HEADER("a/fs/a.c", "b/fs/a.c") HUNK "text\n@@ -1 +1 @@\n-a\n+b\n", "line 9: a hunk without" },
        { HEADER("/dev/null", "b/fs/a.c") HUNK, "added or removed" },
        { HEADER("a/fs/a.c", "/dev/null") HUNK, "added or removed" },
        { "diff --git a/fs/a.c b/fs/b.c\nsimilarity index 90%\nrename from fs/a.c\nrename to fs/b.c\n", "renames" },
        { "diff --git a/fs/a.c b/fs/b.c\ncopy from fs/a.c\ncopy to fs/b.c\n", "copies" },
        { "diff --git a/fs/a.c b/fs/a.c\nold mode 100644\nnew mode 100755\n", "line 1: this diff has no lines" },
        { "diff --git a/fs/a.c b/fs/a.c\nold mode 100644\nnew mode 100755\n"
          "diff --git a/fs/b.c b/fs/b.c\n" HEADER("a/fs/b.c", "b/fs/b.c") HUNK, "line 1: this diff has no lines" },
        { "diff --git a/x.png b/x.png\nindex 1..2 100644\nGIT binary patch\nliteral 1\n", "binary" },
        { "Binary files a/x.png and b/x.png differ\n", "binary" },
        { "diff --cc fs/a.c\n", "merge" },
        { "Content-Transfer-Encoding: base64\n\nLS0tCg==\n", "base64" },
        { "Content-Transfer-Encoding: quoted-printable\n", "quoted-printable" },
        { HEADER("/dev/null", "b/fs/n.c") "@@ -0,0 +1 @@\n+a\n" HEADER("/dev/null", "b/fs/n.c") "@@ -0,0 +1 @@\n+a\n",
          "adds a file that it changed before" },
        { HEADER("a/fs/n.c", "/dev/null") "@@ -1 +0,0 @@\n-a\n" HEADER("a/fs/n.c", "b/fs/n.c") HUNK,
          "changes a file that it removed before" },
};

START_TEST(test_refused) {
        Fix *f = NULL;

        ck_assert_int_lt(read_text(bad[_i].text, &f), 0);
        ck_assert_ptr_null(f);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("FixInvalid"));
        ck_assert_msg(strstr(error.message, bad[_i].message), "%s", error.message);
}
END_TEST

START_TEST(test_no_file) {
        char *paths[] = { (char *) "/nowhere/fix.patch", NULL };
        Fix *f = NULL;

        ck_assert_int_lt(fix_read(paths, &f, &error), 0);
        ck_assert_ptr_null(f);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_FILE_NOT_FOUND);
        ck_assert_msg(strstr(error.message, "'/nowhere/fix.patch'"), "%s", error.message);
}
END_TEST

START_TEST(test_added_and_removed) {
        _cleanup_fix_free_ Fix *f = NULL;

        ck_assert_ok(read_text(
                "diff --git a/fs/new.h b/fs/new.h\nnew file mode 100644\n"
                HEADER("/dev/null", "b/fs/new.h") "@@ -0,0 +1,2 @@\n+a\n+b\n"
                "diff --git a/fs/old.h b/fs/old.h\ndeleted file mode 100644\n"
                HEADER("a/fs/old.h", "/dev/null") "@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n"
                HEADER("a/fs/swap.h", "/dev/null") "@@ -1 +0,0 @@\n-a\n"
                HEADER("/dev/null", "b/fs/swap.h") "@@ -0,0 +1 @@\n+z\n", &f));
        ck_assert_uint_eq(f->n_files, 3);
        ck_assert(f->files[0].added && !f->files[0].removed);
        ck_assert(!f->files[1].added && f->files[1].removed);
        ck_assert(!f->files[2].added && !f->files[2].removed);
        ck_assert_uint_eq(f->n_diffs, 4);
        ck_assert(f->diffs[0].adds && f->diffs[1].removes && f->diffs[2].removes && f->diffs[3].adds);
        ck_assert_ptr_eq(fix_find(f, "fs/old.h"), f->files + 1);
        ck_assert_ptr_null(fix_find(f, "fs/other.h"));
}
END_TEST

/* A mailer that cuts blanks at the end of lines, a file without a last newline, a DOS mailer. */
START_TEST(test_mangled) {
        _cleanup_fix_free_ Fix *f = NULL, *g = NULL, *h = NULL;

        ck_assert_ok(read_text(HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n", &f));
        ck_assert_uint_eq(f->diffs[0].n_hunks, 1);
        ck_assert_ok(read_text(HEADER("a/fs/a.c", "b/fs/a.c") "@@ -1 +1 @@\n-b\n+c", &g));
        ck_assert_str_eq(g->diffs[0].hunks, "@@ -1 +1 @@\n-b\n+c\n");
        ck_assert_ok(read_text("--- a/fs/a.c\r\n+++ b/fs/a.c\r\n@@ -1 +1 @@\r\n-b\r\n+c\r\n", &h));
        ck_assert_str_eq(h->diffs[0].hunks, "@@ -1 +1 @@\n-b\n+c\n");
}
END_TEST

START_TEST(test_several) {
        _cleanup_free_ char *one = put("1.patch", HEADER("a/fs/a.c", "b/fs/a.c") HUNK,
                        strlen(HEADER("a/fs/a.c", "b/fs/a.c") HUNK));
        _cleanup_free_ char *two = put("2.patch", "Subject: second\n\n" HEADER("fs/a.c", "fs/a.c") HUNK,
                        strlen("Subject: second\n\n" HEADER("fs/a.c", "fs/a.c") HUNK));
        _cleanup_fix_free_ Fix *f = NULL;
        Digest *d;
        uint8_t digest[DIGEST_SIZE];

        ck_assert_ok(fix_read((char *[]) { one, two, NULL }, &f, &error));
        ck_assert_ptr_null(f->subject); /* the first one's */
        ck_assert_uint_eq(f->n_files, 1);
        ck_assert_uint_eq(f->n_diffs, 2);
        ck_assert_uint_eq(f->diffs[1].source, 1);
        ck_assert_uint_eq(f->diffs[1].line, 5);
        ck_assert_ok(digest_new(&d));
        ck_assert_ok(digest_update(d, HEADER("a/fs/a.c", "b/fs/a.c") HUNK, strlen(HEADER("a/fs/a.c", "b/fs/a.c") HUNK)));
        ck_assert_ok(digest_update(d, "Subject: second\n\n" HEADER("fs/a.c", "fs/a.c") HUNK,
                        strlen("Subject: second\n\n" HEADER("fs/a.c", "fs/a.c") HUNK)));
        ck_assert_ok(digest_finish(d, digest));
        digest_free(d);
        ck_assert_mem_eq(digest, f->sha256, DIGEST_SIZE);
}
END_TEST

START_TEST(test_limits) {
        _cleanup_free_ char *big = malloc(HOTPATCH_FIX_MAX + 1), *path = NULL, *missing = NULL;
        Fix *f = NULL;

        ck_assert_ptr_nonnull(big);
        memset(big, '\n', HOTPATCH_FIX_MAX + 1);
        path = put("big.patch", big, HOTPATCH_FIX_MAX + 1);
        ck_assert_int_lt(fix_read((char *[]) { path, NULL }, &f, &error), 0);
        ck_assert_msg(strstr(error.message, "larger than 4 MiB"), "%s", error.message);
        sd_bus_error_free(&error);
        free(path);
        path = put("nul.patch", "--- a\0b", 7);
        ck_assert_int_lt(fix_read((char *[]) { path, NULL }, &f, &error), 0);
        ck_assert_msg(strstr(error.message, "not a text file"), "%s", error.message);
        sd_bus_error_free(&error);
        ck_assert_int_ge(asprintf(&missing, "%s/none", root), 0);
        ck_assert_int_lt(fix_read((char *[]) { missing, NULL }, &f, &error), 0);
        ck_assert_msg(strstr(error.message, "No such file"), "%s", error.message);
        sd_bus_error_free(&error);
        ck_assert_int_lt(fix_read((char *[]) { NULL }, &f, &error), 0);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("fix");
        TCase *t = tcase_create("fix");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_git_mail);
        tcase_add_test(t, test_git_show);
        tcase_add_loop_test(t, test_names, 0, ELEMENTSOF(names));
        tcase_add_loop_test(t, test_refused, 0, ELEMENTSOF(bad));
        tcase_add_test(t, test_no_file);
        tcase_add_test(t, test_added_and_removed);
        tcase_add_test(t, test_mangled);
        tcase_add_test(t, test_several);
        tcase_add_test(t, test_limits);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
