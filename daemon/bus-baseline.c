/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The baseline on the bus: the calendar and where this machine stands in it. */

#include "daemon/baseline.h"
#include "daemon/bus.h"
#include "daemon/manager.h"
#include "dbus/names.h"

/** bus_calendar() - method Calendar */
int bus_calendar(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const Manager *m = userdata;
        _cleanup_free_ char *json = NULL;
        uint32_t year;
        int r;

        r = sd_bus_message_read(call, "u", &year);
        if (r < 0)
                return r;
        r = baseline_calendar_json(m->baseline, year > INT32_MAX ? INT32_MAX : (int) year, &json, error);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", json);
}

static const char *word_of(const BaselineState *s) {
        return s->phase == BASELINE_FAILED ? baseline_cause_to_string(s->cause) : baseline_phase_to_string(s->phase);
}

/** bus_get_baseline() - properties BaselineState, BaselineName, BaselineText, BaselineReached */
int bus_get_baseline(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        const BaselineState *s = baseline_state(m->baseline);
        const char *value = s->text;

        if (streq(property, "BaselineState"))
                value = word_of(s);
        else if (streq(property, "BaselineName"))
                value = s->name;
        else if (streq(property, "BaselineReached"))
                value = s->reached;
        return sd_bus_message_append(reply, "s", strempty(value));
}

/** bus_look_at_baseline() - method LookAtBaseline */
int bus_look_at_baseline(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        const BaselineState *s;

        baseline_look(m->baseline);
        s = baseline_state(m->baseline);
        return sd_bus_reply_method_return(call, "ss", word_of(s), strempty(s->text));
}

/** bus_get_covered_until() - property CoveredUntil */
int bus_get_covered_until(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        CalendarPolicy p = baseline_calendar_policy(m->baseline, NULL);

        return sd_bus_message_append(reply, "t", baseline_coverage(m->baseline, &p, clock_usec(CLOCK_REALTIME)));
}

/** bus_get_schedule() - property RebootSchedule */
int bus_get_schedule(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        const BaselineState *s = baseline_state(m->baseline);

        return sd_bus_message_append(reply, "(tss)", s->restart_usec,
                s->restart_usec == 0 ? "" : s->restart_firm ? "administrator" : "calendar", restart_text(m->restart));
}

/** bus_baseline_changed() - signal PropertiesChanged of all of them */
void bus_baseline_changed(Manager *m) {
        if (m->bus)
                (void) sd_bus_emit_properties_changed(m->bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                        "BaselineState", "BaselineName", "BaselineText", "BaselineReached", "CoveredUntil",
                        "RebootSchedule", "RebootRequired", NULL);
}

/** bus_baseline_settled() - signal BaselineSettled: what became of the wanted hotpatches; lists of ids may be NULL */
void bus_baseline_settled(Manager *m, const char *name, char **retired, char **stayed, char **kept) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
        int r;

        if (!m->bus)
                return;
        r = sd_bus_message_new_signal(m->bus, &signal, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE, "BaselineSettled");
        if (r >= 0)
                r = sd_bus_message_append(signal, "s", name);
        if (r >= 0)
                r = sd_bus_message_append_strv(signal, retired);
        if (r >= 0)
                r = sd_bus_message_append_strv(signal, stayed);
        if (r >= 0)
                r = sd_bus_message_append_strv(signal, kept);
        if (r >= 0)
                (void) sd_bus_send(m->bus, signal, NULL);
}
