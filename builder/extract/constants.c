/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Constants that the kernel writes into its own code when it starts (from 6.12 on,
 * arch/x86/include/asm/runtime-const.h): `mov $0x0123456789abcdef, %reg`, with the place of the number in
 * section runtime_ptr_NAME, becomes the value of the variable NAME. Nobody does that for modules, whose
 * code is compiled to read the variable. So the instruction is made into the one that a module would
 * have: `mov NAME(%rip), %reg`, which is shorter by three bytes.
 *
 * There is no such instruction of the right size for runtime_shift_NAME; those are refused with the tables
 * that are not known.
 */

#include "builder/extract/extract-internal.h"

#define SECTION_PREFIX "runtime_ptr_"

/* Intel SDM volume 2: REX.W (and .B), MOV r64, imm64; REX.W (and .R), MOV r64, r/m64; NOP of three bytes */
#define REX_W 0x48
#define REX_B 0x01
#define REX_R 0x04
#define MOV_IMMEDIATE 0xb8
#define MOV_LOAD 0x8b
#define MODRM_RIP 0x05
#define PLACEHOLDER 0x0123456789abcdefULL

static const uint8_t nop_3[] = { 0x0f, 0x1f, 0x00 };

/** is_constant_section() - does it say where a constant of the kernel's start is? */
bool is_constant_section(const ObjectSection *s) {
        return startswith(s->name, SECTION_PREFIX) != NULL;
}

static bool is_placeholder(const ObjectSection *s, const Piece *p, uint64_t field) {
        const uint8_t *b = s->data + field;
        uint64_t value;

        if (field < p->start + 2 || field + sizeof(value) > p->end)
                return false;
        memcpy(&value, b, sizeof(value));
        return value == PLACEHOLDER && (b[-2] & ~REX_B) == REX_W && (b[-1] & ~7) == MOV_IMMEDIATE;
}

static int take_constant(Extractor *e, size_t piece, const char *name, uint64_t field) {
        const Piece *p = e->pieces + piece;
        size_t symbol;
        int r;

        if (!is_placeholder(e->object->sections + p->section, p, field))
                return findings_refuse(e->findings, RULE_UNSUPPORTED, name,
                        "The code uses the constant '%s' of the kernel's start in a way that is not known", name);
        r = external_named(e, name, &symbol);
        return r <= 0 ? r : APPEND(e->constants, e->n_constants, (Constant) { p->section, field, symbol });
}

/**
 * constants_scan() - the constants of the kernel's start in a piece of code
 * @e: the extraction
 * @piece: the code
 *
 * Return: 0, also when a finding says why not, or a negative errno.
 */
int constants_scan(Extractor *e, size_t piece) {
        const Object *o = e->object;
        int r = 0;

        for (uint32_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                for (size_t n = 0; is_constant_section(s) && n < s->n_relocations && r >= 0; n++) {
                        const ObjectRelocation *rel = s->relocations + n;
                        uint64_t at = place_offset(o, rel);

                        if (place_section(o, rel) == e->pieces[piece].section && at >= e->pieces[piece].start &&
                                        at < e->pieces[piece].end)
                                r = take_constant(e, piece, s->name + strlen(SECTION_PREFIX), at);
                }
        }
        return r;
}

/**
 * constants_copy() - make loads of the constants in a piece that was copied
 * @e: the extraction
 * @p: the piece
 *
 * Return: 0 or -ENOMEM.
 */
int constants_copy(Extractor *e, const Piece *p) {
        for (size_t i = 0; i < e->n_constants; i++) {
                const Constant *c = e->constants + i;
                uint8_t *code, rex, reg;
                int r;

                if (c->section != p->section || c->offset < p->start || c->offset >= p->end)
                        continue;
                code = e->output.sections[p->to].data + p->at + (c->offset - p->start) - 2;
                rex = code[0];
                reg = code[1] & 7;
                code[0] = (uint8_t) (REX_W | (rex & REX_B ? REX_R : 0));
                code[1] = MOV_LOAD;
                code[2] = (uint8_t) (MODRM_RIP | reg << 3);
                memset(code + 3, 0, 4);
                memcpy(code + 7, nop_3, sizeof(nop_3));
                r = output_relocate(&e->output, p->to, &(OutputRelocation) {
                        .offset = p->at + (c->offset - p->start) + 1,
                        .type = R_X86_64_PC32,
                        .symbol = c->symbol,
                        .addend = -4,
                });
                if (r < 0)
                        return r;
        }
        return 0;
}
