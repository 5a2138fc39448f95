/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Can the functions that the fix changes be redirected, and will the transition come to its end?
 *
 * Livepatch redirects a function where ftrace can: at the call to __fentry__ that the compiler put in
 * front of it. Files built without -pg, functions marked notrace and code that must not be instrumented
 * have none. The image decides; the compiled object tells why.
 *
 * What is not here: whether the function is in the image at all, and which of several of one name it
 * is. Matching says so.
 */

#include "builder/rules/internal.h"

/* Does the object have a place for ftrace in that function? Without a function: in any. */
static bool compiled_with_site(const Object *o, uint32_t function) {
        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                if (!streq(s->name, "__mcount_loc"))
                        continue;
                for (size_t k = 0; k < s->n_relocations; k++) {
                        const ObjectRelocation *r = s->relocations + k;
                        const ObjectSymbol *f = o->symbols + function, *to = o->symbols + r->symbol;
                        uint64_t place = to->value + (uint64_t) r->delta;

                        if (function == 0 || (to->section == f->section && place >= f->value &&
                                                             place - f->value < f->size))
                                return true;
                }
        }
        return false;
}

static const char *why_no_site(const Object *o, uint32_t function) {
        const ObjectSection *s = symbol_section(o, function);

        if (s && (startswith(s->name, ".noinstr.text") || startswith(s->name, ".entry.text") ||
                                startswith(s->name, ".cpuidle.text")))
                return "it is marked noinstr, code that must run before tracing can";
        if (!compiled_with_site(o, 0))
                return "its file is built without ftrace";
        if (!compiled_with_site(o, function))
                return "it is marked notrace, as all that is declared inline is";
        return "this kernel was built without one there";
}

static int check_site(const RuleInput *in, uint32_t before, Findings *findings) {
        const Object *o = in->changes->before;
        const char *name = o->symbols[before].name;
        bool found;
        int r;

        if (image_has_site(in->image, name, &found) || !found)
                return 0;
        r = callers_can_take_over(in->changes, in->image, in->changes->after_of[before]);
        if (r != 0)
                return r < 0 ? r : 0;
        return findings_refuse(findings, RULE_NO_FTRACE_SITE, name,
                        "'%s' has no place where ftrace could redirect it: %s", name, why_no_site(o, before));
}

static int check_stack(const RuleInput *in, uint32_t before, Findings *findings) {
        const char *name = in->changes->before->symbols[before].name;
        const char *reason = streq(in->image->object, "vmlinux") ? stack_reason(name) : NULL;

        if (!reason && kthread_main_loop(in->changes->before, before))
                reason = "it is the main loop of a kernel thread";
        if (!reason)
                return 0;
        return findings_refuse(findings, RULE_ALWAYS_ON_STACK, name,
                        "'%s' is always on some stack, so that the transition would never end: %s", name, reason);
}

/* include/linux/kprobes.h, NOKPROBE_SYMBOL(): the address, in a list that only the start reads */
static bool is_hidden_from_kprobes(const Object *o, uint32_t function) {
        const ObjectSection *own = symbol_section(o, function);

        if (own && startswith(own->name, ".kprobes.text"))
                return true;
        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                for (size_t k = 0; startswith(s->name, "_kprobe_blacklist") && k < s->n_relocations; k++)
                        if (s->relocations[k].symbol == function)
                                return true;
        }
        return false;
}

/* What the kernel knows of a function by its place, and not of one in a module. */
static int tell_lost_marks(const Object *o, uint32_t function, Findings *findings) {
        const ObjectSection *s = symbol_section(o, function);
        const char *name = o->symbols[function].name;
        int r = 0;

        if (s && startswith(s->name, ".sched.text"))
                r = findings_remark(findings, RULE_UNSUPPORTED, name,
                                "the new '%s' is no longer marked __sched: where a task waits will be told as '%s'", name, name);
        if (r >= 0 && is_hidden_from_kprobes(o, function))
                r = findings_remark(findings, RULE_UNSUPPORTED, name,
                                "'%s' must not be probed (NOKPROBE_SYMBOL), and nothing keeps kprobes from the new one", name);
        return r;
}

int rule_functions(const RuleInput *in, Findings *findings) {
        const Changes *c = in->changes;
        int r;

        for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                const ObjectSection *s = symbol_section(c->after, i);

                if (c->symbols[i].kind != CHANGE_CHANGED || c->symbols[i].before == 0 || !s ||
                                s->kind != OBJECT_CODE || !object_symbol_is_function(c->after, i) ||
                                object_function_parent(c->after, i) != i)
                        continue;
                r = check_site(in, c->symbols[i].before, findings);
                if (r == 0)
                        r = check_stack(in, c->symbols[i].before, findings);
                if (r == 0)
                        r = tell_lost_marks(c->after, i, findings);
                if (r < 0)
                        return r;
        }
        return 0;
}
