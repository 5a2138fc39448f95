/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A module as libelf has it: opened for the post-link step, and written back with new symbol names and
 * new sections at its end. What becomes of which symbol is decided in postlink.c.
 */

#include "builder/module/postlink-link.h"

#include <inttypes.h>

#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

/** link_done() - free what it has; the file stays open */
void link_done(Link *l) {
        for (size_t i = 0; i < l->n_groups; i++) {
                free(l->groups[i].name);
                free(l->groups[i].relas);
        }
        free(l->groups);
        free(l->late);
        strv_free(l->report);
        if (l->elf)
                elf_end(l->elf);
}

/** link_refuse() - ModuleInvalid, with what libelf says. Returns the negative errno. */
int link_refuse(sd_bus_error *error, const char *what) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                "The module is not well-formed: %s: %s", what, elf_errmsg(-1));
}

/** link_section_name() - "" when it has none */
const char *link_section_name(const Link *l, Elf_Scn *scn) {
        GElf_Shdr shdr;

        return gelf_getshdr(scn, &shdr) ? strempty(elf_strptr(l->elf, l->shstrndx, shdr.sh_name)) : "";
}

/** link_symbol_name() - "" when it has none */
const char *link_symbol_name(const Link *l, const GElf_Sym *sym) {
        return strempty(elf_strptr(l->elf, l->strndx, sym->st_name));
}

/**
 * link_open() - find the parts of a module that are worked on
 * @l: with patch and symvers; for link_done(), also after an error
 * @fd: the module; must stay open as long as @l
 * @command: ELF_C_READ, or ELF_C_RDWR to change it in place
 * @error: ModuleInvalid
 *
 * Return: 0 or a negative errno.
 */
int link_open(Link *l, int fd, Elf_Cmd command, sd_bus_error *error) {
        GElf_Shdr shdr;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return -EOPNOTSUPP;
        l->elf = elf_begin(fd, command, NULL);
        if (!l->elf)
                return link_refuse(error, "not an ELF file");
        if (gelf_getclass(l->elf) != ELFCLASS64)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                        "The module is not for a 64-bit machine");
        if (elf_getshdrstrndx(l->elf, &l->shstrndx) < 0)
                return link_refuse(error, "no section names");
        for (Elf_Scn *scn = NULL; (scn = elf_nextscn(l->elf, scn));) {
                if (!gelf_getshdr(scn, &shdr))
                        return link_refuse(error, "a section header");
                if (shdr.sh_type != SHT_SYMTAB)
                        continue;
                if (l->symtab)
                        return link_refuse(error, "two symbol tables");
                l->symtab = scn;
                l->strndx = shdr.sh_link;
                l->n_symbols = shdr.sh_size / sizeof(Elf64_Sym);
        }
        return l->symtab ? 0 : link_refuse(error, "no symbol table");
}

/* Appended to a string table; @buffer must live until the file is written. */
static int strings_append(
                const Link *l, size_t index, char *buffer, size_t size, sd_bus_error *error) {
        Elf_Data *data = elf_newdata(elf_getscn(l->elf, index));

        if (!data)
                return link_refuse(error, "a string table");
        data->d_buf = buffer;
        data->d_size = size;
        data->d_align = 1;
        data->d_type = ELF_T_BYTE;
        return 0;
}

static int string_table_size(const Link *l, size_t index, size_t *ret, sd_bus_error *error) {
        GElf_Shdr shdr;

        if (!gelf_getshdr(elf_getscn(l->elf, index), &shdr))
                return link_refuse(error, "a string table");
        *ret = shdr.sh_size;
        return 0;
}

static int rename_symbols(Link *l, FILE *strings, size_t base, sd_bus_error *error) {
        Elf_Data *data = elf_getdata(l->symtab, NULL);
        GElf_Sym sym;
        int r;

        for (size_t i = 1; i < l->n_symbols; i++) {
                _cleanup_free_ char *line = NULL;
                const LateSymbol *late = l->late + i;

                if (!late->object)
                        continue;
                if (!gelf_getsym(data, (int) i, &sym))
                        return link_refuse(error, "the symbol table");
                if (str_printf(&line, "%s:%s,%" PRIu64, late->object, late->name, late->sympos) < 0)
                        return -ENOMEM;
                r = strv_extend(&l->report, line);
                if (r < 0)
                        return r;
                *strchr(line, ':') = '.';
                sym.st_name = (GElf_Word) (base + (size_t) ftell(strings));
                sym.st_shndx = SHN_LIVEPATCH;
                fprintf(strings, KLP_SYM "%s%c", line, '\0');
                if (!gelf_update_sym(data, (int) i, &sym))
                        return link_refuse(error, "the symbol table");
        }
        return 0;
}

static int add_section(Link *l, const Group *g, size_t name, sd_bus_error *error) {
        Elf_Scn *scn = elf_newscn(l->elf);
        Elf_Data *data = scn ? elf_newdata(scn) : NULL;
        GElf_Shdr shdr;

        if (!data || !gelf_getshdr(scn, &shdr))
                return link_refuse(error, "a new section");
        data->d_buf = g->relas;
        data->d_size = g->n * sizeof(Elf64_Rela);
        data->d_align = 8;
        data->d_type = ELF_T_RELA;
        shdr.sh_name = (GElf_Word) name;
        shdr.sh_type = SHT_RELA;
        shdr.sh_flags = SHF_ALLOC | SHF_INFO_LINK | SHF_RELA_LIVEPATCH;
        shdr.sh_link = (GElf_Word) elf_ndxscn(l->symtab);
        shdr.sh_info = (GElf_Word) g->target;
        shdr.sh_entsize = sizeof(Elf64_Rela);
        shdr.sh_addralign = 8;
        return gelf_update_shdr(scn, &shdr) ? 0 : link_refuse(error, "a new section");
}

/**
 * link_write() - give late symbols their names and relocations their sections, in the file
 * @l: its symbols and groups are known; what was renamed is added to its report
 * @error: ModuleInvalid
 *
 * Return: 0 or a negative errno; the file is of no use then.
 */
int link_write(Link *l, sd_bus_error *error) {
        _cleanup_free_ char *strings = NULL;
        size_t size, base = 0, section_base = 0, name;
        FILE *f;
        int r;

        r = string_table_size(l, l->strndx, &base, error);
        if (r < 0)
                return r;
        r = string_table_size(l, l->shstrndx, &section_base, error);
        if (r < 0)
                return r;
        f = open_memstream(&strings, &size);
        if (!f)
                return -ENOMEM;
        r = rename_symbols(l, f, base, error);
        name = (size_t) ftell(f);
        for (size_t i = 0; i < l->n_groups; i++)
                fprintf(f, "%s%c", l->groups[i].name, '\0');
        if (fclose(f) != 0)
                return -ENOMEM;
        if (r < 0)
                return r;
        /* Both tables get all new strings when they are one section, and their share otherwise. */
        if (l->strndx != l->shstrndx) {
                r = strings_append(l, l->strndx, strings, name, error);
                if (r < 0)
                        return r;
                section_base -= name;
        }
        r = strings_append(l, l->shstrndx, l->strndx == l->shstrndx ? strings : strings + name,
                l->strndx == l->shstrndx ? size : size - name, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l->n_groups; i++) {
                r = add_section(l, l->groups + i, section_base + name, error);
                if (r < 0)
                        return r;
                name += strlen(l->groups[i].name) + 1;
        }
        /* libelf 0.188 makes a table of section headers for the new sections only if the file is marked, and it marks it
         * itself only when the table moves. By chance it may not. */
        (void) elf_flagelf(l->elf, ELF_C_SET, ELF_F_DIRTY);
        return elf_update(l->elf, ELF_C_WRITE) < 0 ? link_refuse(error, "writing") : 0;
}
