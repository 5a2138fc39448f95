/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl reboot`: when the machine restarts and what holds that up; `schedule`, `defer` and `cancel`
 * change it. That nothing is planned, or that nothing needs a restart, is no failure.
 */

#include <time.h>

#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "dbus/names.h"

/* What is planned. */
static int print_schedule(const Ctl *ctl, uint64_t when, const char *by, const char *waits) {
        _cleanup_value_ Value *answer = value_object();

        if (value_set_time(answer, "restart", when) < 0 || value_set_string(answer, "by", *by ? by : NULL) < 0 ||
            value_set_string(answer, "waits_for", *waits ? waits : NULL) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

/* What became of a wish; @nothing: why nothing did, or NULL. */
static int print_change(const Ctl *ctl, uint64_t when, const char *nothing) {
        _cleanup_value_ Value *answer = value_object();

        if (value_set_bool(answer, "changed", !nothing) < 0 || value_set_time(answer, "restart", when) < 0 ||
            value_set_string(answer, "reason", nothing) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

static int print_when(const Ctl *ctl, uint64_t when, const char *by) {
        _cleanup_free_ char *local = NULL;
        int r;

        if (when == 0)
                return field_print(ctl, "Restart", "none is planned", STYLE_NONE);
        r = time_format_local(when, &local);
        return r < 0 ? r : field_printf(ctl, "Restart", STYLE_BOLD, "%s%s%s", local, *by ? ", planned by the " : "", by);
}

static int show(Ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *by, *waits;
        uint64_t when;
        sd_bus *bus;
        int r;

        r = ctl_bus(ctl, &bus, error);
        if (r >= 0)
                r = sd_bus_get_property(bus, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                        "RebootSchedule", error, &reply, "(tss)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(tss)", &when, &by, &waits);
        if (r < 0)
                return r;
        if (ctl->json)
                return print_schedule(ctl, when, by, waits);
        r = print_when(ctl, when, by);
        return r < 0 || !*waits ? r : field_print(ctl, "Waits", waits, STYLE_YELLOW);
}

/* "+2h" from now on, or a time of time_parse(). */
static int read_time(const char *text, uint64_t *ret) {
        struct timespec ts;
        uint64_t now, ago;
        _cleanup_free_ char *minus = NULL;
        int r;

        clock_gettime(CLOCK_REALTIME, &ts);
        now = (uint64_t) ts.tv_sec * USEC_PER_SEC;
        if (*text != '+')
                return *text == '-' ? -EINVAL : time_parse(text, now, ret);
        minus = strdup(text);
        if (!minus)
                return -ENOMEM;
        *minus = '-';
        r = time_parse(minus, now, &ago);
        if (r >= 0)
                *ret = now + (now - ago);
        return r;
}

static int change(Ctl *ctl, const char *method, const uint64_t *usec, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        uint64_t when;
        int r;

        r = call_new(ctl, method, &m, error);
        if (r >= 0 && usec)
                r = sd_bus_message_append(m, "t", *usec);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "t", &when);
        if (r >= 0 && ctl->json)
                return print_change(ctl, when, NULL);
        return r < 0 || ctl->quiet ? r : print_when(ctl, when, "");
}

static int run(Ctl *ctl, int argc, char *argv[], sd_bus_error *error) {
        uint64_t usec = 0;

        if (argc == 1)
                return show(ctl, error);
        if (argc > 2 && read_time(argv[2], &usec) < 0)
                return ctl_usage_of("reboot", "'%s' is no time, as '+2h' or '2026-11-21 22:00' is", argv[2]);
        if (streq(argv[1], "schedule"))
                return change(ctl, "ScheduleReboot", &usec, error);
        if (streq(argv[1], "defer") && argc == 3)
                return change(ctl, "DeferBaseline", &usec, error);
        if (streq(argv[1], "cancel") && argc == 2)
                return change(ctl, "CancelReboot", NULL, error);
        return ctl_usage_of("reboot", "'reboot' knows 'schedule [TIME]', 'defer TIME' and 'cancel'");
}

int verb_reboot(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = run(ctl, argc, argv, &error);

        if (r >= 0)
                return r == HOTPATCH_EXIT_USAGE ? r : HOTPATCH_EXIT_OK;
        if (sd_bus_error_has_name(&error, HOTPATCH_ERROR("RestartNotRequired"))) {
                if (ctl->json)
                        r = print_change(ctl, 0, error.message);
                else if (ctl->quiet || printf("Nothing to do: %s.\n", error.message) > 0)
                        r = 0;
                return r < 0 ? HOTPATCH_EXIT_FAILURE : HOTPATCH_EXIT_OK;
        }
        return ctl_fail(ctl, NULL, &error, r);
}
