/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What became of each patch: in the journal, and in the report that the daemon shows. Neither may fail
 * the restore.
 */

#include <syslog.h>

#include "daemon/aftermath.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "restore/restore-internal.h"
#include "util/str.h"

typedef struct Outcome {
        const char *result;
        const char *message_id; /* NULL: no record */
        int priority;
        const char *text; /* takes the id */
} Outcome;

static const Outcome outcomes[] = {
        { "restored", HOTPATCH_MESSAGE_RESTORED, LOG_INFO, "The patch '%s' was restored" },
        { "present", NULL, LOG_INFO, "" },
        { "other-kernel", HOTPATCH_MESSAGE_NOT_RESTORED, LOG_NOTICE, "The patch '%s' is kept and not restored" },
        { "denied", HOTPATCH_MESSAGE_NOT_RESTORED, LOG_NOTICE, "The patch '%s' is kept and not restored" },
        { "quarantined", HOTPATCH_MESSAGE_NOT_RESTORED, LOG_WARNING, "The patch '%s' is not restored" },
        { "forbidden", HOTPATCH_MESSAGE_NOT_RESTORED, LOG_WARNING, "The patch '%s' is not restored" },
        { "unfinished", HOTPATCH_MESSAGE_RESTORE_FAILED, LOG_WARNING, "The patch '%s' is not in force yet" },
        { "postponed", HOTPATCH_MESSAGE_NOT_RESTORED, LOG_NOTICE, "The patch '%s' is not restored yet" },
        { "failed", HOTPATCH_MESSAGE_RESTORE_FAILED, LOG_ERR, "The patch '%s' could not be restored" },
};

static const Outcome *find_outcome(const char *result) {
        for (size_t i = 0; i < ELEMENTSOF(outcomes); i++)
                if (streq(outcomes[i].result, result))
                        return &outcomes[i];
        return NULL;
}

static void write_record(const Restore *r, const AdmittedRecord *record, const Outcome *o, const char *reason,
                const sd_bus_error *error) {
        _cleanup_free_ char *transaction = aftermath_restore_transaction(r->boot_id, record->order);
        _cleanup_free_ char *beginning = NULL, *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
        if (str_printf(&beginning, o->text, record->id) < 0)
                return;
#pragma GCC diagnostic pop
        if (str_printf(&text, "%s%s%s", beginning, *reason ? ": " : "", reason) < 0)
                return;
        (void) record_write(&(Record) {
                .message_id = o->message_id,
                .priority = o->priority,
                .text = text,
                .transaction = transaction,
                .patch = record->id,
                .module = record->module,
                .digest = record->digest,
                .fixes = record->fixes,
                .caller_uid = UINT32_MAX,
                .error = error,
        });
}

/**
 * restore_outcome() - a candidate is done
 * @result: a word of restored.h
 * @error_code: negative errno, said when @error says nothing; 0: there is nothing to say
 * @error: why, or NULL
 */
void restore_outcome(Restore *r, Candidate *c, const char *result, int error_code, const sd_bus_error *error) {
        const Outcome *o = find_outcome(result);
        const char *reason = "";

        if (error_code < 0)
                reason = sd_bus_error_is_set(error) && error->message ? error->message : strerror(-error_code);
        c->done = true;
        if (restored_add(&r->report, c->record->id, result, reason) < 0)
                fprintf(stderr, "<%d>No memory to report on '%s'\n", LOG_ERR, c->record->id);
        if (o && o->message_id)
                write_record(r, c->record, o, reason, sd_bus_error_is_set(error) ? error : NULL);
}
