/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plan as a thing: steps, functions and conditions are collected, and the first refusal stays.
 *
 * Every check adds its condition whether it holds or not, so that a person sees at once all that is
 * in the way; what is said first is decided by the order of the checks.
 */

#include "daemon/plan-internal.h"
#include "util/strv.h"
#include "util/str.h"

static const char *const step_actions[_STEP_ACTION_MAX] = {
        [STEP_INSERT] = "insert", [STEP_TRANSITION] = "transition", [STEP_COMMIT] = "commit",
        [STEP_DISABLE] = "disable", [STEP_VANISH] = "vanish", [STEP_UNLOAD] = "unload",
        [STEP_FORGET] = "forget",
};

static const char *const function_changes[_FUNCTION_CHANGE_MAX] = {
        [FUNCTION_ADDED] = "added",
        [FUNCTION_KEPT] = "kept",
        [FUNCTION_DROPPED] = "dropped",
};

/** step_action_to_string() - the word of the JSON answer; NULL for no such action */
const char *step_action_to_string(StepAction a) {
        return (unsigned) a < _STEP_ACTION_MAX ? step_actions[a] : NULL;
}

/** function_change_to_string() - the word of the JSON answer; NULL for no such change */
const char *function_change_to_string(FunctionChange c) {
        return (unsigned) c < _FUNCTION_CHANGE_MAX ? function_changes[c] : NULL;
}

/** plan_new() - an empty plan. Return: 0 or -ENOMEM. */
int plan_new(Plan **ret) {
        Plan *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        *ret = p;
        return 0;
}

static void steps_free(Plan *p) {
        for (size_t i = 0; i < p->n_steps; i++) {
                free(p->steps[i].id);
                free(p->steps[i].module);
        }
        free(p->steps);
        p->steps = NULL;
        p->n_steps = 0;
}

/** plan_free() - free a plan and what it owns; accepts NULL. Returns NULL. */
Plan *plan_free(Plan *p) {
        if (!p)
                return NULL;
        steps_free(p);
        for (size_t i = 0; i < p->n_functions; i++) {
                free(p->functions[i].id);
                free(p->functions[i].object);
                free(p->functions[i].function);
        }
        free(p->functions);
        for (size_t i = 0; i < p->n_conditions; i++) {
                free(p->conditions[i].id);
                free(p->conditions[i].check);
                free(p->conditions[i].found);
                free(p->conditions[i].needed);
        }
        free(p->conditions);
        free(p->replacer);
        strv_free(p->replaced);
        strv_free(p->replaced_foreign);
        sd_bus_error_free(&p->refusal);
        free(p);
        return NULL;
}

/* Room for one more element, zeroed; NULL when memory is out. The count is raised at once, so that
 * plan_free() frees a half-filled element. */
static void *append(void *array, size_t *n, size_t size) {
        void **a = array, *grown = reallocarray(*a, *n + 1, size);

        if (!grown)
                return NULL;
        *a = grown;
        return memset((uint8_t *) grown + size * (*n)++, 0, size);
}

/** plan_add_step() - append a step. Return: 0 or -ENOMEM. */
int plan_add_step(Plan *p, StepAction action, const char *id, const char *module) {
        PlanStep *s = append(&p->steps, &p->n_steps, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->action = action;
        s->id = strdup(id);
        s->module = strdup(strempty(module));
        return s->id && s->module ? 0 : -ENOMEM;
}

/** plan_add_function() - append a function to the report. Return: 0 or -ENOMEM. */
int plan_add_function(Plan *p, const char *id, const char *object, const char *function,
                FunctionChange change, bool deferred) {
        PlanFunction *f = append(&p->functions, &p->n_functions, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->change = change;
        f->deferred = deferred;
        f->id = strdup(id);
        f->object = strdup(object);
        f->function = strdup(function);
        return f->id && f->object && f->function ? 0 : -ENOMEM;
}

static int condition_add(Plan *p, const char *id, const PlanCondition *how, const char *found,
                const char *needed, const char *check, va_list ap) {
        PlanCondition *c = append(&p->conditions, &p->n_conditions, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->ok = how->ok;
        c->note = how->note;
        r = str_vprintf(&c->check, check, ap);
        if (r < 0)
                return r;
        c->found = strdup(found);
        c->needed = strdup(needed);
        if (!c->found || !c->needed)
                return -ENOMEM;
        if (!id)
                return 0;
        c->id = strdup(id);
        return c->id ? 0 : -ENOMEM;
}

/**
 * plan_condition() - append a checked condition to the report
 * @id: bundle it was checked for; NULL: the machine
 * @check: what was checked, a printf format
 *
 * Return: 0 or -ENOMEM.
 */
int plan_condition(Plan *p, const char *id, bool ok, const char *found, const char *needed,
                const char *check, ...) {
        va_list ap;
        int r;

        va_start(ap, check);
        r = condition_add(p, id, &(PlanCondition) { .ok = ok }, found, needed, check, ap);
        va_end(ap);
        return r;
}

/** plan_note() - append a condition that holds, but of which a person should know. Return: 0 or -ENOMEM. */
int plan_note(Plan *p, const char *id, const char *found, const char *needed, const char *check, ...) {
        va_list ap;
        int r;

        va_start(ap, check);
        r = condition_add(p, id, &(PlanCondition) { .ok = true, .note = true }, found, needed, check, ap);
        va_end(ap);
        return r;
}

/** plan_refuse() - refuse the plan, unless it is refused already. Return: 0 or -ENOMEM. */
int plan_refuse(Plan *p, const char *name, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int r;

        if (sd_bus_error_is_set(&p->refusal))
                return 0;
        va_start(ap, format);
        r = str_vprintf(&message, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        /* The return value is the errno of the name, not success or failure. */
        (void) sd_bus_error_set(&p->refusal, name, message);
        return sd_bus_error_has_name(&p->refusal, name) ? 0 : -ENOMEM;
}

/** plan_find_patch() - the patch with a bundle id, or NULL */
const PlanPatch *plan_find_patch(const PlanFacts *facts, const char *id) {
        for (size_t i = 0; i < facts->n_patches; i++)
                if (streq_ptr(facts->patches[i].id, id))
                        return &facts->patches[i];
        return NULL;
}

/** plan_find_module() - what is known about a module name, or NULL */
const PlanModule *plan_find_module(const PlanFacts *facts, const char *name) {
        for (size_t i = 0; i < facts->n_modules; i++)
                if (streq(facts->modules[i].name, name))
                        return &facts->modules[i];
        return NULL;
}
