/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Puts the facts together that several rooms have, lets eligibility/ judge them, and shows the result. Each
 * question is a fresh look: a switch that was thrown, an anchor that was added counts at once. Only what
 * the kernel cannot change while it runs is kept.
 */

#include "config/config.h"
#include "daemon/eligibility.h"
#include "util/strv.h"

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

static int gather(Manager *m, const Config *c, EligibilityFacts *ret) {
        _cleanup_(eligibility_facts_done) EligibilityFacts f = { 0 };
        int r;

        r = eligibility_probe(m->kernel, &f);
        if (r >= 0 && m->stack_traces == POSSESSION_UNKNOWN)
                r = eligibility_probe_stacks(m->kernel, &m->stack_traces);
        f.stack_traces = m->stack_traces;
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
        int r = gather(m, c, &f);

        return r < 0 ? r : eligibility_judge(&f, c, ret);
}

static int append_row(sd_bus_message *reply, const EligibilityRow *row) {
        return sd_bus_message_append(reply, "(sssssbb)", eligibility_check_to_string(row->check),
                eligibility_verdict_to_string(row->verdict), row->found, row->needed, row->remedy,
                (int) row->required, (int) row->blocks);
}

/** eligibility_bus_check() - CheckEligibility() */
int eligibility_bus_check(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(eligibility_table_done) EligibilityTable t = { 0 };
        Manager *m = userdata;
        int r;

        r = eligibility_table(m, m->config, &t);
        if (r >= 0)
                r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssssbb)");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(t.rows); i++)
                r = append_row(reply, &t.rows[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/** eligibility_bus_get() - the properties Eligible, IneligibleReason and IneligibleRemedy */
int eligibility_bus_get(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(eligibility_table_done) EligibilityTable t = { 0 };
        _cleanup_free_ char *reason = NULL;
        const EligibilityRow *blocker;
        Manager *m = userdata;
        int r;

        r = eligibility_table(m, m->config, &t);
        if (r < 0)
                return r;
        blocker = eligibility_first_blocker(&t);
        if (streq(property, "Eligible"))
                return sd_bus_message_append(reply, "b", (int) !blocker);
        if (streq(property, "IneligibleRemedy"))
                return sd_bus_message_append(reply, "s", blocker ? blocker->remedy : "");
        r = eligibility_reason(&t, true, &reason);
        return r < 0 ? r : sd_bus_message_append(reply, "s", strempty(reason));
}
