/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tables that say something about places in the code: where a BUG() is and in which line, which bytes
 * to replace on this processor, where to go on after a fault. Entry by entry, those of extracted code are
 * taken over and no others.
 *
 * How large an entry is comes from the kernel's BTF, for structures; in the other tables each
 * relocation is an entry. A table that is not in the list here, and has an entry for extracted code, means
 * something that we do not know: it is refused.
 *
 * What objtool makes (ORC, static call sites, return sites …) is not here yet: it is made from the extracted
 * object, when that is linked.
 */

#include "builder/extract/extract-internal.h"

/**
 * struct TableRow - one kind of table
 * @structure: of an entry, as C calls it; NULL: an entry is one relocation
 * @special: what is to be done besides
 * @dropped: says nothing that new code needs
 */
typedef struct TableRow {
        const char *name;
        const char *structure;
        enum { NOTHING, REPLACEMENT, STATIC_BRANCH } special;
        bool dropped;
} TableRow;

static const TableRow rows[] = {
        { "__bug_table", .structure = "bug_entry" },
        { "__ex_table", .structure = "exception_table_entry" },
        { "__jump_table", .structure = "jump_entry", .special = STATIC_BRANCH },
        { ".altinstructions", .structure = "alt_instr", .special = REPLACEMENT },
        { ".parainstructions", .structure = "paravirt_patch_site" },
        { ".smp_locks" },
        { "__mcount_loc" },
        { "__patchable_function_entries" },
        /* For objtool: include/linux/objtool.h, arch/x86/include/asm/nospec-branch.h */
        { ".discard.unwind_hints", .structure = "unwind_hint" },
        { ".discard.func_stack_frame_non_standard" },
        { ".discard.ibt_endbr_noseal" },
        { ".discard.ignore_alts" },
        { ".discard.instr_begin" },
        { ".discard.instr_end" },
        { ".discard.intra_function_calls" },
        { ".discard.noendbr" },
        { ".discard.reachable" },
        { ".discard.retpoline_safe" },
        { ".discard.unreachable" },
        { ".discard.validate_unret" },
        /* About the function in the kernel, which stays; and lists of what is printed. */
        { ".discard.addressable", .dropped = true },
        { ".discard.ksym", .dropped = true },
        { "_kprobe_blacklist", .dropped = true },
        { "_error_injection_whitelist", .dropped = true },
        { ".printk_index", .dropped = true },
        { ".static_call_tramp_key", .dropped = true },
        /* Taken over with what refers to it. */
        { ".altinstr_replacement", .dropped = true },
        { ".altinstr_aux", .dropped = true },
};

static const TableRow *row_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (streq(rows[i].name, name))
                        return rows + i;
        return NULL;
}

static bool place_in_piece(const Object *o, const ObjectRelocation *rel, const Piece *p) {
        uint64_t at = place_offset(o, rel);

        return place_section(o, rel) == p->section && at >= p->start && at < p->end;
}

/* ---- structures ---- */

static int read_types(Extractor *e) {
        const void *btf;
        size_t size;
        int r;

        if (e->types)
                return 0;
        btf = image_btf(e->in->kernel, &size);
        r = btf ? types_read(btf, size, NULL, &e->types) : -ENOENT;
        if (r < 0 && r != -ENOMEM)
                return sd_bus_error_setf(e->error, SD_BUS_ERROR_FAILED,
                        "The kernel's image has no readable BTF: %s", strerror(-r));
        return r;
}

/**
 * structure_size() - of a kernel structure, in bytes
 * @e: the extraction
 * @name: without `struct`
 * @ret: its size
 *
 * Return: 1, 0 when a finding says that the kernel has none, or a negative errno.
 */
int structure_size(Extractor *e, const char *name, uint64_t *ret) {
        int r;

        r = read_types(e);
        if (r < 0)
                return r;
        r = types_size(e->types, TYPE_STRUCT, name, ret);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || *ret == 0)
                return findings_refuse(e->findings, RULE_UNSUPPORTED, name,
                        "The kernel's BTF does not have the size of 'struct %s'", name);
        return 1;
}

static int find_member(Extractor *e, const char *structure, const char *name, uint64_t *ret) {
        uint32_t id = types_find(e->types, TYPE_STRUCT, structure, 0);
        TypeMember member;
        Type type;
        int r;

        r = id ? types_get(e->types, id, &type) : -ENOENT;
        for (uint32_t i = 0; r >= 0 && i < type.n; i++) {
                r = types_member(e->types, &type, i, &member);
                if (r >= 0 && streq(member.name, name)) {
                        *ret = member.offset / 8;
                        return 1;
                }
        }
        return r == -ENOMEM ? r : findings_refuse(e->findings, RULE_UNSUPPORTED, structure,
                "The kernel's 'struct %s' has no member '%s'", structure, name);
}

/* ---- alternatives ---- */

/* The bytes that may come in place of those in the function. */
static int take_replacement(Extractor *e, const Piece *entry) {
        const Object *o = e->object;
        const ObjectSection *s = o->sections + entry->section;
        const ObjectRelocation *rel;
        uint64_t offset, length;
        size_t index;
        int r;

        r = find_member(e, "alt_instr", "repl_offset", &offset);
        if (r > 0)
                r = find_member(e, "alt_instr", "replacementlen", &length);
        if (r <= 0)
                return r;
        rel = object_relocation_at(s, entry->start + offset);
        if (!rel || !streq(o->sections[place_section(o, rel)].name, ".altinstr_replacement"))
                return findings_refuse(e->findings, RULE_UNSUPPORTED, s->name,
                        "An alternative has its replacement in a place that is not known");
        return piece_add(e, &(Piece) {
                .kind = PIECE_BESIDE,
                .section = place_section(o, rel),
                .function = entry->function,
                .start = place_offset(o, rel),
                .end = place_offset(o, rel) + s->data[entry->start + length],
        }, &index);
}

/* ---- static branches ---- */

static int refuse_key(Extractor *e, const char *key) {
        return findings_refuse(e->findings, RULE_STATIC_KEY, key,
                "The static key '%s' is of a module, and may not be there when the patch is loaded", key);
}

/** field_is_silenced() - is it the key of a static branch that is never to be taken? */
bool field_is_silenced(const Extractor *e, uint32_t section, uint64_t offset) {
        for (size_t i = 0; i < e->n_silenced; i++)
                if (e->silenced[i].section == section && e->silenced[i].offset == offset)
                        return true;
        return false;
}

/*
 * A tracepoint of a module: its static branch must be known when the patch is loaded, and its key is not
 * there yet. The branch gets a key of the patch's own that nobody turns on; the event is lost from the
 * replacement, nothing else.
 */
static int silence_tracepoint(Extractor *e, const Piece *entry, const ObjectRelocation *key) {
        const char *name = e->object->symbols[key->symbol].name;
        int r;

        r = APPEND(e->silenced, e->n_silenced, (Field) { entry->section, key->offset });
        if (r >= 0)
                r = findings_remark(e->findings, RULE_TRACEPOINT, name,
                        "The new '%s' does not report the tracepoint '%s', which is of the module",
                        e->object->symbols[entry->function].name, name + strlen("__tracepoint_"));
        return r < 0 ? r : 1;
}

/* Is the key there when the patch is loaded: in the patch itself or in vmlinux? */
static bool key_is_there(Extractor *e, const ObjectRelocation *key, Target *target, int *r) {
        const ObjectSymbol *s = e->object->symbols + key->symbol;
        const char *exporter = s->bind == STB_LOCAL ? NULL : symvers_find(e->in->symvers, s->name);

        if (streq(e->in->image->object, "vmlinux") || (exporter && streq(exporter, "vmlinux")))
                return true;
        if (s->section == SHN_UNDEF)
                return false;
        /* What is copied is decided where all data is; what is not copied is the module's. */
        *r = target_find(e, 0, key, target);
        return *r > 0 && target->piece;
}

/* Returns 1 to take the entry over, 0 not to. */
static int check_static_branch(Extractor *e, const Piece *entry) {
        const ObjectSection *s = e->object->sections + entry->section;
        const ObjectRelocation *key;
        Target target = {};
        uint64_t offset;
        const char *name;
        int r;

        r = find_member(e, "jump_entry", "key", &offset);
        if (r <= 0)
                return r;
        key = object_relocation_at(s, entry->start + offset);
        if (!key)
                return findings_refuse(e->findings, RULE_UNSUPPORTED, s->name, "A static branch has no key");
        r = 1;
        if (key_is_there(e, key, &target, &r))
                return 1;
        if (r <= 0)
                return r;
        name = e->object->symbols[key->symbol].name;
        return startswith(name, "__tracepoint_") ? silence_tracepoint(e, entry, key) : refuse_key(e, name);
}

/* ---- entries ---- */

static int take_entry(Extractor *e, const TableRow *row, const Piece *entry) {
        size_t index;
        int r = 1;

        if (row->special == STATIC_BRANCH)
                r = check_static_branch(e, entry);
        if (r <= 0)
                return r;
        r = piece_add(e, entry, &index);
        if (r >= 0 && row->special == REPLACEMENT)
                r = take_replacement(e, entry);
        return r;
}

static uint64_t field_size(const ObjectRelocation *rel) {
        return rel->type == R_X86_64_64 || rel->type == R_X86_64_PC64 ? 8 : 4;
}

static int refuse_table(Extractor *e, const char *name, uint32_t function) {
        return findings_refuse(e->findings, RULE_UNSUPPORTED, e->object->symbols[function].name,
                "Section '%s' says something about '%s' that is not known", name, e->object->symbols[function].name);
}

/* An entry of @size bytes, or of as many as its relocation (0), that belongs to piece @code. */
static int scan_table(Extractor *e, size_t code, uint32_t section, const TableRow *row, uint64_t size) {
        const Object *o = e->object;
        const ObjectSection *s = o->sections + section;
        int r = 0;

        for (size_t i = 0; i < s->n_relocations && r >= 0; i++) {
                const ObjectRelocation *rel = s->relocations + i;
                uint64_t length = size ?: field_size(rel);
                const Piece *p = e->pieces + code;

                /* The first field of a structure says where in the code. */
                if ((size && rel->offset % size != 0) || !place_in_piece(o, rel, p))
                        continue;
                r = s->size - rel->offset < length ? refuse_table(e, s->name, p->function)
                                                   : take_entry(e, row, &(Piece) {
                        .kind = PIECE_ENTRY,
                        .section = section,
                        .function = p->function,
                        .start = rel->offset,
                        .end = rel->offset + length,
                });
        }
        return r;
}

static bool table_has_place(const Extractor *e, uint32_t section, size_t code) {
        const ObjectSection *s = e->object->sections + section;

        for (size_t i = 0; i < s->n_relocations; i++)
                if (place_in_piece(e->object, s->relocations + i, e->pieces + code))
                        return true;
        return false;
}

/**
 * tables_scan() - take over the entries of all tables that belong to a piece of code
 * @e: the extraction
 * @piece: the code; pointers to pieces are void afterwards
 *
 * Return: 0 or a negative errno.
 */
int tables_scan(Extractor *e, size_t piece) {
        const Object *o = e->object;
        int r = 0;

        for (uint32_t i = 1; i < o->n_sections && r >= 0; i++) {
                const TableRow *row = row_find(o->sections[i].name);
                uint64_t size = 0;

                if (o->sections[i].kind != OBJECT_TABLE || (row && row->dropped) || is_constant_section(o->sections + i) || !table_has_place(e, i, piece))
                        continue;
                if (!row) {
                        r = refuse_table(e, o->sections[i].name, e->pieces[piece].function);
                        continue;
                }
                r = row->structure ? structure_size(e, row->structure, &size) : 1;
                if (r > 0)
                        r = o->sections[i].size % (size ?: 1) == 0
                                ? scan_table(e, piece, i, row, size)
                                : refuse_table(e, o->sections[i].name, e->pieces[piece].function);
        }
        return r;
}

/* Inside of a function, not at its begin: only a table is about that. */
static bool is_inner_place(const Extractor *e, const ObjectRelocation *rel, uint32_t *ret_function) {
        size_t piece = piece_find(e, place_section(e->object, rel), place_offset(e->object, rel));

        if (piece == NO_PIECE || e->pieces[piece].kind != PIECE_FUNCTION ||
                        place_offset(e->object, rel) <= e->object->symbols[e->pieces[piece].symbol].value)
                return false;
        *ret_function = e->pieces[piece].function;
        return true;
}

/**
 * tables_check() - is there a table that does not look like one?
 * @e: the extraction, with all pieces
 *
 * A section that is not taken over, neither code nor known, and has an address inside of extracted code.
 *
 * Return: 0, also when a finding says so, or a negative errno.
 */
int tables_check(Extractor *e) {
        const Object *o = e->object;
        uint32_t function;
        int r = 0;

        for (uint32_t i = 1; i < o->n_sections && r >= 0; i++) {
                const ObjectSection *s = o->sections + i;

                if ((s->kind != OBJECT_DATA && s->kind != OBJECT_READ_ONLY && s->kind != OBJECT_STRINGS) ||
                                is_constant_section(s))
                        continue;
                for (size_t n = 0; n < s->n_relocations && r >= 0; n++)
                        if (is_inner_place(e, s->relocations + n, &function) &&
                                        piece_find(e, i, s->relocations[n].offset) == NO_PIECE)
                                r = refuse_table(e, s->name, function);
        }
        return r;
}
