/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading one object of a kernel build.
 *
 * The file is read into memory once, and the structures of the format (elf.h) are copied out of it, each
 * after it was seen to lie in the file: this is an x86-64 object on a little-endian machine, or it is
 * refused, so there is nothing a library would have to translate. Nearly all of such a file is debug
 * information; its sections keep a name here and nothing else is looked at.
 *
 * The compiler wrote the file, but what the compiler read was a stranger's fix: limits and bounds are
 * those of hostile input, and the result holds plain arrays with valid indices.
 */

#include <endian.h>
#include <fcntl.h>

#include "builder/object/object-internal.h"
#include "util/file.h"
#include "util/limits.h"

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the structures of the file are used as they are");

/** object_free() - free the object; its names and bytes are void. Return: NULL */
Object *object_free(Object *o) {
        if (!o)
                return NULL;
        for (size_t i = 0; i < o->n_sections; i++)
                free(o->sections[i].relocations);
        object_index_free(o->index);
        free(o->symbols);
        free(o->sections);
        free(o->data);
        free(o);
        return NULL;
}

/* @size bytes of the file, or NULL when it has not so many there. */
static const uint8_t *bytes_at(const Object *o, uint64_t offset, uint64_t size) {
        return offset <= o->size && size <= o->size - offset ? o->data + offset : NULL;
}

/** object_section_header() - of a section that exists, as in the file */
Elf64_Shdr object_section_header(const ObjectReader *r, size_t section) {
        Elf64_Shdr h;

        memcpy(&h, r->headers + section * sizeof(h), sizeof(h));
        return h;
}

static int read_header(ObjectReader *r, Elf64_Ehdr *ret) {
        const uint8_t *bytes = bytes_at(r->object, 0, sizeof(Elf64_Ehdr));
        Elf64_Ehdr h;

        if (!bytes || memcmp(bytes, ELFMAG, SELFMAG) != 0)
                return OBJECT_INVALID(r->error, "'%s' is not an ELF file", r->path);
        memcpy(&h, bytes, sizeof(h));
        if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
                        h.e_machine != EM_X86_64 || h.e_type != ET_REL)
                return OBJECT_INVALID(r->error, "'%s' is not an object of an x86-64 compiler", r->path);
        if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shnum == 0 ||
                        h.e_shnum > HOTPATCH_ELF_SECTIONS_MAX || h.e_shstrndx >= h.e_shnum)
                return OBJECT_INVALID(r->error, "'%s' has %u sections", r->path, h.e_shnum);
        r->headers = bytes_at(r->object, h.e_shoff, (uint64_t) h.e_shnum * sizeof(Elf64_Shdr));
        if (!r->headers)
                return OBJECT_INVALID(r->error, "'%s' has no section header table", r->path);
        *ret = h;
        return 0;
}

/* A string of a table, or NULL when it does not end within it. */
static const char *string_at(const ObjectSection *strings, uint64_t offset) {
        if (!strings->data || offset >= strings->size ||
                        !memchr(strings->data + offset, 0, strings->size - offset))
                return NULL;
        return (const char *) strings->data + offset;
}

static int read_section(ObjectReader *r, size_t i) {
        ObjectSection *s = r->object->sections + i;
        Elf64_Shdr h = object_section_header(r, i);

        *s = (ObjectSection) {
                .name = "",
                .type = h.sh_type,
                .flags = h.sh_flags,
                .size = h.sh_size,
                .alignment = h.sh_addralign,
                .entry_size = h.sh_entsize,
                .link = h.sh_link < r->object->n_sections ? h.sh_link : 0,
        };
        if (h.sh_type == SHT_NULL)
                s->size = 0;
        else if (h.sh_type != SHT_NOBITS) {
                s->data = bytes_at(r->object, h.sh_offset, h.sh_size);
                if (!s->data)
                        return OBJECT_INVALID(r->error, "Section %zu of '%s' is not in the file", i, r->path);
        }
        return 0;
}

static int read_sections(ObjectReader *r) {
        Object *o = r->object;
        Elf64_Ehdr header = { 0 };
        int ret;

        ret = read_header(r, &header);
        if (ret < 0)
                return ret;
        o->sections = calloc(header.e_shnum, sizeof(*o->sections));
        if (!o->sections)
                return -ENOMEM;
        o->n_sections = header.e_shnum;
        for (size_t i = 0; i < o->n_sections; i++) {
                ret = read_section(r, i);
                if (ret < 0)
                        return ret;
        }
        for (size_t i = 1; i < o->n_sections; i++) {
                ObjectSection *s = o->sections + i;

                s->name = string_at(o->sections + header.e_shstrndx, object_section_header(r, i).sh_name);
                if (!s->name)
                        return OBJECT_INVALID(r->error, "Section %zu of '%s' has no name", i, r->path);
                s->kind = object_section_kind(s->name, s->type, s->flags);
                if (s->type == SHT_SYMTAB && r->symtab)
                        return OBJECT_INVALID(r->error, "'%s' has two symbol tables", r->path);
                if (s->type == SHT_SYMTAB)
                        r->symtab = (uint32_t) i;
        }
        return 0;
}

static int read_symbol(ObjectReader *r, const ObjectSection *strings, size_t i, const Elf64_Sym *sym) {
        Object *o = r->object;
        ObjectSymbol *s = o->symbols + i;
        ObjectSection *section = NULL;

        *s = (ObjectSymbol) {
                .name = string_at(strings, sym->st_name),
                .value = sym->st_value,
                .size = sym->st_size,
                .section = sym->st_shndx,
                .type = ELF64_ST_TYPE(sym->st_info),
                .bind = ELF64_ST_BIND(sym->st_info),
                .visibility = ELF64_ST_VISIBILITY(sym->st_other),
        };
        if (!s->name)
                return OBJECT_INVALID(r->error, "Symbol %zu of '%s' has no name", i, r->path);
        if (s->section == SHN_XINDEX || (s->section < SHN_LORESERVE && s->section >= o->n_sections))
                return OBJECT_INVALID(r->error, "Symbol '%s' of '%s' is in no section", s->name, r->path);
        if (s->section == SHN_UNDEF || s->section >= SHN_LORESERVE)
                return 0;
        section = o->sections + s->section;
        if (s->value > section->size || s->size > section->size - s->value)
                return OBJECT_INVALID(r->error, "Symbol '%s' of '%s' is not within its section", s->name,
                        r->path);
        if (s->type == STT_SECTION) {
                s->name = section->name;
                if (s->value == 0 && !section->symbol)
                        section->symbol = (uint32_t) i;
        }
        return 0;
}

static int read_symbols(ObjectReader *r) {
        Object *o = r->object;
        const ObjectSection *table = o->sections + r->symtab, *strings = o->sections + table->link;
        int ret;

        if (!r->symtab || strings->type != SHT_STRTAB)
                return OBJECT_INVALID(r->error, "'%s' has no symbols", r->path);
        if (table->entry_size != sizeof(Elf64_Sym) || table->size % sizeof(Elf64_Sym) != 0 ||
                        table->size == 0 || table->size / sizeof(Elf64_Sym) > HOTPATCH_ELF_SYMBOLS_MAX)
                return OBJECT_INVALID(r->error, "The symbol table of '%s' has an odd size", r->path);
        o->n_symbols = table->size / sizeof(Elf64_Sym);
        o->symbols = calloc(o->n_symbols, sizeof(*o->symbols));
        if (!o->symbols)
                return -ENOMEM;
        for (size_t i = 0; i < o->n_symbols; i++) {
                Elf64_Sym sym;

                memcpy(&sym, table->data + i * sizeof(sym), sizeof(sym));
                ret = read_symbol(r, strings, i, &sym);
                if (ret < 0)
                        return ret;
        }
        return object_index_new(o, &o->index);
}

static int read_all(const char *name, Object *o, sd_bus_error *error) {
        ObjectReader reader = { .path = name, .object = o, .error = error };
        int r;

        r = read_sections(&reader);
        if (r < 0)
                return r;
        r = read_symbols(&reader);
        if (r < 0)
                return r;
        return object_read_relocations(&reader);
}

/**
 * object_read_bytes() - read an object that is in memory
 * @name: for messages
 * @bytes: copied
 *
 * Otherwise like object_read().
 */
int object_read_bytes(const char *name, const void *bytes, size_t size, Object **ret, sd_bus_error *error) {
        _cleanup_object_free_ Object *o = calloc(1, sizeof(*o));
        int r;

        if (!o)
                return -ENOMEM;
        o->data = malloc(size ?: 1);
        if (!o->data)
                return -ENOMEM;
        memcpy(o->data, bytes, size);
        o->size = size;
        r = read_all(name, o, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

/**
 * object_read() - read an object of a kernel build
 * @path: the file
 * @ret: to be freed with object_free()
 * @error: ModuleBuildFailed, with the place
 *
 * Return: 0 or a negative errno.
 */
int object_read(const char *path, Object **ret, sd_bus_error *error) {
        _cleanup_object_free_ Object *o = calloc(1, sizeof(*o));
        void *data;
        int r;

        if (!o)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_OBJECT_MAX, &data, &o->size);
        if (r < 0)
                return OBJECT_INVALID(error, "'%s' cannot be read: %s", path, strerror(-r));
        o->data = data;
        r = read_all(path, o, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}
