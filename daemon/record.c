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
 */

#include <inttypes.h>
#include <sys/uio.h>

/* Our fields, not the place in our source: CODE_FILE= and its like help nobody who reads history. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/record.h"
#include "util/limits.h"
#include "util/strv.h"

/* Values of one kind in a record; more tell nothing more. Journald takes some hundred fields of one entry. */
#define LIST_MAX 64U

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
        r = add_number(fields, "PRIORITY", (uint64_t) record->priority);
        if (r >= 0 && record->caller_uid != UINT32_MAX)
                r = add_number(fields, "HOTPATCH_CALLER_UID", record->caller_uid);
        if (r >= 0)
                r = add_list(fields, "HOTPATCH_CVE", record->fixes);
        if (r >= 0)
                r = add_list(fields, "HOTPATCH_UNIT", record->units);
        return r < 0 ? r : add_list(fields, "HOTPATCH_STACK", record->stacks);
}

/**
 * record_write() - write one event into the journal
 *
 * Members that are unset or empty are left out. Without a journal the record is lost, silently.
 *
 * Return: 0 or a negative errno, which is for tests: no caller should fail because of it.
 */
int record_write(const Record *record) {
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_free_ struct iovec *iov = NULL;
        size_t n;
        int r = add_all(&fields, record);

        if (r < 0)
                return r;
        n = strv_length(fields);
        iov = calloc(n, sizeof(*iov));
        if (!iov)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                iov[i] = (struct iovec) { .iov_base = fields[i], .iov_len = strlen(fields[i]) };
        return sd_journal_sendv(iov, (int) n);
}
