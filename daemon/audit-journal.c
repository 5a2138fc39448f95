/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The journal against what is: the last record about each patch says that it was applied, and nothing
 * knows it any more. That is how deleted records show when nothing is in the kernel either.
 *
 * The journal is evidence and never state. It rotates, it may be volatile or absent, so that nothing
 * follows from what it does not say; and anybody may write records like ours, so only those count that
 * journald itself says came from root in the units of hotpatchd and hotpatch-restore. A forger with those
 * is root.
 */

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "bundle/manifest.h"
#include "daemon/audit-report.h"
#include "daemon/messages.h"
#include "util/journal-match.h"
#include "util/limits.h"
#include "util/strv.h"

/* Records about patches that are looked at, the newest first. */
#define RECORDS_MAX 20000U

/* Kinds of records that say something about a patch; only the last one of each patch counts. What ends badly
 * may have been taken back or not: then it says nothing. */
static const struct {
        const char *message_id;
        const char *event;
} events[] = {
        { HOTPATCH_MESSAGE_APPLIED, "applied" },
        { HOTPATCH_MESSAGE_REMOVED, "removed" },
        { HOTPATCH_MESSAGE_TRIAL_FAILED, NULL },
        { HOTPATCH_MESSAGE_STRUCK, NULL },
        { HOTPATCH_MESSAGE_QUARANTINED, NULL },
        { HOTPATCH_MESSAGE_REVERSING, NULL },
        { HOTPATCH_MESSAGE_UNDO_FAILED, NULL },
        { HOTPATCH_MESSAGE_INTERRUPTED, NULL },
        { HOTPATCH_MESSAGE_STRUCK, NULL }, /* a crash, after which what was new is not wanted any more */
};

static void journal_closep(sd_journal **j) {
        sd_journal_close(*j);
}

static int open_journal(sd_journal **ret) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        int r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        if (r >= 0)
                r = journal_match_ours(j);
        /* Matches of the same field: one of them. */
        for (size_t i = 0; i < ELEMENTSOF(events) && r >= 0; i++) {
                char match[64];

                (void) snprintf(match, sizeof(match), "MESSAGE_ID=%s", events[i].message_id);
                r = sd_journal_add_match(j, match, 0);
        }
        if (r >= 0)
                r = sd_journal_seek_tail(j);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}

/* The value of a field, copied into @ret if it fits; otherwise "". */
static void read_field(sd_journal *j, const char *field, char *ret, size_t room) {
        const char *data;
        size_t size, skip = strlen(field) + 1;

        *ret = 0;
        if (sd_journal_get_data(j, field, (const void **) &data, &size) < 0 || size < skip || size - skip >= room)
                return;
        memcpy(ret, data + skip, size - skip);
        ret[size - skip] = 0;
}

static const char *event_of(const char *message_id) {
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (streq(events[i].message_id, message_id))
                        return events[i].event;
        return NULL;
}

static int set_row(AuditPatch *row, const char *event, uint64_t usec) {
        if (!event)
                return 0;
        row->last_event = strdup(event);
        row->last_event_usec = usec;
        return row->last_event ? 0 : -ENOMEM;
}

/* The newest record of a patch. */
static int look_at_record(AuditReport *report, const char *id, const char *event, uint64_t usec) {
        AuditPatch *row = audit_report_find(report, id);

        if (row)
                return set_row(row, event, usec);
        if (!event || !streq(event, "applied"))
                return 0;
        return finding_set_add(&report->findings, FINDING_RECORD_LOST, id, NULL,
                        "By the journal the patch '%s' was applied and never removed, but neither the kernel nor "
                        "the records know it", id);
}

static int look_at_entry(sd_journal *j, char ***seen, AuditReport *report) {
        char id[HOTPATCH_ID_MAX + 1], message_id[33];
        uint64_t usec = 0;
        int r;

        read_field(j, "HOTPATCH_PATCH", id, sizeof(id));
        read_field(j, "MESSAGE_ID", message_id, sizeof(message_id));
        if (!manifest_id_is_valid(id) || strv_contains(*seen, id))
                return 0;
        report->n_records++;
        r = strv_extend(seen, id);
        if (r < 0)
                return r;
        (void) (sd_journal_get_realtime_usec(j, &usec) < 0);
        return look_at_record(report, id, event_of(message_id), usec);
}

/**
 * audit_journal() - the last record of each patch against kernel and records
 * @report: with its rows, see audit_kernel()
 *
 * A journal that cannot be read is no failure; @report->journal tells.
 *
 * Return: 0 or -ENOMEM.
 */
int audit_journal(const AuditQuestion *q, AuditReport *report) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        _cleanup_strv_free_ char **seen = NULL;

        /* A captured tree has no journal, and this machine's is not about it. */
        if (!kernel_is_host(q->kernel) || open_journal(&j) < 0)
                return 0;
        report->journal = true;
        for (unsigned i = 0; i < RECORDS_MAX && sd_journal_previous(j) > 0; i++) {
                int r = look_at_entry(j, &seen, report);
                if (r < 0)
                        return r;
        }
        return 0;
}
