/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The modules are made here by the compiler from a few lines of C: the structures of a livepatch
 * with made-up private fields, so that nothing can depend on their size. modinfo(8) and readelf(1)
 * judge whether we read the same as they.
 */

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/strv.h"

#define STRUCTURES                                                                                 \
        "struct module { long state; void *list[2]; char name[56]; char rest[100]; };\n"           \
        "struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos;\n"      \
        "        void *private[PRIVATE]; };\n"                                                     \
        "struct klp_object { const char *name; struct klp_func *funcs;\n"                          \
        "        int (*pre_patch)(void *); void (*callbacks[3])(void); void *private[PRIVATE]; };\n" \
        "struct klp_state { unsigned long id; unsigned int version; void *data; };\n"              \
        "struct klp_patch { struct module *mod; struct klp_object *objs; struct klp_state *states;\n" \
        "        _Bool replace; void *private[PRIVATE]; };\n"                                      \
        "struct module __this_module __attribute__((section(\".gnu.linkonce.this_module\")))\n"    \
        "        = { .name = \"hp_test\" };\n"                                                     \
        "#define INFO(n, s) static const char n[] "                                                \
        "__attribute__((section(\".modinfo\"), used, aligned(1))) = s\n"                           \
        "extern int printk(const char *, ...), needed_too(void);\n"                                \
        "int init_module(void) { return printk(\"x\") + needed_too(); }\n"                         \
        "static int new_one(void) { return 1; }\n"                                                 \
        "int new_two(void) { return 2; }\n"

#define INFOS                                                                                      \
        "INFO(a, \"name=hp_test\"); INFO(b, \"vermagic=6.1.0-50-cloud-amd64 SMP mod_unload \");\n" \
        "INFO(c, \"livepatch=Y\"); INFO(d, \"license=GPL\"); INFO(e, \"depends=a,b\");\n"

#define FUNCS                                                                                      \
        "STATIC struct klp_func funcs[] = {\n"                                                     \
        "        { .old_name = \"cmdline_proc_show\", .new_func = new_one },\n"                    \
        "        { .old_name = \"ambiguous\", .new_func = new_two, .old_sympos = 2 }, { 0 } };\n"  \
        "STATIC struct klp_func more[] = { { .old_name = \"answer\", .new_func = new_two }, { 0 } };\n"

#define PATCH(objects)                                                                             \
        "STATIC struct klp_object objs[] = { " objects " { 0 } };\n"                               \
        "STATIC struct klp_patch patch = { .mod = &__this_module, .objs = objs, .replace = REPLACE };\n" \
        "void *keep(void) { return &patch; }\n"

#define BOTH                                                                                       \
        "{ .funcs = funcs, .pre_patch = (void *) new_one }, { .name = \"hptarget\", .funcs = "     \
        "more },"

/* What else begins with THIS_MODULE in an ordinary module. */
#define DECOYS                                                                                     \
        "static const struct { struct module *owner; void *next; } fops = { &__this_module, new_two };\n" \
        "static const char *const strings[] = { \"a\", \"b\" };\n"                                 \
        "static const struct { struct module *owner; const void *p; } table = { &__this_module, strings };\n" \
        "static const struct { const char *n; struct module *m; const void *p; } parameter =\n"    \
        "        { \"p\", &__this_module, &fops };\n"                                              \
        "const void *decoys[] = { &fops, &table, &parameter };\n"

#define DEFAULTS "-DPRIVATE=7 -DSTATIC=static -DREPLACE=0 -O2 -fno-pic -mcmodel=kernel"

static char *scratch;

static void scratch_setup(void) {
        scratch = scratch_new();
        ck_assert_ok(hotpatch_errors_register());
}

static void scratch_teardown(void) {
        scratch_free(scratch);
}

static char *scratch_path(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", scratch, name), 0);
        return path;
}

_printf_(1, 2) static char *run(const char *format, ...) {
        _cleanup_free_ char *command = NULL;
        char *output = NULL;
        size_t size = 0;
        va_list args;
        FILE *f;

        va_start(args, format);
        ck_assert_int_ge(vasprintf(&command, format, args), 0);
        va_end(args);
        f = popen(command, "r");
        ck_assert_ptr_nonnull(f);
        if (getdelim(&output, &size, EOF, f) < 0) {
                free(output);
                output = strdup("");
        }
        ck_assert_msg(pclose(f) == 0, "failed: %s", command);
        return output;
}

static int compile(const char *source, const char *options) {
        _cleanup_free_ char *c = scratch_path("m.c"), *ko = scratch_path("m.ko"), *output = NULL;
        _cleanup_close_ int fd = open(c, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int module;

        ck_assert_ok(file_write_all(fd, source, strlen(source)));
        output = run("cc -w -c " DEFAULTS " %s -o '%s' '%s' 2>&1", options, ko, c);
        module = open(ko, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(module, 0);
        return module;
}

static ModuleInfo *inspect(const char *source, const char *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = compile(source, options);
        ModuleInfo *i = NULL;

        ck_assert_msg(module_inspect(fd, &i, &error) >= 0, "%s", error.message);
        return i;
}

static void refuse(const char *source, const char *options, const char *said) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = compile(source, options);
        ModuleInfo *i = NULL;

        ck_assert_int_lt(module_inspect(fd, &i, &error), 0);
        ck_assert_ptr_null(i);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
        ck_assert_msg(strstr(error.message, said), "%s", error.message);
}

static void check_both(const ModuleInfo *i) {
        ck_assert_uint_eq(i->n_objects, 2);
        ck_assert_str_eq(i->objects[0].name, "hptarget");
        ck_assert_uint_eq(strv_length(i->objects[0].functions), 1);
        ck_assert_str_eq(i->objects[0].functions[0], "answer");
        ck_assert_str_eq(i->objects[1].name, "vmlinux");
        ck_assert_uint_eq(strv_length(i->objects[1].functions), 2);
        ck_assert_str_eq(i->objects[1].functions[0], "ambiguous,2");
        ck_assert_str_eq(i->objects[1].functions[1], "cmdline_proc_show");
}

START_TEST(strings_symbols_and_build_id) {
        _cleanup_module_info_free_ ModuleInfo *i = inspect(STRUCTURES INFOS, "");
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_str_eq(i->name, "hp_test");
        ck_assert_str_eq(i->vermagic, "6.1.0-50-cloud-amd64 SMP mod_unload ");
        ck_assert_str_eq(i->release, "6.1.0-50-cloud-amd64");
        ck_assert_str_eq(i->license, "GPL");
        ck_assert_str_eq(i->depends, "a,b");
        ck_assert_ptr_null(i->build_id);
        ck_assert(i->livepatch && !i->signature.present && !i->has_versions && !i->has_note &&
                        !i->has_structures);
        ck_assert_uint_eq(strv_length(i->needed), 2);
        ck_assert(strv_contains(i->needed, "printk") && strv_contains(i->needed, "needed_too"));
        ck_assert_uint_eq(i->n_objects, 0);
        ck_assert_ok(module_info_require_livepatch(i, &error));
        i->livepatch = false;
        ck_assert_int_lt(module_info_require_livepatch(i, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("NotALivepatch"));
}
END_TEST

/* Neither the size of the private fields nor the way the compiler writes pointers may matter. */
static const char *const shapes[] = {
        "", "-UPRIVATE -DPRIVATE=1", "-UPRIVATE -DPRIVATE=40", "-USTATIC -DSTATIC=",
        "-fdata-sections -ffunction-sections", "-O0", "-g", "-UREPLACE -DREPLACE=1",
};

START_TEST(functions_are_recovered) {
        _cleanup_module_info_free_ ModuleInfo *i =
                inspect(STRUCTURES INFOS FUNCS PATCH(BOTH) DECOYS, shapes[_i]);

        ck_assert(i->has_structures);
        ck_assert_int_eq(i->replace, strstr(shapes[_i], "REPLACE=1") != NULL);
        check_both(i);
}
END_TEST

START_TEST(decoys_are_no_livepatch) {
        _cleanup_module_info_free_ ModuleInfo *i = inspect(STRUCTURES INFOS FUNCS DECOYS, "");

        ck_assert(!i->has_structures);
        ck_assert_uint_eq(i->n_objects, 0);
}
END_TEST

#define KPATCH_FUNCS(elements)                                                                     \
        "static const struct { void *new_addr; unsigned long new_size, old_addr, old_size, sympos;\n" \
        "        const char *name, *objname; } table[]\n"                                          \
        "        __attribute__((section(\".kpatch.funcs\"), used)) = { " elements " };\n"

START_TEST(table_of_kpatch_build) {
        _cleanup_module_info_free_ ModuleInfo *i = inspect(STRUCTURES INFOS KPATCH_FUNCS(
                "{ new_one, 4, 0, 8, 0, \"cmdline_proc_show\", \"vmlinux\" },"
                "{ new_two, 4, 0, 8, 2, \"ambiguous\", \"vmlinux\" },"
                "{ new_two, 4, 0, 8, 0, \"answer\", \"hptarget\" },"), "");

        check_both(i);
        /* It has no klp_patch, and so no `replace` to know. */
        ck_assert(!i->has_structures && !i->has_note);
        refuse(STRUCTURES INFOS KPATCH_FUNCS("{ 0, 4, 0, 8, 0, \"f\", \"vmlinux\" },"), "",
                        "is incomplete");
        refuse(STRUCTURES INFOS KPATCH_FUNCS("{ new_one, 4, 0, 8, 0, \"f\", \"no object\" },"), "",
                        "is malformed");
        refuse(STRUCTURES INFOS KPATCH_FUNCS("{ (void *) \"x\", 4, 0, 8, 0, \"f\", \"vmlinux\" },"),
                        "", "is malformed");
}
END_TEST

START_TEST(half_a_structure_is_refused) {
        refuse(STRUCTURES INFOS FUNCS "STATIC struct klp_func bad[] = { { \"x\", new_one }, { \"y\", 0 } };\n"
                PATCH("{ .funcs = bad },"), "", "incomplete klp_func");
        refuse(STRUCTURES INFOS FUNCS "STATIC struct klp_func bad[] = { { \"x\", new_one }, { 0, new_two } };\n"
                PATCH("{ .funcs = bad },"), "", "name cannot be read");
        refuse(STRUCTURES INFOS FUNCS "STATIC struct klp_func bad[] = { { \"x\", new_one }, { \"x\", new_two } };\n"
                PATCH("{ .funcs = bad },"), "", "replaces 'x' twice");
        refuse(STRUCTURES INFOS FUNCS "STATIC struct klp_func bad[] = { { \"x\", new_one }, { \"a b\", new_two } };\n"
                PATCH("{ .funcs = bad },"), "", "name cannot be read");
        refuse(STRUCTURES INFOS FUNCS PATCH("{ .name = (void *) new_one, .funcs = funcs },"), "",
                "object whose name cannot be read");
        refuse(STRUCTURES INFOS FUNCS PATCH(BOTH)
                "static struct klp_patch other = { &__this_module, objs }; void *keep2(void) { return &other; }\n",
                "", "more than one klp_patch");
}
END_TEST

START_TEST(contradictions_are_refused) {
        refuse(STRUCTURES, "", "no section '.modinfo'");
        refuse(STRUCTURES INFOS "INFO(f, \"name=other\");", "", "'name' twice");
        refuse(STRUCTURES INFOS "INFO(f, \"vermagic=6.12\");", "", "'vermagic' twice");
        refuse(STRUCTURES INFOS "INFO(f, \"livepatch=Y\");", "", "'livepatch' twice");
        refuse(STRUCTURES "INFO(f, \"livepatch=N\");", "", "is not 'Y'");
        refuse(STRUCTURES "INFO(f, \"livepatch\");", "", "is not 'Y'");
        refuse(STRUCTURES "INFO(f, \"name=hp_other\");", "", "not called 'hp_other'");
        refuse(STRUCTURES "INFO(f, \"name=p_test\");", "", "not called 'p_test'");
        refuse(STRUCTURES "INFO(f, \"name=../x\");", "", "not a name");
        refuse(STRUCTURES "INFO(f, \"vermagic=\\x1b[31m\");", "", "not printable");
        refuse(STRUCTURES "const char x[3] __attribute__((section(\".modinfo\"))) = \"a=b\";", "",
                        "does not end");
}
END_TEST

/* Puts bytes into a section of a compiled module. */
static int with_section(const char *source, const char *section, const void *data, size_t size) {
        _cleanup_close_ int fd = compile(source, "");
        _cleanup_free_ char *ko = scratch_path("m.ko"), *bytes = scratch_path("bytes"),
                            *output = NULL;
        _cleanup_close_ int out = open(bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int module;

        ck_assert_ok(file_write_all(out, data, size));
        output = run("objcopy --add-section %s='%s' --set-section-flags %s=alloc,readonly '%s' "
                     "'%s.new' 2>&1",
                        section, bytes, section, ko, ko);
        free(output);
        output = run("mv '%s.new' '%s'", ko, ko);
        module = open(ko, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(module, 0);
        return module;
}

START_TEST(note_and_structures_agree) {
        static const char table[] =
                "hptarget answer 0 new_two\nvmlinux ambiguous 2 new_two\nvmlinux cmdline_proc_show 0 new_one\n";
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *both = NULL, *note_only = NULL, *none = NULL;
        NoteBuffer right = {}, wrong = {};
        int fd;

        note_add_patch(&right, "hp-2026-11-test", 5, table);
        note_add_patch(&wrong, "hp-2026-11-test", 5, "vmlinux cmdline_proc_show 0 new_one\n");

        fd = with_section(STRUCTURES INFOS FUNCS PATCH(BOTH), HOTPATCH_NOTE_SECTION, right.data,
                        right.size);
        ck_assert_ok(module_inspect(fd, &both, &error));
        close(fd);
        ck_assert(both->has_note && both->has_structures);
        ck_assert_str_eq(both->note.bundle_id, "hp-2026-11-test");
        check_both(both);

        fd = with_section(STRUCTURES INFOS, HOTPATCH_NOTE_SECTION, right.data, right.size);
        ck_assert_ok(module_inspect(fd, &note_only, &error));
        close(fd);
        ck_assert(note_only->has_note && !note_only->has_structures);
        check_both(note_only);

        fd = with_section(STRUCTURES INFOS FUNCS PATCH(BOTH), HOTPATCH_NOTE_SECTION, wrong.data,
                        wrong.size);
        ck_assert_int_lt(module_inspect(fd, &none, &error), 0);
        close(fd);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
        ck_assert_ptr_nonnull(strstr(error.message, "name different functions"));
}
END_TEST

START_TEST(livepatch_relocation_sections) {
        static const char *const bad[] = {
                        ".klp.rela.vmlinux", ".klp.rela..text", ".klp.rela.vmlinux."};
        char entry[sizeof(Elf64_Rela)] = {};

        /* Well named, but no relocations. */
        for (size_t i = 0; i < ELEMENTSOF(bad) + 1; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_close_ int fd = with_section(STRUCTURES INFOS,
                                i < ELEMENTSOF(bad) ? bad[i] : ".klp.rela.vmlinux.text", entry,
                                sizeof(entry));
                ModuleInfo *none = NULL;

                ck_assert_int_lt(module_inspect(fd, &none, &error), 0);
                ck_assert_ptr_nonnull(strstr(error.message, "livepatch relocation section"));
        }
}
END_TEST

START_TEST(build_id_of_the_module) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *i = NULL;
        NoteBuffer b = {};
        int fd;

        note_add_gnu_build_id(&b, "\xca\xfe", 2);
        fd = with_section(STRUCTURES INFOS, ".note.gnu.build-id", b.data, b.size);
        ck_assert_ok(module_inspect(fd, &i, &error));
        close(fd);
        ck_assert_str_eq(i->build_id, "cafe");
}
END_TEST

static int append(const void *data, size_t size) {
        _cleanup_free_ char *ko = scratch_path("m.ko");
        int fd = open(ko, O_RDWR | O_APPEND | O_CLOEXEC);

        ck_assert_ok(file_write_all(fd, data, size));
        return fd;
}

START_TEST(appended_signature_is_seen) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *i = NULL, *none = NULL;
        _cleanup_close_ int original = compile(STRUCTURES INFOS FUNCS PATCH(BOTH), "");
        int fd;

        fd = append("SIGNATURE"
                    "\0\0\2\0\0\0\0\0"
                    "\0\0\0\x9"
                    "~Module signature appended~\n",
                        9 + 12 + 28);
        ck_assert_ok(module_inspect(fd, &i, &error));
        ck_assert(i->signature.present);
        check_both(i);
        close(fd);
        fd = append("\0\0\2\0\0\0\0\0" "\x7f\xff\xff\xff" "~Module signature appended~\n", 12 + 28);
        ck_assert_int_lt(module_inspect(fd, &none, &error), 0);
        ck_assert_ptr_nonnull(strstr(error.message, "signature"));
        close(fd);
}
END_TEST

#define STATEFUL                                                                                   \
        "STATIC struct klp_object objs[] = { " BOTH " { 0 } };\n"                                  \
        "STATIC struct klp_patch patch = { .mod = &__this_module, .objs = objs, .states = STATES };\n" \
        "void *keep(void) { return &patch; }\n"

START_TEST(system_states_are_recovered) {
        static const char states[] = "STATIC struct klp_state states[] = { { .id = 5, .version = 2 },\n"
                        "{ .id = 0xffffffffffUL, .version = 3000000000U, .data = new_two }, { 0 } };\n";
        _cleanup_module_info_free_ ModuleInfo *none = NULL, *two = NULL;

        none = inspect(STRUCTURES INFOS FUNCS STATEFUL, "-DSTATES=0");
        ck_assert(none->has_structures && none->n_states == 0);
        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *source = NULL;

                ck_assert_int_ge(asprintf(&source, "%s%s%s", STRUCTURES INFOS FUNCS, states, STATEFUL), 0);
                two = inspect(source, i ? "-DSTATES=states -USTATIC -DSTATIC=" : "-DSTATES=states");
                check_both(two);
                ck_assert_uint_eq(two->n_states, 2);
                ck_assert_uint_eq(two->states[0].id, 5);
                ck_assert_uint_eq(two->states[0].version, 2);
                ck_assert_uint_eq(two->states[1].id, 0xffffffffffULL);
                ck_assert_uint_eq(two->states[1].version, 3000000000U);
                if (i == 0)
                        two = module_info_free(two);
        }
}
END_TEST

/* No id 0 at the end: whatever comes behind it would be taken for a state. */
START_TEST(endless_states_are_refused) {
        refuse(STRUCTURES INFOS FUNCS "STATIC struct klp_state states[] = { { 5, 2 } };\n" STATEFUL,
                        "-DSTATES=states", "system states");
}
END_TEST

static char *modinfo_field(const char *ko, const char *field) {
        char *value = run("/sbin/modinfo -F %s '%s'", field, ko);

        value[strcspn(value, "\n")] = 0;
        return value;
}

START_TEST(modinfo_and_readelf_read_the_same) {
        _cleanup_module_info_free_ ModuleInfo *i =
                        inspect(STRUCTURES INFOS FUNCS PATCH(BOTH), "-g");
        _cleanup_free_ char *ko = scratch_path("m.ko"), *symbols = NULL;
        const struct {
                const char *field, *ours;
        } fields[] = {
                { "name", i->name }, { "vermagic", i->vermagic }, { "license", i->license },
                { "depends", i->depends }, { "livepatch", "Y" },
        };
        size_t n = 0;
        char *rest, *line;

        for (size_t f = 0; f < ELEMENTSOF(fields); f++) {
                _cleanup_free_ char *theirs = modinfo_field(ko, fields[f].field);

                ck_assert_str_eq(theirs, fields[f].ours);
        }
        symbols = run("readelf -sW '%s' | awk '$7 == \"UND\" && $8 != \"\" { print $8 }'", ko);
        for (rest = symbols; (line = strsep(&rest, "\n"));)
                if (*line) {
                        ck_assert_msg(strv_contains(i->needed, line), "%s", line);
                        n++;
                }
        ck_assert_uint_eq(n, strv_length(i->needed));
        ck_assert_uint_gt(n, 0);
}
END_TEST

static int inspect_bytes(const void *data, size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *i = NULL;
        _cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC);
        int r;

        ck_assert_ok(file_write_all(fd, data, size));
        r = module_inspect(fd, &i, &error);
        if (r < 0)
                ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
        return r;
}

static void *read_module(int fd, size_t *ret_size) {
        struct stat st;
        void *data;

        ck_assert_int_eq(fstat(fd, &st), 0);
        data = malloc((size_t) st.st_size);
        ck_assert_ok(file_pread_all(fd, data, (size_t) st.st_size, 0));
        *ret_size = (size_t) st.st_size;
        return data;
}

/* Whatever byte is wrong, the answer is a module or a named refusal; ASan watches. */
START_TEST(damage_everywhere) {
        _cleanup_close_ int fd = compile(STRUCTURES INFOS FUNCS PATCH(BOTH), "");
        size_t size;
        _cleanup_free_ uint8_t *good = read_module(fd, &size);
        unsigned refused = 0;

        ck_assert_ok(inspect_bytes(good, size));
        for (size_t cut = 0; cut < size; cut += 7)
                ck_assert_int_lt(inspect_bytes(good, cut), 0);
        for (size_t at = 0; at < size; at++) {
                static const uint8_t masks[] = { 0x01, 0x80, 0xff };

                for (size_t m = 0; m < ELEMENTSOF(masks); m++) {
                        good[at] ^= masks[m];
                        refused += inspect_bytes(good, size) < 0;
                        good[at] ^= masks[m];
                }
        }
        ck_assert_uint_gt(refused, 100);
}
END_TEST

/* What the post-link step makes of an undefined symbol: the section index becomes SHN_LIVEPATCH. */
static int inspect_klp_symbol(const char *symbol, ModuleInfo **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *ko = scratch_path("m.ko"), *output = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        _cleanup_close_ int fd = -EBADF, changed = memfd_create("module", MFD_CLOEXEC);
        size_t size;
        Elf64_Ehdr *h;
        Elf64_Shdr *s;

        close(compile(STRUCTURES INFOS "extern int klp(void); int call(void) { return klp(); }\n",
                        ""));
        output = run("objcopy --redefine-sym 'klp=%s' '%s' 2>&1", symbol, ko);
        fd = open(ko, O_RDONLY | O_CLOEXEC);
        data = read_module(fd, &size);
        h = (Elf64_Ehdr *) data;
        s = (Elf64_Shdr *) (data + h->e_shoff);
        for (size_t i = 1; i < h->e_shnum; i++) {
                Elf64_Sym *symbols = (Elf64_Sym *) (data + s[i].sh_offset);
                const char *names;

                if (s[i].sh_type != SHT_SYMTAB)
                        continue;
                names = (const char *) data + s[s[i].sh_link].sh_offset;
                for (size_t n = 1; n < s[i].sh_size / sizeof(*symbols); n++)
                        if (streq(names + symbols[n].st_name, symbol))
                                symbols[n].st_shndx = 0xff20;
        }
        ck_assert_ok(file_write_all(changed, data, size));
        return module_inspect(changed, ret, &error);
}

START_TEST(livepatch_symbols) {
        static const char *const bad[] = {
                ".klp.sym.vmlinux.f", ".klp.sym..f,1", ".klp.sym.vmlinux.,1", ".klp.sym.vmlinux.f,",
                ".klp.sym.vmlinux.f,1x", ".klp.vmlinux.f,1", "f",
                ".klp.sym.a_name_of_more_than_fifty_five_characters_is_no_module_name.f,1",
        };
        _cleanup_module_info_free_ ModuleInfo *i = NULL, *none = NULL;

        ck_assert_ok(inspect_klp_symbol(".klp.sym.vmlinux.name.isra.0,12", &i));
        ck_assert_uint_eq(strv_length(i->klp_symbols), 1);
        ck_assert_str_eq(i->klp_symbols[0], "vmlinux:name.isra.0,12");
        ck_assert_uint_eq(strv_length(i->needed), 2);
        for (size_t n = 0; n < ELEMENTSOF(bad); n++)
                ck_assert_msg(inspect_klp_symbol(bad[n], &none) < 0, "accepted: %s", bad[n]);
}
END_TEST

static const struct {
        size_t offset;
        size_t width;
        uint64_t value;
        const char *what;
} headers[] = {
        { EI_CLASS, 1, ELFCLASS32, "32 bit" },
        { EI_DATA, 1, ELFDATA2MSB, "the other byte order" },
        { offsetof(Elf64_Ehdr, e_type), 2, ET_DYN, "a library" },
        { offsetof(Elf64_Ehdr, e_machine), 2, EM_386, "another machine" },
        { offsetof(Elf64_Ehdr, e_shoff), 8, UINT64_MAX - 7, "section headers far away" },
        { offsetof(Elf64_Ehdr, e_shoff), 8, 65, "section headers not aligned" },
        { offsetof(Elf64_Ehdr, e_shentsize), 2, 40, "section headers of another size" },
        { offsetof(Elf64_Ehdr, e_shnum), 2, 0xfeff, "more sections than there are" },
        { offsetof(Elf64_Ehdr, e_shnum), 2, 0, "no sections" },
        { offsetof(Elf64_Ehdr, e_shstrndx), 2, 0xfff0, "names in no section" },
};

START_TEST(odd_headers) {
        _cleanup_close_ int fd = compile(STRUCTURES INFOS FUNCS PATCH(BOTH), "");
        size_t size;
        _cleanup_free_ uint8_t *data = read_module(fd, &size);

        memcpy(data + headers[_i].offset, &headers[_i].value, headers[_i].width);
        ck_assert_msg(inspect_bytes(data, size) < 0, "accepted: %s", headers[_i].what);
}
END_TEST

START_TEST(overlapping_sections) {
        _cleanup_close_ int fd = compile(STRUCTURES INFOS FUNCS PATCH(BOTH), "");
        size_t size;
        _cleanup_free_ uint8_t *data = read_module(fd, &size);
        Elf64_Ehdr *h = (Elf64_Ehdr *) data;
        Elf64_Shdr *s = (Elf64_Shdr *) (data + h->e_shoff);

        for (size_t i = 1; i < h->e_shnum; i++)
                if (s[i].sh_type == SHT_PROGBITS) {
                        s[i].sh_offset = 0;
                        s[i].sh_size = size;
                }
        ck_assert_int_lt(inspect_bytes(data, size), 0);
}
END_TEST

START_TEST(not_a_file_of_modules) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int directory = open("/", O_RDONLY | O_CLOEXEC),
                            huge = memfd_create("huge", MFD_CLOEXEC);
        ModuleInfo *i = NULL;

        ck_assert_int_lt(module_inspect(directory, &i, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
        sd_bus_error_free(&error);
        /* Sparse: refused by its size, not read. */
        ck_assert_int_eq(ftruncate(huge, (off_t) 1 << 40), 0);
        ck_assert_int_lt(module_inspect(huge, &i, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleInvalid"));
        ck_assert_int_lt(inspect_bytes("", 0), 0);
        ck_assert_ptr_null(i);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("inspect");
        TCase *t = tcase_create("inspect");

        tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, strings_symbols_and_build_id);
        tcase_add_loop_test(t, functions_are_recovered, 0, ELEMENTSOF(shapes));
        tcase_add_test(t, decoys_are_no_livepatch);
        tcase_add_test(t, table_of_kpatch_build);
        tcase_add_test(t, half_a_structure_is_refused);
        tcase_add_test(t, contradictions_are_refused);
        tcase_add_test(t, note_and_structures_agree);
        tcase_add_test(t, livepatch_relocation_sections);
        tcase_add_test(t, build_id_of_the_module);
        tcase_add_test(t, appended_signature_is_seen);
        tcase_add_test(t, system_states_are_recovered);
        tcase_add_test(t, endless_states_are_refused);
        tcase_add_test(t, modinfo_and_readelf_read_the_same);
        tcase_add_test(t, damage_everywhere);
        tcase_add_test(t, livepatch_symbols);
        tcase_add_loop_test(t, odd_headers, 0, ELEMENTSOF(headers));
        tcase_add_test(t, overlapping_sections);
        tcase_add_test(t, not_a_file_of_modules);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
