/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* On objects compiled here; the real thing on real kernels is tests/vm/module.sh. */

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include "builder/module/postlink.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/strv.h"

static const char symvers_text[] =
        "0x1\texported_function\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x2\tmodule_function\tdrivers/net/dummy\tEXPORT_SYMBOL\t\n"
        "0x3\tspaced_function\tvmlinux\tEXPORT_SYMBOL\tSPACE\n";

static const char patch_json[] =
        "{\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1,"
        "\"functions\":[{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"new_f\"}],"
        "\"symbols\":[{\"name\":\"in_module\",\"object\":\"dummy\",\"sympos\":3},"
        "{\"name\":\"second\",\"object\":\"vmlinux\",\"sympos\":2},"
        "{\"name\":\"module_function\",\"object\":\"dummy\"}]}";

typedef struct Fixture {
        char *folder;
        PatchFile *patch;
        Symvers *symvers;
} Fixture;

static Fixture fx;

static char *in_folder(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", fx.folder, name), 0);
        return path;
}

static void setup(void) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int dir = -EBADF;

        ck_assert_ok(hotpatch_errors_register());
        fx.folder = scratch_new();
        dir = open(fx.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_ok(file_replace_at(dir, "Module.symvers", symvers_text, strlen(symvers_text), 0644));
        path = in_folder("Module.symvers");
        ck_assert_ok(symvers_load(path, &fx.symvers, NULL));
        ck_assert_ok(patch_file_parse(patch_json, strlen(patch_json), &fx.patch, NULL));
}

static void teardown(void) {
        symvers_free(fx.symvers);
        patch_file_free(fx.patch);
        scratch_free(fx.folder);
}

/* Compile C as the kernel does; returns a descriptor for reading and writing. */
static int compile(const char *source) {
        _cleanup_free_ char *command = NULL, *c = in_folder("m.c"), *o = in_folder("m.o");
        _cleanup_close_ int dir = open(fx.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd;

        ck_assert_ok(file_replace_at(dir, "m.c", source, strlen(source), 0644));
        ck_assert_int_ge(asprintf(&command, "cc -O1 -fno-pic -fno-pie -mcmodel=kernel -fcf-protection=none "
                "-fno-asynchronous-unwind-tables -c -o '%s' '%s'", o, c), 0);
        ck_assert_int_eq(system(command), 0); /* NOLINT: the command is ours */
        fd = open(o, O_RDWR | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        return fd;
}

/* "SECTION: SYMBOL SYMBOL …" for each relocation section of allocated ones, in order. */
static char *relocations(int fd) {
        Elf *elf;
        size_t names, size;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);
        GElf_Shdr shdr, target, symtab;
        GElf_Rela rela;
        GElf_Sym sym;

        ck_assert_uint_ne(elf_version(EV_CURRENT), EV_NONE);
        elf = elf_begin(fd, ELF_C_READ, NULL);
        ck_assert_ptr_nonnull(elf);
        ck_assert_int_eq(elf_getshdrstrndx(elf, &names), 0);
        for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
                ck_assert_ptr_nonnull(gelf_getshdr(scn, &shdr));
                if (shdr.sh_type != SHT_RELA)
                        continue;
                ck_assert_ptr_nonnull(gelf_getshdr(elf_getscn(elf, shdr.sh_info), &target));
                if (!(target.sh_flags & SHF_ALLOC))
                        continue;
                ck_assert_ptr_nonnull(gelf_getshdr(elf_getscn(elf, shdr.sh_link), &symtab));
                ck_assert_uint_eq(symtab.sh_type, SHT_SYMTAB);
                fprintf(f, "%s%s:", elf_strptr(elf, names, shdr.sh_name),
                        (shdr.sh_flags & 0x00100000) && (shdr.sh_flags & SHF_ALLOC) ? "*" : "");
                for (size_t i = 0; i < shdr.sh_size / shdr.sh_entsize; i++) {
                        ck_assert_ptr_nonnull(gelf_getrela(elf_getdata(scn, NULL), (int) i, &rela));
                        ck_assert_ptr_nonnull(gelf_getsym(
                                        elf_getdata(elf_getscn(elf, shdr.sh_link), NULL),
                                        (int) GELF_R_SYM(rela.r_info), &sym));
                        fprintf(f, " %s%s", elf_strptr(elf, symtab.sh_link, sym.st_name),
                                sym.st_shndx == 0xff20 ? "!" : "");
                }
                fputc('\n', f);
        }
        elf_end(elf);
        fclose(f);
        return text;
}

static void refused(const char *source, const char *name, const char *message) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = compile(source);

        ck_assert_int_lt(postlink(fd, fx.patch, fx.symvers, NULL, &error), 0);
        ck_assert_str_eq(error.name, name);
        ck_assert_str_eq(error.message, message);
        sd_bus_error_free(&error);
}

START_TEST(unexported_symbols_move_to_livepatch_sections) {
        static const char source[] =
                "extern int exported_function(void), hidden(void), second(void), in_module(void);\n"
                "extern int hidden_data;\n"
                "int new_f(void) { return exported_function() + hidden() + second() + in_module() + hidden_data; }\n"
                "int (*pointer)(void) = hidden;\n"
                "int *module_data[2] = { (int *) in_module, (int *) exported_function };\n";
        _cleanup_close_ int fd = compile(source);
        _cleanup_strv_free_ char **symbols = NULL;
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(postlink(fd, fx.patch, fx.symvers, &symbols, NULL));
        ck_assert_uint_eq(strv_length(symbols), 4);
        ck_assert(strv_contains(symbols, "vmlinux:hidden,0"));
        ck_assert(strv_contains(symbols, "vmlinux:hidden_data,0"));
        ck_assert(strv_contains(symbols, "vmlinux:second,2"));
        ck_assert(strv_contains(symbols, "dummy:in_module,3"));
        text = relocations(fd);
        ck_assert_str_eq(text,
                ".rela.text: exported_function\n"
                ".rela.data: exported_function\n"
                ".klp.rela.vmlinux..text*: .klp.sym.vmlinux.hidden,0! .klp.sym.vmlinux.second,2! "
                ".klp.sym.vmlinux.hidden_data,0!\n"
                ".klp.rela.dummy..text*: .klp.sym.dummy.in_module,3!\n"
                ".klp.rela.dummy..data*: .klp.sym.dummy.in_module,3!\n"
                ".klp.rela.vmlinux..data*: .klp.sym.vmlinux.hidden,0!\n");
}
END_TEST

/* As hotpatch-build has them: other names in the objects, and the module that a symbol is for. */
START_TEST(symbols_may_have_other_names_and_owners) {
        PatchSymbol symbols[] = {
                { .name = (char *) "unit.0.same", .object = (char *) "vmlinux", .symbol = (char *) "same", .sympos = 1 },
                { .name = (char *) "unit.1.same", .object = (char *) "vmlinux", .symbol = (char *) "same", .sympos = 2 },
                { .name = (char *) "unit.0.borrowed", .object = (char *) "dummy", .symbol = (char *) "module_function",
                        .owner = (char *) "bond" },
        };
        PatchFile p = *fx.patch;
        _cleanup_close_ int fd = compile(
                "extern int one(void) asm(\"unit.0.same\"), two(void) asm(\"unit.1.same\");\n"
                "extern int borrowed(void) asm(\"unit.0.borrowed\");\n"
                "int new_f(void) { return one() + two() + borrowed(); }\n");
        _cleanup_strv_free_ char **made = NULL;
        _cleanup_free_ char *text = NULL;

        p.symbols = symbols;
        p.n_symbols = ELEMENTSOF(symbols);
        ck_assert_ok(postlink(fd, &p, fx.symvers, &made, NULL));
        text = relocations(fd);
        ck_assert_str_eq(text,
                ".rela.text:\n"
                ".klp.rela.vmlinux..text*: .klp.sym.vmlinux.same,1! .klp.sym.vmlinux.same,2!\n"
                ".klp.rela.bond..text*: .klp.sym.dummy.module_function,0!\n");
}
END_TEST

START_TEST(code_of_vmlinux_has_no_symbols_of_modules) {
        PatchSymbol symbol = { .name = (char *) "borrowed", .object = (char *) "dummy", .owner = (char *) "vmlinux" };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        PatchFile p = *fx.patch;
        _cleanup_close_ int fd = compile("extern int borrowed(void); int new_f(void) { return borrowed(); }\n");

        p.symbols = &symbol;
        p.n_symbols = 1;
        ck_assert_int_lt(postlink(fd, &p, fx.symvers, NULL, &error), 0);
        ck_assert_str_eq(error.message, "'borrowed' of module 'dummy' is used by code of vmlinux");
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(a_second_run_changes_nothing) {
        _cleanup_close_ int fd = compile("extern int hidden(void); int new_f(void) { return hidden(); }");
        _cleanup_strv_free_ char **symbols = NULL;
        _cleanup_free_ char *once = NULL, *twice = NULL;

        ck_assert_ok(postlink(fd, fx.patch, fx.symvers, NULL, NULL));
        once = relocations(fd);
        ck_assert_ok(postlink(fd, fx.patch, fx.symvers, &symbols, NULL));
        twice = relocations(fd);
        ck_assert_str_eq(once, twice);
        ck_assert_ptr_null(symbols);
}
END_TEST

START_TEST(exports_and_weak_symbols_stay) {
        _cleanup_close_ int fd = compile(
                "extern int exported_function(void); extern int maybe(void) __attribute__((weak));\n"
                "int new_f(void) { return maybe ? maybe() : exported_function(); }");
        _cleanup_strv_free_ char **symbols = NULL;
        _cleanup_free_ char *before = relocations(fd), *after = NULL;

        ck_assert_ok(postlink(fd, fx.patch, fx.symvers, &symbols, NULL));
        after = relocations(fd);
        ck_assert_str_eq(before, after);
        ck_assert_ptr_null(symbols);
}
END_TEST

START_TEST(the_authors_mistakes_are_named) {
        refused("extern int new_f(void); int x(void) { return new_f(); }", HOTPATCH_ERROR("ModuleBuildFailed"),
                "patch.json names the function 'new_f', but no source defines it, or only as static");
        refused("extern int module_function(void); int new_f(void) { return module_function(); }",
                HOTPATCH_ERROR("ModuleBuildFailed"),
                "patch.json lists 'module_function' as a symbol of 'dummy', but 'drivers/net/dummy' exports it; "
                "use it as it is");
        refused("extern int in_module; int *key __attribute__((section(\"__jump_table\"))) = &in_module;"
                "int new_f(void) { return 0; }", HOTPATCH_ERROR("ModuleBuildFailed"),
                "'in_module' of module 'dummy' is used in section '__jump_table', which the kernel reads or frees "
                "before that module may be there");
        refused("extern int in_module(void); int new_f(void) { return 0; }"
                "__attribute__((section(\".init.text\"))) int start(void) { return in_module(); }",
                HOTPATCH_ERROR("ModuleBuildFailed"),
                "'in_module' of module 'dummy' is used in section '.init.text', which the kernel reads or frees "
                "before that module may be there");
}
END_TEST

START_TEST(symbols_of_vmlinux_are_there_when_init_runs) {
        _cleanup_close_ int fd = compile("extern int hidden(void); int new_f(void) { return 0; }"
                "__attribute__((section(\".init.text\"))) int start(void) { return hidden(); }");
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(postlink(fd, fx.patch, fx.symvers, NULL, NULL));
        text = relocations(fd);
        ck_assert_ptr_nonnull(strstr(text, ".klp.rela.vmlinux..init.text*: .klp.sym.vmlinux.hidden,0!\n"));
}
END_TEST

START_TEST(broken_files_are_refused) {
        static const char source[] = "extern int hidden(void); int new_f(void) { return hidden(); }";
        _cleanup_free_ uint8_t *bytes = NULL;
        struct stat st;
        _cleanup_close_ int fd = compile(source);

        ck_assert_int_eq(fstat(fd, &st), 0);
        bytes = malloc((size_t) st.st_size);
        ck_assert_ok(file_pread_all(fd, bytes, (size_t) st.st_size, 0));
        for (off_t l = 0; l < st.st_size; l += 24) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int r;

                ck_assert_int_eq(pwrite(fd, bytes, (size_t) st.st_size, 0), st.st_size);
                ck_assert_int_eq(ftruncate(fd, l), 0);
                r = postlink(fd, fx.patch, fx.symvers, NULL, &error);
                ck_assert_msg(r < 0, "accepted with %lld of %lld bytes", (long long) l, (long long) st.st_size);
                ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
                sd_bus_error_free(&error);
        }
}
END_TEST

START_TEST(reading_back_wants_a_livepatch) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = compile("int new_f(void) { return 0; }");

        ck_assert_int_lt(postlink_check(fd, fx.patch, fx.symvers, &error), 0);
        ck_assert_msg(streq(error.name, HOTPATCH_ERROR("ModuleInvalid")) ||
                streq(error.name, HOTPATCH_ERROR("NotALivepatch")), "%s: %s", error.name, error.message);
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(symvers_are_searched_by_name) {
        ck_assert_str_eq(symvers_find(fx.symvers, "exported_function"), "vmlinux");
        ck_assert_str_eq(symvers_find(fx.symvers, "module_function"), "drivers/net/dummy");
        ck_assert_ptr_null(symvers_find(fx.symvers, "exported_functio"));
        ck_assert_ptr_null(symvers_find(fx.symvers, ""));
        ck_assert_ptr_null(symvers_namespace(fx.symvers, "exported_function"));
        ck_assert_str_eq(symvers_namespace(fx.symvers, "spaced_function"), "SPACE");
}
END_TEST

START_TEST(symvers_must_be_a_list) {
        static const char *const broken[] = { "x\n", "0x1\tname\n", "0x1\t\tvmlinux\tEXPORT_SYMBOL\n" };
        _cleanup_free_ char *path = in_folder("broken"), *missing = in_folder("missing");
        _cleanup_close_ int dir = open(fx.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Symvers *s = NULL;

        for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
                ck_assert_ok(file_replace_at(dir, "broken", broken[i], strlen(broken[i]), 0644));
                ck_assert_int_lt(symvers_load(path, &s, NULL), 0);
        }
        ck_assert_int_lt(symvers_load(missing, &s, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("KernelHeadersMissing"));
        sd_bus_error_free(&error);
        ck_assert_ptr_null(s);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("postlink");
        TCase *t = tcase_create("postlink");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, unexported_symbols_move_to_livepatch_sections);
        tcase_add_test(t, symbols_may_have_other_names_and_owners);
        tcase_add_test(t, code_of_vmlinux_has_no_symbols_of_modules);
        tcase_add_test(t, a_second_run_changes_nothing);
        tcase_add_test(t, exports_and_weak_symbols_stay);
        tcase_add_test(t, the_authors_mistakes_are_named);
        tcase_add_test(t, symbols_of_vmlinux_are_there_when_init_runs);
        tcase_add_test(t, broken_files_are_refused);
        tcase_add_test(t, reading_back_wants_a_livepatch);
        tcase_add_test(t, symvers_are_searched_by_name);
        tcase_add_test(t, symvers_must_be_a_list);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
