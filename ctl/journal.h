/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The records of hotpatchd in the journal, newest first. */

#include "util/base.h"

/** struct JournalEntry - strings that the record does not have are NULL; all owned */
typedef struct JournalEntry {
        uint64_t usec;
        char *message_id;
        char *priority; /* a digit, see syslog(3) */
        char *message;
        char *transaction;
        char *patch;
        char *module;
        char *digest;
        char *caller_uid;
        char *error_name;
        char *error_message;
        char **fixes;
} JournalEntry;

/** struct JournalEvent - a kind of record; @bad: something did not go as it should */
typedef struct JournalEvent {
        const char *message_id;
        const char *name;
        bool bad;
} JournalEvent;

typedef struct Journal Journal;

int journal_open(const char *directory, Journal **ret) _must_check_ _nonnull_(2);
Journal *journal_free(Journal *j);
DEFINE_TRIVIAL_CLEANUP(Journal *, journal_free);
#define _cleanup_journal_ _cleanup_(journal_freep)

const JournalEvent *journal_event(const char *message_id) _nonnull_(1);
int journal_previous(Journal *j, JournalEntry *ret) _must_check_ _nonnull_(1, 2);
void journal_entry_done(JournalEntry *e) _nonnull_(1);
