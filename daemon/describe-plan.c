/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A plan, as JSON: what would be done, what it changes, under which conditions, or why not.
 *
 * The remedy of a refusal is looked up here, by its name: plans are made by a pure function that knows names and
 * sentences only.
 */

#include "daemon/describe-value.h"
#include "daemon/describe.h"
#include "dbus/errors.h"

static json_t *steps_value(const Plan *p) {
        json_t *array = json_array();

        for (size_t i = 0; i < p->n_steps; i++) {
                const PlanStep *s = &p->steps[i];

                json_push(&array, json_pack("{s:o, s:o, s:o}",
                                "action", describe_string(step_action_to_string(s->action)),
                                "patch", describe_string(s->id),
                                "module", describe_string(s->module)));
        }
        return array;
}

static json_t *functions_value(const Plan *p) {
        json_t *array = json_array();

        for (size_t i = 0; i < p->n_functions; i++) {
                const PlanFunction *f = &p->functions[i];

                json_push(&array, json_pack("{s:o, s:o, s:o, s:o, s:b}",
                                "patch", describe_string(f->id),
                                "object", describe_string(f->object),
                                "function", describe_string(f->function),
                                "change", describe_string(function_change_to_string(f->change)),
                                "deferred", f->deferred));
        }
        return array;
}

static json_t *conditions_value(const Plan *p) {
        json_t *array = json_array();

        for (size_t i = 0; i < p->n_conditions; i++) {
                const PlanCondition *c = &p->conditions[i];

                json_push(&array, json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}",
                                "patch", describe_string(c->id),
                                "check", describe_string(c->check),
                                "found", describe_string(c->found),
                                "needed", describe_string(c->needed),
                                "ok", c->ok, "note", c->note));
        }
        return array;
}

static json_t *refusal_value(const sd_bus_error *e) {
        const HotpatchError *row;

        if (!sd_bus_error_is_set(e))
                return json_null();
        row = hotpatch_error_find(e->name);
        return json_pack("{s:o, s:o, s:o}",
                        "name", describe_string(e->name),
                        "message", describe_string(strempty(e->message)),
                        "remedy", describe_string(row ? row->remedy : NULL));
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
        return describe_end(json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}",
                                "type", describe_string(type),
                                "ids", describe_strv(ids),
                                "kernel", describe_kernel(kernel),
                                "changed", plan->changed,
                                "steps", steps_value(plan),
                                "functions", functions_value(plan),
                                "conditions", conditions_value(plan),
                                "refusal", refusal_value(&plan->refusal)),
                        ret);
}
