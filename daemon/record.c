/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happened, for people and auditors: one journal record for each change of state. The one file
 * that writes to the journal with fields of ours.
 *
 * The journal is history and never state: it rotates, may be volatile or may not run at all, and
 * anybody may write records that look like ours (readers match _SYSTEMD_UNIT and _UID). So a record
 * that cannot be written is lost, and nothing fails because of it.
 *
 * Texts may quote a stranger's manifest. The native protocol of the journal frames values that hold
 * a line feed by their length, so a value cannot make up another field.
 *
 * sd_journal_sendv(3) waits as long as journald does not read: its socket blocks, and nobody can reach it. A
 * daemon that is in the middle of a transition must not stand still because of a disk that the journal waits for.
 * So the datagram is sent from here, by the protocol that systemd promises to keep
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), and waits for a moment only. One that is too large for a datagram
 * is left to the library, which passes it by a file.
 */

#include <endian.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

/* Our fields, not the place in our source: CODE_FILE= and its like help nobody who reads history. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/record.h"
#include "util/limits.h"
#include "util/strv.h"

/* Values of one kind in a record; more tell nothing more. Journald takes some hundred fields of one entry. */
#define LIST_MAX 64U

/* sd_journal_sendv() has it built in, too. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Journald that is only busy catches up in less; the event loop must not stand still for longer. */
#define SEND_TIMEOUT_USEC (100 * USEC_PER_MSEC)

static int add_field(char ***fields, const char *name, const char *value) {
        _cleanup_free_ char *text = NULL;

        if (!value || !*value)
                return 0;
        if (asprintf(&text, "%s=%s", name, value) < 0)
                return -ENOMEM;
        return strv_extend(fields, text);
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

/* Return: 0, also without a journal; -EAGAIN when journald does not read, -EMSGSIZE, or another negative errno. */
static int send_datagram(const char *data, size_t size) {
        static const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
        static const struct timeval timeout = { .tv_usec = SEND_TIMEOUT_USEC };
        /* A socket for each record: what was sent and is not read yet does not fill the buffer of the next. */
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        if (sendto(fd, data, size, MSG_NOSIGNAL, (const struct sockaddr *) &journal, sizeof(journal)) >= 0)
                return 0;
        return errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
}

static int send_by_library(char *const *fields) {
        size_t n = strv_length(fields);
        _cleanup_free_ struct iovec *iov = calloc(n, sizeof(*iov));

        if (!iov)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                iov[i] = (struct iovec) { .iov_base = fields[i], .iov_len = strlen(fields[i]) };
        return sd_journal_sendv(iov, (int) n);
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
        size_t size;
        int r = add_all(&fields, record);

        if (r >= 0)
                r = encode(fields, &data, &size);
        if (r >= 0)
                r = send_datagram(data, size);
        return r == -EMSGSIZE ? send_by_library(fields) : r;
}
