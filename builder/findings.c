/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Refusals and remarks, collected while a fix is examined. A rule never prints and never ends the
 * program: who reads the list decides, and an author sees every reason in one run.
 */

#include "builder/findings.h"

#include "util/str.h"

/* hotpatch-build(1), "REFUSALS", describes each; the names are contract (--json). */
static const struct {
        const char *name;
        const char *advice;
} rules[_RULE_MAX] = {
        [RULE_NO_CHANGE] = { "no-change", "Check that the fix is for this source version and that the kernel's configuration uses the code." },
        [RULE_NOT_BUILT] = { "not-built", "Leave that file out of the fix, or build for a kernel that has it." },
        [RULE_BUILD_FILES] = { "build-files", "Change C sources and headers only; leave other files out of the fix." },
        [RULE_FIX_OFFSET] = { "fix-offset", "Check that this is the place that was meant." },
        [RULE_TOO_MANY_OBJECTS] = { "too-many-objects", "Make the change in the C files that need it instead of in the header." },
        [RULE_NOT_MATCHED] = { "not-matched", "Use the source, configuration and compiler that the kernel was built from." },
        [RULE_AMBIGUOUS_SYMBOL] = { "ambiguous-symbol", "Do not refer to it in the new code, or reach the same thing through another symbol." },
        [RULE_MISSING_SYMBOL] = { "missing-symbol", "Do not refer to it in the new code; this kernel has no such symbol." },
        [RULE_NO_FTRACE_SITE] = { "no-ftrace-site", "Make the change in functions that call it and can be traced." },
        [RULE_INIT_CODE] = { "init-code", "Leave it out, or bring its effect about from a callback (--with)." },
        [RULE_ALWAYS_ON_STACK] = { "always-on-stack", "Make the change in a function that it calls and that returns." },
        [RULE_DATA_LAYOUT] = { "data-layout", "Keep new members in a shadow variable (--with, <hotpatch/shadow.h>)." },
        [RULE_DATA_VALUE] = { "data-value", "Leave that line out, and set the new value from a callback (--with)." },
        [RULE_DATA_REMOVED] = { "data-removed", "Keep the old variable under its old name." },
        [RULE_EXPORT_CHANGED] = { "export-changed", "Keep the exported symbol and its type; modules were built against them." },
        [RULE_STATIC_KEY] = { "static-key", "Use static_key_enabled() in the changed function." },
        [RULE_TRACEPOINT] = { "tracepoint", "Leave the new tracepoint out." },
        [RULE_MODULE_INTERFACE] = { "module-interface", "Leave it out; it is read only when the module is loaded or the kernel boots." },
        [RULE_INDIRECT_CALL] = { "indirect-call", "Pass a function of the fix that calls it directly." },
        [RULE_LATE_SYMBOL] = { "late-symbol", "Use a symbol of the kernel itself there." },
        [RULE_UNSUPPORTED] = { "unsupported", "Write the change in another way; hotpatch-build does not guess." },
};

void findings_done(Findings *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->items[i].object);
                free(f->items[i].file);
                free(f->items[i].subject);
                free(f->items[i].text);
        }
        free(f->items);
        *f = (Findings) {};
}

static bool same_finding(const Finding *a, const Finding *b) {
        return a->rule == b->rule && streq_ptr(a->object, b->object) && streq_ptr(a->file, b->file) &&
                streq_ptr(a->subject, b->subject) && streq(a->text, b->text);
}

static int copy_string(const char *s, char **ret) {
        *ret = s ? strdup(s) : NULL;
        return s && !*ret ? -ENOMEM : 0;
}

static int add(Findings *f, Finding *item) {
        Finding *grown;
        int r;

        r = copy_string(f->object, &item->object);
        if (r < 0)
                return r;
        r = copy_string(f->file, &item->file);
        if (r < 0)
                return r;
        for (size_t i = 0; i < f->n; i++)
                if (same_finding(f->items + i, item))
                        return 0; /* two ways led to the same place */
        grown = reallocarray(f->items, f->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        f->items = grown;
        grown[f->n++] = *item;
        *item = (Finding) {};
        return 0;
}

static int add_format(Findings *f, Rule rule, bool refused, const char *subject, const char *format, va_list ap) {
        Finding item = { .rule = rule, .refused = refused };
        int r;

        r = copy_string(subject, &item.subject);
        if (r == 0)
                r = str_vprintf(&item.text, format, ap);
        if (r == 0)
                r = add(f, &item);
        free(item.object);
        free(item.file);
        free(item.subject);
        free(item.text);
        return r;
}

/**
 * findings_refuse() - one more reason why there will be no bundle
 * @rule: what is broken
 * @subject: function, data or type; optional
 * @format: one sentence without final full stop; names in single quotes
 *
 * Return: 0 or -ENOMEM.
 */
int findings_refuse(Findings *f, Rule rule, const char *subject, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = add_format(f, rule, true, subject, format, ap);
        va_end(ap);
        return r;
}

/** findings_remark() - like findings_refuse(), for what an author should know and decide */
int findings_remark(Findings *f, Rule rule, const char *subject, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = add_format(f, rule, false, subject, format, ap);
        va_end(ap);
        return r;
}

size_t findings_refusals(const Findings *f) {
        size_t n = 0;

        for (size_t i = 0; i < f->n; i++)
                n += f->items[i].refused;
        return n;
}

const char *rule_name(Rule rule) {
        return rules[rule].name;
}

const char *rule_advice(Rule rule) {
        return rules[rule].advice;
}
