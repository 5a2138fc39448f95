/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What this machine's administrator forbids, whoever signed it: [Policy] Forbid= of hotpatchd.conf(5).
 *
 *     nf_tables       an object: nothing of it is replaced
 *     vmlinux:tcp_*   functions of an object, by name
 *     mm/             source files, by their path in the kernel's source: everything below
 *     net/ipv4/ip_*   the same as a pattern
 *
 * All are globs as fnmatch(3) knows them, and '*' goes over '/' too: the wider reading is the one that
 * forbids more. A '-' in the name of an object means '_', as for modprobe(8).
 *
 * Names are what the manifest lists, and admission has compared them with the module. The source
 * of a function is the builder's word under the vendor's signature; a bundle that does not say it passes
 * no pattern of paths, as nobody knows.
 */

#include <fnmatch.h>

#include "daemon/plan-internal.h"

/* --- patterns --- */

static bool is_path_pattern(const char *pattern) {
        return strchr(pattern, '/');
}

/* modprobe(8) takes both, the kernel has '_' only. Within brackets a '-' is a range. */
static void unify_dashes(char *object) {
        bool within = false;

        for (; *object; object++) {
                if (*object == '[')
                        within = true;
                else if (*object == ']')
                        within = false;
                else if (*object == '-' && !within)
                        *object = '_';
        }
}

static bool matches_path(const char *pattern, const char *source) {
        size_t n = strlen(pattern);
        char below[HOTPATCH_FIX_PATH_MAX + 2];

        if (pattern[n - 1] != '/')
                return fnmatch(pattern, source, 0) == 0;
        snprintf(below, sizeof(below), "%s*", pattern);
        return fnmatch(below, source, 0) == 0;
}

/* OBJECT or OBJECT:FUNCTION; @function may have a position behind a comma. */
static bool matches_name(const char *pattern, const char *object, const char *function) {
        char part[HOTPATCH_FIX_PATH_MAX + 1], name[HOTPATCH_SYMBOL_MAX + 1];
        size_t n = strcspn(pattern, ":");

        snprintf(part, sizeof(part), "%.*s", (int) n, pattern);
        unify_dashes(part);
        if (fnmatch(part, object, 0) != 0)
                return false;
        if (!pattern[n])
                return true;
        snprintf(name, sizeof(name), "%.*s", (int) strcspn(function, ","), function);
        return fnmatch(pattern + n + 1, name, 0) == 0;
}

/* --- a bundle --- */

static const char *find_source(const ManifestObject *o, const char *function) {
        for (size_t i = 0; i < o->n_originals; i++)
                if (plan_same_function(o->originals[i].function, function))
                        return o->originals[i].source;
        return NULL;
}

static int refuse_name(PlanBuild *b, const PlanItem *item, const ManifestObject *o, const char *function,
                const char *pattern) {
        return plan_refuse(b->plan, HOTPATCH_ERROR("ForbiddenByPolicy"),
                        "The bundle '%s' replaces the function '%s' of '%s', and the policy of this "
                        "machine forbids '%s'", item->manifest->id, function, o->name, pattern);
}

static int refuse_source(PlanBuild *b, const PlanItem *item, const ManifestObject *o, const char *function,
                const char *source, const char *pattern) {
        if (!source)
                return plan_refuse(b->plan, HOTPATCH_ERROR("ForbiddenByPolicy"),
                                "The bundle '%s' does not say which source file the function '%s' of '%s' "
                                "comes from, and the policy of this machine forbids '%s'",
                                item->manifest->id, function, o->name, pattern);
        return plan_refuse(b->plan, HOTPATCH_ERROR("ForbiddenByPolicy"),
                        "The bundle '%s' replaces the function '%s' of '%s' from '%s', and the policy of "
                        "this machine forbids '%s'", item->manifest->id, function, o->name, source, pattern);
}

/* Return: 1 when a pattern forbids the function, 0, or -ENOMEM. */
static int check_function(PlanBuild *b, const PlanItem *item, const ManifestObject *o, const char *function) {
        const char *source = find_source(o, function);

        for (char *const *p = b->options->policy.forbid; p && *p; p++) {
                bool path = is_path_pattern(*p);
                int r;

                if (path ? source && !matches_path(*p, source) : !matches_name(*p, o->name, function))
                        continue;
                r = plan_condition(b->plan, item->manifest->id, false,
                                !path ? "replaced" : source ?: "source unknown", "not replaced",
                                "policy %s for %s:%s", *p, o->name, function);
                if (r < 0)
                        return r;
                r = path ? refuse_source(b, item, o, function, source, *p)
                         : refuse_name(b, item, o, function, *p);
                return r < 0 ? r : 1;
        }
        return 0;
}

static int check_unreadable(PlanBuild *b, const PlanItem *item) {
        int r = plan_condition(b->plan, item->manifest->id, false, "cannot be read", "readable", "policy");

        if (r < 0)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("ForbiddenByPolicy"),
                        "The bundle '%s' may replace what 'Forbid' of [Policy] forbids, which cannot be read",
                        item->manifest->id);
}

/**
 * plan_check_policy() - does the bundle keep off what the administrator forbids
 *
 * One condition for each function that is forbidden, or one that says that none is.
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_policy(PlanBuild *b, const PlanItem *item) {
        const PlanPolicy *policy = &b->options->policy;
        size_t forbidden = 0;

        if (!item->target)
                return 0;
        if (policy->unreadable)
                return check_unreadable(b, item);
        for (size_t i = 0; i < item->target->n_objects; i++) {
                const ManifestObject *o = &item->target->objects[i];

                for (char **f = o->functions; f && *f; f++) {
                        int r = check_function(b, item, o, *f);
                        if (r < 0)
                                return r;
                        forbidden += (size_t) r;
                }
        }
        return forbidden > 0 ? 0 : plan_condition(b->plan, item->manifest->id, true, "nothing forbidden",
                        "nothing forbidden", "policy");
}

/**
 * plan_check_forbidden() - plan_check_policy() for a bundle that nobody plans to apply
 * @target: of @manifest; NULL: it touches nothing
 *
 * Return: 0, or a negative errno with ForbiddenByPolicy.
 */
int plan_check_forbidden(const Manifest *manifest, const ManifestTarget *target, const PlanPolicy *policy,
                sd_bus_error *error) {
        const PlanOptions options = { .policy = *policy };
        const PlanItem item = { .manifest = manifest, .target = target };
        _cleanup_(plan_freep) Plan *plan = NULL;
        int r;

        r = plan_new(&plan);
        if (r >= 0)
                r = plan_check_policy(&(PlanBuild) { .options = &options, .plan = plan }, &item);
        if (r < 0 || !sd_bus_error_is_set(&plan->refusal))
                return r;
        return sd_bus_error_copy(error, &plan->refusal);
}
