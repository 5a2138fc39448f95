/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The extracted object as a file.
 *
 * Sections and symbols are written in the order in which they were made, local symbols before global
 * ones as the format wants it, and nothing else comes in: no name of a file, no time, no folder. So the
 * same input gives the same bytes.
 *
 * libelf lays the file out; what it is given here lives until it has written.
 */

#include "builder/extract/output.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include "dbus/errors.h"
#include "util/str.h"

/** output_done() - free what the output owns */
void output_done(Output *o) {
        for (size_t i = 0; i < o->n_sections; i++) {
                free(o->sections[i].data);
                free(o->sections[i].relocations);
        }
        for (size_t i = 0; i < o->n_symbols; i++)
                free(o->symbols[i].name);
        free(o->sections);
        free(o->symbols);
        *o = (Output) {};
}

/**
 * output_section() - the section of a name, made when it is not there
 * @o: the output
 * @name: must live as long as @o
 * @type: SHT_, of a new one
 * @flags: SHF_, of a new one
 * @ret: its index
 *
 * Return: 0 or -ENOMEM.
 */
int output_section(Output *o, const char *name, uint32_t type, uint64_t flags, size_t *ret) {
        int r;

        for (size_t i = 1; i < o->n_sections; i++)
                if (streq(o->sections[i].name, name)) {
                        *ret = i;
                        return 0;
                }
        for (size_t n = o->n_sections ? 1 : 2; n > 0; n--) {
                r = APPEND(o->sections, o->n_sections, (OutputSection) {
                        .name = name,
                        .type = type,
                        .flags = flags,
                        .alignment = 1,
                });
                if (r < 0)
                        return r;
        }
        *ret = o->n_sections - 1;
        return 0;
}

/* What lies between two functions is never run; `int3` says so if it is. */
static uint8_t filler(const OutputSection *s) {
        return s->flags & SHF_EXECINSTR ? 0xcc : 0;
}

/**
 * output_reserve() - room at the end of a section
 * @o: the output
 * @section: an index
 * @size: in bytes
 * @alignment: a power of two; 0 is 1
 * @ret: its offset; the bytes are zero until they are written
 *
 * Return: 0 or -ENOMEM.
 */
int output_reserve(Output *o, size_t section, uint64_t size, uint64_t alignment, uint64_t *ret) {
        OutputSection *s = o->sections + section;
        uint64_t align = alignment ?: 1, offset = (s->size + align - 1) & ~(align - 1);

        if (s->type != SHT_NOBITS) {
                uint8_t *grown = realloc(s->data, offset + size + 1);

                if (!grown)
                        return -ENOMEM;
                s->data = grown;
                memset(grown + s->size, filler(s), offset - s->size);
                memset(grown + offset, 0, size);
        }
        s->size = offset + size;
        if (align > s->alignment)
                s->alignment = align;
        *ret = offset;
        return 0;
}

/** output_relocate() - add a relocation to a section. Return: 0 or -ENOMEM */
int output_relocate(Output *o, size_t section, const OutputRelocation *relocation) {
        OutputSection *s = o->sections + section;

        return APPEND(s->relocations, s->n_relocations, *relocation);
}

/**
 * output_symbol() - add a symbol
 * @o: the output
 * @symbol: its name is copied
 * @ret: its index, for relocations; optional
 *
 * Return: 0 or -ENOMEM.
 */
int output_symbol(Output *o, const OutputSymbol *symbol, size_t *ret) {
        int r;

        for (size_t n = o->n_symbols ? 1 : 2; n > 0; n--) {
                r = APPEND(o->symbols, o->n_symbols, (OutputSymbol) {});
                if (r < 0)
                        return r;
        }
        o->symbols[o->n_symbols - 1] = *symbol;
        o->symbols[o->n_symbols - 1].name = strdup(symbol->name);
        if (!o->symbols[o->n_symbols - 1].name)
                return -ENOMEM;
        if (ret)
                *ret = o->n_symbols - 1;
        return 0;
}

/* ---- the file ---- */

/**
 * struct Writer - a file being written
 * @map: for each symbol of the output its index in the file
 * @symtab: index of the symbol table in the file
 */
typedef struct Writer {
        const Output *output;
        Elf *elf;
        FILE *names;   /* of sections */
        FILE *strings; /* of symbols */
        char *name_bytes, *string_bytes;
        size_t name_size, string_size;
        Elf64_Sym *symbols;
        size_t n_symbols, n_locals;
        uint32_t *map;
        Elf64_Rela **relocations; /* of each section */
        size_t symtab;
} Writer;

static void writer_done(Writer *w) {
        if (w->elf)
                elf_end(w->elf);
        if (w->names)
                fclose(w->names);
        if (w->strings)
                fclose(w->strings);
        for (size_t i = 0; w->relocations && i < w->output->n_sections; i++)
                free(w->relocations[i]);
        free(w->relocations);
        free(w->name_bytes);
        free(w->string_bytes);
        free(w->symbols);
        free(w->map);
}

static uint32_t put_string(FILE *f, const char *s) {
        uint32_t at = (uint32_t) ftell(f);

        fputs(s, f);
        fputc('\0', f);
        return at;
}

static void put_symbols(Writer *w, bool global) {
        const Output *o = w->output;

        for (size_t i = 1; i < o->n_symbols; i++) {
                const OutputSymbol *s = o->symbols + i;

                if ((s->bind != STB_LOCAL) != global)
                        continue;
                w->map[i] = (uint32_t) w->n_symbols;
                w->symbols[w->n_symbols++] = (Elf64_Sym) {
                        .st_name = put_string(w->strings, s->name),
                        .st_info = (unsigned char) ELF64_ST_INFO(s->bind, s->type),
                        .st_shndx = (Elf64_Section) s->section,
                        .st_value = s->value,
                        .st_size = s->size,
                };
        }
}

/* The empty symbol, then one for each section, so that the index of the one is that of the other. */
static int make_symbols(Writer *w) {
        const Output *o = w->output;

        w->symbols = calloc(o->n_sections + o->n_symbols + 1, sizeof(*w->symbols));
        w->map = calloc(o->n_symbols + 1, sizeof(*w->map));
        w->strings = open_memstream(&w->string_bytes, &w->string_size);
        w->names = open_memstream(&w->name_bytes, &w->name_size);
        if (!w->symbols || !w->map || !w->strings || !w->names)
                return -ENOMEM;
        fputc('\0', w->strings);
        fputc('\0', w->names);
        w->n_symbols = 1;
        for (size_t i = 1; i < o->n_sections; i++)
                w->symbols[w->n_symbols++] = (Elf64_Sym) {
                        .st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION),
                        .st_shndx = (Elf64_Section) i,
                };
        put_symbols(w, false);
        w->n_locals = w->n_symbols;
        put_symbols(w, true);
        return fflush(w->strings) == 0 ? 0 : -ENOMEM;
}

static int add_section(Writer *w, Elf64_Shdr header, void *data, Elf_Type type, const char *name) {
        Elf_Scn *scn = elf_newscn(w->elf);
        Elf_Data *d = scn ? elf_newdata(scn) : NULL;
        Elf64_Shdr *h = scn ? elf64_getshdr(scn) : NULL;

        if (!d || !h)
                return -ENOMEM;
        d->d_buf = data;
        d->d_size = header.sh_size;
        d->d_type = type;
        d->d_align = header.sh_addralign;
        *h = header;
        h->sh_name = put_string(w->names, name);
        return 0;
}

static int add_contents(Writer *w) {
        const Output *o = w->output;
        int r;

        for (size_t i = 1; i < o->n_sections; i++) {
                const OutputSection *s = o->sections + i;

                r = add_section(w, (Elf64_Shdr) {
                        .sh_type = s->type,
                        .sh_flags = s->flags,
                        .sh_size = s->size,
                        .sh_addralign = s->alignment,
                        .sh_link = (Elf64_Word) s->link,
                }, s->type == SHT_NOBITS ? NULL : s->data, ELF_T_BYTE, s->name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_relocations_of(Writer *w, size_t section) {
        const OutputSection *s = w->output->sections + section;
        _cleanup_free_ char *name = NULL;
        Elf64_Rela *relas = calloc(s->n_relocations, sizeof(*relas));

        if (!relas)
                return -ENOMEM;
        w->relocations[section] = relas;
        for (size_t i = 0; i < s->n_relocations; i++) {
                const OutputRelocation *rel = s->relocations + i;
                uint64_t symbol = rel->symbol ? w->map[rel->symbol] : rel->section;

                relas[i] = (Elf64_Rela) {
                        .r_offset = rel->offset,
                        .r_info = ELF64_R_INFO(symbol, (uint64_t) rel->type),
                        .r_addend = rel->addend,
                };
        }
        if (str_printf(&name, ".rela%s", s->name) < 0)
                return -ENOMEM;
        return add_section(w, (Elf64_Shdr) {
                .sh_type = SHT_RELA,
                .sh_flags = SHF_INFO_LINK,
                .sh_size = s->n_relocations * sizeof(*relas),
                .sh_addralign = 8,
                .sh_entsize = sizeof(*relas),
                .sh_link = (Elf64_Word) w->symtab,
                .sh_info = (Elf64_Word) section,
        }, relas, ELF_T_RELA, name);
}

static int add_relocations(Writer *w) {
        const Output *o = w->output;
        size_t n = 0;
        int r = 0;

        w->relocations = calloc(o->n_sections + 1, sizeof(*w->relocations));
        if (!w->relocations)
                return -ENOMEM;
        for (size_t i = 1; i < o->n_sections; i++)
                n += o->sections[i].n_relocations > 0;
        /* After the contents and the relocations. */
        w->symtab = o->n_sections + n;
        for (size_t i = 1; i < o->n_sections && r >= 0; i++)
                if (o->sections[i].n_relocations > 0)
                        r = add_relocations_of(w, i);
        return r;
}

static int add_tables(Writer *w) {
        int r;

        r = add_section(w, (Elf64_Shdr) {
                .sh_type = SHT_SYMTAB,
                .sh_size = w->n_symbols * sizeof(*w->symbols),
                .sh_addralign = 8,
                .sh_entsize = sizeof(*w->symbols),
                .sh_link = (Elf64_Word) w->symtab + 1,
                .sh_info = (Elf64_Word) w->n_locals,
        }, w->symbols, ELF_T_SYM, ".symtab");
        if (r < 0)
                return r;
        r = add_section(w, (Elf64_Shdr) {
                .sh_type = SHT_STRTAB,
                .sh_size = w->string_size,
                .sh_addralign = 1,
        }, w->string_bytes, ELF_T_BYTE, ".strtab");
        if (r < 0)
                return r;
        /* An object without this section would ask for an executable stack. */
        return add_section(w, (Elf64_Shdr) { .sh_type = SHT_PROGBITS, .sh_addralign = 1 }, NULL, ELF_T_BYTE,
                ".note.GNU-stack");
}

static int add_section_names(Writer *w) {
        static const char name[] = ".shstrtab";
        uint64_t size = (uint64_t) ftell(w->names) + sizeof(name);
        int r;

        r = add_section(w, (Elf64_Shdr) { .sh_type = SHT_STRTAB, .sh_size = size, .sh_addralign = 1 }, NULL,
                ELF_T_BYTE, name);
        if (r < 0 || fflush(w->names) != 0)
                return r < 0 ? r : -ENOMEM;
        elf_getdata(elf_getscn(w->elf, w->symtab + 3), NULL)->d_buf = w->name_bytes;
        return 0;
}

static int write_elf(Writer *w, int fd) {
        Elf64_Ehdr *h;
        int r;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return -EOPNOTSUPP;
        w->elf = elf_begin(fd, ELF_C_WRITE, NULL);
        h = w->elf ? elf64_newehdr(w->elf) : NULL;
        if (!h)
                return -ENOMEM;
        *h = (Elf64_Ehdr) {
                .e_ident = { [EI_CLASS] = ELFCLASS64, [EI_DATA] = ELFDATA2LSB },
                .e_type = ET_REL,
                .e_machine = EM_X86_64,
                .e_version = EV_CURRENT,
        };
        r = make_symbols(w);
        if (r >= 0)
                r = add_contents(w);
        if (r >= 0)
                r = add_relocations(w);
        if (r >= 0)
                r = add_tables(w);
        if (r >= 0)
                r = add_section_names(w);
        if (r < 0)
                return r;
        elf64_getehdr(w->elf)->e_shstrndx = (Elf64_Half) (w->symtab + 3);
        return elf_update(w->elf, ELF_C_WRITE) < 0 ? -EIO : 0;
}

/**
 * output_write() - the file
 * @o: complete
 * @path: must not exist
 * @error: ModuleBuildFailed
 *
 * Return: 0 or a negative errno.
 */
int output_write(const Output *o, const char *path, sd_bus_error *error) {
        _cleanup_(writer_done) Writer w = { .output = o };
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        int r;

        r = fd < 0 ? -errno : write_elf(&w, fd);
        if (r < 0 && r != -ENOMEM)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"), "Cannot write '%s': %s",
                        path, r == -EIO ? elf_errmsg(-1) : strerror(-r));
        return r;
}
