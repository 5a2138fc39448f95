/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Notes as a compiler and our runtime write them, for tests. */

#include <elf.h>

#include "livepatch/note.h"
#include "tests/unit/unit.h"

typedef struct NoteBuffer {
        uint8_t data[4096];
        size_t size;
} NoteBuffer;

static inline void note_put(NoteBuffer *b, const void *data, size_t size) {
        ck_assert_uint_le(b->size + size, sizeof(b->data));
        memcpy(b->data + b->size, data, size);
        b->size += size;
        while (b->size % 4 != 0)
                b->data[b->size++] = 0;
}

static inline void note_add(
                NoteBuffer *b, const char *owner, uint32_t type, const void *desc, size_t size) {
        Elf64_Nhdr h = {
                .n_namesz = (uint32_t) strlen(owner) + 1,
                .n_descsz = (uint32_t) size,
                .n_type = type,
        };

        note_put(b, &h, sizeof(h));
        note_put(b, owner, strlen(owner) + 1);
        note_put(b, desc, size);
}

static inline void note_add_gnu_build_id(NoteBuffer *b, const void *id, size_t size) {
        note_add(b, ELF_NOTE_GNU, NT_GNU_BUILD_ID, id, size);
}

/** note_add_patch() - both notes of our runtime; the digest is 0, 1, 2 … 31 */
static inline void note_add_patch(
                NoteBuffer *b, const char *id, uint64_t sequence, const char *table) {
        uint8_t desc[256] = { HOTPATCH_NOTE_VERSION };

        ck_assert_uint_lt(48 + strlen(id), sizeof(desc));
        for (size_t i = 0; i < 8; i++)
                desc[8 + i] = (uint8_t) (sequence >> (8 * i));
        for (size_t i = 0; i < 32; i++)
                desc[16 + i] = (uint8_t) i;
        strcpy((char *) desc + 48, id);
        note_add(b, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_IDENTITY, desc, 48 + strlen(id) + 1);
        note_add(b, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_TABLE, table, strlen(table) + 1);
}
