/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each function that a bundle replaces: is it there, which of several, can ftrace redirect it, and
 * whose is it now.
 *
 * A function belongs to one patch at a time. The kernel would stack two (the newest wins), but then
 * taking the upper one out silently brings the lower one's code back, which nobody tested
 * together; so the newer bundle must supersede the older one.
 *
 * Functions of a module that is not loaded cannot be checked; the kernel checks them when the module
 * comes, and refuses the *module* then. The report marks them `deferred`.
 */

#include "daemon/plan-internal.h"

/* "NAME" or "NAME,SYMPOS": the length of NAME, and SYMPOS or 0. The manifest parser checked the form. */
static size_t split_function(const char *function, unsigned long *ret_sympos) {
        size_t n = strcspn(function, ",");

        *ret_sympos = function[n] == ',' ? strtoul(function + n + 1, NULL, 10) : 0;
        return n;
}

/** plan_same_function() - whether two names mean the same; position 1 is that of a unique symbol */
bool plan_same_function(const char *a, const char *b) {
        unsigned long pos_a, pos_b;
        size_t n_a = split_function(a, &pos_a), n_b = split_function(b, &pos_b);

        return n_a == n_b && memcmp(a, b, n_a) == 0 && (pos_a ?: 1) == (pos_b ?: 1);
}

/* The same name, whatever the position. */
static bool same_name(const char *a, const char *b) {
        unsigned long ignored;
        size_t n = split_function(a, &ignored);

        return n == split_function(b, &ignored) && memcmp(a, b, n) == 0;
}

static bool objects_have(const ManifestObject *objects, size_t n, const char *object, const char *function,
                bool (*same)(const char *, const char *)) {
        for (size_t i = 0; i < n; i++) {
                if (!streq(objects[i].name, object))
                        continue;
                for (char **f = objects[i].functions; f && *f; f++)
                        if (same(*f, function))
                                return true;
        }
        return false;
}

static bool patch_has(const PlanPatch *p, const char *object, const char *function) {
        return objects_have(p->objects, p->n_objects, object, function, plan_same_function);
}

/* Livepatches that the kernel shows on this name, and whose functions are known. The kernel's lists
 * have names only, so a patch of another function of the same name explains it as well. */
static bool livepatch_explained(const PlanFacts *facts, const char *object, const char *function) {
        for (size_t i = 0; i < facts->n_patches; i++)
                if (plan_patch_in_kernel(&facts->patches[i]) &&
                    objects_have(facts->patches[i].objects, facts->patches[i].n_objects, object, function,
                                    same_name))
                        return true;
        return false;
}

static bool item_has(const PlanItem *item, const char *object, const char *function) {
        return item->target && objects_have(item->target->objects, item->target->n_objects, object,
                                        function, plan_same_function);
}

static const SymbolFacts *find_symbol(const PlanFacts *facts, const char *object, const char *function) {
        unsigned long sympos;
        size_t n = split_function(function, &sympos);

        for (size_t i = 0; i < facts->n_symbols; i++) {
                const SymbolFacts *s = &facts->symbols[i];

                if (streq(s->object, object) && strlen(s->name) == n && memcmp(s->name, function, n) == 0)
                        return s;
        }
        return NULL;
}

/* --- the symbol --- */

typedef struct Verdict {
        const char *error; /* NULL: good */
        const char *why;   /* "which …" of the message */
} Verdict;

/* Who has it, in a person's words where the handler is a well-known one of the kernel's. */
static const char *owner_words(const SymbolFacts *s) {
        static const struct {
                const char *handler, *words;
        } known[] = {
                { "kprobe_ftrace_handler", "a kprobe (handler 'kprobe_ftrace_handler')" },
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (streq(s->owner, known[i].handler))
                        return known[i].words;
        return NULL;
}

static const char *busy_words(const SymbolFacts *s, char *buf, size_t size) {
        if (!*s->owner)
                return "which something that the kernel does not name redirects already";
        snprintf(buf, size, owner_words(s) ? "which %s redirects already" :
                                "which the handler '%s' redirects already", owner_words(s) ?: s->owner);
        return buf;
}

static Verdict judge_symbol(const SymbolFacts *s, unsigned long sympos, char *buf, size_t size) {
        if (s->matches == 0)
                return (Verdict) { HOTPATCH_ERROR("FunctionNotFound"), "which this kernel does not have" };
        if (sympos == 0 && s->matches > 1)
                return (Verdict) { HOTPATCH_ERROR("FunctionAmbiguous"),
                                   "of which this kernel has several, without saying which one" };
        if (sympos > s->matches)
                return (Verdict) { HOTPATCH_ERROR("FunctionAmbiguous"),
                                   "at a position that this kernel does not have" };
        if (!s->traceable)
                return (Verdict) { HOTPATCH_ERROR("FunctionNotTraceable"),
                                   "which has no place where it could be redirected" };
        if (s->busy)
                return (Verdict) { HOTPATCH_ERROR("FunctionBusy"), busy_words(s, buf, size) };
        return (Verdict) { NULL, NULL };
}

static void describe_symbol(const SymbolFacts *s, char *buf, size_t size) {
        if (!s->object_loaded)
                snprintf(buf, size, "module not loaded");
        else
                snprintf(buf, size, "%u of the name, %s%s%s", s->matches,
                                s->traceable ? "traceable" : "not traceable",
                                s->busy ? ", redirected by " : "",
                                !s->busy ? "" : *s->owner ? s->owner : "somebody unnamed");
}

static int check_symbol(PlanBuild *b, const PlanItem *item, const char *object, const char *function,
                const SymbolFacts *s) {
        const Manifest *m = item->manifest;
        unsigned long sympos;
        char found[64 + SYMBOL_OWNER_SIZE], needed[64], why[64 + SYMBOL_OWNER_SIZE];
        Verdict v = { NULL, NULL };
        int r;

        (void) split_function(function, &sympos);
        if (s->object_loaded)
                v = judge_symbol(s, sympos, why, sizeof(why));
        describe_symbol(s, found, sizeof(found));
        if (sympos == 0)
                snprintf(needed, sizeof(needed), "1 of the name, traceable");
        else
                snprintf(needed, sizeof(needed), "number %lu of the name, traceable", sympos);
        /* The kernel looks when the module comes, and refuses the module then. */
        if (!s->object_loaded)
                return plan_note(b->plan, m->id, found, needed, "function %s:%s", object, function);
        r = plan_condition(b->plan, m->id, !v.error, found, needed, "function %s:%s", object, function);
        if (r < 0 || !v.error)
                return r;
        return plan_refuse(b->plan, v.error, "The bundle '%s' replaces the function '%s' of '%s', %s",
                        m->id, function, object, v.why);
}

/* --- whose it is --- */

static int refuse_overlap(PlanBuild *b, const PlanItem *item, const char *object, const char *function,
                const char *what, const char *owner) {
        return plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                        "The bundle '%s' replaces the function '%s' of '%s', which %s '%s' replaces too",
                        item->manifest->id, function, object, what, owner);
}

/* Then it does not matter whose it is. */
static bool replaces_all_with_consent(const PlanBuild *b, const PlanItem *item) {
        return b->options->allow_replace_foreign && item->target->replace;
}

/*
 * Return: 0 or -ENOMEM, and in @ret_change whether the function was patched before. A livepatch whose
 * functions nobody knows counts as one that has this function.
 */
static int check_owner(PlanBuild *b, const PlanItem *item, const char *object, const char *function,
                const SymbolFacts *s, FunctionChange *ret_change) {
        FunctionChange change = FUNCTION_ADDED;
        int r;

        for (const PlanItem *other = b->items; other < item; other++)
                if (item_has(other, object, function)) {
                        r = refuse_overlap(b, item, object, function, "the bundle", other->manifest->id);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!plan_patch_in_kernel(p) || !patch_has(p, object, function))
                        continue;
                change = FUNCTION_KEPT;
                if (b->dropped[i])
                        continue;
                r = refuse_overlap(b, item, object, function,
                                p->id ? "the active patch" : "the livepatch of somebody else",
                                plan_patch_name(p));
                if (r < 0)
                        return r;
        }
        if (s->livepatched && !livepatch_explained(b->facts, object, function) && !replaces_all_with_consent(b, item)) {
                r = plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                                "The bundle '%s' replaces the function '%s' of '%s', which a livepatch "
                                "unknown to this machine's records replaces too",
                                item->manifest->id, function, object);
                if (r < 0)
                        return r;
        }
        *ret_change = change;
        return 0;
}

static int check_function(PlanBuild *b, const PlanItem *item, const char *object, const char *function) {
        const SymbolFacts *s = find_symbol(b->facts, object, function);
        FunctionChange change;
        int r;

        /* Refused for that; what it would be is shown all the same. */
        if (!s && b->facts->no_tracing)
                return plan_add_function(b->plan, item->manifest->id, object, function, FUNCTION_ADDED, false);
        /* The caller forgot to look it up: no decision without facts. */
        if (!s)
                return -ENODATA;
        r = check_symbol(b, item, object, function, s);
        if (r < 0)
                return r;
        r = check_owner(b, item, object, function, s, &change);
        if (r < 0)
                return r;
        return plan_add_function(b->plan, item->manifest->id, object, function, change, !s->object_loaded);
}

/* --- all of them --- */

/**
 * plan_check_functions() - the functions of one bundle, checked and reported
 *
 * Return: 0, -ENODATA when a function was not looked up, or -ENOMEM.
 */
int plan_check_functions(PlanBuild *b, const PlanItem *item) {
        if (!item->target)
                return 0;
        for (size_t i = 0; i < item->target->n_objects; i++) {
                const ManifestObject *o = &item->target->objects[i];

                for (char **f = o->functions; f && *f; f++) {
                        int r = check_function(b, item, o->name, *f);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static bool taken_over(const PlanBuild *b, const char *object, const char *function) {
        for (size_t i = 0; i < b->n_items; i++)
                if (item_has(&b->items[i], object, function))
                        return true;
        return false;
}

/** plan_report_dropped() - functions that go back to the original, as nobody takes them over. */
int plan_report_dropped(PlanBuild *b) {
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!b->dropped[i] || !plan_patch_in_kernel(p))
                        continue;
                for (size_t j = 0; j < p->n_objects; j++)
                        for (char **f = p->objects[j].functions; f && *f; f++) {
                                int r;

                                if (taken_over(b, p->objects[j].name, *f))
                                        continue;
                                r = plan_add_function(b->plan, plan_patch_name(p), p->objects[j].name, *f,
                                                FUNCTION_DROPPED, false);
                                if (r < 0)
                                        return r;
                        }
        }
        return 0;
}
