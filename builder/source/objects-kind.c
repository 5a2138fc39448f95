/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Files by their names.
 *
 * A fix often changes more than code: a document, a test, another architecture. What cannot influence
 * this kernel must not stand in the way. What can, but not by way of a replaced function (the
 * configuration, makefiles, tools that run while the kernel is built, code of the boot loader or
 * the vDSO), must never be passed over: a hotpatch without it would be another fix.
 */

#include "builder/source/objects-kind.h"

/* First match wins. */
static const struct {
        const char *prefix;
        FileKind kind;
} folders[] = {
        { "Documentation/", FILE_IGNORED },
        { "LICENSES/", FILE_IGNORED },
        { "COPYING", FILE_IGNORED },
        { "CREDITS", FILE_IGNORED },
        { "MAINTAINERS", FILE_IGNORED },
        { "README", FILE_IGNORED },
        { ".", FILE_IGNORED },
        { "samples/", FILE_ELSEWHERE },
        { "scripts/checkpatch.pl", FILE_IGNORED },
        { "scripts/coccinelle/", FILE_IGNORED },
        { "scripts/get_maintainer.pl", FILE_IGNORED },
        { "scripts/", FILE_BUILD },
        { "tools/arch/", FILE_BUILD }, /* what objtool and resolve_btfids are made of */
        { "tools/bpf/resolve_btfids/", FILE_BUILD },
        { "tools/build/", FILE_BUILD },
        { "tools/include/", FILE_BUILD },
        { "tools/lib/", FILE_BUILD },
        { "tools/objtool/", FILE_BUILD },
        { "tools/scripts/", FILE_BUILD },
        { "tools/", FILE_IGNORED },
        { "rust/", FILE_BUILD },
        { "usr/", FILE_BUILD },
        /* In the image, but not kernel code that ftrace or kallsyms know. */
        { "arch/x86/boot/", FILE_BUILD },
        { "arch/x86/entry/vdso/", FILE_BUILD },
        { "arch/x86/kernel/asm-offsets", FILE_BUILD },
        { "arch/x86/purgatory/", FILE_BUILD },
        { "arch/x86/realmode/rm/", FILE_BUILD },
        { "arch/x86/tools/", FILE_BUILD },
        { "drivers/firmware/efi/libstub/", FILE_BUILD },
        { "kernel/bounds.c", FILE_BUILD },
        { "lib/vdso/", FILE_BUILD },
};

static const struct {
        const char *suffix;
        FileKind kind;
} suffixes[] = {
        { ".lds.h", FILE_BUILD },
        { ".c", FILE_SOURCE },
        { ".h", FILE_INCLUDED },
        { ".S", FILE_ASSEMBLY },
        { ".gitignore", FILE_IGNORED },
        { ".md", FILE_IGNORED },
        { ".rst", FILE_IGNORED },
        { ".txt", FILE_IGNORED },
        { ".yaml", FILE_IGNORED },
        { ".asn1", FILE_BUILD },
        { ".awk", FILE_BUILD },
        { ".dts", FILE_BUILD },
        { ".dtsi", FILE_BUILD },
        { ".lds", FILE_BUILD },
        { ".mk", FILE_BUILD },
        { ".pl", FILE_BUILD },
        { ".py", FILE_BUILD },
        { ".rs", FILE_BUILD },
        { ".sh", FILE_BUILD },
        { ".tbl", FILE_BUILD },
};

static bool is_makefile(const char *name) {
        static const char *const names[] = { "Makefile", "Kbuild", "Kconfig" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const char *rest = startswith(name, names[i]);

                if (rest && (*rest == '\0' || *rest == '.' || *rest == '-' || *rest == '_'))
                        return true;
        }
        return false;
}

/* "arch/NAME/…", but ours */
static bool is_other_architecture(const char *path) {
        const char *name = startswith(path, "arch/");

        return name && strchr(name, '/') && !startswith(name, "x86/");
}

/** file_kind() - what a file is */
FileKind file_kind(const char *path) {
        const char *slash = strrchr(path, '/');

        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                if (startswith(path, folders[i].prefix))
                        return folders[i].kind;
        if (is_other_architecture(path))
                return FILE_ELSEWHERE;
        if (is_makefile(slash ? slash + 1 : path))
                return FILE_BUILD;
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (endswith(path, suffixes[i].suffix))
                        return suffixes[i].kind;
        return FILE_INCLUDED;
}
