/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl history`: what happened, out of the journal (journal.c), oldest first. It needs
 * no daemon, and it is a view: nothing is decided by what the journal says.
 */

#include <syslog.h>

#include "ctl/journal.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "util/strv.h"

/* What one call keeps in memory; a machine with more records can be asked with --since. */
#define ENTRIES_MAX 100000U

typedef struct History {
        JournalEntry *entries; /* newest first */
        size_t n;
} History;

static void history_done(History *h) {
        for (size_t i = 0; i < h->n; i++)
                journal_entry_done(&h->entries[i]);
        free(h->entries);
        *h = (History) { 0 };
}

/* Patches that a record of any time says to repair @cve: what happened to them need not say so again. */
static int find_patches(const Ctl *ctl, char ***ret) {
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_journal_ Journal *j = NULL;
        int r = journal_open(ctl->directory, &j);

        while (r >= 0) {
                _cleanup_(journal_entry_done) JournalEntry e = { 0 };

                r = journal_previous(j, &e);
                if (r <= 0)
                        break;
                if (e.patch && strv_contains(e.fixes, ctl->cve) && !strv_contains(ids, e.patch))
                        r = strv_extend(&ids, e.patch);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ids);
        return 0;
}

/* The word for a record; that there was nothing to do is no failure here either. */
static const char *event_of(const JournalEntry *e, bool *ret_bad) {
        const HotpatchError *row = e->error_name ? hotpatch_error_find(e->error_name) : NULL;
        const JournalEvent *event = journal_event(e->message_id);

        *ret_bad = false;
        if (row && row->exit == HOTPATCH_EXIT_OK)
                return "unchanged";
        /* A finding may be one that is only good to know. */
        *ret_bad = event && event->bad && !(e->priority && atoi(e->priority) >= LOG_NOTICE);
        return event ? event->name : "";
}

/* @patches: those of the CVE that is asked for */
static bool is_wanted(const Ctl *ctl, const JournalEntry *e, char *const *patches) {
        bool bad;

        if (ctl->until_usec > 0 && e->usec > ctl->until_usec)
                return false;
        if (ctl->patch && !streq_ptr(e->patch, ctl->patch))
                return false;
        if (ctl->cve && !strv_contains(e->fixes, ctl->cve) && !(e->patch && strv_contains(patches, e->patch)))
                return false;
        (void) event_of(e, &bad);
        return bad || !ctl->failed;
}

static int history_add(History *h, JournalEntry *e) {
        JournalEntry *entries = reallocarray(h->entries, h->n + 1, sizeof(*entries));

        if (!entries)
                return -ENOMEM;
        h->entries = entries;
        h->entries[h->n++] = *e;
        *e = (JournalEntry) { 0 };
        return 0;
}

static int history_read(const Ctl *ctl, History *h) {
        _cleanup_strv_free_ char **patches = NULL;
        _cleanup_journal_ Journal *j = NULL;
        size_t max = ctl->lines > 0 ? ctl->lines : ENTRIES_MAX;
        int r = ctl->cve ? find_patches(ctl, &patches) : 0;

        if (r >= 0)
                r = journal_open(ctl->directory, &j);
        while (r >= 0 && h->n < max) {
                _cleanup_(journal_entry_done) JournalEntry e = { 0 };

                r = journal_previous(j, &e);
                if (r <= 0 || e.usec < ctl->since_usec)
                        return r < 0 ? r : 0;
                if (is_wanted(ctl, &e, patches))
                        r = history_add(h, &e);
        }
        return r < 0 ? r : 0;
}

static const char *result_of(const JournalEntry *e) {
        return e->error_message && *e->error_message ? e->error_message : strempty(e->message);
}

static Style event_style(const char *event, bool bad) {
        return bad ? STYLE_RED : streq(event, "applied") ? STYLE_GREEN : STYLE_NONE;
}

static int add_row(Table *t, const JournalEntry *e) {
        _cleanup_free_ char *when = NULL;
        bool bad;
        const char *event = event_of(e, &bad);
        int r;

        r = time_format_local(e->usec, &when);
        if (r >= 0)
                r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, when, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, event, event_style(event, bad));
        if (r >= 0)
                r = table_set(t, 2, e->patch, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 3, result_of(e), STYLE_NONE);
        return r;
}

static bool is_filtered(const Ctl *ctl) {
        return ctl->since_usec > 0 || ctl->until_usec > 0 || ctl->patch || ctl->cve || ctl->failed;
}

static int print_table(const Ctl *ctl, const History *h) {
        static const Column columns[] = {{"TIME"}, {"EVENT"}, {"PATCH", .wrap = true}, {"RESULT", .wrap = true}};
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = h->n; i-- > 0 && r >= 0;)
                r = add_row(t, &h->entries[i]);
        if (r >= 0)
                r = table_print(t);
        if (r >= 0 && ctl->legend && h->n == 0)
                puts(is_filtered(ctl) ? "Nothing of that kind is recorded." : "Nothing is recorded.");
        if (h->n == 0 && geteuid() != 0 && !ctl->quiet && !ctl->directory)
                fputs("Only root and members of the group systemd-journal see the whole record.\n",
                                stderr);
        return r;
}

static int entry_to_value(const JournalEntry *e, Value **ret) {
        bool bad;
        const char *event = event_of(e, &bad);
        _cleanup_value_ Value *v = value_object();

        if (value_set_time(v, "time", e->usec) < 0 ||
                        value_set_string(v, "event", *event ? event : NULL) < 0 ||
                        value_set_bool(v, "bad", bad) < 0 ||
                        value_set_strv(v, "fixes", e->fixes) < 0 ||
                        value_set_string(v, "message_id", e->message_id) < 0 ||
                        value_set_string(v, "message", e->message) < 0 ||
                        value_set_string(v, "transaction", e->transaction) < 0 ||
                        value_set_string(v, "patch", e->patch) < 0 ||
                        value_set_string(v, "module", e->module) < 0 ||
                        value_set_string(v, "digest", e->digest) < 0 ||
                        value_set_string(v, "caller_uid", e->caller_uid) < 0 ||
                        value_set_string(v, "error_name", e->error_name) < 0 ||
                        value_set_string(v, "error_message", e->error_message) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

static int print_json(const Ctl *ctl, const History *h) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = h->n; i-- > 0;) {
                Value *v;

                if (entry_to_value(&h->entries[i], &v) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        return value_print(ctl, array);
}

int verb_history(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(history_done) History h = { 0 };
        int r;

        r = history_read(ctl, &h);
        if (r == -EACCES)
                (void) sd_bus_error_set(&error, HOTPATCH_ERROR("JournalUnreadable"),
                                "You may not read the system journal");
        else if (r == -ENOENT)
                (void) sd_bus_error_set(&error, SD_BUS_ERROR_FAILED,
                                ctl->directory ? "There is no such directory" : "There is no system journal on this machine");
        if (r >= 0)
                r = ctl->json ? print_json(ctl, &h) : print_table(ctl, &h);
        return r < 0 ? ctl_fail(ctl, ctl->directory, &error, r) : HOTPATCH_EXIT_OK;
}
