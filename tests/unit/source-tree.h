/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A prepared tree in small: makefiles as Kbuild's, and a top makefile that compiles as Kbuild does. */

#include "builder/source/tree.h"
#include "tests/unit/scratch-files.h"

static Tree tree;

static const struct {
        const char *name, *text;
} tree_files[] = {
        { "tree/Makefile",
          "export ARCH_LIB := lib/\n"
          "export srctree := .\n"
          "ifeq ($(filter --no-print-directory,$(MAKEFLAGS)),)\n"
          "$(error 6.12 would start make anew here, without what it was told on the command line)\n"
          "endif\n"
          "MAKEFLAGS += -rR\n"
          "flags = -Iinclude -g -O2 $(if $(filter mod/%,$@), -DMODULE ,)\n"
          "cmd = $(dir $@).$(notdir $@).cmd\n"
          "define note\n"
          "@{ echo \"cmd_$@ := $(CC) $(flags) $(KCFLAGS)\"; echo; echo \"source_$@ := $<\"; echo; echo \"deps_$@ := \\\\\"; "
          "echo '    $$(wildcard include/config/A) \\'; tr -d '\\\\\\\\' <$(cmd).d | tr ' ' '\\n' | "
          "sed '1d;/^$$/d;s/.*/  & \\\\/'; echo; echo '$@: $$(deps_$@)'; } >$(cmd)\n"
          "endef\n"
          "%.o: %.c prepare\n"
          "\t$(CC) $(flags) $(KCFLAGS) -Wp,-MMD,$(cmd).d -c -o $@ $<\n"
          "\t$(note)\n"
          "%.i: %.c prepare\n"
          "\t$(CC) $(flags) $(KCFLAGS) -Wp,-MMD,$(cmd).d -E -o $@ $<\n"
          "\t$(note)\n"
          ".PHONY: prepare\n"
          "prepare:\n"
          "\techo prepared >prepared\n" },
        { "tree/include/config/auto.conf", "CONFIG_YES=y\nCONFIG_MODULE=m\n" },
        { "tree/scripts/Kbuild.include", "" },
        { "tree/Kbuild", "obj-y += kern/\nobj-$(CONFIG_MODULE) += mod/\nobj-y += lib/\nobj-$(CONFIG_NO) += no/\n" },
        { "tree/kern/Makefile",
          "obj-y += one.o two.o three.o deep/\n"
          "obj-$(CONFIG_NO) += never.o\n"
          "obj-$(CONFIG_MODULE) += some-module.o\n"
          "obj-y += whole.o\n"
          "whole-y := part.o\n"
          "whole-$(CONFIG_NO) += nopart.o\n"
          "subdir-y += sub\n"
          "hostprogs := gen\n"
          "ccflags-y += -I $(srctree)/$(src)/own\n"
          "hostprogs += other\n" },
        { "tree/kern/deep/Makefile", "obj-y += d.o\n" },
        { "tree/kern/sub/Makefile", "obj-y += unreached.o\n" },
        { "tree/mod/Makefile",
          "obj-m := big-one.o small.o\n"
          "big-one-objs := a.o b.o ../far/f.o\n"
          "obj-y := builtin.o\n"
          "obj-m += other.o\n"
          "other-y := b.o\n" },
        { "tree/lib/Makefile", "lib-y := l.o\n" },
        { "tree/no/Makefile", "obj-y := n.o\n" },
        { "tree/include/common.h", "#define COMMON 1\nint common(int x);\n" },
        { "tree/include/quiet.h", "/* one */\n#define QUIET 1\n" },
        { "tree/kern/one.c", "#include <common.h>\n#include <quiet.h>\nint one(int x) {\n        return common(x) + COMMON;\n}\n"
          "int line(void) {\n        return __LINE__;\n}\n" },
        { "tree/kern/two.c", "#include <quiet.h>\n#include \"body.c\"\n#include \"sub/way.h\"\nint two(int x) {\n"
          "        return x * 2 + QUIET + WAY;\n}\n" },
        { "tree/kern/body.c", "static int body(int x) {\n        return x + 1;\n}\nint use(int x) {\n        return body(x);\n}\n" },
        { "tree/kern/three.c", "#ifdef CONFIG_NO\n#include <common.h>\n#endif\nint three(void) {\n        return 3;\n}\n" },
        { "tree/kern/part.c", "int part;\n" },
        { "tree/kern/some-module.c", "int some;\n" },
        { "tree/kern/never.c", "int never;\n" },
        { "tree/kern/gen.c", "int main(void) {\n        return 0;\n}\n" },
        { "tree/kern/own/own.h", "#define OWN 1\n" },
        { "tree/kern/sub/way.h", "#include \"../../far/touched.h\"\n" },
        { "tree/kern/sub/unreached.c", "int unreached;\n" },
        { "tree/kern/deep/d.c", "#include <own.h>\nint d = OWN;\n" },
        { "tree/far/touched.h", "#define WAY 5\n" },
        { "tree/far/f.c", "#include \"common.h\"\nint f(void) {\n        return COMMON;\n}\n" },
        { "tree/mod/a.c", "int a;\n" },
        { "tree/mod/b.c", "int b(void) {\n        return 1;\n}\n" },
        { "tree/mod/small.c", "int small;\n" },
        { "tree/mod/builtin.c", "int builtin;\n" },
        { "tree/mod/other.c", "int other;\n" },
        { "tree/lib/l.c", "int l;\n" },
        { "tree/no/n.c", "int n;\n" },
        { "objects/.keep", "" },
};

static void tree_setup(void) {
        root = scratch_new();
        for (size_t i = 0; i < ELEMENTSOF(tree_files); i++)
                put(tree_files[i].name, tree_files[i].text);
        tree = (Tree) {
                .release = (char *) "6.0.0-small",
                .folder = path_of("tree"),
                .compiler = (char *) "gcc",
                .compiler_version = (char *) "gcc here",
                .config_sha256 = (char *) "00",
                .objects = path_of("objects"),
        };
}

static void tree_teardown(void) {
        free(tree.folder);
        free(tree.objects);
        scratch_free(root);
}
