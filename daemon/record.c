/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happened, for people and auditors: one journal record for each change of state. The one file
 * that writes to the journal with fields of ours.
 *
 * The journal is history and never state: it rotates, may be volatile or may not run at all, and
 * anybody may write records that look like ours (readers match unit and _UID, see util/journal-match.c). So a record
 * that cannot be written is lost, and nothing fails because of it.
 *
 * Texts may quote a stranger's manifest. The native protocol of the journal frames values that hold
 * a line feed by their length, so a value cannot make up another field.
 *
 * sd_journal_sendv(3) waits as long as journald does not read: its socket blocks, and nobody can reach it. A
 * daemon that is in the middle of a transition must not stand still because of a disk that the journal waits for.
 * So the datagram is sent from here, by the protocol that systemd promises to keep
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), and waits for a moment only. One that is too large for a datagram
 * is passed by a file in memory that nobody can change any more.
 */

#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "daemon/record.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* Values of one kind in a record; more tell nothing more. Journald takes some hundred fields of one entry. */
#define LIST_MAX 64U

/* sd_journal_sendv() has it built in, too. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Journald that is only busy catches up in less; the event loop must not stand still for longer. */
#define SEND_TIMEOUT_USEC (100 * USEC_PER_MSEC)

static int add_field(char ***fields, const char *name, const char *value) {
        return value && *value ? strv_extendf(fields, "%s=%s", name, value) : 0;
}

static int add_number(char ***fields, const char *name, uint64_t value) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        return add_field(fields, name, text);
}

static int add_list(char ***fields, const char *name, char *const *values) {
        for (size_t i = 0; values && values[i] && i < LIST_MAX; i++) {
                int r = add_field(fields, name, values[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The unit, in our own words: journald finds _SYSTEMD_UNIT by the process, and when it is busy, as it is while a machine starts,
 * hotpatch-restore has ended by then. systemd.journal-fields(7) has OBJECT_SYSTEMD_UNIT for records about a unit, and
 * journalctl --unit believes it from root. */
static int add_unit(char ***fields) {
        char unit[64];

        (void) snprintf(unit, sizeof(unit), "%s.service", program_invocation_short_name);
        return add_field(fields, "OBJECT_SYSTEMD_UNIT", unit);
}

static int add_all(char ***fields, const Record *record) {
        const struct {
                const char *name, *value;
        } texts[] = {
                { "MESSAGE_ID", record->message_id },
                { "MESSAGE", record->text },
                { "HOTPATCH_TRANSACTION", record->transaction },
                { "HOTPATCH_PATCH", record->patch },
                { "HOTPATCH_MODULE", record->module },
                { "HOTPATCH_DIGEST", record->digest },
                { "HOTPATCH_FINDING", record->finding },
                { "HOTPATCH_OBJECT", record->object },
                { "HOTPATCH_ERROR_NAME", record->error ? record->error->name : NULL },
                { "HOTPATCH_ERROR_MESSAGE", record->error ? record->error->message : NULL },
                { "DOCUMENTATION", "man:hotpatchd(8)" },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                r = add_field(fields, texts[i].name, texts[i].value);
                if (r < 0)
                        return r;
        }
        r = add_field(fields, "SYSLOG_IDENTIFIER", program_invocation_short_name);
        if (r >= 0)
                r = add_unit(fields);
        if (r >= 0)
                r = add_number(fields, "PRIORITY", (uint64_t) record->priority);
        if (r >= 0 && record->caller_uid != UINT32_MAX)
                r = add_number(fields, "HOTPATCH_CALLER_UID", record->caller_uid);
        if (r >= 0)
                r = add_list(fields, "HOTPATCH_CVE", record->fixes);
        if (r >= 0)
                r = add_list(fields, "HOTPATCH_UNIT", record->units);
        return r < 0 ? r : add_list(fields, "HOTPATCH_STACK", record->stacks);
}

/* "NAME=VALUE", or for a value with line feeds NAME, a line feed, its length in 64 bits and the value. */
static void encode_field(FILE *f, const char *field) {
        const char *value = strchr(field, '=') + 1;
        uint64_t size = htole64(strlen(value));

        if (!strchr(value, '\n')) {
                fprintf(f, "%s\n", field);
                return;
        }
        fprintf(f, "%.*s\n", (int) (value - field - 1), field);
        fwrite(&size, sizeof(size), 1, f);
        fprintf(f, "%s\n", value);
}

static int encode(char *const *fields, char **ret, size_t *ret_size) {
        char *data;
        size_t size;
        FILE *f = open_memstream(&data, &size);

        if (!f)
                return -ENOMEM;
        for (; fields && *fields; fields++)
                encode_field(f, *fields);
        if (fclose(f) != 0) {
                free(data);
                return -ENOMEM;
        }
        *ret = data;
        *ret_size = size;
        return 0;
}

/* All data, or none and the descriptor of a file with them. Return: 0, also without a journal; -EAGAIN when journald does
 * not read, -EMSGSIZE, or another negative errno. */
static int send_message(const char *data, size_t size, int file_fd) {
        static const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        static const struct timeval timeout = { .tv_usec = SEND_TIMEOUT_USEC };
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        struct iovec iov = { .iov_base = (char *) data, .iov_len = size };
        struct msghdr message = {
                .msg_name = (void *) &journal,
                .msg_namelen = sizeof(journal),
                .msg_iov = &iov,
                .msg_iovlen = size > 0,
        };
        /* A socket for each record: what was sent and is not read yet does not fill the buffer of the next. */
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        if (file_fd >= 0) {
                message.msg_control = control;
                message.msg_controllen = sizeof(control);
                *CMSG_FIRSTHDR(&message) = (struct cmsghdr) {
                        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)),
                };
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &file_fd, sizeof(file_fd));
        }
        if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0)
                return 0;
        return errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
}

/* Journald takes such a file only with all seals. */
static int send_file(const char *data, size_t size) {
        _cleanup_close_ int fd = memfd_create("hotpatch-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, size);
        if (r < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;
        return send_message(NULL, 0, fd);
}

/**
 * record_write() - write one event into the journal
 *
 * Members that are unset or empty are left out. Without a journal, or with one that does not read, the record is
 * lost, silently.
 *
 * Return: 0 or a negative errno, which is for tests: no caller should fail because of it.
 */
int record_write(const Record *record) {
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r = add_all(&fields, record);

        if (r >= 0)
                r = encode(fields, &data, &size);
        if (r >= 0)
                r = send_message(data, size, -EBADF);
        return r == -EMSGSIZE ? send_file(data, size) : r;
}

/** record_vsay() - as record_say(), for functions that have a format themselves */
void record_vsay(const Record *record, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;
        Record r = *record;

        if (str_vprintf(&text, format, ap) < 0)
                return;
        r.text = text;
        (void) record_write(&r);
}

/**
 * record_say() - record_write(), with a sentence that is made as by printf(3)
 * @record: without a text
 *
 * Out of memory, or without a journal, it is lost.
 */
void record_say(const Record *record, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        record_vsay(record, format, ap);
        va_end(ap);
}
