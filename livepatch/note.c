/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ELF notes: the build-id, and our own note in patch modules.
 *
 * The same bytes come from a section of a file (hostile) and from sysfs (the kernel's copy of such
 * a section, so hostile as well: anybody's module may be loaded). elf(5): a header of three 32-bit
 * words, then name and descriptor, each padded to four bytes; the last padding may be missing.
 *
 * The words are read in little endian in our own note, whose format says so, and in the byte order
 * of this machine in the notes of the kernel; hotpatch modules exist for little-endian machines
 * only until a port to s390x needs more, and a note in the wrong order simply does not parse.
 *
 * The digest in the identity note is carried, not checked: the bundle's signature covers the whole
 * module file, and for a loaded module it names the table, no more.
 */

#include <elf.h>
#include <endian.h>

#include "livepatch/kernel.h"
#include "livepatch/note.h"
#include "util/hex.h"

#define IDENTITY_FIXED (4 + 4 + 8 + 32)
#define BUILD_ID_MAX 64U

typedef struct Note {
        uint32_t type;
        const char *name; /* NUL terminated */
        const uint8_t *desc;
        size_t desc_size;
} Note;

static size_t align4(size_t n) {
        return (n + 3) & ~(size_t) 3;
}

static uint32_t read_le32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static uint64_t read_le64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

/* Takes the first note off @p. Returns 1, 0 at the end, or -EBADMSG. */
static int note_next(const uint8_t **p, size_t *left, Note *ret) {
        Elf64_Nhdr h;
        size_t name_room, desc_room, body;

        if (*left == 0)
                return 0;
        if (*left < sizeof(h))
                return -EBADMSG;
        memcpy(&h, *p, sizeof(h));
        body = *left - sizeof(h);
        /* 32-bit sizes: no overflow in size_t, which has 64 bits here. */
        name_room = align4(h.n_namesz);
        desc_room = align4(h.n_descsz);
        if (name_room > body || h.n_descsz > body - name_room)
                return -EBADMSG;
        if (desc_room > body - name_room)
                desc_room = body - name_room;
        if (h.n_namesz == 0 || (*p)[sizeof(h) + h.n_namesz - 1] != 0)
                return -EBADMSG;
        *ret = (Note) {
                .type = h.n_type,
                .name = (const char *) *p + sizeof(h),
                .desc = *p + sizeof(h) + name_room,
                .desc_size = h.n_descsz,
        };
        *p += sizeof(h) + name_room + desc_room;
        *left -= sizeof(h) + name_room + desc_room;
        return 1;
}

/**
 * build_id_note_parse() - the GNU build-id out of a sequence of notes
 * @data: content of a note section, of /sys/kernel/notes or of a file below /sys/module/NAME/notes
 * @ret: lower-case hexadecimal; to be freed
 *
 * Return: 0, -ENODATA when there is no build-id, -EBADMSG for a malformed note, or -ENOMEM.
 */
int build_id_note_parse(const void *data, size_t size, char **ret) {
        const uint8_t *p = data;
        Note n;

        for (;;) {
                int r = note_next(&p, &size, &n);

                if (r < 0)
                        return r;
                if (r == 0)
                        return -ENODATA;
                if (n.type != NT_GNU_BUILD_ID || !streq(n.name, ELF_NOTE_GNU))
                        continue;
                if (n.desc_size == 0 || n.desc_size > BUILD_ID_MAX)
                        return -EBADMSG;
                *ret = hex_encode(n.desc, n.desc_size);
                return *ret ? 0 : -ENOMEM;
        }
}

static bool bundle_id_valid(const char *s, size_t l) {
        return l > 0 && l <= HOTPATCH_ID_MAX &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == l;
}

static int identity_parse(const Note *n, PatchNote *note) {
        const char *id;
        size_t l;

        if (note->bundle_id || n->desc_size <= IDENTITY_FIXED)
                return -EBADMSG;
        if (read_le32(n->desc) != HOTPATCH_NOTE_VERSION)
                return -EPROTONOSUPPORT;
        if (read_le32(n->desc + 4) != 0)
                return -EBADMSG;
        id = (const char *) n->desc + IDENTITY_FIXED;
        l = strnlen(id, n->desc_size - IDENTITY_FIXED);
        if (l + 1 != n->desc_size - IDENTITY_FIXED || !bundle_id_valid(id, l))
                return -EBADMSG;
        note->bundle_id = strndup(id, l);
        if (!note->bundle_id)
                return -ENOMEM;
        note->sequence = read_le64(n->desc + 8);
        memcpy(note->table_sha256, n->desc + 16, sizeof(note->table_sha256));
        return 0;
}

static int table_parse(const Note *n, PatchNote *note) {
        PatchNoteFunction function;
        const char *text = (const char *) n->desc;
        size_t lines = 0;
        int r;

        if (note->table || n->desc_size == 0)
                return -EBADMSG;
        if (strnlen(text, n->desc_size) + 1 != n->desc_size)
                return -EBADMSG;
        while ((r = patch_note_next_function(&text, &function)) > 0)
                if (++lines > HOTPATCH_FUNCTIONS_MAX)
                        return -EBADMSG;
        if (r < 0)
                return r;
        note->table = strndup((const char *) n->desc, n->desc_size);
        return note->table ? 0 : -ENOMEM;
}

/**
 * patch_note_parse() - what our runtime wrote into a patch module
 * @data: content of section `.note.hotpatch`
 * @ret: to be emptied with patch_note_done()
 *
 * Both notes must be there, once. Notes of other owners or of later types are skipped.
 *
 * Return: 0, -EBADMSG for malformed notes, -EPROTONOSUPPORT for a later version, or -ENOMEM.
 */
int patch_note_parse(const void *data, size_t size, PatchNote *ret) {
        _cleanup_(patch_note_done) PatchNote note = {};
        const uint8_t *p = data;
        Note n;
        int r;

        while ((r = note_next(&p, &size, &n)) > 0) {
                if (!streq(n.name, HOTPATCH_NOTE_OWNER))
                        continue;
                if (n.type == HOTPATCH_NOTE_IDENTITY)
                        r = identity_parse(&n, &note);
                else if (n.type == HOTPATCH_NOTE_TABLE)
                        r = table_parse(&n, &note);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!note.bundle_id || !note.table)
                return -EBADMSG;
        *ret = note;
        note = (PatchNote) {};
        return 0;
}

/** patch_note_done() - free what a PatchNote owns */
void patch_note_done(PatchNote *n) {
        free(n->bundle_id);
        free(n->table);
        *n = (PatchNote) {};
}

/* Takes a word of printable ASCII that ends at @end off @text. */
static int word_next(const char **text, char end, char *buf, size_t size) {
        size_t l = 0;

        while ((*text)[l] > ' ' && (*text)[l] < 0x7f)
                l++;
        if (l == 0 || l >= size || (*text)[l] != end)
                return -EBADMSG;
        memcpy(buf, *text, l);
        buf[l] = 0;
        *text += l + 1;
        return 0;
}

static int number_parse(const char *s, uint64_t *ret) {
        uint64_t v = 0;

        if (s[0] == '0' && s[1])
                return -EBADMSG;
        for (; *s; s++) {
                if (*s < '0' || *s > '9' || v > UINT32_MAX)
                        return -EBADMSG;
                v = v * 10 + (uint64_t) (*s - '0');
        }
        *ret = v;
        return 0;
}

/**
 * patch_note_next_function() - take one line off a table
 * @text: NUL-terminated table; advanced behind the line
 * @ret: the line's words
 *
 * Return: 1 for a line, 0 at the end of the text, -EBADMSG for a malformed line.
 */
int patch_note_next_function(const char **text, PatchNoteFunction *ret) {
        const char *p = *text;
        PatchNoteFunction f;
        char sympos[16];
        int r;

        if (!*p)
                return 0;
        r = word_next(&p, ' ', f.object, sizeof(f.object));
        if (r >= 0)
                r = word_next(&p, ' ', f.function, sizeof(f.function));
        if (r >= 0)
                r = word_next(&p, ' ', sympos, sizeof(sympos));
        if (r >= 0)
                r = word_next(&p, '\n', f.replacement, sizeof(f.replacement));
        if (r >= 0)
                r = number_parse(sympos, &f.sympos);
        if (r < 0)
                return r;
        if (!kernel_module_name_valid(f.object))
                return -EBADMSG;
        *text = p;
        *ret = f;
        return 1;
}
