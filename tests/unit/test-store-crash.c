/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Power cuts of a process: each operation of the store runs in a traced child that is killed at its
 * N-th stop, before and after every single system call, for all N until it ends by itself. After
 * each death the store is opened anew and must show the old state or the new one, whole, with
 * nothing left behind.
 *
 * Bytes that the kernel has taken survive the death of a process, so this checks the order of the
 * steps. That a power cut keeps to that order is up to fsync(2), so the calls of each operation are
 * listed as well: no rename of bytes that are not flushed, and none without a flush of the directory.
 */

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/store.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/strv.h"

#define OLD "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NEW "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

typedef struct Operation {
        const char *name;
        void (*prepare)(Store *s);
        int (*run)(Store *s);
        bool (*is_old)(Store *s);
        bool (*is_new)(Store *s);
} Operation;

static int temporary_with(const Store *s, const char *text) {
        int fd = store_tmpfile(s, NULL);

        if (fd >= 0 && file_write_all(fd, text, strlen(text)) < 0)
                return -EIO;
        return fd;
}

/* Only what is asked for; a descriptor that fails reads as nothing. */
static bool content_is(int fd, const char *text) {
        char buf[64] = "";
        bool same;

        if (fd < 0)
                return false;
        same = pread(fd, buf, sizeof(buf) - 1, 0) == (ssize_t) strlen(text) && streq(buf, text);
        close(fd);
        return same;
}

static bool reads_as(int fd, int error) {
        if (fd >= 0)
                close(fd);
        return fd == error;
}

/* --- spool --- */

static int spool_put(Store *s, const char *text) {
        _cleanup_close_ int fd = temporary_with(s, text);

        return fd < 0 ? fd : store_spool_commit(s, fd, "hp-a", NULL);
}
static void spool_prepare(Store *s) {
        ck_assert_ok(spool_put(s, "old"));
}
static int spool_run(Store *s) {
        return spool_put(s, "new");
}
static bool spool_old(Store *s) {
        return content_is(store_spool_open(s, "hp-a", NULL), "old");
}
static bool spool_new(Store *s) {
        return content_is(store_spool_open(s, "hp-a", NULL), "new");
}
static int spool_delete(Store *s) {
        return store_spool_remove(s, "hp-a");
}
static bool spool_gone(Store *s) {
        _cleanup_strv_free_ char **ids = NULL;

        ck_assert_ok(store_spool_list(s, &ids));
        return strv_length(ids) == 0;
}

/* --- admitted --- */

static int admitted_put(Store *s, const char *digest, const char *text, uint64_t order) {
        _cleanup_close_ int fd = text ? temporary_with(s, text) : -EBADF;

        return store_admitted_commit(s, fd, &(AdmittedRecord) {
                .id = (char *) "hp-a", .title = (char *) "t", .severity = (char *) "low", .stream = (char *) "s",
                .sequence = 1, .digest = (char *) digest, .module = (char *) "hp_a", .release = (char *) "6.1",
                .order = order,
        }, NULL);
}
static bool admitted_is(Store *s, const char *digest, const char *text, uint64_t order) {
        AdmittedRecord *records;
        bool same;
        size_t n;

        ck_assert_ok(store_admitted_list(s, &records, &n));
        same = n == 1 && streq(records[0].digest, digest) && records[0].order == order &&
                content_is(store_admitted_open(s, "hp-a"), text);
        admitted_records_free(records, n);
        return same;
}
static bool admitted_none(Store *s) {
        AdmittedRecord *records;
        size_t n;

        ck_assert_ok(store_admitted_list(s, &records, &n));
        admitted_records_free(records, n);
        return n == 0 && reads_as(store_admitted_open(s, "hp-a"), -ENOENT);
}
static void admitted_nothing(_unused_ Store *s) {
}
static void admitted_prepare(Store *s) {
        ck_assert_ok(admitted_put(s, OLD, "old", 1));
}
static int admitted_run(Store *s) {
        return admitted_put(s, NEW, "new", 2);
}
static int admitted_rewrite(Store *s) {
        return admitted_put(s, OLD, NULL, 2);
}
static int admitted_delete(Store *s) {
        return store_admitted_remove(s, "hp-a");
}
static bool admitted_old(Store *s) {
        return admitted_is(s, OLD, "old", 1);
}
static bool admitted_new(Store *s) {
        return admitted_is(s, NEW, "new", 2);
}
static bool admitted_rewritten(Store *s) {
        return admitted_is(s, OLD, "old", 2);
}

/* --- stream, intent --- */

static void stream_prepare(Store *s) {
        ck_assert_ok(store_stream_set(s, "s", 1, OLD));
}
static int stream_run(Store *s) {
        return store_stream_set(s, "s", 2, NEW);
}
static bool stream_is(Store *s, uint64_t sequence, const char *expected) {
        _cleanup_free_ char *digest = NULL;
        uint64_t n;

        return store_stream_get(s, "s", &n, &digest) == 0 && n == sequence && streq_ptr(digest, expected);
}
static bool stream_old(Store *s) {
        return stream_is(s, 1, OLD);
}
static bool stream_new(Store *s) {
        return stream_is(s, 2, NEW);
}

static int intent_put(Store *s, const char *type) {
        return store_intent_write(s, &(Intent) {
                .type = (char *) type, .ids = (char *[]) { (char *) "hp-a", NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL }, .started_usec = 1,
        }, NULL);
}
static void intent_prepare(Store *s) {
        ck_assert_ok(intent_put(s, "apply"));
}
static int intent_run(Store *s) {
        return intent_put(s, "remove");
}
static bool intent_is(Store *s, const char *type) {
        _cleanup_(intent_done) Intent i = { 0 };
        int r = store_intent_read(s, &i);

        ck_assert(r == 0 || r == -ENOENT);
        return streq_ptr(i.type, type);
}
static bool intent_old(Store *s) {
        return intent_is(s, "apply");
}
static bool intent_new(Store *s) {
        return intent_is(s, "remove");
}
static bool intent_none(Store *s) {
        return intent_is(s, NULL);
}
static int intent_delete(Store *s) {
        return store_intent_clear(s);
}

/* --- trials, strikes --- */

static int trial_put(Store *s, uint64_t started) {
        return store_trial_write(s, &(TrialRecord) {
                .transaction = (char *) "t", .kind = (char *) "apply", .started_usec = started,
                .ids = (char *[]) { (char *) "hp-a", NULL }, .modules = (char *[]) { (char *) "hp_a", NULL },
                .digests = (char *[]) { (char *) OLD, NULL },
        }, NULL);
}
static void trial_prepare(Store *s) {
        ck_assert_ok(trial_put(s, 1));
}
static int trial_run(Store *s) {
        return trial_put(s, 2);
}
static int trial_clean(Store *s) {
        return store_mark_clean(s, SD_ID128_NULL, NULL);
}
static int trial_delete(Store *s) {
        return store_trial_remove(s, "t");
}
/* 0: none */
static bool trial_is(Store *s, uint64_t started, bool clean) {
        TrialRecord *records;
        bool same;
        size_t n;

        ck_assert_ok(store_trial_list(s, &records, &n));
        same = n == 0 ? started == 0 : records[0].started_usec == started && records[0].clean == clean;
        trial_records_free(records, n);
        return same;
}
static bool trial_none(Store *s) {
        return trial_is(s, 0, false);
}
static bool trial_old(Store *s) {
        return trial_is(s, 1, false);
}
static bool trial_new(Store *s) {
        return trial_is(s, 2, false);
}
static bool trial_marked(Store *s) {
        return trial_is(s, 1, true);
}

static void strike_prepare(Store *s) {
        ck_assert_int_eq(store_strike_add(s, "hp-a", OLD, "boot-1", 1, "r", NULL), 1);
}
static int strike_run(Store *s) {
        return store_strike_add(s, "hp-a", OLD, "boot-2", 2, "r", NULL);
}
static int strike_delete(Store *s) {
        return store_strike_clear(s, "hp-a", NULL);
}
static bool strike_is(Store *s, size_t expected) {
        _cleanup_(strike_record_done) StrikeRecord record = { 0 };
        int r = store_strike_get(s, "hp-a", OLD, &record);

        ck_assert(r == 0 || r == -ENOENT);
        return strike_record_count(&record) == expected;
}
static bool strike_none(Store *s) {
        return strike_is(s, 0);
}
static bool strike_one(Store *s) {
        return strike_is(s, 1);
}
static bool strike_two(Store *s) {
        return strike_is(s, 2);
}

/* --- superseded --- */

static void retire_prepare(Store *s) {
        trial_prepare(s);
        admitted_prepare(s);
}
static void bring_back_prepare(Store *s) {
        retire_prepare(s);
        ck_assert_ok(store_superseded_retire(s, "t", "hp-a"));
}
static int retire_run(Store *s) {
        return store_superseded_retire(s, "t", "hp-a");
}
static int bring_back_run(Store *s) {
        return store_superseded_restore(s, "t", "hp-a");
}
static int drop_run(Store *s) {
        return store_superseded_drop(s, "t");
}
static bool superseded_is(Store *s, bool there) {
        AdmittedRecord *records;
        size_t n;

        ck_assert_ok(store_superseded_list(s, "t", &records, &n));
        admitted_records_free(records, n);
        if (n != there)
                return false;
        return there ? content_is(store_superseded_open(s, "t", "hp-a"), "old")
                     : reads_as(store_superseded_open(s, "t", "hp-a"), -ENOENT);
}
static bool superseded_not_yet(Store *s) {
        return admitted_old(s) && superseded_is(s, false);
}
static bool superseded_now(Store *s) {
        return admitted_none(s) && superseded_is(s, true);
}
static bool superseded_dropped(Store *s) {
        return admitted_none(s) && superseded_is(s, false);
}

static const Operation operations[] = {
        { "stage anew", spool_prepare, spool_run, spool_old, spool_new },
        { "unstage", spool_prepare, spool_delete, spool_old, spool_gone },
        { "admit", admitted_nothing, admitted_run, admitted_none, admitted_new },
        { "admit other content", admitted_prepare, admitted_run, admitted_old, admitted_new },
        { "rewrite a record", admitted_prepare, admitted_rewrite, admitted_old, admitted_rewritten },
        { "forget", admitted_prepare, admitted_delete, admitted_old, admitted_none },
        { "raise a mark", stream_prepare, stream_run, stream_old, stream_new },
        { "first intent", admitted_nothing, intent_run, intent_none, intent_new },
        { "next intent", intent_prepare, intent_run, intent_old, intent_new },
        { "clear the intent", intent_prepare, intent_delete, intent_old, intent_none },
        { "begin a trial", admitted_nothing, trial_run, trial_none, trial_new },
        { "rewrite a trial", trial_prepare, trial_run, trial_old, trial_new },
        { "mark a trial clean", trial_prepare, trial_clean, trial_old, trial_marked },
        { "end a trial", trial_prepare, trial_delete, trial_old, trial_none },
        { "first strike", admitted_nothing, strike_run, strike_none, strike_one },
        { "second strike", strike_prepare, strike_run, strike_one, strike_two },
        { "release", strike_prepare, strike_delete, strike_one, strike_none },
        { "supersede", retire_prepare, retire_run, superseded_not_yet, superseded_now },
        { "bring back", bring_back_prepare, bring_back_run, superseded_now, superseded_not_yet },
        { "drop what is superseded", bring_back_prepare, drop_run, superseded_now, superseded_dropped },
};

/* Lets the child run to its @stop-th stop and kills it there. Return: whether it ended before. */
static bool run_until(Store *s, const Operation *op, unsigned stop) {
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
                        _exit(77);
                _exit(op->run(s) < 0 ? 1 : 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSTOPPED(status), "this process may not be traced (ptrace), so nothing can be tested");
        for (unsigned i = 0; i < stop; i++) {
                ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
                ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status)) {
                        ck_assert_int_eq(WEXITSTATUS(status), 0);
                        return true;
                }
        }
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return false;
}

/* The calls that matter, one letter each: w(rite), f(sync), r(ename). */
static char call_letter(pid_t pid) {
        struct __ptrace_syscall_info info;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof(info), &info) < 0 ||
            info.op != PTRACE_SYSCALL_INFO_ENTRY)
                return 0;
        switch (info.entry.nr) {
        case SYS_write:
        case SYS_pwrite64:
                return 'w';
        case SYS_fsync:
                return 'f';
        case SYS_renameat:
        case SYS_renameat2:
                return 'r';
        default:
                return 0;
        }
}

static char *list_calls(Store *s, const Operation *op) {
        char *calls = calloc(1, 1000);
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
                        _exit(77);
                _exit(op->run(s) < 0 ? 1 : 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        /* Without it the kernel does not tell the way in from the way out. */
        ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *) PTRACE_O_TRACESYSGOOD), 0);
        for (size_t n = 0; n < 999;) {
                ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
                ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status))
                        return calls;
                calls[n] = call_letter(pid);
                n += calls[n] != 0;
        }
        ck_abort_msg("%s makes too many calls", op->name);
}

START_TEST(test_flushes) {
        const Operation *op = &operations[_i];
        _cleanup_free_ char *calls = NULL;
        char *root = scratch_new();
        Store *s = NULL;

        ck_assert_ok(store_open(root, &s, NULL));
        op->prepare(s);
        calls = list_calls(s, op);
        ck_assert_msg(strchr(calls, 'f'), "%s: %s: nothing is flushed", op->name, calls);
        for (const char *c = calls; (c = strchr(c, 'r')); c++) {
                ck_assert_msg(c > calls && c[-1] == 'f', "%s: %s: renamed before it was flushed", op->name, calls);
                ck_assert_msg(c[1] == 'f', "%s: %s: the directory is not flushed", op->name, calls);
        }
        store_free(s);
        scratch_free(root);
}
END_TEST

static int count_entry(const char *path, _unused_ const struct stat *st, int flag, struct FTW *ftw) {
        if (flag == FTW_F)
                ck_assert_msg(path[ftw->base] != '.', "%s is left behind", path);
        return 0;
}

static void check_after(const Operation *op, const char *root, unsigned stop, unsigned *n_old, unsigned *n_new) {
        Store *s = NULL;
        bool old, new;

        ck_assert_ok(store_open(root, &s, NULL));
        old = op->is_old(s);
        new = op->is_new(s);
        ck_assert_msg(old != new, "%s, killed at stop %u: %s", op->name, stop,
                old ? "old and new at once" : "neither the old nor the new state");
        *n_old += old;
        *n_new += new;
        ck_assert_int_eq(nftw(root, count_entry, 16, FTW_PHYS), 0);
        store_free(s);
}

START_TEST(test_crash) {
        const Operation *op = &operations[_i];
        unsigned n_old = 0, n_new = 0, stop;
        bool ended = false;

        for (stop = 0; !ended; stop++) {
                char *root = scratch_new();
                Store *s = NULL;

                ck_assert_uint_lt(stop, 1000);
                ck_assert_ok(store_open(root, &s, NULL));
                op->prepare(s);
                ended = run_until(s, op, stop);
                store_free(s);
                check_after(op, root, stop, &n_old, &n_new);
                scratch_free(root);
        }
        /* both sides of the decisive step were seen, and in the end it is new */
        ck_assert_msg(n_old > 0 && n_new > 0, "%s: %u old, %u new", op->name, n_old, n_new);
}
END_TEST

static Suite *crash_suite(void) {
        Suite *s = suite_create("store-crash");
        TCase *c = tcase_create("crash");

        tcase_set_timeout(c, 100);
        /* Hundreds of flushes; here it is the order that counts. */
        if (access("/dev/shm", W_OK) == 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);
        tcase_add_loop_test(c, test_flushes, 0, ELEMENTSOF(operations));
        tcase_add_loop_test(c, test_crash, 0, ELEMENTSOF(operations));
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(crash_suite)
