/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Why a function counts as changed, in words.
 *
 * A person who reads "the code differs from +0x10 on" learns nothing; that the new code calls a function
 * which the old one did not is what the author of the fix wrote. So calls come first, then other
 * references, then bytes.
 */

#include <elf.h>
#include <inttypes.h>

#include "builder/compare/compare-internal.h"
#include "util/str.h"

/* Thunks are how the compiler returns and calls, not what the source says. */
static bool names_something(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;

        return s->type != STT_SECTION && *s->name && !startswith(s->name, ".L") && !startswith(s->name, "__x86_") &&
                !(object_symbol_is_defined(o, symbol) && o->sections[s->section].kind == OBJECT_STRINGS);
}

/* Is the field the target of a call, or of the jump that a call at the end becomes? No memory operand
 * has the byte of either opcode before its displacement. */
static bool is_call(const Object *o, const ObjectSymbol *function, const ObjectRelocation *r) {
        const uint8_t *data = o->sections[function->section].data;

        return data && r->offset > function->value && (data[r->offset - 1] | 1) == 0xe9 &&
                (r->type == R_X86_64_PLT32 || r->type == R_X86_64_PC32);
}

/* The first thing @function refers to in @o that its counterpart in @other does not. */
static const ObjectRelocation *only_here(const Object *o, uint32_t function, const Object *other,
                uint32_t counterpart, const Changes *c, bool calls) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, function, &n);

        for (size_t i = 0; i < n; i++) {
                uint32_t there = o == c->after ? c->symbols[r[i].symbol].before : c->after_of[r[i].symbol];

                if (names_something(o, r[i].symbol) && is_call(o, o->symbols + function, r + i) == calls &&
                                object_function_parent(o, r[i].symbol) != object_function_parent(o, function) &&
                                (!there || !object_symbol_refers_to(other, counterpart, there)))
                        return r + i;
        }
        return NULL;
}

static int say(char **ret, const char *format, ...) _printf_(2, 3);
static int say(char **ret, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(ret, format, ap);
        va_end(ap);
        return r < 0 ? r : 1;
}

/* Return: 1: said, 0: nothing of that kind, or -ENOMEM. */
static int why_reference(const Comparison *x, uint32_t before, uint32_t after, char **ret) {
        const ObjectSymbol *f = x->after->symbols + after;

        for (unsigned calls = 2; calls-- > 0;) {
                const ObjectRelocation *r =
                        only_here(x->after, after, x->before, before, x->changes, calls);

                if (r)
                        return calls ? say(ret, "calls '%s' at +0x%" PRIx64 ", which the old code did not",
                                               x->after->symbols[r->symbol].name, r->offset - f->value)
                                     : say(ret, "refers to '%s' at +0x%" PRIx64 ", which the old code did not",
                                               x->after->symbols[r->symbol].name, r->offset - f->value);
                r = only_here(x->before, before, x->after, after, x->changes, calls);
                if (r)
                        return calls ? say(ret, "does not call '%s' any more",
                                               x->before->symbols[r->symbol].name)
                                     : say(ret, "does not refer to '%s' any more",
                                               x->before->symbols[r->symbol].name);
        }
        return 0;
}

/**
 * why() - say why a function counts as changed
 * @before, @after: the function
 * @d: the first difference
 * @ret: a phrase whose subject is the function; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int why(const Comparison *x, uint32_t before, uint32_t after, const Difference *d, char **ret) {
        int r;

        if (d->kind == DIFFERENCE_TABLE)
                r = say(ret, "has another entry in '%s' for +0x%" PRIx64, d->table, d->offset);
        else {
                r = why_reference(x, before, after, ret);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (d->kind == DIFFERENCE_REFERENCE && d->after && names_something(x->after, d->after->symbol))
                        r = say(ret, "refers to another place in '%s' at +0x%" PRIx64,
                                x->after->symbols[d->after->symbol].name, d->offset);
                else if (d->kind == DIFFERENCE_REFERENCE)
                        r = say(ret, "refers to another constant at +0x%" PRIx64, d->offset);
                else
                        r = say(ret, "the code differs from +0x%" PRIx64 " on", d->offset);
        }
        return r < 0 ? r : 0;
}
