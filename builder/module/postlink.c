/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The post-link step, in place on the .ko that Kbuild made.
 *
 * The kernel's loader resolves undefined symbols from exports only. What a patch uses beyond those
 * is resolved by livepatch, from kallsyms, if it finds it in the form that
 * Documentation/livepatch/module-elf-format.rst describes: the symbol is called
 * `.klp.sym.OBJECT.NAME,SYMPOS` and has the section index SHN_LIVEPATCH; the relocations against it
 * stand in a section `.klp.rela.OBJECT.SECTION` of their own, flagged SHF_RELA_LIVEPATCH, and
 * SHF_ALLOC, because those of modules that come later are applied from the kernel's memory long
 * after loading. Symbols keep their places in the table, so nothing else moves.
 *
 * Refused, because the kernel would crash or refuse instead: a symbol of a module used where the
 * loader itself reads or where memory is freed after loading (both happen before that module may be
 * there); an exported symbol called unexported; a replacement that no source defines.
 *
 * What cannot be seen from here: whether vmlinux has such a symbol, and only one. Its kallsyms are
 * in the running kernel; hotpatchd and the kernel look.
 */

#include "builder/module/postlink.h"

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>

#include "builder/module/table.h"
#include "bundle/digest.h"
#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "util/limits.h"
#include "util/strv.h"

/* include/uapi/linux/elf.h */
#ifndef SHN_LIVEPATCH
#define SHN_LIVEPATCH 0xff20
#endif
#ifndef SHF_RELA_LIVEPATCH
#define SHF_RELA_LIVEPATCH 0x00100000
#endif

#define KLP_SYM ".klp.sym."
#define KLP_RELA ".klp.rela."

/**
 * struct LateSymbol - an undefined symbol that livepatch resolves; not owned
 * @object: whose symbol it is; NULL: the loader resolves this one
 * @owner: with whose loading
 * @name: in @object
 */
typedef struct LateSymbol {
        const char *object;
        const char *owner;
        const char *name;
        uint64_t sympos;
} LateSymbol;

/** struct Group - relocations of one section against symbols of one object */
typedef struct Group {
        char *name;      /* of the new section */
        size_t target;   /* index of the section they apply to */
        GElf_Rela *relas;
        size_t n;
} Group;

/** struct Link - one module being changed */
typedef struct Link {
        const PatchFile *patch;
        const Symvers *symvers;
        Elf *elf;
        size_t shstrndx;
        Elf_Scn *symtab;
        size_t strndx;
        size_t n_symbols;
        LateSymbol *late; /* for each symbol: what becomes of it */
        Group *groups;
        size_t n_groups;
        char **report;
} Link;

static void link_done(Link *l) {
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

static int refuse_elf(sd_bus_error *error, const char *what) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                "The module is not well-formed: %s: %s", what, elf_errmsg(-1));
}

static const char *section_name(const Link *l, Elf_Scn *scn) {
        GElf_Shdr shdr;

        return gelf_getshdr(scn, &shdr) ? strempty(elf_strptr(l->elf, l->shstrndx, shdr.sh_name)) : "";
}

static const char *symbol_name(const Link *l, const GElf_Sym *sym) {
        return strempty(elf_strptr(l->elf, l->strndx, sym->st_name));
}

static int link_open(Link *l, int fd, Elf_Cmd command, sd_bus_error *error) {
        GElf_Shdr shdr;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return -EOPNOTSUPP;
        l->elf = elf_begin(fd, command, NULL);
        if (!l->elf)
                return refuse_elf(error, "not an ELF file");
        if (gelf_getclass(l->elf) != ELFCLASS64)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                        "The module is not for a 64-bit machine");
        if (elf_getshdrstrndx(l->elf, &l->shstrndx) < 0)
                return refuse_elf(error, "no section names");
        for (Elf_Scn *scn = NULL; (scn = elf_nextscn(l->elf, scn));) {
                if (!gelf_getshdr(scn, &shdr))
                        return refuse_elf(error, "a section header");
                if (shdr.sh_type != SHT_SYMTAB)
                        continue;
                if (l->symtab)
                        return refuse_elf(error, "two symbol tables");
                l->symtab = scn;
                l->strndx = shdr.sh_link;
                l->n_symbols = shdr.sh_size / sizeof(Elf64_Sym);
        }
        return l->symtab ? 0 : refuse_elf(error, "no symbol table");
}

static const PatchSymbol *find_symbol(const PatchFile *p, const char *name) {
        for (size_t i = 0; i < p->n_symbols; i++)
                if (streq(p->symbols[i].name, name))
                        return p->symbols + i;
        return NULL;
}

/* Names that patch.json says the sources define. */
static bool must_be_defined(const PatchFile *p, const char *name) {
        if (streq_ptr(p->self_test, name))
                return true;
        for (size_t i = 0; i < p->n_functions; i++)
                if (streq(p->functions[i].replacement, name))
                        return true;
        for (size_t i = 0; i < p->n_callbacks; i++) {
                const PatchCallbacks *c = p->callbacks + i;

                if (streq_ptr(c->pre_patch, name) || streq_ptr(c->post_patch, name) ||
                                streq_ptr(c->pre_unpatch, name) || streq_ptr(c->post_unpatch, name))
                        return true;
        }
        return false;
}

static int check_late_symbol(const LateSymbol *s, sd_bus_error *error) {
        if (strlen(s->name) > HOTPATCH_SYMBOL_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The symbol '%.80s…' is longer than %u characters", s->name, HOTPATCH_SYMBOL_MAX);
        /* kernel/livepatch/core.c, klp_resolve_symbols(), refuses the other way round. */
        if (streq(s->owner, "vmlinux") && !streq(s->object, "vmlinux"))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "'%s' of module '%s' is used by code of vmlinux", s->name, s->object);
        return 0;
}

/* Where a symbol is to be looked up by livepatch; an object of NULL: the loader finds it itself. */
static int classify_symbol(
                const Link *l, const GElf_Sym *sym, LateSymbol *ret, sd_bus_error *error) {
        const char *name = symbol_name(l, sym), *exporter;
        const PatchSymbol *listed;
        int r;

        *ret = (LateSymbol) {};
        if (sym->st_shndx != SHN_UNDEF || !*name || GELF_ST_BIND(sym->st_info) == STB_WEAK)
                return 0;
        listed = find_symbol(l->patch, name);
        exporter = symvers_find(l->symvers, name);
        if (exporter && listed && !listed->owner)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "patch.json lists '%s' as a symbol of '%s', but '%s' exports it; use it as it is",
                        name, listed->object, exporter);
        if (exporter && !listed)
                return 0;
        if (must_be_defined(l->patch, name))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "patch.json names the function '%s', but no source defines it, or only as static",
                        name);
        LateSymbol late = {
                .object = listed ? listed->object : "vmlinux",
                .owner = "vmlinux",
                .name = listed && listed->symbol ? listed->symbol : name,
                .sympos = listed ? listed->sympos : 0,
        };
        /* klp_resolve_symbols() takes those of vmlinux in sections of vmlinux only. */
        if (!streq(late.object, "vmlinux"))
                late.owner = table_symbol_owner(listed);
        r = check_late_symbol(&late, error);
        if (r < 0)
                return r;
        *ret = late;
        return 0;
}

static int classify_symbols(Link *l, sd_bus_error *error) {
        Elf_Data *data = elf_getdata(l->symtab, NULL);
        GElf_Sym sym;
        int r;

        l->late = calloc(l->n_symbols + 1, sizeof(*l->late));
        if (!l->late)
                return -ENOMEM;
        for (size_t i = 1; i < l->n_symbols; i++) {
                if (!data || !gelf_getsym(data, (int) i, &sym))
                        return refuse_elf(error, "the symbol table");
                r = classify_symbol(l, &sym, l->late + i, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/*
 * Sections that the loader reads itself (static keys, alternatives, exception and bug tables …) or
 * frees after init. A module's symbol may be unresolved at that time.
 */
static bool section_takes_late_relocations(const char *name) {
        static const char *const refused[] = {
                ".init", "__jump_table", ".static_call_sites", ".altinstr", ".parainstructions",
                ".smp_locks", ".retpoline_sites", ".return_sites", ".call_sites", ".ibt_endbr_seal",
                "__bug_table", "__ex_table", "__mcount_loc", "__patchable_function_entries",
                "__tracepoints", "_ftrace_events", "__param", ".orc_", ".gnu.linkonce.this_module",
                ".hotpatch.tripwires",
        };

        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (startswith(name, refused[i]))
                        return false;
        return true;
}

static int group_get(Link *l, const char *owner, size_t target, size_t capacity, Group **ret) {
        _cleanup_free_ char *name = NULL;
        Group *grown;

        if (asprintf(&name, KLP_RELA "%s.%s", owner,
                            section_name(l, elf_getscn(l->elf, target))) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        for (size_t i = 0; i < l->n_groups; i++)
                if (l->groups[i].target == target && streq(l->groups[i].name, name)) {
                        *ret = l->groups + i;
                        return 0;
                }
        grown = reallocarray(l->groups, l->n_groups + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->groups = grown;
        grown[l->n_groups] = (Group) { .target = target };
        grown[l->n_groups].relas = calloc(capacity, sizeof(GElf_Rela));
        if (!grown[l->n_groups].relas)
                return -ENOMEM;
        grown[l->n_groups].name = TAKE_PTR(name);
        *ret = grown + l->n_groups++;
        return 0;
}

static int move_relocation(Link *l, const GElf_Rela *rela, size_t target, size_t capacity,
                sd_bus_error *error) {
        const LateSymbol *symbol = l->late + GELF_R_SYM(rela->r_info);
        const char *section = section_name(l, elf_getscn(l->elf, target));
        Group *g;
        int r;

        if (!streq(symbol->owner, "vmlinux") && !section_takes_late_relocations(section))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "'%s' of module '%s' is used in section '%s', which the kernel reads or frees "
                        "before that module may be there",
                        symbol->name, symbol->object, section);
        r = group_get(l, symbol->owner, target, capacity, &g);
        if (r < 0)
                return r;
        g->relas[g->n++] = *rela;
        return 0;
}

/* What stays is moved together in place; an empty section stays too, that no index changes. */
static int split_section(Link *l, Elf_Scn *scn, const GElf_Shdr *shdr, sd_bus_error *error) {
        Elf_Data *data = elf_getdata(scn, NULL);
        size_t n = shdr->sh_size / sizeof(Elf64_Rela), kept = 0;
        GElf_Rela rela;
        int r;

        for (size_t i = 0; i < n; i++) {
                if (!data || !gelf_getrela(data, (int) i, &rela) ||
                                GELF_R_SYM(rela.r_info) >= l->n_symbols)
                        return refuse_elf(error, section_name(l, scn));
                if (l->late[GELF_R_SYM(rela.r_info)].object) {
                        r = move_relocation(l, &rela, shdr->sh_info, n, error);
                        if (r < 0)
                                return r;
                } else if (!gelf_update_rela(data, (int) kept++, &rela))
                        return refuse_elf(error, section_name(l, scn));
        }
        if (kept == n)
                return 0;
        data->d_size = kept * sizeof(Elf64_Rela);
        elf_flagdata(data, ELF_C_SET, ELF_F_DIRTY);
        return 0;
}

static int split_relocations(Link *l, sd_bus_error *error) {
        GElf_Shdr shdr, target;
        int r;

        for (Elf_Scn *scn = NULL; (scn = elf_nextscn(l->elf, scn));) {
                if (!gelf_getshdr(scn, &shdr))
                        return refuse_elf(error, "a section header");
                if (shdr.sh_type != SHT_RELA)
                        continue;
                if (!gelf_getshdr(elf_getscn(l->elf, shdr.sh_info), &target))
                        return refuse_elf(error, section_name(l, scn));
                /* kernel/module/main.c, apply_relocations(): others are not applied. */
                if (!(target.sh_flags & SHF_ALLOC))
                        continue;
                r = split_section(l, scn, &shdr, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Appended to a string table; @buffer must live until the file is written. */
static int strings_append(
                const Link *l, size_t index, char *buffer, size_t size, sd_bus_error *error) {
        Elf_Data *data = elf_newdata(elf_getscn(l->elf, index));

        if (!data)
                return refuse_elf(error, "a string table");
        data->d_buf = buffer;
        data->d_size = size;
        data->d_align = 1;
        data->d_type = ELF_T_BYTE;
        return 0;
}

static int string_table_size(const Link *l, size_t index, size_t *ret, sd_bus_error *error) {
        GElf_Shdr shdr;

        if (!gelf_getshdr(elf_getscn(l->elf, index), &shdr))
                return refuse_elf(error, "a string table");
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
                        return refuse_elf(error, "the symbol table");
                if (asprintf(&line, "%s:%s,%" PRIu64, late->object, late->name, late->sympos) < 0) {
                        line = NULL;
                        return -ENOMEM;
                }
                r = strv_extend(&l->report, line);
                if (r < 0)
                        return r;
                *strchr(line, ':') = '.';
                sym.st_name = (GElf_Word) (base + (size_t) ftell(strings));
                sym.st_shndx = SHN_LIVEPATCH;
                fprintf(strings, KLP_SYM "%s%c", line, '\0');
                if (!gelf_update_sym(data, (int) i, &sym))
                        return refuse_elf(error, "the symbol table");
        }
        return 0;
}

static int add_section(Link *l, const Group *g, size_t name, sd_bus_error *error) {
        Elf_Scn *scn = elf_newscn(l->elf);
        Elf_Data *data = scn ? elf_newdata(scn) : NULL;
        GElf_Shdr shdr;

        if (!data || !gelf_getshdr(scn, &shdr))
                return refuse_elf(error, "a new section");
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
        return gelf_update_shdr(scn, &shdr) ? 0 : refuse_elf(error, "a new section");
}

static int write_out(Link *l, sd_bus_error *error) {
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
        return elf_update(l->elf, ELF_C_WRITE) < 0 ? refuse_elf(error, "writing") : 0;
}

/**
 * postlink() - turn unexported symbols of a module into klp relocations
 * @fd: the module, readable and writable; changed in place, and of no use after an error
 * @p: where symbols live that are not alone of their name in vmlinux
 * @symvers: what that kernel exports
 * @ret_symbols: the symbols turned, "OBJECT:SYMBOL,SYMPOS"; NULL when there are none. Free with
 *   strv_free(); may be NULL
 * @error: ModuleBuildFailed for what the author can change, ModuleInvalid for a broken file
 *
 * Return: 0 or a negative errno.
 */
int postlink(int fd, const PatchFile *p, const Symvers *symvers, char ***ret_symbols,
                sd_bus_error *error) {
        _cleanup_(link_done) Link l = { .patch = p, .symvers = symvers };
        int r;

        r = link_open(&l, fd, ELF_C_RDWR, error);
        if (r < 0)
                return r;
        r = classify_symbols(&l, error);
        if (r < 0)
                return r;
        r = split_relocations(&l, error);
        if (r < 0)
                return r;
        r = write_out(&l, error);
        if (r < 0)
                return r;
        if (ret_symbols)
                *ret_symbols = TAKE_PTR(l.report);
        return 0;
}

/* Relocations against livepatch's symbols are in its sections, and no others are. */
static int check_relocations(const Link *l, sd_bus_error *error) {
        Elf_Data *symbols = elf_getdata(l->symtab, NULL), *data;
        GElf_Shdr shdr, target;
        GElf_Rela rela;
        GElf_Sym sym;

        for (Elf_Scn *scn = NULL; (scn = elf_nextscn(l->elf, scn));) {
                if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA)
                        continue;
                if (!gelf_getshdr(elf_getscn(l->elf, shdr.sh_info), &target))
                        return refuse_elf(error, section_name(l, scn));
                if (!(target.sh_flags & SHF_ALLOC))
                        continue;
                data = elf_getdata(scn, NULL);
                for (size_t i = 0; i < shdr.sh_size / sizeof(Elf64_Rela); i++) {
                        if (!data || !gelf_getrela(data, (int) i, &rela) ||
                                        !gelf_getsym(symbols, (int) GELF_R_SYM(rela.r_info), &sym))
                                return refuse_elf(error, section_name(l, scn));
                        if ((sym.st_shndx == SHN_LIVEPATCH) !=
                                        !!(shdr.sh_flags & SHF_RELA_LIVEPATCH))
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                                        "Section '%s' has a relocation against '%s', which is not for it",
                                        section_name(l, scn), symbol_name(l, &sym));
                }
        }
        return 0;
}

static int check_note(const ModuleInfo *info, const PatchFile *p, sd_bus_error *error) {
        _cleanup_free_ char *text = NULL;
        uint8_t digest[DIGEST_SIZE];
        int r;

        r = table_text(p, &text);
        if (r < 0)
                return r;
        r = digest_bytes(text, strlen(text) + 1, digest);
        if (r < 0)
                return r;
        if (!info->has_note || !streq(info->note.bundle_id, p->manifest->id) ||
                        info->note.sequence != p->manifest->sequence ||
                        !streq(info->note.table, text) ||
                        memcmp(info->note.table_sha256, digest, sizeof(digest)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                        "The note '" HOTPATCH_NOTE_SECTION "' does not say what patch.json says");
        return 0;
}

static bool info_has_function(const ModuleInfo *info, const PatchFunction *f) {
        _cleanup_free_ char *name = NULL;

        if (f->sympos ? asprintf(&name, "%s,%" PRIu64, f->function, f->sympos) < 0
                      : asprintf(&name, "%s", f->function) < 0) {
                name = NULL;
                return false;
        }
        for (size_t i = 0; i < info->n_objects; i++)
                if (streq(info->objects[i].name, f->object) &&
                                strv_contains(info->objects[i].functions, name))
                        return true;
        return false;
}

/**
 * postlink_check() - read a finished module back
 * @fd: the module
 * @p: what it must be
 * @symvers: what its kernel exports
 * @error: ModuleInvalid, or what module_inspect() sets
 *
 * Return: 0 or a negative errno.
 */
int postlink_check(int fd, const PatchFile *p, const Symvers *symvers, sd_bus_error *error) {
        _cleanup_module_info_free_ ModuleInfo *info = NULL;
        _cleanup_(link_done) Link l = { .patch = p, .symvers = symvers };
        int r;

        r = module_inspect(fd, &info, error);
        if (r < 0)
                return r;
        if (!info->livepatch)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotALivepatch"),
                        "'%s' is not marked as a livepatch", p->module);
        r = check_note(info, p, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < p->n_functions; i++)
                if (!info_has_function(info, p->functions + i))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                                "The table does not have '%s' of '%s'", p->functions[i].function,
                                p->functions[i].object);
        r = link_open(&l, fd, ELF_C_READ, error);
        if (r < 0)
                return r;
        return check_relocations(&l, error);
}
