/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state of a machine's baseline as a value: its words, and what entering a phase changes in it. Nothing is
 * read or written here; daemon/store-baseline.c keeps it on disk, decide.c finds the next step.
 */

#include <inttypes.h>

#include "baseline/state.h"
#include "util/str.h"
#include "util/strv.h"

static const char *const phases[_BASELINE_PHASE_MAX] = {
        [BASELINE_IDLE] = "idle",
        [BASELINE_DUE] = "due",
        [BASELINE_PLANNED] = "planned",
        [BASELINE_DOWNLOADED] = "downloaded",
        [BASELINE_INSTALLING] = "installing",
        [BASELINE_INSTALLED] = "installed",
        [BASELINE_SCHEDULED] = "scheduled",
        [BASELINE_RESTARTING] = "restarting",
        [BASELINE_VERIFYING] = "verifying",
        [BASELINE_REACHED] = "reached",
        [BASELINE_FAILED] = "failed",
};

static const char *const causes[_BASELINE_CAUSE_MAX] = {
        [BASELINE_CAUSE_NONE] = "none",
        [BASELINE_INSTALL_FAILED] = "install-failed",
        [BASELINE_INTERRUPTED] = "interrupted",
        [BASELINE_OLD_KERNEL_RETURNED] = "old-kernel-returned",
        [BASELINE_BOOT_CHECK_FAILED] = "boot-check-failed",
        [BASELINE_CRASHED_IN_TRIAL] = "crashed-in-trial",
        [BASELINE_MISSED] = "missed",
};

static int find(const char *const *words, int n, const char *s) {
        for (int i = 0; i < n; i++)
                if (streq(words[i], s))
                        return i;
        return -EINVAL;
}

/** baseline_phase_to_string() - the word of a phase, as in the property BaselineState */
const char *baseline_phase_to_string(BaselinePhase phase) {
        return phases[phase];
}

/** baseline_phase_from_string() - the other way round, or _BASELINE_PHASE_INVALID */
BaselinePhase baseline_phase_from_string(const char *s) {
        return find(phases, _BASELINE_PHASE_MAX, s);
}

/** baseline_cause_to_string() - the word of a cause */
const char *baseline_cause_to_string(BaselineCause cause) {
        return causes[cause];
}

/** baseline_cause_from_string() - the other way round, or _BASELINE_CAUSE_INVALID */
BaselineCause baseline_cause_from_string(const char *s) {
        return find(causes, _BASELINE_CAUSE_MAX, s);
}

/* What a state owns beside its history. */
static const size_t strings[] = {
        offsetof(BaselineState, name), offsetof(BaselineState, bundle), offsetof(BaselineState, text),
        offsetof(BaselineState, kernel), offsetof(BaselineState, reached), offsetof(BaselineState, reached_kernel),
};

static char **string_at(BaselineState *s, size_t i) {
        return (char **) (void *) ((char *) s + strings[i]);
}

/** baseline_state_done() - free what it owns */
void baseline_state_done(BaselineState *s) {
        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(*string_at(s, i));
        strv_free(s->history);
        strv_free(s->retired);
        *s = (BaselineState) { 0 };
}

/**
 * baseline_state_copy() - a state to try a change with
 * @ret: owns all it has; baseline_state_done() it
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_state_copy(const BaselineState *s, BaselineState *ret) {
        _cleanup_(baseline_state_done) BaselineState copy = *s;
        bool ok = true;

        copy.history = copy.retired = NULL;
        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                char **field = string_at(&copy, i);

                *field = *field ? strdup(*field) : NULL;
                ok = ok && !*field == !*string_at((BaselineState *) s, i);
        }
        if (!ok || (s->history && strv_copy(s->history, &copy.history) < 0) ||
            (s->retired && strv_copy(s->retired, &copy.retired) < 0))
                return -ENOMEM;
        *ret = copy;
        copy = (BaselineState) { 0 };
        return 0;
}

/** baseline_name_is_valid() - "2026.10"? */
bool baseline_name_is_valid(const char *s) {
        int year, month;

        return baseline_name_parse(s, &year, &month) >= 0;
}

/** baseline_history_is_valid() - "2026.10 missed 1793577600": a baseline, how it ended, when */
bool baseline_history_is_valid(const char *s) {
        char name[BASELINE_NAME_SIZE] = "";
        const char *word, *when;

        (void) strncpy(name, s, sizeof(name) - 1);
        if (strlen(s) < sizeof(name) || s[sizeof(name) - 1] != ' ' || !baseline_name_is_valid(name))
                return false;
        word = s + sizeof(name);
        when = strchr(word, ' ');
        if (!when || strspn(when + 1, "0123456789") != strlen(when + 1) || !when[1] || strlen(when + 1) > 12)
                return false;
        for (int i = BASELINE_CAUSE_NONE; i < _BASELINE_CAUSE_MAX; i++) {
                const char *ending = i == BASELINE_CAUSE_NONE ? phases[BASELINE_REACHED] : causes[i];

                if (strlen(ending) == (size_t) (when - word) && startswith(word, ending))
                        return true;
        }
        return false;
}

/**
 * baseline_history_find() - how a baseline ended, the last time
 *
 * Return: "reached 1784671200" and the like, or NULL.
 */
const char *baseline_history_find(const BaselineState *s, const char *name) {
        const char *found = NULL;

        for (char **line = s->history; line && *line; line++)
                if (startswith(*line, name) && (*line)[strlen(name)] == ' ')
                        found = *line + strlen(name) + 1;
        return found;
}

static int replace(char **field, const char *value) {
        char *copy = value ? strdup(value) : NULL;

        if (value && !copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int add_history(BaselineState *s, const char *name, const char *ending, uint64_t now_usec) {
        _cleanup_free_ char *line = NULL;

        if (str_printf(&line, "%s %s %" PRIu64, name, ending, now_usec / USEC_PER_SEC) < 0)
                return -ENOMEM;
        if (strv_contains(s->history, line))
                return 0;
        if (strv_length(s->history) >= HOTPATCH_BASELINE_HISTORY_MAX) {
                free(s->history[0]);
                memmove(s->history, s->history + 1, strv_length(s->history + 1) * sizeof(char *) + sizeof(char *));
        }
        return strv_extend(&s->history, line);
}

/* Return: what follows the name of a baseline, or NULL. */
static const char *behind_name(const char *s) {
        char name[BASELINE_NAME_SIZE] = "";

        (void) stpncpy(name, s, sizeof(name) - 1);
        return strlen(s) > sizeof(name) && s[sizeof(name) - 1] == ' ' && baseline_name_is_valid(name) ? s + sizeof(name) : NULL;
}

/** baseline_retired_is_valid() - "2026.10 hp-2026-09-example": a baseline, and the id of a bundle */
bool baseline_retired_is_valid(const char *s) {
        const char *id = behind_name(s);

        return id && !strchr(id, ' ') && strlen(id) <= HOTPATCH_ID_MAX;
}

/**
 * baseline_add_retired() - the baseline in work contains this hotpatch
 *
 * So many are remembered; the oldest go first.
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_add_retired(BaselineState *s, const char *id) {
        _cleanup_free_ char *line = NULL;
        char **kept = s->retired;

        if (str_printf(&line, "%s %s", s->name, id) < 0)
                return -ENOMEM;
        /* Once for each, by the last that did. */
        for (char **old = s->retired; old && *old; old++)
                if (streq(*old + BASELINE_NAME_SIZE, id))
                        free(*old);
                else
                        *kept++ = *old;
        if (kept)
                *kept = NULL;
        if (strv_length(s->retired) >= HOTPATCH_BASELINE_RETIRED_MAX) {
                free(s->retired[0]);
                memmove(s->retired, s->retired + 1, strv_length(s->retired + 1) * sizeof(char *) + sizeof(char *));
        }
        return strv_extend(&s->retired, line);
}

/** baseline_retired_by() - the baseline that retired a hotpatch. Return: @ret, or NULL when none did. */
const char *baseline_retired_by(const BaselineState *s, const char *id, char ret[static BASELINE_NAME_SIZE]) {
        for (char **line = s->retired; line && *line; line++)
                if (streq(*line + BASELINE_NAME_SIZE, id)) {
                        memcpy(ret, *line, BASELINE_NAME_SIZE - 1);
                        ret[BASELINE_NAME_SIZE - 1] = '\0';
                        return ret;
                }
        return NULL;
}

/* The clock was set back: it is not missed yet. */
static void forget_missed(BaselineState *s) {
        char **kept = s->history;

        for (char **line = s->history; line && *line; line++) {
                const char *rest = startswith(*line, s->name);

                if (rest && startswith(rest, " missed "))
                        free(*line);
                else
                        *kept++ = *line;
        }
        if (kept)
                *kept = NULL;
}

/* A baseline that another one took the place of before it was installed. */
static int leave(BaselineState *s, const BaselineDecision *d, const BaselineFacts *f) {
        /* One of a later month was not missed; the clock was wrong. */
        if (d->unplanned || s->forced || !s->name || strcmp(s->name, d->name) > 0 || s->phase == BASELINE_REACHED || s->phase == BASELINE_FAILED)
                return 0;
        return add_history(s, s->name, causes[BASELINE_MISSED], f->now_usec);
}

/**
 * baseline_ask() - who wants the baseline that has just become due
 * @s: a copy of the state
 * @bundle: id of the bundle that brings it; NULL: the calendar, or a person
 * @kernel: release that the bundle wants to run; NULL: whichever comes
 * @deadline_usec: 0: the calendar's
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_ask(BaselineState *s, const char *bundle, const char *kernel, uint64_t deadline_usec) {
        int r = replace(&s->bundle, bundle);

        s->deadline_usec = deadline_usec;
        return r < 0 ? r : replace(&s->kernel, kernel);
}

/** baseline_drop_restart() - the machine does not restart at that time; a baseline that waits for it has none then */
void baseline_drop_restart(BaselineState *s) {
        if (s->phase == BASELINE_SCHEDULED)
                s->phase = BASELINE_INSTALLED;
        s->restart_usec = 0;
        s->restart_firm = s->handed_over = s->taken_over = false;
        s->restart_boot = SD_ID128_NULL;
}

/* What the calendar planned goes with its baseline; the time that a person named stays, until it was restarted. */
static void drop_own_restart(BaselineState *s, const BaselineFacts *f) {
        if (!s->restart_firm || !sd_id128_equal(s->restart_boot, f->boot_id))
                baseline_drop_restart(s);
}

static int begin(BaselineState *s, const BaselineDecision *d, const BaselineFacts *f) {
        int r = 0;

        if (!streq_ptr(s->name, d->name))
                r = leave(s, d, f);
        /* What the calendar, or a bundle, has said of the same one before was for that time. */
        if (!streq_ptr(s->name, d->name) || d->forced) {
                if (r >= 0)
                        r = replace(&s->name, d->name);
                if (r >= 0)
                        r = replace(&s->bundle, NULL);
                s->deadline_usec = d->deadline_usec;
        }
        s->forced = d->forced;
        if (d->forced)
                s->boot_id = f->boot_id;
        s->deferrals = s->deferred_until_usec = s->first_restart_usec = s->again_usec = 0;
        drop_own_restart(s, f);
        /* A bundle has named the kernel, and does so in the next try as well. */
        return r < 0 || s->bundle ? r : replace(&s->kernel, NULL);
}

static int reach(BaselineState *s, const BaselineFacts *f) {
        /* Only forward, unless the clock was wrong when the other one was reached. */
        bool newest = !s->reached || strcmp(s->name, s->reached) >= 0 || s->reached_usec > f->now_usec;
        int r = add_history(s, s->name, phases[BASELINE_REACHED], f->now_usec);

        if (r >= 0 && newest)
                r = replace(&s->reached, s->name);
        if (r >= 0 && newest)
                r = replace(&s->reached_kernel, f->release);
        if (r >= 0 && newest)
                s->reached_usec = f->now_usec;
        return r;
}

/* The time that a person named stays. */
static void plan_restart(BaselineState *s, uint64_t usec, const BaselineFacts *f) {
        if (s->restart_firm)
                return;
        if (s->first_restart_usec == 0)
                s->first_restart_usec = usec;
        s->restart_usec = usec;
        s->restart_boot = f->boot_id;
        s->handed_over = s->taken_over = false;
}

/* What the phase itself changes, while the state still has the one before. */
static int enter_phase(BaselineState *s, const BaselineDecision *d, const BaselineFacts *f) {
        int r = 0;

        switch (d->phase) {
        case BASELINE_IDLE:
                if (s->cause == BASELINE_MISSED)
                        forget_missed(s);
                r = replace(&s->name, NULL);
                s->deadline_usec = 0;
                s->forced = false;
                break;
        case BASELINE_DUE:
                r = begin(s, d, f);
                break;
        case BASELINE_DOWNLOADED:
                s->again_usec = d->again_usec;
                break;
        case BASELINE_INSTALLED:
                if (s->phase == BASELINE_INSTALLING) {
                        r = d->kernel ? replace(&s->kernel, d->kernel) : 0;
                        s->boot_id = f->boot_id;
                } else if (s->phase == BASELINE_DUE)
                        s->boot_id = f->boot_id; /* with nothing to install */
                drop_own_restart(s, f);
                break;
        case BASELINE_SCHEDULED:
                plan_restart(s, d->restart_usec, f);
                break;
        case BASELINE_VERIFYING:
                if (s->phase == BASELINE_INSTALLING && d->kernel)
                        r = replace(&s->kernel, d->kernel);
                s->boot_id = f->boot_id;
                s->clean = false;
                drop_own_restart(s, f);
                break;
        case BASELINE_REACHED:
                r = reach(s, f);
                break;
        case BASELINE_FAILED:
                /* One that was reached before, and only has to be gone through again, is not missed. */
                if (d->cause != BASELINE_MISSED || !s->forced)
                        r = add_history(s, s->name, causes[d->cause], f->now_usec);
                break;
        default:
                break;
        }
        return r;
}

/**
 * baseline_enter() - carry a decision over into the state
 * @s: a copy of the state; on failure it may be half changed and must be thrown away
 * @d: what baseline_decide() said; its sentence is kept also where the phase stays
 * @f: the facts that were decided on
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_enter(BaselineState *s, const BaselineDecision *d, const BaselineFacts *f) {
        int r = replace(&s->text, d->text);

        if (r >= 0 && s->text && strlen(s->text) > HOTPATCH_BASELINE_TEXT_MAX)
                s->text[HOTPATCH_BASELINE_TEXT_MAX] = '\0';
        if (r < 0 || (d->phase == s->phase && d->action != BASELINE_ENTER))
                return r;
        r = enter_phase(s, d, f);
        s->run = SD_ID128_NULL;
        s->phase = d->phase;
        s->cause = d->cause;
        s->phase_usec = f->now_usec;
        return r;
}

/* The newest that was reached by now: in the days after it, or while the clock was wrong, nothing was. */
static bool find_reached(const BaselineState *s, uint64_t now_usec, char ret[static BASELINE_NAME_SIZE]) {
        if (s->reached && s->reached_usec <= now_usec) {
                (void) stpncpy(ret, s->reached, BASELINE_NAME_SIZE - 1);
                ret[BASELINE_NAME_SIZE - 1] = '\0';
                return true;
        }
        *ret = '\0';
        for (char **line = s->history; line && *line; line++) {
                const char *when = startswith(*line + BASELINE_NAME_SIZE, "reached ");

                if (!when || strtoull(when, NULL, 10) > now_usec / USEC_PER_SEC || strncmp(*line, ret, BASELINE_NAME_SIZE - 1) <= 0)
                        continue;
                memcpy(ret, *line, BASELINE_NAME_SIZE - 1);
                ret[BASELINE_NAME_SIZE - 1] = '\0';
        }
        return *ret;
}

/**
 * baseline_covered_until() - when hotpatches for this machine end unless it reaches the next baseline
 *
 * A machine that has not completed one here counts as being where the calendar was when it began. What was reached in
 * the future was reached while the clock was wrong.
 *
 * Return: microseconds since 1970 UTC; 0: not known.
 */
uint64_t baseline_covered_until(const BaselineState *s, const CalendarPolicy *p, uint64_t now_usec) {
        char reached[BASELINE_NAME_SIZE];
        CalendarMonth m;
        int r = find_reached(s, now_usec, reached) ? calendar_baseline(p, reached, &m)
                                                   : calendar_baseline_at(p, s->since_usec, &m);

        return r < 0 ? 0 : m.covers_until_usec;
}

/** baseline_deadline() - of the baseline in work; 0: there is none */
uint64_t baseline_deadline(const BaselineState *s, const CalendarPolicy *p) {
        CalendarMonth m;

        if (s->deadline_usec > 0)
                return s->deadline_usec;
        return s->name && calendar_baseline(p, s->name, &m) >= 0 ? m.deadline_usec : 0;
}

/**
 * baseline_month_state() - what became of a month's baseline on this machine, in one word
 * @m: a month with a baseline
 * @ret_when: when it ended so; 0: it did not
 *
 * Return: a phase while it is in work; "reached" or the word of a cause when it ended; "superseded" by a later
 * one that was reached; "before" this machine followed the calendar (its day was); "missed", "due" or "coming".
 */
const char *baseline_month_state(const BaselineState *s, const CalendarMonth *m, uint64_t now_usec, uint64_t *ret_when) {
        const char *ended = baseline_history_find(s, m->name);
        bool failed = s->phase == BASELINE_FAILED || s->phase == BASELINE_REACHED;

        *ret_when = 0;
        if (!failed && streq_ptr(s->name, m->name))
                return phases[s->phase];
        if (ended) {
                const char *when = strchr(ended, ' ');

                *ret_when = strtoull(when, NULL, 10) * USEC_PER_SEC;
                for (int i = 1; i < _BASELINE_CAUSE_MAX; i++)
                        if (strncmp(ended, causes[i], (size_t) (when - ended)) == 0)
                                return causes[i];
                return phases[BASELINE_REACHED];
        }
        if (s->reached && strcmp(s->reached, m->name) > 0)
                return m->day_usec < s->since_usec ? "before" : "superseded";
        if (m->day_usec < s->since_usec)
                return "before";
        if (m->deadline_usec <= now_usec)
                return causes[BASELINE_MISSED];
        return m->day_usec <= now_usec ? phases[BASELINE_DUE] : "coming";
}
