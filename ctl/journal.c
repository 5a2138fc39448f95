/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one file that knows sd-journal. Anybody may write HOTPATCH_* fields and MESSAGE_IDs into the
 * journal; only what journald itself adds, the fields with an underscore, can be believed. So a
 * record counts only if it came from hotpatchd's unit and from root.
 */

#include <systemd/sd-journal.h>

#include "ctl/journal.h"
#include "daemon/messages.h"
#include "util/journal-match.h"
#include "util/strv.h"

struct Journal {
        sd_journal *journal;
};

typedef struct Field {
        const char *name;
        size_t offset;
} Field;

static const Field fields[] = {
        { "MESSAGE_ID", offsetof(JournalEntry, message_id) },
        { "PRIORITY", offsetof(JournalEntry, priority) },
        { "MESSAGE", offsetof(JournalEntry, message) },
        { "HOTPATCH_TRANSACTION", offsetof(JournalEntry, transaction) },
        { "HOTPATCH_PATCH", offsetof(JournalEntry, patch) },
        { "HOTPATCH_MODULE", offsetof(JournalEntry, module) },
        { "HOTPATCH_DIGEST", offsetof(JournalEntry, digest) },
        { "HOTPATCH_CALLER_UID", offsetof(JournalEntry, caller_uid) },
        { "HOTPATCH_ERROR_NAME", offsetof(JournalEntry, error_name) },
        { "HOTPATCH_ERROR_MESSAGE", offsetof(JournalEntry, error_message) },
};

static const JournalEvent events[] = {
        { HOTPATCH_MESSAGE_STAGED, "staged", false },
        { HOTPATCH_MESSAGE_JOB_STARTED, "started", false },
        { HOTPATCH_MESSAGE_LOADED, "loaded", false },
        { HOTPATCH_MESSAGE_APPLIED, "applied", false },
        { HOTPATCH_MESSAGE_REMOVED, "removed", false },
        { HOTPATCH_MESSAGE_JOB_DONE, "done", false },
        { HOTPATCH_MESSAGE_JOB_FAILED, "failed", true },
        { HOTPATCH_MESSAGE_JOB_CANCEL, "cancel", false },
        { HOTPATCH_MESSAGE_REVERSING, "reversing", true },
        { HOTPATCH_MESSAGE_STALLED, "stalled", true },
        { HOTPATCH_MESSAGE_HANGS, "hangs", true },
        { HOTPATCH_MESSAGE_FROZEN, "paused", false },
        { HOTPATCH_MESSAGE_FORCED, "forced", true },
        { HOTPATCH_MESSAGE_LEFTOVER, "leftover", false },
        { HOTPATCH_MESSAGE_UNDO_FAILED, "undo-failed", true },
        { HOTPATCH_MESSAGE_INTERRUPTED, "interrupted", true },
        { HOTPATCH_MESSAGE_STRUCK, "struck", true },
        { HOTPATCH_MESSAGE_QUARANTINED, "quarantined", true },
        { HOTPATCH_MESSAGE_RELEASED, "released", false },
        { HOTPATCH_MESSAGE_RESTORED, "restored", false },
        { HOTPATCH_MESSAGE_NOT_RESTORED, "not-restored", false },
        { HOTPATCH_MESSAGE_RESTORE_FAILED, "restore-failed", true },
        { HOTPATCH_MESSAGE_TRIPPED, "tripped", true },
        { HOTPATCH_MESSAGE_ADOPTED, "adopted", false },
        { HOTPATCH_MESSAGE_FOREIGN, "foreign", false },
        { HOTPATCH_MESSAGE_DAMAGED, "damaged", true },
        { HOTPATCH_MESSAGE_FINDING, "finding", true },
        { HOTPATCH_MESSAGE_FINDING_GONE, "finding-gone", false },
        { HOTPATCH_MESSAGE_TARGET_PATCHED, "target-patched", false },
        { HOTPATCH_MESSAGE_TARGET_UNPATCHED, "target-unpatched", false },
        { HOTPATCH_MESSAGE_TARGET_REFUSED, "target-refused", true },
        { HOTPATCH_MESSAGE_BASELINE_INSTALLED, "baseline-installed", false },
        { HOTPATCH_MESSAGE_BASELINE_RUN_FAILED, "baseline-run-failed", true },
        { HOTPATCH_MESSAGE_CONFIGURATION, "configuration", true },
        { HOTPATCH_MESSAGE_POLICY_CHANGED, "policy-changed", false },
        { HOTPATCH_MESSAGE_BASELINE, "baseline", false },
        { HOTPATCH_MESSAGE_BASELINE_FAILED, "baseline-failed", true },
        { HOTPATCH_MESSAGE_RESTART, "restart", false },
        { HOTPATCH_MESSAGE_TRIAL_BEGUN, "trial-begun", false },
        { HOTPATCH_MESSAGE_TRIAL_PASSED, "trial-passed", false },
        { HOTPATCH_MESSAGE_TRIAL_FAILED, "trial-failed", true },
        { HOTPATCH_MESSAGE_TRIAL_ENDED, "trial-ended", false },
        { HOTPATCH_MESSAGE_TRIAL_BLIND, "trial-blind", true },
        { HOTPATCH_MESSAGE_LOG_LOST, "log-lost", true },
};

/**
 * journal_event() - the kind of a record
 * @message_id: its MESSAGE_ID
 *
 * Return: static; NULL for one that a newer daemon wrote.
 */
const JournalEvent *journal_event(const char *message_id) {
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (streq(events[i].message_id, message_id))
                        return &events[i];
        return NULL;
}

/* Files that may not be opened are skipped without a word. */
static int open_files(const char *directory, sd_journal **ret) {
        int r;

        if (directory)
                return sd_journal_open_directory(ret, directory, 0);
        r = sd_journal_open(ret, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r < 0)
                return r;
        if (sd_journal_has_persistent_files(*ret) == 0 && sd_journal_has_runtime_files(*ret) == 0)
                return geteuid() == 0 ? -ENOENT : -EACCES;
        return 0;
}

/**
 * journal_open() - the records of hotpatchd, from the end
 * @directory: where the files are, of whatever machine; NULL: the system journal of this one
 * @ret: to be freed
 *
 * Return: 0; -EACCES if there is a journal that may not be read; another negative errno.
 */
int journal_open(const char *directory, Journal **ret) {
        _cleanup_journal_ Journal *j = calloc(1, sizeof(*j));
        int r;

        if (!j)
                return -ENOMEM;
        r = open_files(directory, &j->journal);
        if (r < 0)
                return r;
        r = journal_match_ours(j->journal);
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

/* Every value of a field that there may be several of. */
static int read_list(Journal *j, const char *name, char ***list) {
        size_t size, skip = strlen(name);
        const void *data;
        int r = 0;

        sd_journal_restart_data(j->journal);
        while (r >= 0 && (r = sd_journal_enumerate_data(j->journal, &data, &size)) > 0) {
                _cleanup_free_ char *value = NULL;

                if (size <= skip || memcmp(data, name, skip) != 0 || ((const char *) data)[skip] != '=')
                        continue;
                value = strndup((const char *) data + skip + 1, size - skip - 1);
                r = value ? strv_extend(list, value) : -ENOMEM;
        }
        return r;
}

static int read_entry(Journal *j, JournalEntry *e) {
        int r;

        r = sd_journal_get_realtime_usec(j->journal, &e->usec);
        if (r >= 0)
                r = read_list(j, "HOTPATCH_CVE", &e->fixes);
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
        strv_free(e->fixes);
        *e = (JournalEntry) { 0 };
}
