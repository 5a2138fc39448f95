/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Constants have no identity that could be asked for; the linker merges, moves and reorders them. They
 * are the same when their bytes are, and pointers in them lead to symbols of the same name.
 */

#include "builder/match/matcher.h"

#include <elf.h>

static bool bytes_same(const Matcher *m, const uint8_t *ours, size_t size, uint64_t address) {
        size_t room;
        const uint8_t *theirs = image_bytes(m->image, address, &room);

        return theirs && room >= size && memcmp(ours, theirs, size) == 0;
}

/** content_string_same() - a string of the object's @section, up to its end, and the one in the image */
bool content_string_same(const Matcher *m, uint32_t section, int64_t offset, uint64_t address) {
        const ObjectSection *s = m->object->sections + section;
        size_t length;

        if (offset < 0 || (uint64_t) offset >= s->size || !s->data)
                return false;
        length = strnlen((const char *) s->data + offset, s->size - (uint64_t) offset) + 1;
        return length <= s->size - (uint64_t) offset && bytes_same(m, s->data + offset, length, address);
}

/* The address that a relocated field of data has; false: of a kind that data does not have. */
static bool pointer_target(const ObjectRelocation *r, const uint8_t *field, uint64_t place, uint64_t *ret) {
        int32_t narrow;

        switch (r->type) {
        case R_X86_64_64:
                memcpy(ret, field, sizeof(*ret));
                return true;
        case R_X86_64_PC32:
                memcpy(&narrow, field, sizeof(narrow));
                *ret = place + (uint64_t) (int64_t) narrow;
                return true;
        default:
                return false;
        }
}

static bool pointer_same(const Matcher *m, const ObjectRelocation *r, const uint8_t *field, uint64_t place) {
        const ObjectSymbol *s = m->object->symbols + r->symbol;
        uint64_t target;

        if (!pointer_target(r, field, place, &target))
                return false;
        if (!object_symbol_is_defined(m->object, r->symbol) || s->type != STT_SECTION)
                return reference_named(m, r->symbol, target - (uint64_t) r->delta);
        if (m->object->sections[s->section].flags & SHF_STRINGS)
                return content_string_same(m, s->section, r->delta, target);
        return true; /* constants of constants are not followed */
}

static size_t pointer_size(const ObjectRelocation *r) {
        return r->type == R_X86_64_64 || r->type == R_X86_64_PC64 ? 8 : 4;
}

static bool all_zero(const uint8_t *data, uint64_t size) {
        for (uint64_t i = 0; i < size; i++)
                if (data[i] != 0)
                        return false;
        return true;
}

/**
 * content_same() - are @size bytes of a section of the object those that the image has at @address?
 */
bool content_same(const Matcher *m, uint32_t section, int64_t offset, uint64_t size, uint64_t address) {
        const ObjectSection *s = m->object->sections + section;
        const uint8_t *theirs;
        uint64_t at = (uint64_t) offset, end;
        size_t room;

        if (size == 0)
                return true;
        if (offset < 0 || at > s->size || size > s->size - at)
                return false;
        theirs = image_bytes(m->image, address, &room);
        if (!theirs || room < size)
                return false;
        if (!s->data)
                return all_zero(theirs, size);
        end = at + size;
        for (size_t i = 0; i < s->n_relocations; i++) {
                const ObjectRelocation *r = s->relocations + i;
                uint64_t in = r->offset - (uint64_t) offset;

                if (r->offset < at)
                        continue;
                if (r->offset + pointer_size(r) > end)
                        break;
                if (memcmp(s->data + at, theirs + (at - (uint64_t) offset), r->offset - at) != 0 ||
                    !pointer_same(m, r, theirs + in, address + in))
                        return false;
                at = r->offset + pointer_size(r);
        }
        return memcmp(s->data + at, theirs + (at - (uint64_t) offset), end - at) == 0;
}
