/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Answers as JSON (doc/json-shapes.md). The one file of the daemon that knows jansson.
 *
 * Whatever came from a manifest, from the kernel or from a message goes out as a JSON string, built
 * by the library and never by printing; bytes that are no UTF-8 become '?', so that one odd
 * name cannot make a whole answer fail.
 *
 * jansson counts references; each function below gives its caller one, and json_pack()'s "o" takes
 * one even when it fails. NULL anywhere means that memory is out and makes the whole NULL.
 */

#include <jansson.h>

#include "daemon/describe.h"
#include "dbus/errors.h"

/* Numbers in JSON are exact up to here for every reader. */
#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

static void json_decrefpp(json_t **j) {
        json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_decrefpp)

/* --- values --- */

static json_t *replaced_string(const char *s) {
        _cleanup_free_ char *copy = strdup(s);

        for (char *p = copy; p && *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
        return copy ? json_string(copy) : NULL;
}

/* The text, or null. */
static json_t *string_value(const char *s) {
        json_t *j;

        if (!s)
                return json_null();
        j = json_string(s);
        return j ?: replaced_string(s);
}

static json_t *integer_value(uint64_t v) {
        return json_integer((json_int_t) (v < JSON_INTEGER_MAX ? v : JSON_INTEGER_MAX));
}

/* RFC 3339 in UTC; 0 and times beyond the year 9999 are null. */
static json_t *time_value(uint64_t usec) {
        char text[MANIFEST_TIME_SIZE];

        return usec == 0 || manifest_time_format(usec, text) < 0 ? json_null() : json_string(text);
}

static json_t *strv_value(char *const *v) {
        _cleanup_json_ json_t *array = json_array();

        for (; array && v && *v; v++)
                if (json_array_append_new(array, string_value(*v)) < 0)
                        return NULL;
        return json_incref(array);
}

static int finish(json_t *j, char **ret) {
        _cleanup_json_ json_t *object = j;
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* --- policy --- */

static json_t *setting_value(const ConfigSetting *s) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}",
                        "section", string_value(s->section),
                        "key", string_value(s->name),
                        "value", string_value(s->value),
                        "default", string_value(s->fallback),
                        "sources", strv_value(s->origin->where),
                        "unreadable", s->origin->strictest);
}

/**
 * describe_policy() - hotpatchd.conf(5) as it is in effect
 * @warnings: what was not understood; NULL: nothing
 * @ret: JSON; owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int describe_policy(const Config *c, char *const *warnings, char **ret) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < config_n_settings(); i++) {
                _cleanup_(config_setting_done) ConfigSetting s = { 0 };

                if (config_setting(c, i, &s) < 0 || json_array_append_new(array, setting_value(&s)) < 0)
                        return -ENOMEM;
        }
        return finish(json_pack("{s:O, s:o}", "settings", array, "warnings", strv_value(warnings)), ret);
}

/* --- plan --- */

static json_t *steps_value(const Plan *p) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < p->n_steps; i++) {
                const PlanStep *s = &p->steps[i];

                if (json_array_append_new(array, json_pack("{s:o, s:o, s:o}",
                                "action", string_value(step_action_to_string(s->action)),
                                "patch", string_value(s->id),
                                "module", string_value(s->module))) < 0)
                        return NULL;
        }
        return json_incref(array);
}

static json_t *functions_value(const Plan *p) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < p->n_functions; i++) {
                const PlanFunction *f = &p->functions[i];

                if (json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o, s:b}",
                                "patch", string_value(f->id),
                                "object", string_value(f->object),
                                "function", string_value(f->function),
                                "change", string_value(function_change_to_string(f->change)),
                                "deferred", f->deferred)) < 0)
                        return NULL;
        }
        return json_incref(array);
}

static json_t *conditions_value(const Plan *p) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < p->n_conditions; i++) {
                const PlanCondition *c = &p->conditions[i];

                if (json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}",
                                "patch", string_value(c->id),
                                "check", string_value(c->check),
                                "found", string_value(c->found),
                                "needed", string_value(c->needed),
                                "ok", c->ok, "note", c->note)) < 0)
                        return NULL;
        }
        return json_incref(array);
}

static json_t *refusal_value(const sd_bus_error *e) {
        const HotpatchError *row;

        if (!sd_bus_error_is_set(e))
                return json_null();
        row = hotpatch_error_find(e->name);
        return json_pack("{s:o, s:o, s:o}",
                        "name", string_value(e->name),
                        "message", string_value(strempty(e->message)),
                        "remedy", string_value(row ? row->remedy : NULL));
}

static json_t *kernel_value(const KernelIdentity *k) {
        return json_pack("{s:o, s:o, s:o}",
                        "arch", string_value(k->arch),
                        "release", string_value(k->release),
                        "build_id", string_value(k->build_id));
}

/**
 * describe_plan() - the answer of Plan, PlanBundle and PlanRemove
 * @type: of the job it would be
 * @ids: what was asked for; NULL: nothing
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_plan(const Plan *plan, const char *type, const KernelIdentity *kernel, char *const *ids, char **ret) {
        return finish(json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}",
                                "type", string_value(type),
                                "ids", strv_value(ids),
                                "kernel", kernel_value(kernel),
                                "changed", plan->changed,
                                "steps", steps_value(plan),
                                "functions", functions_value(plan),
                                "conditions", conditions_value(plan),
                                "refusal", refusal_value(&plan->refusal)),
                        ret);
}

/* --- bundle --- */

static json_t *signers_value(const Signer *signers, size_t n) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < n; i++)
                if (json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o, s:o}",
                                "subject", string_value(signers[i].subject),
                                "issuer", string_value(signers[i].issuer),
                                "spki_sha256", string_value(signers[i].spki_sha256),
                                "not_after", time_value(signers[i].not_after_usec),
                                "signing_time", time_value(signers[i].signing_time_usec))) < 0)
                        return NULL;
        return json_incref(array);
}

/* The manifest was parsed by stricter rules already; here it only becomes part of an answer. */
static json_t *manifest_value(const Verified *v) {
        size_t size;
        const char *text = verified_manifest_text(v, &size);

        return json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
}

static json_t *target_value(const Verified *v, const KernelIdentity *k) {
        const ManifestTarget *t =
                manifest_find_target(verified_manifest(v), k->arch, k->release, k->build_id);

        if (!t)
                return json_null();
        return json_pack("{s:o, s:o}",
                        "release", string_value(t->release),
                        "module", string_value(t->module));
}

/**
 * describe_bundle() - the answer of VerifyBundle
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_bundle(const Verified *v, const KernelIdentity *kernel, char **ret) {
        const Signer *signers;
        size_t n;

        signers = verified_signers(v, &n);
        return finish(json_pack("{s:b, s:o, s:o, s:o, s:o}",
                                "valid", true,
                                "digest", string_value(verified_digest(v)),
                                "manifest", manifest_value(v),
                                "signers", signers_value(signers, n),
                                "target", target_value(v, kernel)),
                        ret);
}

/* --- patch --- */

static json_t *fix_value(const ManifestFix *f) {
        return json_pack("{s:o, s:o, s:o, s:o}",
                        "id", string_value(f->id),
                        "severity", string_value(severity_to_string(f->severity)),
                        "summary", string_value(f->summary),
                        "references", strv_value(f->references));
}

/* With the bundle at hand all is known of a fix, else the record has its id. */
static json_t *fixes_value(const Description *d) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && d->manifest && i < d->manifest->n_fixes; i++)
                if (json_array_append_new(array, fix_value(&d->manifest->fixes[i])) < 0)
                        return NULL;
        if (!d->manifest && d->record)
                for (char **id = d->record->fixes; array && id && *id; id++)
                        if (json_array_append_new(array,
                                            fix_value(&(ManifestFix) { .id = *id, .severity = -EINVAL })) < 0)
                                return NULL;
        return json_incref(array);
}

static const ManifestTarget *find_target(const Description *d) {
        for (size_t i = 0; d->manifest && d->module && i < d->manifest->n_targets; i++)
                if (streq(d->manifest->targets[i].module, d->module) &&
                    (!d->release || streq(d->manifest->targets[i].release, d->release)))
                        return &d->manifest->targets[i];
        return NULL;
}

/* Null as long as the kernel does not have the patch. */
static json_t *patched_value(const Description *d, const char *object) {
        for (size_t i = 0; i < d->n_patched; i++)
                if (streq(d->patched[i].name, object))
                        return string_value(patched_state_to_string(d->patched[i].state));
        return json_null();
}

static int append_object(json_t *array, const Description *d, const char *name, char *const *functions) {
        return json_array_append_new(array, json_pack("{s:o, s:o, s:o}",
                                "name", string_value(name),
                                "functions", strv_value(functions),
                                "state", patched_value(d, name)));
}

/* As the manifest lists them; without one, as the kernel does. */
static json_t *objects_value(const Description *d) {
        const ManifestTarget *t = find_target(d);
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && t && i < t->n_objects; i++)
                if (append_object(array, d, t->objects[i].name, t->objects[i].functions) < 0)
                        return NULL;
        for (size_t i = 0; array && !t && i < d->n_patched; i++)
                if (append_object(array, d, d->patched[i].name, NULL) < 0)
                        return NULL;
        return json_incref(array);
}

static json_t *restore_value(const Description *d) {
        if (!d->restore_result)
                return json_null();
        return json_pack("{s:o, s:o}",
                        "result", string_value(d->restore_result),
                        "reason", string_value(d->restore_reason));
}

/* Who made it of what, as the signed manifest says; null without the bundle. */
static json_t *provenance_value(const Manifest *m) {
        if (!m)
                return json_null();
        return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                        "builder", string_value(m->provenance.builder),
                        "source", string_value(m->provenance.source),
                        "fix_sha256", string_value(m->provenance.fix_sha256),
                        "toolchain", string_value(m->provenance.toolchain),
                        "config_sha256", string_value(m->provenance.config_sha256));
}

/**
 * describe_patch() - the answer of Describe
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_patch(const Description *d, char **ret) {
        const AdmittedRecord *record = d->record;
        const Manifest *m = d->manifest;
        uint64_t sequence = m ? m->sequence : record ? record->sequence : 0;

        return finish(json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                                " s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                                "id", string_value(d->id),
                                "title", string_value(m ? m->title : record ? record->title : NULL),
                                "description", string_value(m ? m->description : NULL),
                                "severity", string_value(m ? severity_to_string(m->severity) :
                                                         record ? record->severity : NULL),
                                "state", string_value(d->state),
                                "foreign", d->foreign,
                                "module", string_value(d->module),
                                "stream", string_value(m ? m->stream : record ? record->stream : NULL),
                                "sequence", sequence ? integer_value(sequence) : json_null(),
                                "fixes", fixes_value(d),
                                "objects", objects_value(d),
                                "digest", string_value(d->digest),
                                "signers", signers_value(d->signers, d->n_signers),
                                "admitted", time_value(record ? record->admitted_usec : 0),
                                "applied", time_value(record ? record->applied_usec : 0),
                                "trial_until", time_value(d->trial_until_usec),
                                "tripped", integer_value(d->tripped),
                                "wanted", record != NULL,
                                "quarantined", d->quarantined,
                                "strikes", strv_value(d->strikes),
                                "restore", restore_value(d),
                                "kind", string_value(m ? manifest_kind_to_string(m->kind) : NULL),
                                "created", time_value(m ? m->created_usec : 0),
                                "expires", time_value(m ? m->expires_usec : 0),
                                "kernel_release", string_value(m ? m->kernel_release : NULL),
                                "provenance", provenance_value(m),
                                "requires", strv_value(m ? m->requires : NULL),
                                "conflicts", strv_value(m ? m->conflicts : NULL),
                                "supersedes", strv_value(m ? m->supersedes : NULL)),
                        ret);
}

/* --- audit --- */

static json_t *states_value(const PatchedObject *objects, size_t n) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < n; i++)
                if (json_array_append_new(array, json_pack("{s:o, s:o}",
                                "name", string_value(objects[i].name),
                                "state", string_value(patched_state_to_string(objects[i].state)))) < 0)
                        return NULL;
        return json_incref(array);
}

static json_t *audited_value(const AuditPatch *p) {
        return json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}",
                        "id", string_value(p->id),
                        "module", string_value(p->module),
                        "state", string_value(p->state),
                        "wanted", p->wanted,
                        "foreign", p->foreign,
                        "bundle", string_value(audit_bundle_to_string(p->bundle)),
                        "functions", integer_value(p->n_functions),
                        "objects", states_value(p->objects, p->n_objects),
                        "last_event", string_value(p->last_event),
                        "last_event_time", time_value(p->last_event_usec));
}

static json_t *audited_patches_value(const AuditReport *r) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < r->n_patches; i++)
                if (json_array_append_new(array, audited_value(&r->patches[i])) < 0)
                        return NULL;
        return json_incref(array);
}

static json_t *findings_value(const FindingSet *s) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < s->n; i++) {
                const Finding *f = &s->items[i];

                if (json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
                                "kind", string_value(finding_kind_to_string(f->kind)),
                                "severity", string_value(finding_severity_to_string(finding_severity(f->kind))),
                                "patch", string_value(*f->patch ? f->patch : NULL),
                                "object", string_value(*f->object ? f->object : NULL),
                                "message", string_value(f->sentence),
                                "remedy", string_value(finding_remedy(f->kind)))) < 0)
                        return NULL;
        }
        return json_incref(array);
}

static bool has_drift(const FindingSet *s) {
        for (size_t i = 0; i < s->n; i++)
                if (finding_is_drift(&s->items[i]))
                        return true;
        return false;
}

/**
 * describe_audit() - the answer of Audit
 * @findings: all that is found, also what is not in the report
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_audit(const AuditReport *report, const FindingSet *findings, const KernelIdentity *kernel, char **ret) {
        json_t *checked = json_pack("{s:o, s:o, s:b, s:o}",
                        "bundles", integer_value(report->n_bundles),
                        "bytes", integer_value(report->bytes),
                        "journal", report->journal,
                        "journal_patches", integer_value(report->n_records));

        return finish(json_pack("{s:o, s:b, s:o, s:o, s:o}",
                                "kernel", kernel_value(kernel),
                                "drift", has_drift(findings),
                                "checked", checked,
                                "patches", audited_patches_value(report),
                                "findings", findings_value(findings)),
                        ret);
}

/* --- the year --- */

static json_t *months_mask_value(unsigned months) {
        _cleanup_json_ json_t *array = json_array();

        for (int i = 0; array && i < 12; i++)
                if ((months & (1U << i)) && json_array_append_new(array, json_integer(i + 1)) < 0)
                        return NULL;
        return json_incref(array);
}

static json_t *date_value(const Civil *day) {
        char text[sizeof("YYYY-MM-DD") + 16];

        (void) snprintf(text, sizeof(text), "%04d-%02d-%02d", day->year, day->month, day->day);
        return json_string(text);
}

/* Where nothing is planned, what is not in work has not ended and is not from before is neither due nor missed. */
static const char *month_state(const CalendarDescription *d, const CalendarMonth *m, uint64_t *ret_when) {
        const char *state = baseline_month_state(d->state, m, d->now_usec, ret_when);
        bool idle = d->state->phase == BASELINE_REACHED || d->state->phase == BASELINE_FAILED || !streq_ptr(d->state->name, m->name);

        if (!d->enabled && idle && *ret_when == 0 &&
            (streq(state, "coming") || streq(state, "due") || streq(state, "missed")))
                return "not-planned";
        return state;
}

static json_t *month_value(const CalendarDescription *d, const CalendarMonth *m) {
        uint64_t when = 0;
        const char *state = m->baseline ? month_state(d, m, &when) : NULL;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                "month", string_value(m->name),
                "kind", string_value(m->baseline ? "baseline" : "hotpatch"),
                "day", date_value(&m->day),
                "window_begin", time_value(m->baseline ? m->window_begin_usec : 0),
                "window_end", time_value(m->baseline ? m->window_end_usec : 0),
                "deadline", time_value(m->baseline ? m->deadline_usec : 0),
                "state", string_value(state),
                "when", time_value(when));
}

static json_t *coverage_value(const char *kernel, bool running, const char *baseline, uint64_t until, uint64_t now) {
        return json_pack("{s:o, s:b, s:o, s:o, s:b}",
                "kernel", string_value(kernel),
                "running", (int) running,
                "baseline", string_value(baseline),
                "until", time_value(until),
                "ended", (int) (until > 0 && until <= now));
}

/* The running kernel, and the one that is installed and waits for the restart. */
static json_t *coverages_value(const CalendarDescription *d) {
        const BaselineState *s = d->state;
        _cleanup_json_ json_t *array = json_array();
        CalendarMonth m;
        bool waits = s->phase == BASELINE_INSTALLED || s->phase == BASELINE_SCHEDULED || s->phase == BASELINE_RESTARTING;

        if (!array || json_array_append_new(array, coverage_value(d->release, true, s->reached,
                d->covered_until_usec, d->now_usec)) < 0)
                return NULL;
        if (waits && s->kernel && calendar_baseline(d->policy, s->name, &m) >= 0 &&
            json_array_append_new(array, coverage_value(s->kernel, false, s->name, m.covers_until_usec, d->now_usec)) < 0)
                return NULL;
        return json_incref(array);
}

static json_t *calendar_policy_value(const CalendarDescription *d) {
        _cleanup_free_ char *day = NULL;

        if (day_rule_format(&d->policy->day, &day) < 0)
                return NULL;
        return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
                "enabled", (int) d->enabled,
                "months", months_mask_value(d->policy->months),
                "monthly_because", string_value(d->monthly_because),
                "day", string_value(day),
                "window", string_value(d->policy->window.text),
                "window_length_sec", integer_value(d->policy->window_length_usec / USEC_PER_SEC),
                "deadline_sec", integer_value(d->policy->deadline_usec / USEC_PER_SEC));
}

static json_t *baseline_value(const BaselineState *s) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                "state", string_value(baseline_phase_to_string(s->phase)),
                "cause", string_value(s->cause == BASELINE_CAUSE_NONE ? NULL : baseline_cause_to_string(s->cause)),
                "name", string_value(s->name),
                "text", string_value(s->text),
                "kernel", string_value(s->kernel),
                "restart", time_value(s->restart_usec),
                "reached", string_value(s->reached),
                "reached_time", time_value(s->reached_usec),
                "since", time_value(s->since_usec));
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
 * describe_calendar() - the answer of Calendar()
 *
 * Return: 0 or -ENOMEM.
 */
int describe_calendar(const CalendarDescription *d, char **ret) {
        _cleanup_json_ json_t *months = json_array();

        for (size_t i = 0; months && i < 12; i++)
                if (json_array_append_new(months, month_value(d, &d->months[i])) < 0)
                        return -ENOMEM;
        return finish(json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:O, s:o, s:o}",
                "year", d->months[0].year,
                "now", time_value(d->now_usec),
                "policy", calendar_policy_value(d),
                "restarts", (int) calendar_restarts(d->policy),
                "restarts_monthly", 12,
                "done", (int) count_months(d, "reached"),
                "missed", (int) count_months(d, "missed"),
                "failed", (int) count_failed(d),
                "months", months,
                "coverage", coverages_value(d),
                "baseline", baseline_value(d->state)), ret);
}
