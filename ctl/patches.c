/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The JSON form of patches and jobs, the same in every answer of hotpatchctl that has some. */

#include "ctl/patches.h"

/** patch_state_style() - green for what works, red for what needs a person, yellow for on the way
 */
Style patch_state_style(const char *state) {
        static const struct {
                const char *state;
                Style style;
        } styles[] = {
                        {"active", STYLE_GREEN},
                        {"failed", STYLE_RED},
                        {"pinned", STYLE_RED},
                        {"applying", STYLE_YELLOW},
                        {"transition", STYLE_YELLOW},
                        {"reversing", STYLE_YELLOW},
                        {"removing", STYLE_YELLOW},
                        {"inactive", STYLE_YELLOW},
        };

        for (size_t i = 0; i < ELEMENTSOF(styles); i++)
                if (streq(styles[i].state, state))
                        return styles[i].style;
        return STYLE_NONE;
}

static const char *or_null(const char *text) {
        return *text ? text : NULL;
}

static int patch_to_value(const PatchInfo *p, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "id", p->id) < 0 ||
                        value_set_string(v, "title", or_null(p->title)) < 0 ||
                        value_set_string(v, "severity", or_null(p->severity)) < 0 ||
                        value_set_string(v, "state", p->state) < 0 ||
                        value_set_string(v, "module", or_null(p->module)) < 0 ||
                        value_set_string(v, "stream", or_null(p->stream)) < 0 ||
                        value_set_integer(v, "sequence", p->sequence) < 0 ||
                        value_set_strv(v, "fixes", p->fixes) < 0 ||
                        value_set_bool(v, "foreign", p->foreign) < 0 ||
                        value_set_time(v, "applied", p->applied_usec) < 0 ||
                        value_set_time(v, "trial_until", p->trial_until_usec) < 0 ||
                        value_set_string(v, "trial_kind", or_null(strempty(p->trial_kind))) < 0 ||
                        value_set_integer(v, "tripped", p->tripped) < 0 ||
                        value_set_bool(v, "wanted", p->wanted) < 0 ||
                        value_set_bool(v, "quarantined", p->quarantined) < 0 ||
                        value_set_strv(v, "strikes", p->strikes) < 0 ||
                        value_set_string(v, "retired_by", or_null(strempty(p->retired_by))) < 0 ||
                        value_set_string(v, "restore_result", or_null(strempty(p->restore_result))) < 0 ||
                        value_set_string(v, "restore_reason", or_null(strempty(p->restore_reason))) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

/** patches_to_value() - all patches as an array; to be freed */
int patches_to_value(const Snapshot *s, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < s->n_patches; i++) {
                Value *v;

                if (patch_to_value(&s->patches[i], &v) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/** finding_style() - red for an alert, yellow for what somebody should look at */
Style finding_style(const char *severity) {
        return streq(severity, "alert") ? STYLE_RED : streq(severity, "attention") ? STYLE_YELLOW : STYLE_NONE;
}

static int finding_to_value(const FindingInfo *f, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "kind", f->kind) < 0 || value_set_string(v, "severity", f->severity) < 0 ||
                        value_set_string(v, "patch", or_null(f->patch)) < 0 ||
                        value_set_string(v, "object", or_null(f->object)) < 0 ||
                        value_set_string(v, "message", f->sentence) < 0 ||
                        value_set_string(v, "remedy", or_null(f->remedy)) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

/** findings_to_value() - all findings as an array; to be freed */
int findings_to_value(const FindingList *l, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < l->n; i++) {
                Value *v;

                if (finding_to_value(&l->items[i], &v) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/** reboot_to_value() - reasons for a restart as an array; to be freed */
int reboot_to_value(const RebootList *l, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < l->n; i++) {
                Value *v = value_object();

                if (value_append(array, v) < 0 || value_set_string(v, "reason", l->items[i].reason) < 0 ||
                                value_set_string(v, "message", l->items[i].sentence) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/** rollbacks_to_value() - patches that failed their trial as an array; to be freed */
int rollbacks_to_value(const RollbackList *l, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < l->n; i++) {
                Value *v = value_object();

                if (value_set_string(v, "patch", l->items[i].patch) < 0 ||
                    value_set_time(v, "time", l->items[i].when_usec) < 0 ||
                    value_set_string(v, "reason", l->items[i].reason) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/** job_to_value() - one job as an object; to be freed */
int job_to_value(const JobInfo *j, Value **ret) {
        _cleanup_value_ Value *v = value_object();
        Value *blockers = NULL;

        if (value_set_integer(v, "id", j->id) < 0 || value_set_string(v, "type", j->type) < 0 ||
                        value_set_strv(v, "patches", j->patches) < 0 ||
                        value_set_string(v, "state", j->state) < 0 ||
                        value_set_real(v, "progress", j->progress) < 0 ||
                        value_set_string(v, "result", or_null(j->result)) < 0 ||
                        value_set_string(v, "error_name", or_null(j->error_name)) < 0 ||
                        value_set_string(v, "error_message", or_null(j->error_message)) < 0 ||
                        blocker_list_to_value(&j->blockers, &blockers) < 0 ||
                        value_set(v, "blockers", blockers) < 0 ||
                        value_set_string(v, "blockers_note", or_null(strempty(j->blockers_note))) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

/** jobs_to_value() - all jobs as an array; to be freed */
int jobs_to_value(const Snapshot *s, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < s->n_jobs; i++) {
                Value *v;

                if (job_to_value(&s->jobs[i], &v) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}
