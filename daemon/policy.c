/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The policy of this machine: hotpatchd.conf(5) as it is in effect.
 *
 * It is read at the start, and again when somebody asks for it (Reload, SIGHUP); a file that changes is
 * not watched, because one that is half written is worse than one that is old. What is under way goes on
 * with what it began with: jobs and preparations hold a reference of the Config. What is watched (trials)
 * and what is asked follows the new one at once.
 *
 * Each setting that a reload changes is a record in the journal, as it is a decision of somebody.
 */

#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/describe.h"
#include "daemon/messages.h"
#include "daemon/policy.h"
#include "daemon/record.h"
#include "util/strv.h"

static int read_files(Manager *m, Config **ret) {
        _cleanup_strv_free_ char **warnings = NULL;
        int r;

        r = config_load(m->root, ret, &warnings);
        if (r < 0)
                return r;
        for (char **w = warnings; *w; w++)
                (void) record_write(&(Record) {
                        .message_id = HOTPATCH_MESSAGE_CONFIGURATION,
                        .priority = LOG_WARNING,
                        .text = *w,
                        .caller_uid = UINT32_MAX,
                });
        strv_free(m->config_warnings);
        m->config_warnings = TAKE_PTR(warnings);
        return 0;
}

/* "'Hotpatch' of [Policy] is 'no' now (FILE:LINE), and was 'yes'" */
static void tell_change(const ConfigSetting *old, const ConfigSetting *now) {
        size_t n = strv_length(now->origin->where);

        if (streq(old->value, now->value) && old->origin->strictest == now->origin->strictest)
                return;
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_POLICY_CHANGED,
                .priority = LOG_NOTICE,
                .caller_uid = UINT32_MAX,
        }, "'%s' of [%s] is '%s' now (%s%s), and was '%s'", now->name, now->section, now->value,
                n > 0 ? now->origin->where[n - 1] : "the default",
                now->origin->strictest ? ", which cannot be read" : "", old->value);
}

static int tell_changes(const Config *old, const Config *now) {
        for (size_t i = 0; i < config_n_settings(); i++) {
                _cleanup_(config_setting_done) ConfigSetting was = { 0 }, is = { 0 };
                int r;

                r = config_setting(old, i, &was);
                if (r >= 0)
                        r = config_setting(now, i, &is);
                if (r < 0)
                        return r;
                tell_change(&was, &is);
        }
        return 0;
}

/** policy_load() - read the configuration for the first time; warnings go to the journal. Return: 0 or -ENOMEM. */
int policy_load(Manager *m) {
        return read_files(m, &m->config);
}

/**
 * policy_reload() - read the configuration again
 * @m: a manager with a bus
 *
 * Return: 0, or -ENOMEM with the old one in effect.
 */
int policy_reload(Manager *m) {
        _cleanup_config_ Config *now = NULL;
        int r;

        r = read_files(m, &now);
        if (r >= 0)
                r = tell_changes(m->config, now);
        if (r < 0)
                return r;
        config_unref(m->config);
        m->config = TAKE_PTR(now);
        eligibility_forget(&m->eligibility);
        trials_start(m->trials);
        bus_policy_changed(m);
        baseline_look(m->baseline);
        return 0;
}

/** policy_bus_get() - GetPolicy(): the settings as JSON */
int policy_bus_get(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        _cleanup_free_ char *text = NULL;
        int r;

        r = describe_policy(m->config, m->config_warnings, &text);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", text);
}
