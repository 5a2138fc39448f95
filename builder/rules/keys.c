/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Static keys and tracepoints.
 *
 * A static branch is a jump or a NOP in the code, and an entry in __jump_table that names the key. The
 * loader reads the entries of a patch module before livepatch resolves symbols of modules, so the key
 * has to be the kernel's or the patch module's own. Keys of debug messages are copied with their
 * message; those of tracepoints of a module are left out by extraction, with a remark there.
 *
 * The kernel does not register tracepoints of modules that taint it as livepatches do
 * (kernel/tracepoint.c, trace_module_has_bad_taint()), so a new one would never fire.
 */

#include "builder/rules/data.h"
#include "builder/rules/internal.h"

/* include/linux/jump_label.h: struct jump_entry { s32 code; s32 target; long key; } */
#define JUMP_ENTRY_SIZE 16U
#define JUMP_ENTRY_KEY 8U

static bool is_tracepoint(const char *name) {
        return startswith(name, "__tracepoint_");
}

/* Is the key part of the module that the object belongs to, or of another one? */
static bool key_in_module(const RuleInput *in, uint32_t key) {
        const Object *o = in->changes->after;
        const ImageSymbol *const *found;

        if (object_symbol_is_defined(o, key))
                return in->changes->symbols[key].kind != CHANGE_NEW && !streq(in->image->object, "vmlinux");
        return image_find(in->kernel, o->symbols[key].name, &found) == 0;
}

static int check_key(const RuleInput *in, uint32_t function, uint32_t key, Findings *findings) {
        const Object *o = in->changes->after;
        const char *name = o->symbols[key].name, *user = o->symbols[function].name;

        if (is_tracepoint(name) || (object_symbol_is_defined(o, key) && data_is_private(o, key)))
                return 0;
        if (key_in_module(in, key))
                return findings_refuse(findings, RULE_STATIC_KEY, name,
                                "'%s' asks the static key '%s', which belongs to a module: the kernel needs it "
                                "before it knows where the module is", user, name);
        if (in->changes->symbols[key].kind == CHANGE_NEW)
                return findings_remark(findings, RULE_STATIC_KEY, name,
                                "the static key '%s' is new: it lives in the patch, and begins anew when the patch "
                                "is applied again", name);
        return 0;
}

static int check_table(const RuleInput *in, const ObjectSection *s, Findings *findings) {
        const Changes *c = in->changes;

        for (uint64_t at = 0; at + JUMP_ENTRY_SIZE <= s->size; at += JUMP_ENTRY_SIZE) {
                const ObjectRelocation *code = object_relocation_at(s, at),
                                       *key = object_relocation_at(s, at + JUMP_ENTRY_KEY);
                int r;

                if (!code || !key || !object_symbol_is_function(c->after, code->symbol) ||
                                !change_is_taken(c, code->symbol))
                        continue;
                r = check_key(in, object_function_parent(c->after, code->symbol), key->symbol, findings);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_tracepoints(const Changes *c, Findings *findings) {
        int r = 0;

        for (uint32_t i = 1; i < c->after->n_symbols && r == 0; i++) {
                const ObjectSymbol *s = c->after->symbols + i;

                if (is_tracepoint(s->name) && object_symbol_is_defined(c->after, i) &&
                                object_find(c->before, s->name) == 0)
                        r = findings_refuse(findings, RULE_TRACEPOINT, s->name + strlen("__tracepoint_"),
                                        "the tracepoint '%s' is new; the kernel registers none of a patch module",
                                        s->name + strlen("__tracepoint_"));
        }
        return r;
}

int rule_keys(const RuleInput *in, Findings *findings) {
        const Object *o = in->changes->after;
        int r;

        r = check_tracepoints(in->changes, findings);
        for (size_t i = 1; i < o->n_sections && r == 0; i++)
                if (streq(o->sections[i].name, "__jump_table") || startswith(o->sections[i].name, "__jump_table."))
                        r = check_table(in, o->sections + i, findings);
        return r;
}
