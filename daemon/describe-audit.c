/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an audit has looked at and found, as JSON. Remedies and severities come from the table of the kinds of finding, so
 * that they are the same here, in the journal and on the bus.
 */

#include "daemon/describe-value.h"
#include "daemon/describe.h"

static json_t *states_value(const PatchedObject *objects, size_t n) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_push(&array, json_pack("{s:o, s:o}",
                                "name", describe_string(objects[i].name),
                                "state", describe_string(patched_state_to_string(objects[i].state))));
        return array;
}

static json_t *audited_value(const AuditPatch *p) {
        return json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}",
                        "id", describe_string(p->id),
                        "module", describe_string(p->module),
                        "state", describe_string(p->state),
                        "wanted", p->wanted,
                        "foreign", p->foreign,
                        "bundle", describe_string(audit_bundle_to_string(p->bundle)),
                        "functions", describe_integer(p->n_functions),
                        "objects", states_value(p->objects, p->n_objects),
                        "last_event", describe_string(p->last_event),
                        "last_event_time", describe_time(p->last_event_usec));
}

static json_t *audited_patches_value(const AuditReport *r) {
        json_t *array = json_array();

        for (size_t i = 0; i < r->n_patches; i++)
                json_push(&array, audited_value(&r->patches[i]));
        return array;
}

static json_t *findings_value(const FindingSet *s) {
        json_t *array = json_array();

        for (size_t i = 0; i < s->n; i++) {
                const Finding *f = &s->items[i];

                json_push(&array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
                                "kind", describe_string(finding_kind_to_string(f->kind)),
                                "severity", describe_string(finding_severity_to_string(finding_severity(f->kind))),
                                "patch", describe_string(*f->patch ? f->patch : NULL),
                                "object", describe_string(*f->object ? f->object : NULL),
                                "message", describe_string(f->sentence),
                                "remedy", describe_string(finding_remedy(f->kind))));
        }
        return array;
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
                        "bundles", describe_integer(report->n_bundles),
                        "bytes", describe_integer(report->bytes),
                        "journal", report->journal,
                        "journal_patches", describe_integer(report->n_records));

        return describe_end(json_pack("{s:o, s:b, s:o, s:o, s:o}",
                                "kernel", describe_kernel(kernel),
                                "drift", has_drift(findings),
                                "checked", checked,
                                "patches", audited_patches_value(report),
                                "findings", findings_value(findings)),
                        ret);
}
