/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl status`: three lines that answer what a person asks first (summary.c), then the
 * facts behind them. The exit code is 0 whatever the state is; scripts read --json. Without the service
 * the three lines say so, and what the kernel itself shows.
 */

#include <inttypes.h>

#include "ctl/fields.h"
#include "ctl/patches.h"
#include "ctl/status.h"
#include "ctl/trial.h"
#include "util/str.h"
#include "util/strv.h"

static int print_summary(const Ctl *ctl, const Summary *summary) {
        static const Style styles[_LEVEL_MAX] = {
                [LEVEL_OK] = STYLE_GREEN,
                [LEVEL_ATTENTION] = STYLE_YELLOW,
                [LEVEL_ALERT] = STYLE_RED,
        };
        int r;

        r = field_print(ctl, "Safety", summary->safety, styles[summary->level]);
        if (r >= 0)
                r = field_print(ctl, "Running", summary->running, STYLE_NONE);
        if (r >= 0)
                r = field_print(ctl, "To do", summary->todo ? summary->todo[0] : "nothing",
                                STYLE_BOLD);
        for (size_t i = 1; i < strv_length(summary->todo) && r >= 0; i++)
                r = field_print(ctl, "", summary->todo[i], STYLE_BOLD);
        return r;
}

static int print_kernel(const Ctl *ctl, const ManagerInfo *m) {
        _cleanup_free_ char *kernel = NULL, *gates = NULL;
        int r;

        if (str_printf(&kernel, "%s, %s, build-id %.12s", m->release, m->arch,
                    *m->build_id ? m->build_id : "unknown") < 0)
                return -ENOMEM;
        if (str_printf(&gates, "livepatch %s, lockdown %s, module signatures %s, hotpatching %s",
                            m->supported ? "supported" : "NOT supported",
                            *m->lockdown ? m->lockdown : "none",
                            m->signature_required ? "required" : "not required",
                            *m->disabled ? "OFF" : *m->denied ? "NOT ALLOWED" : *m->ineligible ? "NOT ELIGIBLE" : "on") < 0)
                return -ENOMEM;
        r = field_print(ctl, "Kernel", kernel, STYLE_NONE);
        return r < 0 ? r : field_print(ctl, "Gates", gates, STYLE_NONE);
}

static int print_patch(const Ctl *ctl, const PatchInfo *p, const char *label) {
        _cleanup_free_ char *text = NULL, *trial = trial_words(p);
        Style style;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fprintf(f, "%s: %s%s%s", p->id, p->state, *p->severity ? ", " : "", p->severity);
        for (char **fix = p->fixes; fix && *fix; fix++)
                fprintf(f, "%s%s", fix == p->fixes ? ", fixes " : ", ", *fix);
        if (p->quarantined)
                fprintf(f, ", QUARANTINED after %zu strikes", strv_length(p->strikes));
        else if (strv_length(p->strikes) > 0)
                fprintf(f, ", %zu %s", strv_length(p->strikes),
                                text_plural(strv_length(p->strikes), "strike", "strikes"));
        if (patch_is_missing(p))
                fprintf(f, ", wanted but not in force%s%s", !p->quarantined && *strempty(p->restore_reason) ? ": " : "",
                                p->quarantined ? "" : strempty(p->restore_reason));
        else if (*strempty(p->retired_by))
                fprintf(f, ", retired by baseline %s: this kernel contains it", p->retired_by);
        else if (streq_ptr(p->restore_result, "restored"))
                fprintf(f, ", restored at the start");
        if (trial && *trial)
                fprintf(f, ", %s", trial);
        if (p->tripped > 0)
                fprintf(f, ", TRIPPED %" PRIu64 " %s", p->tripped,
                                text_plural(p->tripped, "time", "times"));
        if (fclose(f) != 0)
                return -ENOMEM;
        style = p->tripped > 0 || p->quarantined ? STYLE_RED : patch_state_style(p->state);
        /* Green would be the whole screen. */
        return field_print(ctl, label, text, style == STYLE_GREEN ? STYLE_NONE : style);
}

static int print_patches(const Ctl *ctl, const Snapshot *s, bool foreign) {
        const char *label = foreign ? "Foreign" : "Patches";
        int r = 0;

        for (size_t i = 0; i < s->n_patches && r >= 0; i++) {
                if (s->patches[i].foreign != foreign)
                        continue;
                r = print_patch(ctl, &s->patches[i], label);
                label = "";
        }
        return r;
}

/* All of them: the first line has only the worst that there is. */
static int print_reboot(const Ctl *ctl, const RebootList *l) {
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = field_print(ctl, i == 0 ? "Restart" : "", l->items[i].sentence, STYLE_YELLOW);
        return r;
}

/* The sentences; the remedies of the worst are among what is to do. */
static int print_findings(const Ctl *ctl, const FindingList *findings) {
        const char *label = "Found";
        int r = 0;

        for (size_t i = 0; i < findings->n && r >= 0; i++) {
                const FindingInfo *f = &findings->items[i];

                r = field_print(ctl, label, f->sentence, finding_style(f->severity));
                label = "";
        }
        return r;
}

static int print_jobs(const Ctl *ctl, const Snapshot *s) {
        for (size_t i = 0; i < s->n_jobs; i++) {
                const JobInfo *j = &s->jobs[i];
                _cleanup_free_ char *text = NULL;
                int r;

                if (!job_is_running(j))
                        continue;
                if (str_printf(&text, "%" PRIu32 ": %s %s%s%s, %.0f %%", j->id, j->type,
                            j->patches && *j->patches ? *j->patches : "",
                            strv_length(j->patches) > 1 ? " and others: " : ": ", j->state,
                            j->progress * 100) < 0)
                        return -ENOMEM;
                r = field_print(ctl, "Job", text, STYLE_YELLOW);
                if (r >= 0)
                        r = fields_print_blockers(ctl, j);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** status_print() - the three lines and what is behind them, for people */
int status_print(const Ctl *ctl, const Snapshot *s, const Summary *summary) {
        int r;

        r = print_summary(ctl, summary);
        if (r < 0)
                return r;
        fputc('\n', ctl->out ?: stdout);
        r = print_kernel(ctl, &s->manager);
        if (r >= 0)
                r = print_patches(ctl, s, false);
        if (r >= 0)
                r = print_patches(ctl, s, true);
        if (r >= 0 && *s->manager.baseline_text)
                r = field_print(ctl, "Baseline", s->manager.baseline_text, STYLE_NONE);
        if (r >= 0)
                r = print_reboot(ctl, &s->manager.reboot);
        if (r >= 0)
                r = print_findings(ctl, &s->manager.findings);
        return r < 0 ? r : print_jobs(ctl, s);
}

static int manager_to_value(const ManagerInfo *m, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "release", m->release) < 0 ||
                        value_set_string(v, "arch", m->arch) < 0 ||
                        value_set_string(v, "build_id", m->build_id) < 0 ||
                        value_set_string(v, "lockdown", m->lockdown) < 0 ||
                        value_set_bool(v, "livepatch_supported", m->supported) < 0 ||
                        value_set_bool(v, "module_signature_required", m->signature_required) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

static int baseline_to_value(const ManagerInfo *m, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "state", m->baseline_state) < 0 || value_set_string(v, "text", m->baseline_text) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

static int print_json(const Ctl *ctl, const Snapshot *s, const Summary *summary) {
        _cleanup_value_ Value *answer = value_object();
        const char *disabled = *s->manager.disabled ? s->manager.disabled : NULL;
        const char *ineligible = *s->manager.ineligible ? s->manager.ineligible : NULL;
        Value *kernel, *patches, *jobs, *baseline, *findings, *reboot, *rolled_back;

        if (value_set_string(answer, "level", level_to_string(summary->level)) < 0 ||
                        value_set_string(answer, "safety", summary->safety) < 0 ||
                        value_set_strv(answer, "todo", summary->todo) < 0 ||
                        value_set_string(answer, "version", s->manager.version) < 0 ||
                        value_set_string(answer, "disabled", disabled) < 0 ||
                        value_set_bool(answer, "eligible", !ineligible) < 0 ||
                        value_set_string(answer, "ineligible_reason", ineligible) < 0 ||
                        value_set_string(answer, "denied", *s->manager.denied ? s->manager.denied : NULL) < 0 ||
                        manager_to_value(&s->manager, &kernel) < 0 ||
                        value_set(answer, "kernel", kernel) < 0 ||
                        patches_to_value(s, &patches) < 0 ||
                        value_set(answer, "patches", patches) < 0 ||
                        findings_to_value(&s->manager.findings, &findings) < 0 ||
                        reboot_to_value(&s->manager.reboot, &reboot) < 0 ||
                        value_set(answer, "reboot_required", reboot) < 0 ||
                        baseline_to_value(&s->manager, &baseline) < 0 ||
                        value_set(answer, "baseline", baseline) < 0 ||
                        value_set(answer, "findings", findings) < 0 ||
                        rollbacks_to_value(&s->manager.rolled_back, &rolled_back) < 0 ||
                        value_set(answer, "rolled_back", rolled_back) < 0 || jobs_to_value(s, &jobs) < 0 ||
                        value_set(answer, "jobs", jobs) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

int verb_status(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_summary_ Summary *summary = NULL;
        const HotpatchError *row;
        int r;

        r = snapshot_read(ctl, &s, &error);
        if (r >= 0)
                r = summary_make(s, &summary);
        if (r >= 0)
                r = ctl->json ? print_json(ctl, s, summary) : status_print(ctl, s, summary);
        if (r >= 0)
                return HOTPATCH_EXIT_OK;
        row = sd_bus_error_is_set(&error) ? hotpatch_error_find(error.name) : NULL;
        if (row && row->exit == HOTPATCH_EXIT_UNREACHABLE && error.message && !ctl->json)
                return status_print_unreachable(ctl, &error, row);
        return ctl_fail(ctl, NULL, &error, r);
}
