/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A finished module, read back: is it what patch.json says, and are livepatch's relocations where livepatch
 * looks for them? It shares no more with the step that wrote it than how a file is opened.
 */

#include <inttypes.h>

#include "builder/module/postlink-link.h"
#include "builder/module/table.h"
#include "bundle/digest.h"
#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "util/str.h"
#include "util/strv.h"

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
                        return link_refuse(error, link_section_name(l, scn));
                if (!(target.sh_flags & SHF_ALLOC))
                        continue;
                data = elf_getdata(scn, NULL);
                for (size_t i = 0; i < shdr.sh_size / sizeof(Elf64_Rela); i++) {
                        if (!data || !gelf_getrela(data, (int) i, &rela) ||
                                        !gelf_getsym(symbols, (int) GELF_R_SYM(rela.r_info), &sym))
                                return link_refuse(error, link_section_name(l, scn));
                        if ((sym.st_shndx == SHN_LIVEPATCH) !=
                                        !!(shdr.sh_flags & SHF_RELA_LIVEPATCH))
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleInvalid"),
                                        "Section '%s' has a relocation against '%s', which is not for it",
                                        link_section_name(l, scn), link_symbol_name(l, &sym));
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

        if (f->sympos ? str_printf(&name, "%s,%" PRIu64, f->function, f->sympos) < 0
                      : str_printf(&name, "%s", f->function) < 0)
                return false;
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
