/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a relocated field leads to: here a symbol of the object, there an address.
 *
 * For code the name decides, and that one symbol is always at one address; for strings and constants,
 * which the linker merges and moves, their bytes decide; for the rest of the same function, that it is
 * the same instruction. A name that occurs many times in a kernel only narrows it down; what is then
 * believed is believed for the whole object.
 */

#include "builder/match/matcher.h"

#include <elf.h>

/* The .cold part's address: that of its name, if it is there that the image's branch leads. */
static uint64_t cold_address(const Matcher *m, uint32_t symbol, int64_t delta, uint64_t target) {
        const ImageSymbol *at = image_covering(m->image, target);

        if (at && streq(at->name, m->object->symbols[symbol].name))
                return at->address;
        return target - (uint64_t) delta;
}

/* A place in the function: remember it, and the part it is in. */
static int check_inner(Matcher *m, Body *b, const Branch *branch, uint32_t symbol) {
        const ObjectSymbol *s = m->object->symbols + symbol;
        int r;

        if (symbol != b->function) {
                r = body_add_part(b, symbol, s->section, s->value, s->value + s->size,
                                  cold_address(m, symbol, (int64_t) (branch->target - s->value), branch->address));
                if (r <= 0)
                        return r < 0 ? r : explain_reference(m, b, branch->from_section, branch->from, symbol,
                                                             branch->address);
        }
        r = body_add_branch(b, branch);
        return r < 0 ? r : 1;
}

/* asm/cpufeature.h, _static_cpu_has(): a test and two jumps, out of line until alternatives are in. */
static int check_auxiliary(Matcher *m, Body *b, const Branch *branch) {
        const ObjectSection *s = m->object->sections + branch->section;
        uint64_t end = branch->target;
        Insn i = {};
        int r;

        while (i.kind != INSN_JUMP) {
                if (end >= s->size || !s->data || insn_decode(s->data + end, s->size - end, &i) < 0)
                        return explain_instruction(m, b, branch->from_section, branch->from);
                end += i.length;
        }
        r = body_add_part(b, 0, branch->section, branch->target, end, branch->address);
        if (r <= 0)
                return r < 0 ? r : explain_instruction(m, b, branch->from_section, branch->from);
        r = body_add_branch(b, branch);
        return r < 0 ? r : 1;
}

/* Has the image a symbol with that base name there? Numbers of static locals may differ. */
static bool base_name_at(const Matcher *m, const char *name, uint64_t address) {
        size_t length = object_base_name_length(name), n;
        const ImageSymbol *at = NULL;

        n = image_symbols_at(m->image, address, &at);
        for (size_t i = 0; i < n; i++)
                if (object_base_name_length(at[i].name) == length && strncmp(at[i].name, name, length) == 0)
                        return true;
        return n == 0;
}

/**
 * reference_named() - may the image's symbol for one of the object be at an address, by its name?
 */
bool reference_named(const Matcher *m, uint32_t symbol, uint64_t address) {
        const ObjectSymbol *s = m->object->symbols + symbol;
        const ImageSymbol *const *found;
        size_t n = image_find(m->image, s->name, &found);

        for (size_t i = 0; i < n; i++)
                if (found[i]->address == address)
                        return true;
        if (!object_symbol_is_defined(m->object, symbol))
                return n == 0 && s->bind == STB_WEAK && address == 0;
        return n == 0 && !object_symbol_is_function(m->object, symbol) && base_name_at(m, s->name, address);
}

static int check_symbol(Matcher *m, Body *b, const Branch *branch, uint32_t symbol, int64_t delta) {
        const ObjectSymbol *s = m->object->symbols + symbol;
        uint64_t address = branch->address - (uint64_t) delta;
        const Known *known = m->known + symbol;
        bool defined = object_symbol_is_defined(m->object, symbol);
        int r;

        if (!reference_named(m, symbol, address) || (known->set && known->address != address))
                return explain_reference(m, b, branch->from_section, branch->from, symbol, branch->address);
        if (defined && s->section < m->object->n_sections && s->bind == STB_LOCAL &&
            m->object->sections[s->section].kind == OBJECT_READ_ONLY &&
            !streq(m->object->sections[s->section].name, ".BTF_ids") && /* resolve_btfids fills it in */
            !content_same(m, s->section, (int64_t) s->value, s->size, address))
                return explain_reference(m, b, branch->from_section, branch->from, symbol, branch->address);
        r = body_add_place(b, symbol, address);
        return r < 0 ? r : 1;
}

/* How far the addend of a relocation in code leads from its symbol: what an instruction adds to a
 * pc-relative field is taken away. */
static int64_t reach(const Matcher *m, const Branch *branch, const ObjectRelocation *r) {
        const ObjectSection *s = m->object->sections + branch->from_section;
        Insn i;

        if ((r->type != R_X86_64_PC32 && r->type != R_X86_64_PLT32) ||
            insn_decode(s->data + branch->from.offset, s->size - branch->from.offset, &i) < 0)
                return r->addend;
        return r->addend + (int64_t) (branch->from.offset + i.length - r->offset);
}

/*
 * A mergeable string or constant. gas names the section only for the beginning of one, and keeps the
 * label for every other place ("end of the string", even past it), because what is next to it here is
 * not next to it in the image. So what has to be the same is what is at the label, and the distance.
 */
static bool same_constant(const Matcher *m, const Branch *branch, const ObjectRelocation *r) {
        const ObjectSection *s = m->object->sections + branch->section;
        int64_t offset = (int64_t) branch->target, label = offset - reach(m, branch, r);

        for (int i = 0; i < 2; i++) {
                /* A label at 0 looks like the section: try both. */
                int64_t from = i == 0 && label == 0 ? offset : label;
                uint64_t address = branch->address - (uint64_t) (offset - from);

                if (s->flags & SHF_STRINGS ? content_string_same(m, branch->section, from, address) :
                                             content_same(m, branch->section, from, s->entry_size, address))
                        return true;
        }
        return false;
}

/* A place in a section that no symbol covers. */
static int check_anonymous(Matcher *m, Body *b, const Branch *branch, const ObjectRelocation *relocation) {
        const ObjectSection *s = m->object->sections + branch->section;
        uint64_t base = branch->address - (uint64_t) relocation->delta;
        bool same = true;
        int r;

        if (streq(s->name, ".altinstr_aux"))
                return check_auxiliary(m, b, branch);
        if (s->size == 0)
                return 1;
        if (s->kind == OBJECT_STRINGS)
                same = same_constant(m, branch, relocation);
        else if (s->kind == OBJECT_READ_ONLY)
                same = content_same(m, branch->section, 0, s->size, base);
        else {
                r = body_add_place(b, relocation->symbol, base);
                return r < 0 ? r : 1;
        }
        return same ? 1 : explain_reference(m, b, branch->from_section, branch->from, relocation->symbol,
                                            branch->address);
}

/**
 * reference_check() - does a field of the image lead to what the object's relocation means?
 * @section, @at: the instruction
 * @relocation: in the object
 * @target: where the image's field leads
 *
 * Return: 1 yes, as far as can be told now, 0 no (b->difference says why), or a negative errno.
 */
int reference_check(Matcher *m, Body *b, uint32_t section, Point at, const ObjectRelocation *relocation,
                uint64_t target) {
        const ObjectSymbol *s = m->object->symbols + relocation->symbol;
        Branch branch = {
                .section = s->section,
                .target = s->value + (uint64_t) relocation->delta,
                .address = target,
                .from = at,
                .from_section = section,
        };

        if (object_function_parent(m->object, relocation->symbol) == b->function)
                return check_inner(m, b, &branch, relocation->symbol);
        if (object_symbol_is_defined(m->object, relocation->symbol) && s->type == STT_SECTION)
                return check_anonymous(m, b, &branch, relocation);
        return check_symbol(m, b, &branch, relocation->symbol, relocation->delta);
}
