/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The year of a machine, as JSON: its twelve months and what became of each, the restarts they mean, and until when the
 * kernel is covered.
 *
 * The counts are made of the same words as the months, so they cannot differ from what stands beside them.
 */

#include "daemon/describe-value.h"
#include "daemon/describe.h"

static json_t *months_mask_value(unsigned months) {
        json_t *array = json_array();

        for (int i = 0; i < 12; i++)
                if (months & (1U << i))
                        json_push(&array, json_integer(i + 1));
        return array;
}

static json_t *date_value(const Civil *day) {
        char text[sizeof("YYYY-MM-DD") + 16];

        (void) snprintf(text, sizeof(text), "%04d-%02d-%02d", day->year, day->month, day->day);
        return json_string(text);
}

/* Where nothing is planned, what is not in work has not ended and is not from before is neither due nor missed. */
static const char *month_state(const CalendarDescription *d, const CalendarMonth *m, uint64_t *ret_when) {
        const char *state = baseline_month_state(d->state, m, d->now_usec, ret_when);
        bool idle = d->state->phase == BASELINE_REACHED || d->state->phase == BASELINE_FAILED ||
                !streq_ptr(d->state->name, m->name);

        if (!d->enabled && idle && *ret_when == 0 &&
            (streq(state, "coming") || streq(state, "due") || streq(state, "missed")))
                return "not-planned";
        return state;
}

static json_t *month_value(const CalendarDescription *d, const CalendarMonth *m) {
        uint64_t when = 0;
        const char *state = m->baseline ? month_state(d, m, &when) : NULL;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                "month", describe_string(m->name),
                "kind", describe_string(m->baseline ? "baseline" : "hotpatch"),
                "day", date_value(&m->day),
                "window_begin", describe_time(m->baseline ? m->window_begin_usec : 0),
                "window_end", describe_time(m->baseline ? m->window_end_usec : 0),
                "deadline", describe_time(m->baseline ? m->deadline_usec : 0),
                "state", describe_string(state),
                "when", describe_time(when));
}

static json_t *months_value(const CalendarDescription *d) {
        json_t *array = json_array();

        for (size_t i = 0; i < 12; i++)
                json_push(&array, month_value(d, &d->months[i]));
        return array;
}

static json_t *coverage_value(const char *kernel, bool running, const char *baseline, uint64_t until, uint64_t now) {
        return json_pack("{s:o, s:b, s:o, s:o, s:b}",
                "kernel", describe_string(kernel),
                "running", (int) running,
                "baseline", describe_string(baseline),
                "until", describe_time(until),
                "ended", (int) (until > 0 && until <= now));
}

/* The running kernel, and the one that is installed and waits for the restart. */
static json_t *coverages_value(const CalendarDescription *d) {
        const BaselineState *s = d->state;
        json_t *array = json_array();
        CalendarMonth m;
        bool waits = s->phase == BASELINE_INSTALLED || s->phase == BASELINE_SCHEDULED ||
                s->phase == BASELINE_RESTARTING;

        json_push(&array, coverage_value(d->release, true, s->reached, d->covered_until_usec, d->now_usec));
        if (waits && s->kernel && calendar_baseline(d->policy, s->name, &m) >= 0)
                json_push(&array, coverage_value(s->kernel, false, s->name, m.covers_until_usec, d->now_usec));
        return array;
}

static json_t *calendar_policy_value(const CalendarDescription *d) {
        _cleanup_free_ char *day = NULL;

        if (day_rule_format(&d->policy->day, &day) < 0)
                return NULL;
        return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
                "enabled", (int) d->enabled,
                "months", months_mask_value(d->policy->months),
                "monthly_because", describe_string(d->monthly_because),
                "day", describe_string(day),
                "window", describe_string(d->policy->window.text),
                "window_length_sec", describe_integer(d->policy->window_length_usec / USEC_PER_SEC),
                "deadline_sec", describe_integer(d->policy->deadline_usec / USEC_PER_SEC));
}

static json_t *baseline_value(const BaselineState *s) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                "state", describe_string(baseline_phase_to_string(s->phase)),
                "cause", describe_string(s->cause == BASELINE_CAUSE_NONE ? NULL : baseline_cause_to_string(s->cause)),
                "name", describe_string(s->name),
                "text", describe_string(s->text),
                "kernel", describe_string(s->kernel),
                "restart", describe_time(s->restart_usec),
                "reached", describe_string(s->reached),
                "reached_time", describe_time(s->reached_usec),
                "since", describe_time(s->since_usec));
}

static size_t count_months(const CalendarDescription *d, const char *state) {
        size_t n = 0;

        for (size_t i = 0; i < 12; i++) {
                uint64_t when;

                n += d->months[i].baseline &&
                        streq(month_state(d, &d->months[i], &when), state);
        }
        return n;
}

static size_t count_failed(const CalendarDescription *d) {
        size_t n = 0;

        for (int i = BASELINE_CAUSE_NONE + 1; i < _BASELINE_CAUSE_MAX; i++)
                n += i == BASELINE_MISSED ? 0 : count_months(d, baseline_cause_to_string(i));
        return n;
}

/**
 * describe_calendar() - the answer of Calendar
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_calendar(const CalendarDescription *d, char **ret) {
        return describe_end(json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}",
                "year", d->months[0].year,
                "now", describe_time(d->now_usec),
                "policy", calendar_policy_value(d),
                "restarts", (int) calendar_restarts(d->policy),
                "restarts_monthly", 12,
                "done", (int) count_months(d, "reached"),
                "missed", (int) count_months(d, "missed"),
                "failed", (int) count_failed(d),
                "months", months_value(d),
                "coverage", coverages_value(d),
                "baseline", baseline_value(d->state)), ret);
}
