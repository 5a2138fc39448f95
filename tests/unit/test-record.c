/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What really reaches the journal: a mount namespace of our own has a socket of ours where journald
 * listens (the path is fixed in libsystemd), and the datagram is read.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdalign.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/messages.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static int journal = -1;

/* Return: whether it can be done here; without root it cannot. */
static bool listen_as_journald(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        struct timeval second = { .tv_sec = 1 };

        if (unshare(CLONE_NEWNS) < 0)
                return false;
        ck_assert_int_eq(mount("none", "/", "none", MS_REC | MS_PRIVATE, ""), 0);
        ck_assert_int_eq(mount("tmpfs", "/run", "tmpfs", 0, ""), 0);
        ck_assert_int_eq(mkdir("/run/systemd", 0755), 0);
        ck_assert_int_eq(mkdir("/run/systemd/journal", 0755), 0);
        journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(journal, 0);
        ck_assert_int_eq(bind(journal, (struct sockaddr *) &address, sizeof(address)), 0);
        ck_assert_int_eq(setsockopt(journal, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
        return true;
}

static char *receive(void) {
        char *text = calloc(1, 65536);
        ssize_t n = recv(journal, text, 65535, 0);

        ck_assert_int_gt(n, 0);
        return text;
}

static bool has_line(const char *text, const char *line) {
        size_t n = strlen(line);

        for (const char *p = text; (p = strstr(p, line)); p++)
                if ((p == text || p[-1] == '\n') && p[n] == '\n')
                        return true;
        return false;
}

static void skip_loudly(void) {
        if (getenv("CI"))
                ck_abort_msg("no mount namespace of one's own: run the tests as root");
        fprintf(stderr, "# SKIP: no mount namespace of one's own: run the tests as root\n");
}

START_TEST(test_fields) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *text = NULL;

        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        ck_assert_ok(hotpatch_errors_register());
        (void) sd_bus_error_set(&e, HOTPATCH_ERROR("Conflict"), "It stands in the way");
        ck_assert_ok(record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_JOB_FAILED, .priority = 3, .text = "It failed", .transaction = "7-b",
                .patch = "hp-a", .module = "hp_a", .digest = "00ff", .caller_uid = 1000,
                .fixes = (char *[]) { (char *) "CVE-2026-1", (char *) "CVE-2026-2", NULL }, .error = &e,
        }));
        text = receive();
        ck_assert(has_line(text, "MESSAGE_ID=" HOTPATCH_MESSAGE_JOB_FAILED));
        ck_assert(has_line(text, "MESSAGE=It failed"));
        ck_assert(has_line(text, "PRIORITY=3"));
        ck_assert(has_line(text, "HOTPATCH_TRANSACTION=7-b"));
        ck_assert(has_line(text, "HOTPATCH_PATCH=hp-a"));
        ck_assert(has_line(text, "HOTPATCH_MODULE=hp_a"));
        ck_assert(has_line(text, "HOTPATCH_DIGEST=00ff"));
        ck_assert(has_line(text, "HOTPATCH_CVE=CVE-2026-1"));
        ck_assert(has_line(text, "HOTPATCH_CVE=CVE-2026-2"));
        ck_assert(has_line(text, "HOTPATCH_CALLER_UID=1000"));
        ck_assert(has_line(text, "HOTPATCH_ERROR_NAME=" HOTPATCH_ERROR("Conflict")));
        ck_assert(has_line(text, "HOTPATCH_ERROR_MESSAGE=It stands in the way"));
        ck_assert(has_line(text, "SYSLOG_IDENTIFIER=test-record"));
        ck_assert_ptr_null(strstr(text, "CODE_FILE"));
}
END_TEST

START_TEST(test_unset) {
        _cleanup_free_ char *text = NULL;

        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        ck_assert_ok(record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = "x", .patch = "",
                .caller_uid = UINT32_MAX,
        }));
        text = receive();
        ck_assert_ptr_null(strstr(text, "HOTPATCH_"));
}
END_TEST

/* A stranger's text cannot make up a field. */
START_TEST(test_injection) {
        _cleanup_free_ char *text = NULL;

        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        ck_assert_ok(record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = "a\nHOTPATCH_PATCH=forged\nb",
                .caller_uid = UINT32_MAX,
        }));
        text = receive();
        /* framed by length: the name alone on its line */
        ck_assert(has_line(text, "MESSAGE"));
        ck_assert(!has_line(text, "MESSAGE=a"));
}
END_TEST

START_TEST(test_no_journal) {
        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        close(journal);
        ck_assert_int_eq(unlink(JOURNAL_SOCKET), 0);
        ck_assert_ok(record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = "x", .caller_uid = UINT32_MAX,
        }));
}
END_TEST

/* Journald that does not read keeps nobody from work: what does not fit into its queue is lost. */
START_TEST(test_journal_that_does_not_read) {
        const Record record = {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = "x", .caller_uid = UINT32_MAX,
        };
        _cleanup_free_ char *first = NULL;
        int r = 0;

        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        /* net.unix.max_dgram_qlen */
        for (unsigned i = 0; i < 100000 && r >= 0; i++)
                r = record_write(&record);
        ck_assert_int_eq(r, -EAGAIN);
        ck_assert_int_eq(record_write(&record), -EAGAIN);
        first = receive();
        ck_assert(has_line(first, "MESSAGE=x"));
        ck_assert_ok(record_write(&record));
}
END_TEST

/* The file that was passed in the place of a datagram; journald takes one with all seals only. */
static char *receive_file(void) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };
        char *text = calloc(1, 1 << 21);
        int fd, seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

        ck_assert_int_eq(recvmsg(journal, &message, MSG_CMSG_CLOEXEC), 0);
        ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
        ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & seals, seals);
        ck_assert_int_gt(pread(fd, text, (1 << 21) - 1, 0), 1 << 20);
        close(fd);
        return text;
}

/* A record that is more than a datagram takes is passed by a file, and waits no longer than the others. */
START_TEST(test_large) {
        _cleanup_free_ char *text = calloc(1, 1 << 20), *got = NULL;
        const Record small = {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = "x", .caller_uid = UINT32_MAX,
        };
        const Record large = {
                .message_id = HOTPATCH_MESSAGE_STAGED, .priority = 6, .text = text, .patch = "hp-a",
                .caller_uid = UINT32_MAX,
        };
        int r = 0;

        if (!listen_as_journald()) {
                skip_loudly();
                return;
        }
        memset(text, 'x', (1 << 20) - 1);
        ck_assert_ok(record_write(&large));
        got = receive_file();
        ck_assert(has_line(got, "HOTPATCH_PATCH=hp-a"));
        ck_assert_ptr_nonnull(strstr(got, "MESSAGE=xxxx"));
        for (unsigned i = 0; i < 100000 && r >= 0; i++)
                r = record_write(&small);
        ck_assert_int_eq(record_write(&large), -EAGAIN);
}
END_TEST

static Suite *record_suite(void) {
        Suite *s = suite_create("record");
        TCase *c = tcase_create("record");

        tcase_add_test(c, test_fields);
        tcase_add_test(c, test_unset);
        tcase_add_test(c, test_injection);
        tcase_add_test(c, test_no_journal);
        tcase_add_test(c, test_journal_that_does_not_read);
        tcase_add_test(c, test_large);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(record_suite)
