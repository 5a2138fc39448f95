/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A module while the post-link step works on it. */

#include <gelf.h>
#include <libelf.h>

#include "builder/module/postlink.h"

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

int link_open(Link *l, int fd, Elf_Cmd command, sd_bus_error *error) _must_check_ _nonnull_(1);
void link_done(Link *l);
int link_write(Link *l, sd_bus_error *error) _must_check_ _nonnull_(1);

int link_refuse(sd_bus_error *error, const char *what) _nonnull_(2);
const char *link_section_name(const Link *l, Elf_Scn *scn) _nonnull_(1, 2);
const char *link_symbol_name(const Link *l, const GElf_Sym *sym) _nonnull_(1, 2);
