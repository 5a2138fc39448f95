/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Answers for scripts and for logins: `is-current` and `needs-reboot` say yes or no by their exit status, and
 * why in words; `motd` says what somebody who logs in should know, and nothing when there is nothing.
 *
 * All three come from the same summary as `status`, so that they never say something else than it does.
 * "No" has an exit status of its own: a daemon that does not answer is no answer.
 */

#include "ctl/fields.h"
#include "ctl/patches.h"
#include "ctl/json.h"
#include "ctl/summary.h"
#include "util/strv.h"

static int read_summary(Ctl *ctl, Snapshot **ret, Summary **ret_summary, sd_bus_error *error) {
        int r = snapshot_read(ctl, ret, error);

        return r < 0 ? r : summary_make(*ret, ret_summary);
}

static int print_current(const Ctl *ctl, const Summary *summary) {
        _cleanup_value_ Value *v = NULL;

        if (!ctl->json)
                return ctl->quiet || puts(summary->safety) != EOF ? 0 : -EIO;
        v = value_object();
        if (value_set_bool(v, "current", !summary->behind) < 0 || value_set_string(v, "safety", summary->safety) < 0 ||
            value_set_strv(v, "todo", summary->todo) < 0)
                return -ENOMEM;
        return value_print(ctl, v);
}

int verb_is_current(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_summary_ Summary *summary = NULL;
        int r;

        r = read_summary(ctl, &s, &summary, &error);
        if (r >= 0)
                r = print_current(ctl, summary);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        return summary->behind ? HOTPATCH_EXIT_NO : HOTPATCH_EXIT_OK;
}

static int print_reboot(const Ctl *ctl, const RebootList *l) {
        _cleanup_value_ Value *v = NULL;
        Value *reasons;

        if (ctl->json) {
                v = value_object();
                if (value_set_bool(v, "needed", l->n > 0) < 0 || reboot_to_value(l, &reasons) < 0 ||
                    value_set(v, "reasons", reasons) < 0)
                        return -ENOMEM;
                return value_print(ctl, v);
        }
        if (ctl->quiet)
                return 0;
        for (size_t i = 0; i < l->n; i++)
                if (puts(l->items[i].sentence) == EOF)
                        return -EIO;
        return l->n > 0 || puts("No restart is needed") != EOF ? 0 : -EIO;
}

int verb_needs_reboot(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        int r;

        r = snapshot_read(ctl, &s, &error);
        if (r >= 0)
                r = print_reboot(ctl, &s->manager.reboot);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        return s->manager.reboot.n > 0 ? HOTPATCH_EXIT_OK : HOTPATCH_EXIT_NO;
}

static int print_motd(const Ctl *ctl, const Summary *summary) {
        _cleanup_value_ Value *v = NULL;
        int r;

        if (ctl->json) {
                v = value_object();
                if (value_set_string(v, "level", level_to_string(summary->level)) < 0 ||
                    value_set_string(v, "safety", summary->safety) < 0 || value_set_strv(v, "todo", summary->todo) < 0)
                        return -ENOMEM;
                return value_print(ctl, v);
        }
        if (summary->level == LEVEL_OK || !summary->todo)
                return 0;
        r = field_print(ctl, "Hotpatch", summary->safety, summary->level == LEVEL_ALERT ? STYLE_RED : STYLE_YELLOW);
        return r < 0 ? r : field_print(ctl, "To do", summary->todo[0], STYLE_NONE);
}

int verb_motd(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_summary_ Summary *summary = NULL;
        int r;

        r = read_summary(ctl, &s, &summary, &error);
        if (r >= 0)
                r = print_motd(ctl, summary);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
