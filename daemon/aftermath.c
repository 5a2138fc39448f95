/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * After the machine was started again: intents and trials of a boot that has ended. hotpatch-restore
 * settles them before it loads anything, and hotpatchd when hotpatch-restore did not run.
 *
 *                          shut down in order             went down in the middle
 *   intent "apply"         nothing is admitted by it, or all of it: both are as wanted
 *                          -                              a strike; what it admitted is only staged again
 *   intent "remove"        finished: the records go       likewise, and a strike
 *   trial of an Apply      the patch stays wanted         a strike; the patch is only staged again, what
 *                                                         it had superseded is wanted again
 *   trial of a restore     the patch stays wanted         a strike, or half of one when the kernel left no dump
 *                                                         and would have; the patch stays wanted; with the
 *                                                         second strike it is quarantined, and what it had
 *                                                         superseded is wanted again
 *   trial of what came     likewise: it has been in force before, and is restored like all that is wanted
 *   back by a rollback
 *   trial that had failed  as after a crash, with its own reason for the strike: it was being rolled back
 *
 * Why a patch whose Apply was never seen to end well does not come back: a machine that panics 15 s
 * after its start cannot be logged into. One crash for what is new; two for what has worked.
 *
 * Why half of one: two power cuts in the first minutes of a machine would quarantine all that it has. Why
 * not none: a kernel that hangs until the watchdog bites leaves no dump either, and must not do so for ever. It takes
 * four of them, with none of the starts in between living through the trial. See dump.c.
 *
 * Each part can be done again: strikes are counted once for each boot, the rest is moving and deleting,
 * and the record that led to it goes last. So a crash in here is settled by the next start.
 */

#include <inttypes.h>
#include <syslog.h>

#include "bundle/manifest.h"
#include "daemon/aftermath.h"
#include "daemon/dump.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/returns.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/** struct Aftermath - one settlement */
typedef struct Aftermath {
        const Store *store;
        int root_fd;
        sd_id128_t boot_id; /* of this boot */
        uint64_t now_usec;
} Aftermath;

/**
 * aftermath_restore_transaction() - the name under which a patch is restored in a boot
 * @order: of its record; no two patches have the same
 *
 * Like that of a job it begins with the boot, see bus-trial.c.
 *
 * Return: to be freed; NULL without memory.
 */
char *aftermath_restore_transaction(sd_id128_t boot_id, uint64_t order) {
        char *name;

        return str_printf(&name, SD_ID128_FORMAT_STR "-restore-%" PRIu64, SD_ID128_FORMAT_VAL(boot_id), order) < 0
                ? NULL : name;
}

/* --- strikes --- */

static _printf_(5, 6) void tell(const char *message_id, int priority, const char *id, const char *digest,
                const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        record_vsay(&(Record) {
                .message_id = message_id,
                .priority = priority,
                .patch = id,
                .digest = digest,
                .caller_uid = UINT32_MAX,
        }, format, ap);
        va_end(ap);
}

static void tell_strike(const char *id, const char *digest, const char *reason, const StrikeRecord *now) {
        tell(HOTPATCH_MESSAGE_STRUCK, LOG_WARNING, id, digest, "'%s': %s; strike %zu", id, reason,
                strike_record_count(now));
        if (strike_record_is_quarantined(now))
                tell(HOTPATCH_MESSAGE_QUARANTINED, LOG_ERR, id, digest, "'%s' is quarantined from now on", id);
}

/* "The machine went down while @doing, which began at TIME". */
static char *spell_reason(const char *doing, uint64_t started_usec, bool half) {
        char when[MANIFEST_TIME_SIZE];
        char *reason;

        if (manifest_time_format(started_usec, when) < 0)
                snprintf(when, sizeof(when), "an unknown time");
        return str_printf(&reason, "The machine went down without a shutdown while %s, which began at %s%s", doing,
                        when, half ? "; its kernel left no word, as after a power cut, so this counts half" : "") < 0
                ? NULL : reason;
}

typedef int (*AddStrike)(const Store *s, const char *id, const char *digest, const char *cause, uint64_t when_usec,
                const char *reason, sd_bus_error *error);

static int strike(const Aftermath *a, AddStrike add, const char *id, const char *digest, const char *cause,
                const char *reason) {
        _cleanup_(strike_record_done) StrikeRecord before = { 0 }, now = { 0 };
        size_t n = 0;
        int r;

        if (store_strike_get(a->store, id, digest, &before) >= 0)
                n = strike_record_count(&before);
        r = add(a->store, id, digest, cause, a->now_usec, reason, NULL);
        /* A damaged record is a quarantine already. */
        if (r == -EBADMSG)
                return 0;
        if (r < 0 || (size_t) r <= n)
                return r < 0 ? r : 0;
        r = store_strike_get(a->store, id, digest, &now);
        if (r >= 0)
                tell_strike(id, digest, reason, &now);
        return r;
}

static int strike_all(const Aftermath *a, char *const *ids, char *const *digests, sd_id128_t boot_id,
                const char *doing, uint64_t started_usec, bool half) {
        _cleanup_free_ char *reason = spell_reason(doing, started_usec, half);
        char cause[SD_ID128_UUID_STRING_MAX];

        if (!reason)
                return -ENOMEM;
        sd_id128_to_uuid_string(boot_id, cause);
        for (size_t i = 0; ids && ids[i] && digests && digests[i]; i++) {
                int r = strike(a, half ? store_strike_add_half : store_strike_add, ids[i], digests[i], cause, reason);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- trials --- */

static int bring_back_superseded(const Store *s, const TrialRecord *t) {
        _cleanup_strv_free_ char **ids = NULL;
        int r = returns_decide(s, t, &ids);

        for (char **id = ids; r >= 0 && id && *id; id++) {
                r = store_superseded_restore(s, t->transaction, *id);
                if (r == -EEXIST) /* applied again meanwhile: that one counts */
                        r = 0;
        }
        return r;
}

static int demote_all(const Store *s, char *const *ids) {
        for (; ids && *ids; ids++) {
                int r = store_admitted_demote(s, *ids);

                /* A damaged record is not wanted by anybody, and is for a person to look at. */
                if (r < 0 && r != -EBADMSG)
                        return r;
        }
        return 0;
}

/* Each of its patches will be restored by itself; what they have superseded goes with the first. */
static int pass_on_superseded(const Aftermath *a, const TrialRecord *t) {
        _cleanup_free_ char *restore = NULL;
        AdmittedRecord *records;
        uint64_t order = 0;
        size_t n;
        int r;

        r = store_admitted_list(a->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = n; i-- > 0;)
                if (strv_contains(t->ids, records[i].id))
                        order = records[i].order;
        admitted_records_free(records, n);
        restore = aftermath_restore_transaction(a->boot_id, order);
        return restore ? store_superseded_adopt(a->store, t->transaction, restore) : -ENOMEM;
}

static bool any_quarantined(const Aftermath *a, const TrialRecord *t) {
        bool found = false;

        for (size_t i = 0; !found && t->ids[i]; i++) {
                _cleanup_(strike_record_done) StrikeRecord record = { 0 };
                int r = store_strike_get(a->store, t->ids[i], t->digests[i], &record);

                found = r == -EBADMSG || (r >= 0 && strike_record_is_quarantined(&record));
        }
        return found;
}

/* The kernel would have said something if it had been its own fault, then and now. A clock that went back says
 * nothing about what came after what. */
static bool was_power_cut(const Aftermath *a, const TrialRecord *t) {
        return t->dumps && a->now_usec >= t->started_usec && dump_expected(a->root_fd) &&
                !dump_found(a->root_fd, t->started_usec);
}

static int settle_crashed_trial(const Aftermath *a, const TrialRecord *t) {
        bool restore = !streq(t->kind, "apply");
        int r;

        r = strike_all(a, t->ids, t->digests, t->boot_id,
                !restore                  ? "the patch was on trial after it had been applied"
                : streq(t->kind, "return") ? "the patch, put back in the place of one that had failed, was on trial"
                                          : "the patch, put back at its start, was on trial",
                t->started_usec, restore && was_power_cut(a, t));
        if (r < 0)
                return r;
        /* Without the new one the old one is better than none. */
        if (restore && !any_quarantined(a, t))
                return pass_on_superseded(a, t);
        r = restore ? 0 : demote_all(a->store, t->ids);
        return r < 0 ? r : bring_back_superseded(a->store, t);
}

/* The daemon was taking the patches out, or had failed to: the restart has done it. */
static int settle_failed_trial(const Aftermath *a, const TrialRecord *t) {
        int r = 0;

        for (size_t i = 0; r >= 0 && t->ids[i]; i++)
                r = strike(a, store_strike_add, t->ids[i], t->digests[i], t->transaction, t->reason);
        if (r >= 0)
                r = demote_all(a->store, t->ids);
        return r < 0 ? r : bring_back_superseded(a->store, t);
}

static int settle_trial(const Aftermath *a, const TrialRecord *t) {
        int r;

        if (t->reason)
                r = settle_failed_trial(a, t);
        else
                r = t->clean ? pass_on_superseded(a, t) : settle_crashed_trial(a, t);
        return r < 0 ? r : store_trial_remove(a->store, t->transaction);
}

static int settle_trials(const Aftermath *a) {
        TrialRecord *trials;
        size_t n;
        int r;

        r = store_trial_list(a->store, &trials, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++)
                if (!sd_id128_equal(trials[i].boot_id, a->boot_id))
                        r = settle_trial(a, &trials[i]);
        trial_records_free(trials, n);
        return r;
}

/* What a boot had to put back and did not: no trial of it is there, but what it has superseded is. */
static int adopt_waiting(const Aftermath *a) {
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(a->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ char *restore = aftermath_restore_transaction(a->boot_id, records[i].order);

                r = restore ? store_superseded_adopt_waiting(a->store, records[i].order, restore) : -ENOMEM;
        }
        admitted_records_free(records, n);
        return r;
}

/* --- the intent --- */

static void tell_interrupted(const Intent *i) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_INTERRUPTED,
                .priority = LOG_WARNING,
                .patch = i->ids[0],
                .module = i->modules ? i->modules[0] : NULL,
                .caller_uid = UINT32_MAX,
        }, "The machine %s while hotpatchd was at work on '%s' (%s)",
                i->clean ? "was shut down" : "went down", i->ids[0], i->type);
}

/* Was a patch being taken out because another one, which is on trial, is in its place? Return: that trial, or NULL. */
static const TrialRecord *find_superseder(const AdmittedRecord *records, size_t n, const TrialRecord *trials,
                size_t n_trials, sd_id128_t boot_id, const char *id) {
        for (size_t i = 0; i < n_trials; i++) {
                const TrialRecord *t = &trials[i];

                if (!streq(t->kind, "apply") || !sd_id128_equal(t->boot_id, boot_id))
                        continue;
                for (size_t j = 0; j < n; j++)
                        if (strv_contains(t->ids, records[j].id) && admitted_record_displaces(&records[j], id, 0))
                                return t;
        }
        return NULL;
}

/* What was being taken out was no longer to be there: the restart took it out. */
static int forget(const Store *s, const char *id) {
        int r = manifest_id_is_valid(id) ? store_admitted_remove(s, id) : -ENOENT;

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        tell(HOTPATCH_MESSAGE_REMOVED, LOG_NOTICE, id, NULL,
                "Patch '%s' was removed: the restart has finished what was begun", id);
        return 0;
}

static int retire(const Store *s, const char *transaction, const char *id) {
        int r = manifest_id_is_valid(id) ? store_superseded_retire(s, transaction, id) : 0;

        /* A damaged one is for a person to look at. */
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static int forget_all(const Store *s, const Intent *intent) {
        AdmittedRecord *records = NULL;
        TrialRecord *trials = NULL;
        size_t n = 0, n_trials = 0;
        int r;

        r = store_admitted_list(s, &records, &n);
        if (r >= 0)
                r = store_trial_list(s, &trials, &n_trials);
        for (char **id = intent->ids; r >= 0 && id && *id; id++) {
                const TrialRecord *t = find_superseder(records, n, trials, n_trials, intent->boot_id, *id);

                /* A trial that was cut short goes on, and may fail. One that ended in a crash has failed: then
                 * what it had superseded is wanted. */
                if (!t)
                        r = forget(s, *id);
                else if (t->clean)
                        r = retire(s, t->transaction, *id);
        }
        trial_records_free(trials, n_trials);
        admitted_records_free(records, n);
        return r;
}

static int settle_intent(const Aftermath *a, const Intent *i) {
        bool apply = streq(i->type, "apply");
        int r = 0;

        tell_interrupted(i);
        /* Its trial has failed, and says all that is needed. */
        if (streq(i->type, "rollback"))
                return 0;
        if (!i->clean)
                r = strike_all(a, i->ids, i->digests, i->boot_id,
                        apply ? "the patch was being applied" : "the patch was being removed", i->started_usec,
                        false);
        if (r < 0)
                return r;
        if (!apply)
                return forget_all(a->store, i);
        return i->clean ? 0 : demote_all(a->store, i->ids);
}

/* The intent goes first: who is on trial tells why something was being removed. */
static int settle_intents(const Aftermath *a) {
        _cleanup_(intent_done) Intent intent = { 0 };
        int r = store_intent_read(a->store, &intent);

        /* A damaged one is left for a person. */
        if (r == -ENOENT || r == -EBADMSG)
                return 0;
        if (r < 0 || sd_id128_equal(intent.boot_id, a->boot_id))
                return r;
        r = settle_intent(a, &intent);
        return r < 0 ? r : store_intent_clear(a->store);
}

/**
 * aftermath_settle() - strikes, and what becomes of the records of boots that have ended
 * @root_fd: the root directory
 * @boot_id: of this boot; what belongs to it is left alone
 * @now_usec: CLOCK_REALTIME
 *
 * Return: 0 or a negative errno; then the rest is settled by the next call.
 */
int aftermath_settle(const Store *s, int root_fd, sd_id128_t boot_id, uint64_t now_usec) {
        const Aftermath a = { .store = s, .root_fd = root_fd, .boot_id = boot_id, .now_usec = now_usec };
        int r = settle_intents(&a);

        if (r >= 0)
                r = settle_trials(&a);
        return r < 0 ? r : adopt_waiting(&a);
}
