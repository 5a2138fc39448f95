/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is read when the kernel boots or a module is loaded, and by what: parameters, device tables,
 * initcalls, descriptions of system calls and trace events, .modinfo. All of it has been read; a change
 * would have no effect, or half of one. Texts for people (author, description) are no loss, and are
 * remarked.
 */

#include "builder/rules/internal.h"

/* By section or by name of the data; a `*` at the end: and whatever follows. */
static const struct {
        const char *section;
        const char *name;
        const char *what;
        Rule rule;
} rows[] = {
        { "__param", NULL, "is a module parameter", RULE_MODULE_INTERFACE },
        { "__modver", NULL, "is a module version", RULE_MODULE_INTERFACE },
        { "__syscalls_metadata*", NULL, "describes a system call", RULE_MODULE_INTERFACE },
        { NULL, "__syscall_meta_*", "describes a system call", RULE_MODULE_INTERFACE },
        { NULL, "types__*", "describes a system call", RULE_MODULE_INTERFACE },
        { NULL, "args__*", "describes a system call", RULE_MODULE_INTERFACE },
        { NULL, "event_enter__*", "describes a system call", RULE_MODULE_INTERFACE },
        { NULL, "event_exit__*", "describes a system call", RULE_MODULE_INTERFACE },
        { "_ftrace_events*", NULL, "describes a trace event", RULE_TRACEPOINT },
        { "_ftrace_eval_map*", NULL, "describes a trace event", RULE_TRACEPOINT },
        { "__tracepoints*", NULL, "is a tracepoint", RULE_TRACEPOINT },
        { "__bpf_raw_tp_map*", NULL, "is a tracepoint", RULE_TRACEPOINT },
        { NULL, "trace_event_fields_*", "describes a trace event", RULE_TRACEPOINT },
        { NULL, "trace_event_type_funcs_*", "describes a trace event", RULE_TRACEPOINT },
        { NULL, "print_fmt_*", "describes a trace event", RULE_TRACEPOINT },
        { NULL, "event_class_*", "describes a trace event", RULE_TRACEPOINT },
        { ".BTF_ids", NULL, "tells BPF which functions it may call", RULE_MODULE_INTERFACE },
};

static bool fits(const char *pattern, const char *name) {
        size_t n = strlen(pattern);

        return pattern[n - 1] == '*' ? strncmp(pattern, name, n - 1) == 0 : streq(pattern, name);
}

/* include/linux/module.h: MODULE_DEVICE_TABLE(type, table) makes an alias of the table */
static bool is_device_table(const Object *o, uint32_t symbol) {
        for (uint32_t i = 1; i < o->n_symbols; i++) {
                const ObjectSymbol *s = o->symbols + i;

                if (s->section == o->symbols[symbol].section && s->value == o->symbols[symbol].value &&
                                startswith(s->name, "__mod_") && strstr(s->name, "_device_table"))
                        return true;
        }
        return false;
}

static const char *what_is(const Object *o, uint32_t symbol, Rule *ret_rule) {
        const ObjectSection *s = symbol_section(o, symbol);

        if (!s || o->symbols[symbol].type == STT_SECTION)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (rows[i].section ? fits(rows[i].section, s->name) : fits(rows[i].name, o->symbols[symbol].name)) {
                        *ret_rule = rows[i].rule;
                        return rows[i].what;
                }
        *ret_rule = RULE_MODULE_INTERFACE;
        return is_device_table(o, symbol) ? "is a table of devices" : NULL;
}

/** interface_data() - is that data part of a table that this file has rules for? */
bool interface_data(const Object *o, uint32_t symbol) {
        Rule rule;

        return what_is(o, symbol, &rule) != NULL;
}

static int check_data(const Changes *c, Findings *findings) {
        for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                const char *name = c->after->symbols[i].name, *what;
                Rule rule;
                int r;

                if (c->symbols[i].kind != CHANGE_CHANGED || object_symbol_is_function(c->after, i))
                        continue;
                what = what_is(c->after, i, &rule);
                /* The alias of a device table says the same once more. */
                if (!what || startswith(name, "__mod_"))
                        continue;
                r = findings_refuse(findings, rule, name, "'%s' changed; it %s, and has been read already", name, what);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_parameters(const Changes *c, Findings *findings) {
        int r = 0;

        for (uint32_t i = 1; i < c->after->n_symbols && r == 0; i++) {
                const ObjectSection *s = symbol_section(c->after, i);
                const char *name = startswith(c->after->symbols[i].name, "__param_");

                if (s && name && streq(s->name, "__param") && object_find(c->before, c->after->symbols[i].name) == 0)
                        r = findings_refuse(findings, RULE_MODULE_INTERFACE, name,
                                        "the module parameter '%s' is new; parameters are made when a module is loaded",
                                        name);
        }
        for (uint32_t i = 1; i < c->before->n_symbols && r == 0; i++) {
                const ObjectSection *s = symbol_section(c->before, i);
                const char *name = startswith(c->before->symbols[i].name, "__param_");

                if (s && name && streq(s->name, "__param") && object_find(c->after, c->before->symbols[i].name) == 0)
                        r = findings_refuse(findings, RULE_MODULE_INTERFACE, name,
                                        "the module parameter '%s' is gone, but the running kernel still has it", name);
        }
        return r;
}

/* Is there an initcall of that function, in a section of that name? */
static bool has_initcall(const Object *o, const char *section, const char *function) {
        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                if (!streq(s->name, section))
                        continue;
                for (size_t k = 0; k < s->n_relocations; k++)
                        if (streq(o->symbols[s->relocations[k].symbol].name, function))
                                return true;
        }
        return false;
}

static int compare_initcalls(const Object *a, const Object *b, const char *verb, Findings *findings) {
        int r = 0;

        for (size_t i = 1; i < a->n_sections; i++) {
                const ObjectSection *s = a->sections + i;

                if (!startswith(s->name, ".initcall") && !startswith(s->name, ".con_initcall"))
                        continue;
                for (size_t k = 0; k < s->n_relocations && r == 0; k++) {
                        const char *name = a->symbols[s->relocations[k].symbol].name;

                        if (!has_initcall(b, s->name, name))
                                r = findings_refuse(findings, RULE_MODULE_INTERFACE, name,
                                                "the initcall '%s' %s; initcalls have run", name, verb);
                }
        }
        return r;
}

static bool modinfo_has(const ObjectSection *s, const char *line) {
        const char *p = (const char *) s->data, *end = p + s->size;

        for (; p < end; p += strnlen(p, (size_t) (end - p)) + 1)
                if (strncmp(p, line, (size_t) (end - p)) == 0)
                        return true;
        return false;
}

static const ObjectSection *find_section(const Object *o, const char *name) {
        for (size_t i = 1; i < o->n_sections; i++)
                if (streq(o->sections[i].name, name) && o->sections[i].data && o->sections[i].size > 0)
                        return o->sections + i;
        return NULL;
}

/* Lines that @a has and @b has not. In compiled objects each begins with the module's name and a dot,
 * if it is built in, and is not checked for that. */
static int compare_modinfo(const Object *a, const Object *b, const char *verb, Findings *findings) {
        const ObjectSection *s = find_section(a, ".modinfo"), *t = find_section(b, ".modinfo");
        const char *p, *end;
        int r = 0;

        if (!s || s->data[s->size - 1] != '\0')
                return 0;
        p = (const char *) s->data;
        end = p + s->size;
        for (; p < end && r == 0; p += strlen(p) + 1) {
                if (!*p || (t && modinfo_has(t, p)))
                        continue;
                r = findings_remark(findings, RULE_MODULE_INTERFACE, p, "the module information '%s' %s", p, verb);
        }
        return r;
}

int rule_interface(const RuleInput *in, Findings *findings) {
        const Changes *c = in->changes;
        int r;

        r = check_data(c, findings);
        if (r == 0)
                r = check_parameters(c, findings);
        if (r == 0)
                r = compare_initcalls(c->after, c->before, "is new", findings);
        if (r == 0)
                r = compare_initcalls(c->before, c->after, "is gone", findings);
        if (r == 0)
                r = compare_modinfo(c->after, c->before, "is new", findings);
        if (r == 0)
                r = compare_modinfo(c->before, c->after, "is gone", findings);
        return r;
}
