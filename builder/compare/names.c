/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names, without what moves when something unrelated moves.
 *
 * gcc numbers static locals and variants of functions through the whole file, and __COUNTER__ numbers
 * __UNIQUE_ID(): a new pr_debug() at the top renames everything below it. A token is a hash of a name
 * with such numbers left out, or of a string's content. Equal tokens make two symbols candidates for
 * being the same; they decide nothing, so a collision costs a vote and not the truth.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"

/* Fowler-Noll-Vo, 64 bit, variant 1a. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_FACTOR UINT64_C(0x100000001b3)

static uint64_t hash_byte(uint64_t hash, uint8_t byte) {
        return (hash ^ byte) * HASH_FACTOR;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* include/linux/compiler.h: __UNIQUE_ID(); include/linux/init.h: the names of initcalls have the counter and
 * the line; both in the middle of what follows the prefix. */
static bool name_is_numbered(const char *name) {
        return startswith(name, "__UNIQUE_ID_") || startswith(name, "__initcall__kmod_") ||
                        startswith(name, "__pci_fixup_");
}

/**
 * name_token() - hash of a name without the numbers that compilers and macros add
 * @name: of a symbol
 */
uint64_t name_token(const char *name) {
        bool everywhere = name_is_numbered(name);
        uint64_t hash = HASH_START;

        for (const char *p = name; *p; p++) {
                const char *end = p + (*p == '.');

                if (!everywhere && *p != '.') {
                        hash = hash_byte(hash, (uint8_t) *p);
                        continue;
                }
                while (is_digit(*end))
                        end++;
                /* `.12` at the end or before the next dot; any digits in numbered names. */
                if (end > p + (*p == '.') && (everywhere || *end == '.' || *end == '\0')) {
                        hash = hash_byte(hash, '.');
                        p = end - 1;
                } else
                        hash = hash_byte(hash, (uint8_t) *p);
        }
        return hash;
}

static uint64_t string_token(const Object *o, const ObjectRelocation *rel) {
        const ObjectSymbol *s = o->symbols + rel->symbol;
        const ObjectSection *section = o->sections + s->section;
        uint64_t hash = HASH_START, end;
        uint64_t at = s->value + (uint64_t) rel->delta;

        if (!section->data || at >= section->size)
                return 0;
        end = section->flags & SHF_STRINGS || section->entry_size > section->size - at
                        ? section->size : at + section->entry_size;
        for (; at < end; at++) {
                hash = hash_byte(hash, section->data[at]);
                if (section->flags & SHF_STRINGS && section->data[at] == 0)
                        break;
        }
        return hash;
}

/** relocation_token() - hash of what is referred to: a string's content, else the symbol's name_token() */
uint64_t relocation_token(const Object *o, const ObjectRelocation *rel) {
        const ObjectSymbol *s = o->symbols + rel->symbol;

        if (object_symbol_is_defined(o, rel->symbol) && o->sections[s->section].flags & SHF_MERGE)
                return string_token(o, rel);
        return name_token(s->name);
}

/** symbol_is_compared() - a named thing of this object; not a section, a label of gas, a file name */
bool symbol_is_compared(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;

        if (!object_symbol_is_defined(o, symbol) || startswith(s->name, ".L") || !*s->name)
                return false;
        return s->type == STT_FUNC || s->type == STT_OBJECT || s->type == STT_NOTYPE;
}

/** symbol_bytes() - Return: the bytes of a defined symbol; NULL when the file has none for it */
const uint8_t *symbol_bytes(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;
        const ObjectSection *section = o->sections + s->section;

        return section->data ? section->data + s->value : NULL;
}
