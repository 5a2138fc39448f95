/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Puts the facts together that several rooms have, lets eligibility/ judge them, and shows the result. Each
 * question is a fresh look, one for each turn of the event loop: a switch that was thrown, an anchor that
 * was added counts at once. Only what the kernel cannot change while it runs is kept.
 *
 * A machine that no hotpatch can reach has twelve baselines a year (baseline-calendar.c). That a baseline was missed
 * is no such reason: it is what a baseline repairs.
 */

#include "daemon/baseline.h"
#include "daemon/eligibility.h"
#include "daemon/manager.h"
#include "util/str.h"

static int add_anchors(const Manager *m, const Config *c, EligibilityFacts *f) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        int r = trust_load(kernel_root_fd(m->kernel), &c->trust, &trust, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                f->anchors_error = strdup(sd_bus_error_is_set(&error) && error.message ? error.message : strerror(-r));
                return f->anchors_error ? 0 : -ENOMEM;
        }
        f->n_anchors = trust_anchors(trust);
        return 0;
}

static int copy(const char *text, char **ret) {
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

/* The first row that a baseline does not repair. */
static const EligibilityRow *first_lasting(const Config *c, const EligibilityTable *t) {
        bool hotpatch = !config_distrusted(c, "Policy", "Hotpatch"), require = !config_distrusted(c, "Policy", "Require");

        /* A demand that cannot be read refuses hotpatches; it is no reason to restart more often. */
        for (size_t i = 0; i < ELEMENTSOF(t->rows); i++)
                if (t->rows[i].blocks && i != CHECK_BASELINE &&
                    (i == CHECK_LIVEPATCH || (i == CHECK_POLICY ? hotpatch : require)))
                        return &t->rows[i];
        return NULL;
}

/* Is the newest baseline that was due reached? That depends on which months have one, and so on all other
 * rows: @t was judged without. */
static int add_baseline(const Manager *m, const Config *c, const EligibilityTable *t, EligibilityFacts *f) {
        const BaselineState *s = baseline_state(m->baseline);
        CalendarPolicy p = c->baseline.calendar;
        uint64_t now = clock_usec(CLOCK_REALTIME), until;
        CalendarMonth due;
        int r;

        if (!c->baseline.enabled && !s->reached)
                return copy("baselines are not planned; 'Enable=yes' in [Baseline] switches them on", &f->baseline_found);
        if (first_lasting(c, t))
                p.months = CALENDAR_ALL_MONTHS;
        until = baseline_covered_until(s, &p, now);
        r = calendar_baseline_at(&p, now, &due);
        if (r == -ENOMEM)
                return r;
        if (until == 0 || r < 0)
                return 0;
        f->baseline = now < until ? POSSESSION_YES : POSSESSION_NO;
        r = copy(s->reached ?: f->baseline == POSSESSION_YES ? "none yet, none missed" : "none", &f->baseline_found);
        return r < 0 ? r : copy(due.name, &f->baseline_needed);
}

static int gather(Manager *m, const Config *c, EligibilityFacts *ret) {
        _cleanup_(eligibility_facts_done) EligibilityFacts f = { 0 };
        int r;

        r = eligibility_probe(m->kernel, &f);
        if (r >= 0 && m->eligibility.stack_traces == POSSESSION_UNKNOWN)
                r = eligibility_probe_stacks(m->kernel, &m->eligibility.stack_traces);
        f.stack_traces = m->eligibility.stack_traces;
        if (r >= 0)
                r = config_denial(c, &f.denied);
        if (r >= 0)
                r = add_anchors(m, c, &f);
        if (r < 0)
                return r;
        *ret = f;
        f = (EligibilityFacts) { 0 };
        return 0;
}

/**
 * eligibility_table() - what speaks for and against hotpatches on this machine now
 * @c: the policy
 * @ret: eligibility_table_done() it
 *
 * Return: 0 or a negative errno.
 */
int eligibility_table(Manager *m, const Config *c, EligibilityTable *ret) {
        _cleanup_(eligibility_facts_done) EligibilityFacts f = { 0 };
        EligibilityTable first;
        int r;

        r = gather(m, c, &f);
        if (r >= 0)
                r = eligibility_judge(&f, c, &first);
        if (r < 0)
                return r;
        r = add_baseline(m, c, &first, &f);
        eligibility_table_done(&first);
        return r < 0 ? r : eligibility_judge(&f, c, ret);
}

static int why_monthly(const Config *c, const EligibilityTable *t, char **ret) {
        const EligibilityRow *row = first_lasting(c, t);

        *ret = NULL;
        if (!row)
                return 0;
        if (row->check == CHECK_POLICY)
                return copy("hotpatches are not allowed on this machine", ret);
        if (row->check == CHECK_LIVEPATCH)
                return copy("the kernel of this machine cannot take hotpatches", ret);
        return str_printf(ret, "this machine is not eligible for hotpatches (%s: %s, needed: %s)",
                        eligibility_check_to_string(row->check), row->found, row->needed);
}

/* The table as of this turn of the event loop. */
static int look(Manager *m, const EligibilityTable **ret) {
        EligibilityView *v = &m->eligibility;
        EligibilityTable next;
        uint64_t iteration;
        char *monthly;
        int r;

        r = sd_event_get_iteration(m->event, &iteration);
        if (r < 0)
                return r;
        if (v->iteration != iteration) {
                r = eligibility_table(m, m->config, &next);
                if (r < 0)
                        return r;
                r = why_monthly(m->config, &next, &monthly);
                if (r < 0) {
                        eligibility_table_done(&next);
                        return r;
                }
                eligibility_forget(v);
                v->table = next;
                v->monthly_because = monthly;
                v->iteration = iteration;
        }
        *ret = &v->table;
        return 0;
}

/** eligibility_forget() - look again when somebody asks the next time */
void eligibility_forget(EligibilityView *v) {
        eligibility_table_done(&v->table);
        free(v->monthly_because);
        v->monthly_because = NULL;
        v->iteration = UINT64_MAX;
}

/** eligibility_monthly_because() - why this machine has a baseline each month; NULL: it need not */
const char *eligibility_monthly_because(Manager *m) {
        const EligibilityTable *t;

        /* Without memory the last answer is as good as any. */
        (void) (look(m, &t) < 0);
        return m->eligibility.monthly_because;
}

static int append_row(sd_bus_message *reply, const EligibilityRow *row) {
        return sd_bus_message_append(reply, "(sssssbb)", eligibility_check_to_string(row->check),
                eligibility_verdict_to_string(row->verdict), row->found, row->needed, row->remedy,
                (int) row->required, (int) row->blocks);
}

/** eligibility_bus_check() - CheckEligibility() */
int eligibility_bus_check(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const EligibilityTable *t;
        int r;

        r = look(userdata, &t);
        if (r >= 0)
                r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssssbb)");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(t->rows); i++)
                r = append_row(reply, &t->rows[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/** eligibility_bus_get() - the properties Eligible, IneligibleReason and IneligibleRemedy */
int eligibility_bus_get(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *reason = NULL;
        const EligibilityRow *blocker;
        const EligibilityTable *t;
        int r;

        r = look(userdata, &t);
        if (r < 0)
                return r;
        blocker = eligibility_first_blocker(t);
        if (streq(property, "Eligible"))
                return sd_bus_message_append(reply, "b", (int) !blocker);
        if (streq(property, "IneligibleRemedy"))
                return sd_bus_message_append(reply, "s", blocker ? blocker->remedy : "");
        r = eligibility_reason(t, true, &reason);
        return r < 0 ? r : sd_bus_message_append(reply, "s", strempty(reason));
}
