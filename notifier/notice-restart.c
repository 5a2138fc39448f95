/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The restart, and the deadline behind it. The plan of a restart moves: while somebody works, hotpatchd puts it off by ten
 * minutes again and again. So what is told anew is not each new time, but each stage on the way: planned for a day, within
 * the hour, in a few minutes, waiting for somebody.
 *
 * "In a few minutes" is certain only when hotpatchd has handed the restart to logind, which it decides five minutes
 * before. Asking a little later than that sees what it has decided: another time and a reason, or the same time. A time
 * that an administrator named waits for nobody and is certain at once.
 */

#include <inttypes.h>
#include <time.h>

#include "notifier/notice-internal.h"
#include "util/limits.h"
#include "util/str.h"

#define MINUTE_USEC (60 * USEC_PER_SEC)
#define HOUR_USEC (60 * MINUTE_USEC)
#define DAY_USEC (24 * HOUR_USEC)

/* RESTART_NOTICE_USEC of hotpatchd is five minutes. */
#define CERTAIN_USEC (4 * MINUTE_USEC + 30 * USEC_PER_SEC)
#define CERTAIN_FIRM_USEC (5 * MINUTE_USEC + 30 * USEC_PER_SEC)

/* The deadline is told so long before, and again when it is urgent. */
#define DEADLINE_USEC (3 * DAY_USEC)
#define DEADLINE_URGENT_USEC DAY_USEC

typedef enum Stage {
        STAGE_PLANNED,
        STAGE_SOON,
        STAGE_CERTAIN,
        STAGE_WAITS,
        STAGE_NEEDED, /* but not planned */
} Stage;

/* For something of ours; what packages ask for by themselves is told by others. */
static bool needs_restart(const Machine *m) {
        for (size_t i = 0; i < m->n_reasons; i++)
                if (streq(m->reasons[i].id, "baseline") || streq(m->reasons[i].id, "forced"))
                        return true;
        return false;
}

static bool is_firm(const Machine *m) {
        return streq(m->restart_by, "administrator");
}

static Stage stage_of(const Machine *m, uint64_t now_usec, uint64_t *wake_usec) {
        uint64_t t = m->restart_usec, certain = is_firm(m) ? CERTAIN_FIRM_USEC : CERTAIN_USEC;

        if (t == 0)
                return STAGE_NEEDED;
        if (*m->restart_waits)
                return STAGE_WAITS;
        if (t <= now_usec + certain)
                return STAGE_CERTAIN;
        notice_wake_at(wake_usec, t - certain, now_usec);
        if (t <= now_usec + HOUR_USEC)
                return STAGE_SOON;
        notice_wake_at(wake_usec, t - HOUR_USEC, now_usec);
        return STAGE_PLANNED;
}

/* From then on "tomorrow" is said differently. */
static void wake_at_midnight(uint64_t *wake_usec, uint64_t now_usec) {
        time_t seconds = (time_t) (now_usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm))
                return;
        tm.tm_mday++;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        seconds = mktime(&tm);
        if (seconds != (time_t) -1)
                notice_wake_at(wake_usec, (uint64_t) seconds * USEC_PER_SEC, now_usec);
}

static int append_reasons(const Machine *m, char **to) {
        int r = 0;

        for (size_t i = 0; i < m->n_reasons && i < HOTPATCH_NOTIFIER_ITEMS_MAX && r >= 0; i++) {
                _cleanup_free_ char *clean = text_clean(m->reasons[i].sentence, HOTPATCH_NOTIFIER_SENTENCE_MAX);

                r = clean ? text_append_line(to, clean) : -ENOMEM;
        }
        return r;
}

/* The plan of a day is one thing, a countdown another one each time. */
static int make_key(const Machine *m, Stage stage, Notice *n) {
        time_t seconds = (time_t) (m->restart_usec / USEC_PER_SEC);
        char day[16] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void) strftime(day, sizeof(day), "%F", &tm);
        if (stage == STAGE_CERTAIN)
                return str_printf(&n->key, "certain %" PRIu64, m->restart_usec / MINUTE_USEC);
        if (stage == STAGE_NEEDED)
                return str_printf(&n->key, "needed %s", m->n_reasons > 0 ? m->reasons[0].sentence : "");
        return str_printf(&n->key, "%s %s",
                stage == STAGE_WAITS ? "waits" : stage == STAGE_SOON ? "soon" : "planned", day);
}

static int make_body(const Machine *m, Stage stage, const char *when, Notice *n) {
        static const Text summaries[] = {
                [STAGE_PLANNED] = TEXT_RESTART_PLANNED, [STAGE_SOON] = TEXT_RESTART_SOON, [STAGE_CERTAIN] = TEXT_RESTART_NOW,
                [STAGE_WAITS] = TEXT_RESTART_WAITS,     [STAGE_NEEDED] = TEXT_RESTART_NEEDED,
        };
        int r = text_fill(&n->summary, summaries[stage], "when", when, NULL);

        if (r >= 0 && stage == STAGE_CERTAIN)
                r = text_append(&n->body, TEXT_RESTART_SAVE, "when", when, NULL);
        if (r >= 0 && stage == STAGE_WAITS) {
                _cleanup_free_ char *clean = text_clean(m->restart_waits, HOTPATCH_NOTIFIER_SENTENCE_MAX);

                r = clean ? text_append_line(&n->body, clean) : -ENOMEM;
        }
        if (r >= 0 && (stage == STAGE_SOON || is_firm(m)))
                r = text_append(&n->body, is_firm(m) ? TEXT_RESTART_BY_ADMINISTRATOR : TEXT_RESTART_BY_CALENDAR, "when",
                        when, NULL);
        return r < 0 ? r : append_reasons(m, &n->body);
}

static int make_details(const Machine *m, const char *when, Notice *n) {
        int r = 0;

        if (m->restart_usec > 0)
                r = text_append(&n->details, is_firm(m) ? TEXT_RESTART_BY_ADMINISTRATOR : TEXT_RESTART_BY_CALENDAR, "when",
                        when, NULL);
        if (r >= 0 && *m->restart_waits) {
                _cleanup_free_ char *clean = text_clean(m->restart_waits, HOTPATCH_NOTIFIER_SENTENCE_MAX);

                r = clean ? text_append_line(&n->details, clean) : -ENOMEM;
        }
        if (r >= 0)
                r = append_reasons(m, &n->details);
        return r < 0 ? r : text_append(&n->details, TEXT_RESTART_DETAILS, NULL);
}

/** decide_restart() - one is planned, or needed and not planned. @ret: untouched when not. Return: 0 or -ENOMEM. */
int decide_restart(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec) {
        Stage stage = stage_of(m, now_usec, wake_usec);
        _cleanup_notice_ Notice *n = NULL;
        _cleanup_free_ char *when = NULL;
        int r;

        if (stage == STAGE_NEEDED && !needs_restart(m))
                return 0;
        if (stage != STAGE_NEEDED)
                wake_at_midnight(wake_usec, now_usec);
        n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        n->urgency = stage == STAGE_CERTAIN ? URGENCY_CRITICAL : URGENCY_NORMAL;
        n->actions = ACTION_RESTART | ACTION_DETAILS;
        /* A time that an administrator named cannot be put off. */
        if (stage != STAGE_NEEDED && !is_firm(m))
                n->actions |= ACTION_LATER;
        r = text_time(&when, m->restart_usec, now_usec);
        if (r >= 0)
                r = make_key(m, stage, n);
        if (r >= 0)
                r = make_body(m, stage, when, n);
        if (r >= 0)
                r = make_details(m, when, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

/* A restart that is planned before the deadline, and that nothing holds up, is all that is needed. */
static bool is_on_its_way(const Machine *m) {
        return (m->restart_usec > 0 && m->restart_usec < m->covered_until_usec && !*m->restart_waits) ||
                streq(m->baseline_state, "restarting") || streq(m->baseline_state, "verifying");
}

/** decide_deadline() - it is near, and nothing is on its way. @ret: untouched when it is not so. Return: 0 or -ENOMEM. */
int decide_deadline(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec) {
        uint64_t end = m->covered_until_usec;
        _cleanup_notice_ Notice *n = NULL;
        _cleanup_free_ char *when = NULL;
        bool restart = needs_restart(m) || m->restart_usec > 0, urgent;
        int r;

        if (end <= now_usec || is_on_its_way(m))
                return 0;
        if (end - now_usec > DEADLINE_USEC) {
                notice_wake_at(wake_usec, end - DEADLINE_USEC, now_usec);
                return 0;
        }
        urgent = end - now_usec <= DEADLINE_URGENT_USEC;
        notice_wake_at(wake_usec, end - DEADLINE_URGENT_USEC, now_usec);
        wake_at_midnight(wake_usec, now_usec);
        n = calloc(1, sizeof(*n));
        if (!n || str_printf(&n->key, "%s %" PRIu64, urgent ? "urgent" : "near", end) < 0)
                return -ENOMEM;
        n->urgency = urgent ? URGENCY_CRITICAL : URGENCY_NORMAL;
        n->actions = restart ? ACTION_RESTART : 0;
        r = text_time(&when, end, now_usec);
        if (r >= 0)
                r = text_fill(&n->summary, TEXT_DEADLINE, NULL);
        if (r >= 0)
                r = text_append(&n->body, TEXT_DEADLINE_TIME, "when", when, NULL);
        if (r >= 0)
                r = text_append(&n->body, restart ? TEXT_DEADLINE_RESTART : TEXT_DEADLINE_INSTALL, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}
