/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One x86-64 instruction: how long it is, and which of its bytes are an address. */

#include "util/base.h"

#define INSN_MAX 15U /* Intel SDM volume 2, section 2.3.11 */

typedef enum InsnKind {
        INSN_OTHER,
        INSN_CALL,  /* near, relative */
        INSN_JUMP,  /* near or short, relative */
        INSN_CONDITIONAL_JUMP,
        INSN_NOP,   /* any length, endbr64 not */
        INSN_INT3,
        INSN_RETURN,
} InsnKind;

/**
 * struct Insn - offsets in bytes from the first byte of the instruction; a size of 0: it has none
 * @displacement_offset, @displacement_size: of the memory operand
 * @immediate_offset, @immediate_size: of the last immediate, or of the branch distance
 * @rip_relative: the memory operand is counted from the end of the instruction
 * @operation: equal for two instructions that differ at most in displacement and immediate, in their
 *   values and in their sizes (a short and a near jump are equal); nothing else is known about it
 */
typedef struct Insn {
        InsnKind kind;
        uint8_t length;
        uint8_t displacement_offset;
        uint8_t displacement_size;
        uint8_t immediate_offset;
        uint8_t immediate_size;
        bool rip_relative;
        int64_t displacement;
        int64_t immediate;
        uint64_t operation;
} Insn;

int insn_decode(const uint8_t *code, size_t size, Insn *ret) _must_check_ _nonnull_(1, 3);
int insn_format(const uint8_t *code, size_t size, uint64_t address, char **ret) _must_check_ _nonnull_(1, 4);
