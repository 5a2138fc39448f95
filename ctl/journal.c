/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one file that knows sd-journal. Anybody may write HOTPATCH_* fields and MESSAGE_IDs into the
 * journal; only what journald itself adds, the fields with an underscore, can be believed. So a
 * record counts only if it came from hotpatchd's unit and from root.
 */

#include <systemd/sd-journal.h>

#include "ctl/journal.h"
#include "daemon/messages.h"

struct Journal {
        sd_journal *journal;
};

typedef struct Field {
        const char *name;
        size_t offset;
} Field;

static const Field fields[] = {
        { "MESSAGE_ID", offsetof(JournalEntry, message_id) },
        { "MESSAGE", offsetof(JournalEntry, message) },
        { "HOTPATCH_TRANSACTION", offsetof(JournalEntry, transaction) },
        { "HOTPATCH_PATCH", offsetof(JournalEntry, patch) },
        { "HOTPATCH_MODULE", offsetof(JournalEntry, module) },
        { "HOTPATCH_DIGEST", offsetof(JournalEntry, digest) },
        { "HOTPATCH_CALLER_UID", offsetof(JournalEntry, caller_uid) },
        { "HOTPATCH_ERROR_NAME", offsetof(JournalEntry, error_name) },
        { "HOTPATCH_ERROR_MESSAGE", offsetof(JournalEntry, error_message) },
};

/**
 * journal_event() - the word for a kind of record
 * @message_id: its MESSAGE_ID
 *
 * Return: a static string; NULL for one that a newer daemon wrote.
 */
const char *journal_event(const char *message_id) {
        static const struct {
                const char *id, *event;
        } events[] = {
                { HOTPATCH_MESSAGE_STAGED, "staged" },
                { HOTPATCH_MESSAGE_JOB_STARTED, "started" },
                { HOTPATCH_MESSAGE_APPLIED, "applied" },
                { HOTPATCH_MESSAGE_REMOVED, "removed" },
                { HOTPATCH_MESSAGE_JOB_DONE, "done" },
                { HOTPATCH_MESSAGE_JOB_FAILED, "failed" },
                { HOTPATCH_MESSAGE_JOB_CANCEL, "cancel" },
                { HOTPATCH_MESSAGE_REVERSING, "reversing" },
                { HOTPATCH_MESSAGE_STALLED, "stalled" },
                { HOTPATCH_MESSAGE_FROZEN, "paused" },
                { HOTPATCH_MESSAGE_FORCED, "forced" },
                { HOTPATCH_MESSAGE_UNDO_FAILED, "undo-failed" },
                { HOTPATCH_MESSAGE_INTERRUPTED, "interrupted" },
                { HOTPATCH_MESSAGE_TRIPPED, "tripped" },
                { HOTPATCH_MESSAGE_STRUCK, "struck" },
                { HOTPATCH_MESSAGE_QUARANTINED, "quarantined" },
                { HOTPATCH_MESSAGE_RELEASED, "released" },
                { HOTPATCH_MESSAGE_RESTORED, "restored" },
                { HOTPATCH_MESSAGE_NOT_RESTORED, "not-restored" },
                { HOTPATCH_MESSAGE_RESTORE_FAILED, "restore-failed" },
                { HOTPATCH_MESSAGE_ADOPTED, "adopted" },
                { HOTPATCH_MESSAGE_FOREIGN, "foreign" },
                { HOTPATCH_MESSAGE_DAMAGED, "damaged" },
                { HOTPATCH_MESSAGE_FINDING, "finding" },
                { HOTPATCH_MESSAGE_FINDING_GONE, "finding-gone" },
                { HOTPATCH_MESSAGE_TARGET_PATCHED, "target-patched" },
                { HOTPATCH_MESSAGE_TARGET_UNPATCHED, "target-unpatched" },
                { HOTPATCH_MESSAGE_TARGET_REFUSED, "target-refused" },
        };

        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (streq(events[i].id, message_id))
                        return events[i].event;
        return NULL;
}

/**
 * journal_open() - the records of hotpatchd, from the end
 * @ret: to be freed
 *
 * Return: 0; -EACCES if there is a journal that may not be read; another negative errno.
 */
int journal_open(Journal **ret) {
        _cleanup_journal_ Journal *j = calloc(1, sizeof(*j));
        int r;

        if (!j)
                return -ENOMEM;
        r = sd_journal_open(&j->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r < 0)
                return r;
        /* Files that may not be opened are skipped without a word. */
        if (sd_journal_has_persistent_files(j->journal) == 0 &&
                        sd_journal_has_runtime_files(j->journal) == 0)
                return geteuid() == 0 ? -ENOENT : -EACCES;
        /* Matches of different fields: all must hold. */
        r = sd_journal_add_match(j->journal, "_SYSTEMD_UNIT=hotpatchd.service", 0);
        if (r < 0)
                return r;
        /* The same field again: either of the two. */
        r = sd_journal_add_match(j->journal, "_SYSTEMD_UNIT=hotpatch-restore.service", 0);
        if (r < 0)
                return r;
        r = sd_journal_add_match(j->journal, "_UID=0", 0);
        if (r < 0)
                return r;
        r = sd_journal_seek_tail(j->journal);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}

Journal *journal_free(Journal *j) {
        if (!j)
                return NULL;
        sd_journal_close(j->journal);
        free(j);
        return NULL;
}

/* The first value of a field; NULL if the record does not have it. */
static int read_field(Journal *j, const char *name, char **ret) {
        const void *data;
        size_t size, skip = strlen(name) + 1;
        char *copy;
        int r;

        r = sd_journal_get_data(j->journal, name, &data, &size);
        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        copy = size >= skip ? strndup((const char *) data + skip, size - skip) : strdup("");
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

static int read_entry(Journal *j, JournalEntry *e) {
        int r;

        r = sd_journal_get_realtime_usec(j->journal, &e->usec);
        for (size_t i = 0; i < ELEMENTSOF(fields) && r >= 0; i++)
                r = read_field(j, fields[i].name, (char **) ((char *) e + fields[i].offset));
        return r;
}

/**
 * journal_previous() - the record before the last one that was read
 * @j: the journal
 * @ret: to be cleared with journal_entry_done()
 *
 * Lines of the daemon without a MESSAGE_ID are no records and are skipped.
 *
 * Return: 1; 0 when there is none; a negative errno.
 */
int journal_previous(Journal *j, JournalEntry *ret) {
        int r;

        while ((r = sd_journal_previous(j->journal)) > 0) {
                _cleanup_(journal_entry_done) JournalEntry e = { 0 };

                r = read_entry(j, &e);
                if (r < 0)
                        return r;
                if (!e.message_id)
                        continue;
                *ret = e;
                e = (JournalEntry) { 0 };
                return 1;
        }
        return r;
}

/** journal_entry_done() - free what an entry holds */
void journal_entry_done(JournalEntry *e) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                free(*(char **) ((char *) e + fields[i].offset));
        *e = (JournalEntry) { 0 };
}
