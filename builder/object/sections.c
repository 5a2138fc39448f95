/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What each section of a kernel object is for, in one table.
 *
 * The flags of a section tell code from data. What they cannot tell is what the kernel does with it:
 * freed after init, sorted into one table with every other object's, read by modpost and dropped. That
 * is in names, which come from include/asm-generic/vmlinux.lds.h, scripts/module.lds.S and
 * include/linux/init.h. The first row that fits decides; a section without a row is judged by its flags.
 */

#include "builder/object/object-internal.h"

/* A name that ends in `*` is a prefix; one without is exact, or followed by a dot. */
static const struct SectionRow {
        const char *name;
        ObjectSectionKind kind;
} rows[] = {
        /* Places in the code. `.discard.*` is read by objtool, then dropped; without SHF_ALLOC. */
        { ".discard.*", OBJECT_TABLE },
        { "__bug_table", OBJECT_TABLE },
        { "__ex_table", OBJECT_TABLE },
        { "__jump_table", OBJECT_TABLE },
        { "__mcount_loc", OBJECT_TABLE },
        { "__patchable_function_entries", OBJECT_TABLE },
        { "_kprobe_blacklist", OBJECT_TABLE },
        { "_error_injection_whitelist", OBJECT_TABLE },
        { ".altinstructions", OBJECT_TABLE },
        { ".altinstr_replacement", OBJECT_TABLE },
        { ".altinstr_aux", OBJECT_TABLE },
        { ".parainstructions", OBJECT_TABLE },
        { ".smp_locks", OBJECT_TABLE },
        { ".printk_index", OBJECT_TABLE },
        { ".static_call_sites", OBJECT_TABLE },
        { ".static_call_tramp_key", OBJECT_TABLE },
        { ".retpoline_sites", OBJECT_TABLE },
        { ".return_sites", OBJECT_TABLE },
        { ".call_sites", OBJECT_TABLE },
        { ".ibt_endbr_seal", OBJECT_TABLE },
        { ".cfi_sites", OBJECT_TABLE },
        { ".kcfi_traps", OBJECT_TABLE },
        { ".orc_*", OBJECT_TABLE },

        /* Exported symbols; modpost and the linker scripts gather `___ksymtab+NAME`. */
        { "__ksymtab*", OBJECT_EXPORT },
        { "___ksymtab*", OBJECT_EXPORT },
        { "__kcrctab*", OBJECT_EXPORT },
        { "___kcrctab*", OBJECT_EXPORT },
        { ".export_symbol", OBJECT_EXPORT },

        /* Freed after init, or never there. */
        { ".init.*", OBJECT_INIT },
        { ".exit.*", OBJECT_INIT },
        { ".meminit.*", OBJECT_INIT },
        { ".memexit.*", OBJECT_INIT },
        { ".head.text", OBJECT_INIT },
        { ".initcall*", OBJECT_INIT },
        { ".con_initcall.*", OBJECT_INIT },
        { ".exitcall*", OBJECT_INIT },
        { ".x86_cpu_dev.init", OBJECT_INIT },
        { ".x86_intel_mid_dev.init", OBJECT_INIT },
        { ".lsm_info.init", OBJECT_INIT },
        { ".early_lsm_info.init", OBJECT_INIT },
        { ".iommu_table", OBJECT_INIT },
        { ".init_array", OBJECT_INIT },
        { ".apicdrivers", OBJECT_INIT },
        { ".kunit_init_test_suites", OBJECT_INIT },

        /* Read by modpost or by people. */
        { ".modinfo", OBJECT_IGNORED },
        { "__modver", OBJECT_IGNORED },
        { ".note", OBJECT_IGNORED },
        { ".comment", OBJECT_IGNORED },
        { ".gnu.linkonce.this_module", OBJECT_IGNORED },
        { ".llvm*", OBJECT_IGNORED },
        { ".eh_frame", OBJECT_IGNORED },

        /* Sections of constants that some assembly opens as writable. */
        { ".rodata..*", OBJECT_READ_ONLY },
};

static bool row_fits(const char *pattern, const char *name) {
        size_t n = strlen(pattern);

        if (pattern[n - 1] == '*')
                return strncmp(name, pattern, n - 1) == 0;
        return strncmp(name, pattern, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

/**
 * object_section_kind() - what a section is for
 * @name: of the section
 * @type: SHT_
 * @flags: SHF_
 *
 * Return: its kind; OBJECT_IGNORED for what is neither loaded nor known.
 */
ObjectSectionKind object_section_kind(const char *name, uint32_t type, uint64_t flags) {
        if (type != SHT_PROGBITS && type != SHT_NOBITS && type != SHT_INIT_ARRAY && type != SHT_NOTE)
                return OBJECT_IGNORED;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (row_fits(rows[i].name, name))
                        return rows[i].kind;
        if (!(flags & SHF_ALLOC) || type == SHT_NOTE)
                return OBJECT_IGNORED;
        if (flags & SHF_EXECINSTR)
                return OBJECT_CODE;
        if (flags & SHF_WRITE || type == SHT_NOBITS)
                return OBJECT_DATA;
        return flags & SHF_MERGE ? OBJECT_STRINGS : OBJECT_READ_ONLY;
}
