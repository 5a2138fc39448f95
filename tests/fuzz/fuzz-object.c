/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Compiled objects: what was read can be followed, and an object has no change against itself. The input may
 * hold two objects, one after the other, that are compared.
 */

#include <elf.h>

#include "builder/compare/changes.h"
#include "dbus/errors.h"
#include "tests/fuzz/fuzz.h"

static void check_section(const Object *o, const ObjectSection *s) {
        if (!s->name || s->link >= o->n_sections || s->symbol >= o->n_symbols)
                abort();
        if (s->data && (s->data < o->data || s->size > o->size || s->data > o->data + (o->size - s->size)))
                abort();
        for (size_t i = 0; i < s->n_relocations; i++) {
                const ObjectRelocation *r = s->relocations + i;

                if (r->symbol == 0 || r->symbol >= o->n_symbols || r->offset >= s->size ||
                                (i > 0 && r[-1].offset > r->offset) || !object_relocation_at(s, r->offset))
                        abort();
        }
}

static void check(const Object *o) {
        for (size_t i = 0; i < o->n_sections; i++)
                check_section(o, o->sections + i);
        for (uint32_t i = 1; i < o->n_symbols; i++) {
                const ObjectSymbol *s = o->symbols + i;
                bool defined = object_symbol_is_defined(o, i);

                if (!s->name || (s->section < SHN_LORESERVE && s->section >= o->n_sections) ||
                                (object_symbol_is_function(o, i) && !defined) ||
                                object_base_name_length(s->name) > strlen(s->name))
                        abort();
                if (defined && (s->value > o->sections[s->section].size ||
                                               s->size > o->sections[s->section].size - s->value))
                        abort();
                if (defined && s->type == STT_FUNC && s->size > 0 && !object_covering(o, s->section, s->value))
                        abort();
        }
}

static Object *read_object(const uint8_t *data, size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Object *o = NULL;
        int r;

        if (hotpatch_errors_register() < 0)
                abort();
        r = object_read_bytes("object", data, size, &o, &error);
        if (r < 0 ? o || !sd_bus_error_has_name(&error, HOTPATCH_ERROR("ModuleBuildFailed")) : !o)
                abort();
        if (o)
                check(o);
        return o;
}

static void compare(const Object *before, const Object *after) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_changes_free_ Changes *c = NULL;

        if (changes_find(before, after, &c, &error) < 0) {
                if (c || !sd_bus_error_is_set(&error))
                        abort();
                return;
        }
        for (uint32_t i = 1; i < after->n_symbols; i++) {
                const SymbolChange *s = c->symbols + i;

                if (s->before >= before->n_symbols || (s->before && c->after_of[s->before] != i) ||
                                (s->kind == CHANGE_NEW && s->before) ||
                                ((s->kind == CHANGE_SAME || s->kind == CHANGE_CHANGED) && !s->before))
                        abort();
        }
}

/* Where the second object begins: at the last ELF header that is not the first byte. */
static size_t second_object(const uint8_t *data, size_t size) {
        for (size_t i = size; i-- > 1;)
                if (size - i >= sizeof(Elf64_Ehdr) && memcmp(data + i, ELFMAG, SELFMAG) == 0)
                        return i;
        return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t half = second_object(data, size);
        _cleanup_object_free_ Object *before = read_object(data, half);
        _cleanup_object_free_ Object *after = half < size ? read_object(data + half, size - half) : NULL;

        if (before)
                compare(before, before);
        if (before && after)
                compare(before, after);
        return 0;
}
