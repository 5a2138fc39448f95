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

#include "builder/module/postlink-link.h"

#include "builder/module/table.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

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
        const char *name = link_symbol_name(l, sym), *exporter;
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
                        return link_refuse(error, "the symbol table");
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

        if (str_printf(&name, KLP_RELA "%s.%s", owner,
                            link_section_name(l, elf_getscn(l->elf, target))) < 0)
                return -ENOMEM;
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
        const char *section = link_section_name(l, elf_getscn(l->elf, target));
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
                        return link_refuse(error, link_section_name(l, scn));
                if (l->late[GELF_R_SYM(rela.r_info)].object) {
                        r = move_relocation(l, &rela, shdr->sh_info, n, error);
                        if (r < 0)
                                return r;
                } else if (!gelf_update_rela(data, (int) kept++, &rela))
                        return link_refuse(error, link_section_name(l, scn));
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
                        return link_refuse(error, "a section header");
                if (shdr.sh_type != SHT_RELA)
                        continue;
                if (!gelf_getshdr(elf_getscn(l->elf, shdr.sh_info), &target))
                        return link_refuse(error, link_section_name(l, scn));
                /* kernel/module/main.c, apply_relocations(): others are not applied. */
                if (!(target.sh_flags & SHF_ALLOC))
                        continue;
                r = split_section(l, scn, &shdr, error);
                if (r < 0)
                        return r;
        }
        return 0;
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
        r = link_write(&l, error);
        if (r < 0)
                return r;
        if (ret_symbols)
                *ret_symbols = TAKE_PTR(l.report);
        return 0;
}
