/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/resource.h>
#include <sys/stat.h>

#include <sys/wait.h>

#include "tests/unit/store-material.h"
#include "util/limits.h"
#include "util/strv.h"

static int temporary_with(const char *text) {
        int fd = store_tmpfile(store, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
        return fd;
}

static void assert_content(int fd, const char *text) {
        char buf[256];
        ssize_t n;

        ck_assert_int_ge(fd, 0);
        n = pread(fd, buf, sizeof(buf), 0);
        ck_assert_int_eq(n, (ssize_t) strlen(text));
        ck_assert_mem_eq(buf, text, (size_t) n);
        close(fd);
}

static AdmittedRecord record(const char *id, const char *digest, uint64_t order) {
        return (AdmittedRecord) {
                .id = (char *) id, .title = (char *) "line 1\nline 2 \\ \xff", .severity = (char *) "low",
                .stream = (char *) "s", .sequence = 3, .digest = (char *) digest, .module = (char *) "hp_a",
                .release = (char *) "6.1.0-50-cloud-amd64", .admitted_usec = 17, .order = order,
        };
}

static void commit(const char *id, const char *digest, uint64_t order, const char *content) {
        _cleanup_close_ int fd = temporary_with(content);
        AdmittedRecord r = record(id, digest, order);

        ck_assert_ok(store_admitted_commit(store, fd, &r, NULL));
}

START_TEST(test_directories) {
        static const char *const names[] = { ".", "spool", "admitted", "streams", "trials", "strikes", "superseded" };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = state_path(names[i]);

                ck_assert_int_eq(lstat(path, &st), 0);
                ck_assert(S_ISDIR(st.st_mode));
                ck_assert_uint_eq(st.st_mode & 07777, 0700);
        }
}
END_TEST

/* A directory that others may write into is closed; one that is a link is refused. */
START_TEST(test_unsafe_directories) {
        _cleanup_free_ char *spool = state_path("spool"), *elsewhere = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        Store *again = NULL;
        struct stat st;

        ck_assert_int_eq(chmod(spool, 0777), 0);
        ck_assert_ok(store_open(root, &again, NULL));
        again = store_free(again);
        ck_assert_int_eq(stat(spool, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0700);

        ck_assert_int_eq(rmdir(spool), 0);
        ck_assert_int_ge(asprintf(&elsewhere, "%s/elsewhere", root), 0);
        ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
        ck_assert_int_eq(symlink(elsewhere, spool), 0);
        ck_assert_int_lt(store_open(root, &again, &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("StateUnwritable")));
        ck_assert_ptr_null(again);
}
END_TEST

START_TEST(test_spool) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_close_ int one = temporary_with("one"), two = temporary_with("two");

        ck_assert_int_lt(store_spool_open(store, "hp-a", &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("NoSuchBundle")));
        ck_assert_ok(store_spool_commit(store, one, "hp-a", NULL));
        assert_content(store_spool_open(store, "hp-a", NULL), "one");
        ck_assert_ok(store_spool_commit(store, two, "hp-a", NULL));
        assert_content(store_spool_open(store, "hp-a", NULL), "two");
        ck_assert(!exists("spool/.#hp-a.hpb"));

        put("spool/Bad.hpb", "");
        put("spool/.hidden.hpb", "");
        put("spool/hp-b.hpb", "");
        put("spool/hp-c.txt", "");
        ck_assert_ok(store_spool_list(store, &ids));
        ck_assert_uint_eq(strv_length(ids), 2);
        ck_assert_str_eq(ids[0], "hp-a");
        ck_assert_str_eq(ids[1], "hp-b");

        ck_assert_ok(store_spool_remove(store, "hp-a"));
        ck_assert_int_eq(store_spool_remove(store, "hp-a"), -ENOENT);
}
END_TEST

/* Whatever somebody does to the spool; and nothing else does it. */
START_TEST(test_spool_changed) {
        _cleanup_free_ char *a = state_path("spool/hp-a.hpb"), *b = state_path("spool/hp-b.hpb");
        _cleanup_close_ int one = temporary_with("one"), two = temporary_with("two"), fd = -EBADF;

        (void) (store_spool_changed(store) != 0);
        ck_assert(!store_spool_changed(store));
        ck_assert_ok(store_spool_commit(store, one, "hp-a", NULL));
        ck_assert(store_spool_changed(store));
        ck_assert(!store_spool_changed(store));
        ck_assert_ok(store_spool_commit(store, two, "hp-a", NULL));
        ck_assert(store_spool_changed(store));
        commit("hp-x", DIGEST_A, 1, "x");
        assert_content(store_spool_open(store, "hp-a", NULL), "two");
        ck_assert(!store_spool_changed(store));
        fd = open(a, O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, "T", 1, 0), 1);
        ck_assert(store_spool_changed(store));
        ck_assert_int_eq(fchmod(fd, 0400), 0);
        ck_assert(store_spool_changed(store));
        ck_assert_int_eq(rename(a, b), 0);
        ck_assert(store_spool_changed(store));
        ck_assert_ok(store_spool_remove(store, "hp-b"));
        ck_assert(store_spool_changed(store));
        ck_assert(!store_spool_changed(store));
}
END_TEST

/* What is no plain file under a plain name is not there. */
START_TEST(test_spool_oddities) {
        _cleanup_free_ char *link = state_path("spool/hp-link.hpb"), *dir = state_path("spool/hp-dir.hpb");
        _cleanup_free_ char *fifo = state_path("spool/hp-fifo.hpb");
        _cleanup_strv_free_ char **ids = NULL;
        static const char *const names[] = { "hp-link", "hp-dir", "hp-fifo" };

        ck_assert_int_eq(symlink("/etc/passwd", link), 0);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

                ck_assert_int_lt(store_spool_open(store, names[i], &e), 0);
                ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("NoSuchBundle")));
        }
        ck_assert_ok(store_spool_list(store, &ids));
        ck_assert_uint_eq(strv_length(ids), 0);
}
END_TEST

static const char *const bad_ids[] = {
        "", ".", "..", "../intent", "a/b", "/etc/passwd", ".#hp", "A", "a b", "a\nb", "-a",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(test_bad_ids) {
        const char *id = bad_ids[_i];
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = temporary_with("x");
        AdmittedRecord r = record(id, DIGEST_A, 1);
        uint64_t n = 5;

        ck_assert_int_lt(store_spool_open(store, id, &e), 0);
        ck_assert(sd_bus_error_has_name(&e, SD_BUS_ERROR_INVALID_ARGS));
        ck_assert_int_lt(store_spool_commit(store, fd, id, NULL), 0);
        ck_assert_int_eq(store_spool_remove(store, id), -EINVAL);
        ck_assert_int_lt(store_admitted_commit(store, fd, &r, NULL), 0);
        ck_assert_int_eq(store_admitted_open(store, id), -EINVAL);
        ck_assert_int_eq(store_admitted_find(store, id, &r), -ENOENT);
        ck_assert_int_eq(store_admitted_remove(store, id), -EINVAL);
        ck_assert_int_eq(store_stream_get(store, id, &n, NULL), -EINVAL);
        ck_assert_int_eq(store_stream_set(store, id, 1, DIGEST_A), -EINVAL);
        ck_assert_uint_eq(n, 5);
}
END_TEST

START_TEST(test_spool_full) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = temporary_with("x"), again = temporary_with("y");
        char name[64];

        for (unsigned i = 0; i < HOTPATCH_SPOOL_MAX; i++) {
                snprintf(name, sizeof(name), "spool/hp-%u.hpb", i);
                put(name, "");
        }
        ck_assert_int_lt(store_spool_commit(store, fd, "one-more", &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("SpoolFull")));
        /* replacing needs no room */
        ck_assert_ok(store_spool_commit(store, again, "hp-0", NULL));
}
END_TEST

START_TEST(test_admitted) {
        AdmittedRecord *records = NULL;
        AdmittedRecord r;
        size_t n;

        commit("hp-b", DIGEST_B, 2, "bundle b");
        commit("hp-a", DIGEST_A, 1, "bundle a");
        ck_assert_ok(store_admitted_list(store, &records, &n));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(records[0].id, "hp-a");
        ck_assert_str_eq(records[0].title, "line 1\nline 2 \\ \xff");
        ck_assert_str_eq(records[1].id, "hp-b");
        ck_assert_uint_eq(records[1].admitted_usec, 17);
        ck_assert_ptr_null(records[0].module_build_id);
        admitted_records_free(records, n);
        assert_content(store_admitted_open(store, "hp-a"), "bundle a");

        /* other content under the same id: the old bundle goes */
        commit("hp-a", DIGEST_B, 3, "bundle a2");
        assert_content(store_admitted_open(store, "hp-a"), "bundle a2");
        ck_assert(!exists("admitted/hp-a." DIGEST_A ".hpb"));

        /* the record alone */
        r = record("hp-a", DIGEST_B, 9);
        r.module_build_id = (char *) "00ff";
        ck_assert_ok(store_admitted_commit(store, -EBADF, &r, NULL));
        assert_content(store_admitted_open(store, "hp-a"), "bundle a2");
        /* … of a bundle that is not there */
        r = record("hp-a", DIGEST_A, 9);
        ck_assert_int_lt(store_admitted_commit(store, -EBADF, &r, NULL), 0);
        assert_content(store_admitted_open(store, "hp-a"), "bundle a2");

        ck_assert_ok(store_admitted_remove(store, "hp-a"));
        ck_assert_int_eq(store_admitted_remove(store, "hp-a"), -ENOENT);
        ck_assert_int_eq(store_admitted_open(store, "hp-a"), -ENOENT);
        ck_assert(!exists("admitted/hp-a." DIGEST_B ".hpb"));
        assert_content(store_admitted_open(store, "hp-b"), "bundle b");
}
END_TEST

/* What the list passes over is not found either; what has nothing to do with the file is told. */
START_TEST(test_admitted_find) {
        _cleanup_(admitted_record_done) AdmittedRecord r = {};
        struct rlimit before, none = {};
        int k;

        commit("hp-b", DIGEST_B, 2, "bundle b");
        commit("hp-a", DIGEST_A, 1, "bundle a");
        commit("hp-d", DIGEST_A, 3, "damaged");
        put("admitted/hp-d.record", "FORMAT=1\nID=hp-d\nEND=1\n");

        ck_assert_int_eq(store_admitted_find(store, "hp-c", &r), -ENOENT);
        ck_assert_int_eq(store_admitted_find(store, "hp-d", &r), -ENOENT);
        ck_assert_ptr_null(r.id);

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none.rlim_max = before.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        k = store_admitted_find(store, "hp-a", &r);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_int_eq(k, -EMFILE);
        ck_assert_ptr_null(r.id);

        ck_assert_int_eq(store_admitted_find(store, "hp-a", &r), 0);
        ck_assert_str_eq(r.id, "hp-a");
        ck_assert_str_eq(r.digest, DIGEST_A);
        ck_assert_uint_eq(r.order, 1);
}
END_TEST

START_TEST(test_admitted_records_find) {
        AdmittedRecord records[] = { { .id = (char *) "hp-a" }, { .id = (char *) "hp-b" } };

        ck_assert_ptr_eq(admitted_records_find(records, ELEMENTSOF(records), "hp-b"), &records[1]);
        ck_assert_ptr_null(admitted_records_find(records, 1, "hp-b"));
        ck_assert_ptr_null(admitted_records_find(NULL, 0, "hp-b"));
}
END_TEST

/* A record that could not be read back is not written, and what was there stays. */
START_TEST(test_commit_refuses) {
        _cleanup_close_ int fd = temporary_with("new");
        AdmittedRecord r = record("hp-a", DIGEST_B, 2);
        AdmittedRecord *records = NULL;
        size_t n;

        commit("hp-a", DIGEST_A, 1, "old");
        r.module = (char *) "../../x";
        ck_assert_int_lt(store_admitted_commit(store, fd, &r, NULL), 0);
        ck_assert_ok(store_admitted_list(store, &records, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(records[0].digest, DIGEST_A);
        admitted_records_free(records, n);
        assert_content(store_admitted_open(store, "hp-a"), "old");
        ck_assert(!exists("admitted/hp-a." DIGEST_B ".hpb"));
}
END_TEST

START_TEST(test_damage) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *link = state_path("admitted/hp-l.record");
        AdmittedRecord *records = NULL;
        uint64_t sequence = 5;
        Intent i = { 0 };
        Store *again;
        size_t n;

        commit("hp-a", DIGEST_A, 1, "good");
        commit("hp-d", DIGEST_A, 2, "kept");
        put("admitted/hp-d.record", "FORMAT=1\nID=hp-d\nEND=1\n");
        put("admitted/hp-e.record", "");
        put("admitted/Bad Name.record", "x");
        ck_assert_int_eq(symlink("/etc/passwd", link), 0);
        put("streams/s", "SEQUENCE=7\n");
        put("intent", "apply");

        ck_assert_ok(store_admitted_list(store, &records, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(records[0].id, "hp-a");
        admitted_records_free(records, n);
        ck_assert_int_eq(store_admitted_open(store, "hp-d"), -EBADMSG);
        ck_assert_int_eq(store_stream_get(store, "s", &sequence, NULL), -EBADMSG);
        ck_assert_uint_eq(sequence, 5);
        ck_assert_int_eq(store_intent_read(store, &i), -EBADMSG);
        ck_assert_ptr_null(i.type);

        ck_assert_ok(store_damaged(store, &names));
        ck_assert_uint_eq(strv_length(names), 6);
        ck_assert(strv_contains(names, "admitted/hp-d.record"));
        ck_assert(strv_contains(names, "admitted/hp-e.record"));
        ck_assert(strv_contains(names, "admitted/hp-l.record"));
        ck_assert(strv_contains(names, "admitted/Bad Name.record"));
        ck_assert(strv_contains(names, "streams/s"));
        ck_assert(strv_contains(names, "intent"));

        /* nothing of it is deleted, nor the bundle that may be needed to repair it */
        ck_assert_ok(store_open(root, &again, NULL));
        store_free(again);
        ck_assert(exists("admitted/hp-d.record"));
        ck_assert(exists("admitted/hp-d." DIGEST_A ".hpb"));
        ck_assert(exists("streams/s"));
        ck_assert(exists("intent"));
        /* a person asked for it */
        ck_assert_ok(store_admitted_remove(store, "hp-d"));
        ck_assert(!exists("admitted/hp-d.record"));
}
END_TEST

/* A record under another's name must not speak for it. */
START_TEST(test_renamed_record) {
        _cleanup_free_ char *from = state_path("admitted/hp-a.record"), *to = state_path("admitted/hp-b.record");

        commit("hp-a", DIGEST_A, 1, "a");
        ck_assert_int_eq(rename(from, to), 0);
        ck_assert_int_eq(store_admitted_open(store, "hp-b"), -EBADMSG);
}
END_TEST

START_TEST(test_leftovers) {
        static const char *const names[] = {
                ".#intent", "spool/.#hp-a.hpb", "admitted/.#hp-a.record", "streams/.#s",
                "admitted/hp-a." DIGEST_B ".hpb", "admitted/hp-z." DIGEST_B ".hpb",
        };
        Store *again;

        commit("hp-a", DIGEST_A, 1, "a");
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                put(names[i], "half");
        put("spool/notes.txt", "an administrator's");
        ck_assert_ok(store_open(root, &again, NULL));
        store_free(again);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                ck_assert_msg(!exists(names[i]), "%s is still there", names[i]);
        ck_assert(exists("spool/notes.txt"));
        assert_content(store_admitted_open(store, "hp-a"), "a");
}
END_TEST

/* Room is taken, given back, and deleted after a crash; what stands in the way is told. */
START_TEST(test_reserve) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = state_path("streams/.#reserved-1");
        struct stat st;

        ck_assert_ok(store_reserve(store, 2, NULL));
        ck_assert(exists("admitted/.#reserved-0") && exists("streams/.#reserved-1"));
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_ge(st.st_blocks * 512, 16 * 1024);
        store_release(store);
        store_release(store);
        ck_assert(!exists("admitted/.#reserved-0") && !exists("streams/.#reserved-1"));

        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_lt(store_reserve(store, 2, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("StateUnwritable"));
        ck_assert(!exists("admitted/.#reserved-0") && !exists("admitted/.#reserved-1"));
        ck_assert(!exists("streams/.#reserved-0"));
        ck_assert_int_eq(rmdir(path), 0);
        ck_assert_int_lt(store_reserve(store, HOTPATCH_TRANSACTION_MAX + 1, NULL), 0);

        ck_assert_ok(store_reserve(store, 2, NULL));
        store = store_free(store);
        ck_assert_ok(store_open(root, &store, NULL));
        ck_assert(!exists("admitted/.#reserved-0") && !exists("streams/.#reserved-1"));
}
END_TEST

START_TEST(test_admitted_check) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        AdmittedRecord r = record("hp-a", DIGEST_A, 1);

        ck_assert_ok(store_admitted_check(&r, &error));
        r.release = (char *) "6.1 with a blank";
        ck_assert_int_lt(store_admitted_check(&r, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("StateUnwritable"));
}
END_TEST

START_TEST(test_streams) {
        _cleanup_free_ char *digest = NULL;
        uint64_t n = 5;

        ck_assert_ok(store_stream_get(store, "s", &n, &digest));
        ck_assert_uint_eq(n, 0);
        ck_assert_ptr_null(digest);
        ck_assert_ok(store_stream_set(store, "s", 7, DIGEST_A));
        ck_assert_ok(store_stream_get(store, "s", &n, &digest));
        ck_assert_uint_eq(n, 7);
        ck_assert_str_eq(digest, DIGEST_A);
        ck_assert_int_lt(store_stream_set(store, "s", 8, "short"), 0);
        ck_assert_ok(store_stream_get(store, "s", &n, NULL));
        ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(test_intent) {
        Intent i = {
                .type = (char *) "apply",
                .ids = (char *[]) { (char *) "hp-a", (char *) "hp-b", NULL },
                .modules = (char *[]) { (char *) "hp_a", (char *) "hp_b", NULL },
                .boot_id = SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff),
                .started_usec = 12,
        };
        _cleanup_(intent_done) Intent back = { 0 };

        ck_assert_int_eq(store_intent_read(store, &back), -ENOENT);
        ck_assert_ok(store_intent_clear(store));
        ck_assert_ok(store_intent_write(store, &i, NULL));
        ck_assert_ok(store_intent_read(store, &back));
        ck_assert_str_eq(back.type, "apply");
        ck_assert_uint_eq(strv_length(back.ids), 2);
        ck_assert_str_eq(back.modules[1], "hp_b");
        ck_assert(sd_id128_equal(back.boot_id, i.boot_id));
        ck_assert_ok(store_intent_clear(store));
        ck_assert(!exists("intent"));

        i.type = (char *) "other";
        ck_assert_int_lt(store_intent_write(store, &i, NULL), 0);
        ck_assert(!exists("intent"));
}
END_TEST

/* Somebody else works in the new directory: the daemon stays in the old one, and changes nothing there. */
START_TEST(renew_without_the_lock) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        Intent intent = { .type = (char *) "apply", .ids = (char *[]) { (char *) "hp-a", NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL } };
        _cleanup_free_ char *dir = state_path(""), *old = state_path("../old"), *lock = state_path("lock");
        int ready[2], done[2];
        char byte = 0;
        pid_t pid;

        dir[strlen(dir) - 1] = 0;
        ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(done, O_CLOEXEC), 0);
        ck_assert_int_eq(unlinkat(AT_FDCWD, lock, 0), 0);
        ck_assert_int_eq(rename(dir, old), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                Store *other;

                close(done[1]);
                byte = (char) store_open(root, &other, NULL);
                (void) (write(ready[1], &byte, 1) < 0 || read(done[0], &byte, 1) < 0);
                _exit(0);
        }
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        ck_assert_int_eq(byte, 0);
        ck_assert_int_lt(store_renew(store, root, &e), 0);
        ck_assert_ok(store_intent_write(store, &intent, NULL));
        ck_assert(!exists("intent"));
        close(done[1]);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(store_renew(store, root, NULL), 1);
        ck_assert_ok(store_intent_write(store, &intent, NULL));
        ck_assert(exists("intent"));
        close(ready[0]), close(ready[1]), close(done[0]);
}
END_TEST

static Suite *store_suite(void) {
        Suite *s = suite_create("store");
        TCase *c = tcase_create("store");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_directories);
        tcase_add_test(c, test_unsafe_directories);
        tcase_add_test(c, test_spool);
        tcase_add_test(c, test_spool_changed);
        tcase_add_test(c, test_spool_oddities);
        tcase_add_loop_test(c, test_bad_ids, 0, ELEMENTSOF(bad_ids));
        tcase_add_test(c, test_spool_full);
        tcase_add_test(c, test_admitted);
        tcase_add_test(c, test_admitted_find);
        tcase_add_test(c, test_admitted_records_find);
        tcase_add_test(c, test_commit_refuses);
        tcase_add_test(c, test_damage);
        tcase_add_test(c, test_renamed_record);
        tcase_add_test(c, test_leftovers);
        tcase_add_test(c, test_reserve);
        tcase_add_test(c, test_admitted_check);
        tcase_add_test(c, test_streams);
        tcase_add_test(c, test_intent);
        tcase_add_test(c, renew_without_the_lock);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(store_suite)
