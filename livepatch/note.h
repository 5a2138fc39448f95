/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The allocated ELF note `.note.hotpatch` that module/ puts into every patch module: readable in
 * the file, and while loaded in /sys/module/NAME/notes/.note.hotpatch.
 *
 * Format (little endian, 4-byte aligned as elf(5) says), owner name "hotpatch\0":
 *   type 1, identity: u32 version (1), u32 reserved (0), u64 sequence, u8 sha256[32] of the
 *     descriptor of the type 2 note, then the bundle id, NUL terminated
 *   type 2, table: text, one line for each replaced function:
 *     OBJECT SPACE FUNCTION SPACE SYMPOS SPACE REPLACEMENT NEWLINE; the text ends in a NUL
 */

#include "util/base.h"
#include "util/limits.h"

#define HOTPATCH_NOTE_SECTION ".note.hotpatch"
#define HOTPATCH_NOTE_OWNER "hotpatch"
#define HOTPATCH_NOTE_IDENTITY 1U
#define HOTPATCH_NOTE_TABLE 2U
#define HOTPATCH_NOTE_VERSION 1U

typedef struct PatchNote {
        char *bundle_id;
        uint64_t sequence;
        uint8_t table_sha256[32];
        char *table; /* text, validated to be lines of printable ASCII */
} PatchNote;

/** struct PatchNoteFunction - one line of the table */
typedef struct PatchNoteFunction {
        char object[HOTPATCH_MODULE_NAME_MAX + 1];
        char function[HOTPATCH_SYMBOL_MAX + 1];
        char replacement[HOTPATCH_SYMBOL_MAX + 1];
        uint64_t sympos;
} PatchNoteFunction;

int patch_note_parse(const void *data, size_t size, PatchNote *ret) _must_check_ _nonnull_(1, 3);
void patch_note_done(PatchNote *n);
int build_id_note_parse(const void *data, size_t size, char **ret) _must_check_ _nonnull_(1, 3);
int patch_note_next_function(const char **text, PatchNoteFunction *ret) _must_check_
                _nonnull_(1, 2);
