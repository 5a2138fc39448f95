/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Notes: the bytes of a section, or of a file below /sys/module/NAME/notes. */

#include "livepatch/note.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ uint8_t *copy = malloc(size ?: 1);
        _cleanup_free_ char *id = NULL;
        _cleanup_(patch_note_done) PatchNote n = {};
        PatchNoteFunction f;
        const char *text;

        if (!copy)
                abort();
        memcpy(copy, data, size); /* exactly as many bytes, for ASan */
        if (build_id_note_parse(copy, size, &id) >= 0 && strlen(id) % 2 != 0)
                abort();
        if (patch_note_parse(copy, size, &n) < 0)
                return 0;
        /* What was accepted can be walked to its end. */
        text = n.table;
        while (patch_note_next_function(&text, &f) > 0)
                if (!*f.object || !*f.function || !*f.replacement)
                        abort();
        if (*text || !*n.bundle_id)
                abort();
        return 0;
}
