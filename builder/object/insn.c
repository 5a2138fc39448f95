/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * x86-64 instructions, as far as the builder asks about them: where one ends, which of its bytes are a
 * displacement or an immediate, and whether two do the same but for these. What an instruction reads
 * and writes is not asked here; nothing in the builder reasons about registers.
 *
 * The decoding is Zydis'. It is called without a decoder of our own that would have to be kept: to
 * initialise one is a few stores.
 */

#include "builder/object/insn.h"

#include <Zydis/Zydis.h>

/* FNV-1a, 64 bits (draft-eastlake-fnv). It need not resist anybody: both sides come out of a compiler. */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* Prefixes that mean something beside what the operands already say (a segment is part of one). */
#define PREFIXES                                                                                  \
        (ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |                   \
         ZYDIS_ATTRIB_HAS_REPNE | ZYDIS_ATTRIB_HAS_BND | ZYDIS_ATTRIB_HAS_XACQUIRE |              \
         ZYDIS_ATTRIB_HAS_XRELEASE | ZYDIS_ATTRIB_HAS_NOTRACK | ZYDIS_ATTRIB_HAS_BRANCH_NOT_TAKEN | \
         ZYDIS_ATTRIB_HAS_BRANCH_TAKEN)

static uint64_t hash_add(uint64_t hash, uint64_t value) {
        for (size_t i = 0; i < sizeof(value); i++)
                hash = (hash ^ (value >> (8 * i) & 0xff)) * FNV_PRIME;
        return hash;
}

static uint64_t hash_operand(uint64_t hash, const ZydisDecodedOperand *o) {
        hash = hash_add(hash, (uint64_t) o->type << 32 | o->size);
        switch (o->type) {
        case ZYDIS_OPERAND_TYPE_REGISTER:
                return hash_add(hash, o->reg.value);
        case ZYDIS_OPERAND_TYPE_MEMORY:
                hash = hash_add(hash, (uint64_t) o->mem.segment << 32 | o->mem.base);
                return hash_add(hash, (uint64_t) o->mem.index << 32 | o->mem.scale);
        default:
                return hash;
        }
}

/*
 * An instruction with an immediate has other opcodes for other sizes of it (add: 83, 81, 05), so the
 * opcode counts only where there is none; there it tells the two directions of a `mov` apart.
 */
static uint64_t hash_instruction(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *operands) {
        uint64_t hash = hash_add(FNV_OFFSET, i->mnemonic);

        hash = hash_add(hash, i->attributes & PREFIXES);
        hash = hash_add(hash, (uint64_t) i->encoding << 32 | i->operand_width);
        if (i->raw.imm[0].size == 0)
                hash = hash_add(hash, (uint64_t) i->opcode_map << 32 | i->opcode);
        else if (i->raw.imm[0].is_relative)
                return hash; /* the size of the distance is that of its operand */
        for (size_t k = 0; k < i->operand_count_visible; k++)
                if (operands[k].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
                        hash = hash_add(hash, ZYDIS_OPERAND_TYPE_IMMEDIATE);
                else
                        hash = hash_operand(hash, operands + k);
        return hash;
}

static InsnKind insn_kind(const ZydisDecodedInstruction *i) {
        bool relative = i->raw.imm[0].is_relative;

        switch (i->mnemonic) {
        case ZYDIS_MNEMONIC_CALL:
                return relative ? INSN_CALL : INSN_OTHER;
        case ZYDIS_MNEMONIC_JMP:
                return relative ? INSN_JUMP : INSN_OTHER;
        case ZYDIS_MNEMONIC_NOP:
                return INSN_NOP;
        case ZYDIS_MNEMONIC_INT3:
                return INSN_INT3;
        case ZYDIS_MNEMONIC_RET:
                return i->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR ? INSN_RETURN : INSN_OTHER;
        default:
                return relative && i->meta.category == ZYDIS_CATEGORY_COND_BR ? INSN_CONDITIONAL_JUMP :
                                                                                INSN_OTHER;
        }
}

static bool decode(const uint8_t *code, size_t size, ZydisDecodedInstruction *ret,
                ZydisDecodedOperand operands[static ZYDIS_MAX_OPERAND_COUNT]) {
        ZydisDecoder decoder;

        return ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
                ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, size, ret, operands));
}

/**
 * insn_decode() - the instruction that begins at a place
 * @code: its first byte
 * @size: of what may be read
 * @ret: the instruction
 *
 * Return: 0, or -EBADMSG when the bytes are no instruction or end within one.
 */
int insn_decode(const uint8_t *code, size_t size, Insn *ret) {
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        ZydisDecodedInstruction i;
        size_t last;

        if (!decode(code, size, &i, operands))
                return -EBADMSG;
        last = i.raw.imm[1].size > 0 ? 1 : 0;
        *ret = (Insn) {
                .kind = insn_kind(&i),
                .length = i.length,
                .displacement_offset = i.raw.disp.size > 0 ? i.raw.disp.offset : 0,
                .displacement_size = i.raw.disp.size / 8,
                .displacement = i.raw.disp.size > 0 ? i.raw.disp.value : 0,
                .immediate_offset = i.raw.imm[last].size > 0 ? i.raw.imm[last].offset : 0,
                .immediate_size = i.raw.imm[last].size / 8,
                .immediate = i.raw.imm[last].size > 0 ? i.raw.imm[last].value.s : 0,
                /* Modes 0 with r/m 5: Intel SDM volume 2, section 2.2.1.6. */
                .rip_relative = i.attributes & ZYDIS_ATTRIB_IS_RELATIVE && i.raw.disp.size == 32,
                .operation = hash_instruction(&i, operands),
        };
        return 0;
}

/**
 * insn_format() - an instruction as text, in the kernel's notation (AT&T)
 * @code: its first byte
 * @size: of what may be read
 * @address: where it lies; branch targets and rip-relative operands are shown as addresses
 * @ret: the text; free with free()
 *
 * Return: 0, -EBADMSG when the bytes are no instruction, or -ENOMEM.
 */
int insn_format(const uint8_t *code, size_t size, uint64_t address, char **ret) {
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        ZydisDecodedInstruction i;
        ZydisFormatter formatter;
        char text[256];
        char *copy;

        if (!decode(code, size, &i, operands) ||
            ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)) ||
            ZYAN_FAILED(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
                                                  ZYDIS_PADDING_DISABLED)) ||
            ZYAN_FAILED(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_DISP_PADDING,
                                                  ZYDIS_PADDING_DISABLED)) ||
            ZYAN_FAILED(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_IMM_PADDING,
                                                  ZYDIS_PADDING_DISABLED)) ||
            ZYAN_FAILED(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE)) ||
            ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &i, operands, i.operand_count_visible, text,
                                                        sizeof(text), address, ZYAN_NULL)))
                return -EBADMSG;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
