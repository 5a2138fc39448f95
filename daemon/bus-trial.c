/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials on the bus: the signal of their end, and which ended badly in this boot. The latter comes from the strikes, so
 * that it is known when the daemon that did it has gone; a patch that was applied again is not
 * listed any more.
 */

#include "daemon/bus.h"
#include "daemon/manager.h"
#include "dbus/names.h"

/** bus_trial_ended() - signal TrialEnded */
void bus_trial_ended(Manager *m, char **ids, const char *result, const char *reason) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
        int r;

        if (!m->bus)
                return;
        r = sd_bus_message_new_signal(m->bus, &signal, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE, "TrialEnded");
        if (r >= 0)
                r = sd_bus_message_append_strv(signal, ids);
        if (r >= 0)
                r = sd_bus_message_append(signal, "ss", result, reason);
        if (r >= 0)
                (void) sd_bus_send(m->bus, signal, NULL);
}

static bool is_active(const Manager *m, const char *id) {
        const Patch *p = patch_find(&m->patches, id);

        return p && p->state == PATCH_ACTIVE;
}

/* The last strike of this boot that was a transaction: "BOOT-JOB", where a crash is "BOOT". */
static int append_strike(const Manager *m, const char *boot, const StrikeRecord *strike, sd_bus_message *reply) {
        size_t n = strike_record_count(strike);

        if (is_active(m, strike->id))
                return 0;
        for (size_t i = n; i-- > 0;) {
                const char *rest = startswith(strike->causes[i], boot);

                if (rest && *rest == '-')
                        return sd_bus_message_append(reply, "(sts)", strike->id,
                                (uint64_t) strtoull(strike->when_usec[i], NULL, 10), strike->reasons[i]);
        }
        return 0;
}

static int append_strikes(Manager *m, sd_bus_message *reply) {
        char boot[SD_ID128_STRING_MAX];
        StrikeRecord *strikes;
        sd_id128_t id;
        size_t n;
        int r;

        r = sd_id128_get_boot(&id);
        if (r < 0)
                return r;
        sd_id128_to_string(id, boot);
        r = store_strike_list(m->store, &strikes, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_strike(m, boot, &strikes[i], reply);
        strike_records_free(strikes, n);
        return r;
}

/** bus_get_rolled_back() - property RolledBack */
int bus_get_rolled_back(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        Manager *m = userdata;
        int r;

        r = patches_refresh(m);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sts)");
        if (r >= 0)
                r = append_strikes(m, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
