/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading module files, made here by compiler and linker. The linker also judges: told our addresses, it
 * must come to our bytes. */

#include <elf.h>
#include <fcntl.h>

#include "builder/image/image.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/limits.h"

#define MODINFO                                                                                         \
        "static const char info[] __attribute__((section(\".modinfo\"), used, aligned(1))) = "           \
        "\"license=GPL\\0name=tiny_module\\0vermagic=6.1\";\n"

static const char first_c[] = MODINFO
        "extern int outside(int), outside_data;\n"
        "#define TEXT(s) __attribute__((noinline, used, section(s)))\n"
        "static int TEXT(\".text\") twin(int a) { return a + 1; }\n"
        "static int TEXT(\".text\") once(int a) { return a + 2; }\n"
        "static int TEXT(\".text\") later(int a) { return a * 3; }\n"
        "static int TEXT(\".init.text\") earlier(int a) { return a * 4; }\n"
        "int global(int a) { return outside(twin(a)) + once(a) + outside_data; }\n"
        "int TEXT(\".text.unlikely\") cold(int a) { return global(a) + a; }\n"
        "int (*table[])(int) = { twin, once, outside, cold };\n"
        "static const char *const words[] = { \"one\", \"two\" };\n"
        "const char *word(int a) { return words[a & 1]; }\n"
        "int zero[64];\n"
        "int at(int a) { return zero[a]; }\n"
        "int init_module(void) { return later(earlier(1)); }\n"
        "__asm__(\".pushsection __mcount_loc, \\\"a\\\"\\n.quad global, at + 4, earlier\\n.popsection\\n\"\n"
        "        \".pushsection .ibt_endbr_seal, \\\"a\\\"\\n.long once - .\\n.popsection\\n\"\n"
        "        \".pushsection .BTF, \\\"\\\"\\n.ascii \\\"types\\\"\\n.popsection\\n\");\n";

static const char second_c[] =
        "extern int global(int);\n"
        "#define TEXT(s) __attribute__((noinline, used, section(s)))\n"
        "static int TEXT(\".text\") twin(int a) { return a - 1; }\n"
        "static int TEXT(\".init.text\") later(int a) { return a * 5; }\n"
        "static int TEXT(\".text\") earlier(int a) { return a * 6; }\n"
        "int second(int a) { return global(twin(a)) + earlier(a) + later(a); }\n"
        /* distances in data, as __ksymtab has them */
        "__asm__(\".pushsection .rodata, \\\"a\\\"\\ndistance: .long second - .\\n.quad second - .\\n.popsection\");\n";

static char *folder;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        folder = scratch_new();
}

static void teardown(void) {
        scratch_free(folder);
}

static void write_text(const char *name, const char *text) {
        _cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_ok(file_replace_at(dir, name, text, strlen(text), 0644));
}

static void shell(const char *command) {
        _cleanup_free_ char *whole = NULL;

        ck_assert_int_ge(asprintf(&whole, "cd '%s' && %s", folder, command), 0);
        ck_assert_msg(system(whole) == 0, "%s", command); /* NOLINT: the command is ours */
}

static char *in_folder(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", folder, name), 0);
        return path;
}

static void make_module(void) {
        write_text("first.c", first_c);
        write_text("second.c", second_c);
        shell("for f in first second; do cc -O1 -fno-pic -fno-pie -mcmodel=kernel -fcf-protection=branch "
              "-fno-asynchronous-unwind-tables -fno-stack-protector -c $f.c; done && "
              "ld -r --build-id=sha1 -o tiny-module.ko first.o second.o");
}

static int open_path(const char *name, Image **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = in_folder(name);

        return image_open_module(path, ret, error);
}

static Image *open_made(const char *name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Image *i = NULL;
        int r = open_path(name, &i, &error);

        ck_assert_msg(r >= 0, "%s", error.message);
        return i;
}

static const ImageSymbol *one(const Image *i, const char *name) {
        const ImageSymbol *const *found;

        ck_assert_msg(image_find(i, name, &found) == 1, "%s", name);
        return found[0];
}

static uint64_t u64_at(const Image *i, uint64_t address) {
        size_t room;
        const uint8_t *bytes = image_bytes(i, address, &room);
        uint64_t v;

        ck_assert_ptr_nonnull(bytes);
        ck_assert_uint_ge(room, sizeof(v));
        memcpy(&v, bytes, sizeof(v));
        return v;
}

START_TEST(every_packing_is_read) {
        static const char *const names[] = { "tiny-module.ko", "tiny-module.ko.xz", "tiny-module.ko.zst",
                                             "tiny-module.ko.gz", "signed.ko" };

        make_module();
        shell("xz -k --check=crc32 tiny-module.ko && zstd -q tiny-module.ko && gzip -k tiny-module.ko && "
              "{ cat tiny-module.ko; echo 'a signature~Module signature appended~'; } > signed.ko");
        for (size_t n = 0; n < ELEMENTSOF(names); n++) {
                _cleanup_image_free_ Image *i = open_made(names[n]);
                size_t size;

                ck_assert_str_eq(i->object, "tiny_module");
                ck_assert_uint_eq(strlen(i->build_id), 40);
                ck_assert_ptr_null(i->banner);
                ck_assert_uint_eq(u64_at(i, one(i, "table")->address + 8), one(i, "once")->address);
                ck_assert_mem_eq(image_btf(i, &size), "types", 5);
                ck_assert_uint_eq(size, 5);
        }
}
END_TEST

START_TEST(linker_comes_to_the_same_bytes) {
        _cleanup_image_free_ Image *i = NULL;
        _cleanup_free_ char *script = NULL;
        size_t size, compared = 0;
        FILE *f = open_memstream(&script, &size);

        make_module();
        i = open_made("tiny-module.ko");
        ck_assert_ptr_nonnull(f);
        for (size_t n = 0; n < i->n_symbols; n++)
                if (i->symbols[n].undefined)
                        (void) fprintf(f, "%s = 0x%llx;\n", i->symbols[n].name,
                                        (unsigned long long) i->symbols[n].address);
        (void) fprintf(f, "SECTIONS {\n");
        for (size_t n = 0; n < i->n_sections; n++)
                (void) fprintf(f, "%s 0x%llx : { *(%s) }\n", i->sections[n].name,
                                (unsigned long long) i->sections[n].address, i->sections[n].name);
        (void) fprintf(f, "/DISCARD/ : { *(*) }\n}\n");
        ck_assert_int_eq(fclose(f), 0);
        write_text("script", script);
        shell("ld --no-relax -e 0 -T script -o linked tiny-module.ko 2>warnings");
        for (size_t n = 0; n < i->n_sections; n++) {
                const ImageSection *s = &i->sections[n];
                _cleanup_free_ char *command = NULL;
                _cleanup_free_ void *bytes = NULL;
                _cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (!s->data || startswith(s->name, ".note"))
                        continue;
                ck_assert_int_ge(asprintf(&command, "objcopy -O binary -j %s linked bytes", s->name), 0);
                shell(command);
                ck_assert_ok(file_read_at(dir, "bytes", 1 << 20, &bytes, &size));
                ck_assert_msg(size == s->size && memcmp(bytes, s->data, size) == 0, "%s", s->name);
                compared++;
        }
        ck_assert_uint_ge(compared, 7);
}
END_TEST

START_TEST(positions_are_those_of_livepatch) {
        _cleanup_image_free_ Image *i = NULL;
        const ImageSymbol *const *found;

        make_module();
        i = open_made("tiny-module.ko");
        ck_assert_uint_eq(image_find(i, "twin", &found), 2);
        ck_assert_uint_eq(found[0]->position, 1);
        ck_assert_uint_eq(found[1]->position, 2);
        ck_assert_uint_eq(found[0]->n_same, 2);
        /* `table` of the first file points to the first one. */
        ck_assert_uint_eq(u64_at(i, one(i, "table")->address), found[0]->address);

        /* The namesake in init code comes after it: always the first of two. */
        ck_assert_uint_eq(image_find(i, "later", &found), 2);
        ck_assert(!found[0]->init && found[1]->init);
        ck_assert_uint_eq(found[0]->position, 1);
        ck_assert_uint_eq(found[0]->n_same, 2);
        ck_assert_uint_eq(found[1]->position, 0);

        /* It comes before: the second while the module is loaded, the first afterwards. */
        ck_assert_uint_eq(image_find(i, "earlier", &found), 2);
        ck_assert(found[0]->init && !found[1]->init);
        ck_assert_uint_eq(found[0]->position, 0);
        ck_assert_uint_eq(found[1]->position, 0);
        ck_assert_uint_eq(found[1]->n_same, 2);

        ck_assert_uint_eq(one(i, "once")->position, 1);
        ck_assert_uint_eq(one(i, "once")->n_same, 1);
        ck_assert_uint_gt(one(i, "once")->size, 0);
        ck_assert(one(i, "once")->function);
        ck_assert(!one(i, "table")->function);
}
END_TEST

START_TEST(undefined_symbols_have_places) {
        _cleanup_image_free_ Image *i = NULL;
        const ImageSymbol *outside, *data;
        size_t room;

        make_module();
        i = open_made("tiny-module.ko");
        outside = one(i, "outside");
        data = one(i, "outside_data");
        ck_assert(outside->undefined && data->undefined);
        ck_assert_uint_ne(outside->address, data->address);
        ck_assert_uint_eq(outside->position, 0);
        ck_assert_uint_eq(outside->n_same, 0);
        ck_assert_ptr_null(image_bytes(i, outside->address, &room));
        ck_assert_uint_eq(u64_at(i, one(i, "table")->address + 16), outside->address);
}
END_TEST

START_TEST(sites_seals_and_moving_fields_are_known) {
        _cleanup_image_free_ Image *i = NULL;
        const ImageSymbol *const *found;
        const ImageSection *text;
        size_t moving = 0;

        make_module();
        i = open_made("tiny-module.ko");
        ck_assert(image_ftrace_site(i, one(i, "global")->address));
        ck_assert(image_ftrace_site(i, one(i, "at")->address)); /* endbr64 stands there */
        ck_assert(!image_ftrace_site(i, one(i, "once")->address));
        ck_assert_uint_eq(image_find(i, "earlier", &found), 2);
        ck_assert(!image_ftrace_site(i, found[0]->address));
        ck_assert(image_sealed(i, one(i, "once")->address));
        ck_assert(!image_sealed(i, one(i, "global")->address));

        ck_assert(image_relocated(i, one(i, "table")->address));
        /* section to section, and within one */
        ck_assert(image_relocated(i, one(i, "distance")->address));
        text = image_section(i, ".text");
        for (uint64_t a = text->address; a < text->address + text->size; a++)
                moving += image_relocated(i, a);
        /* outside, outside_data, words, zero; init_module: earlier; second: later */
        ck_assert_uint_eq(moving, 6);
}
END_TEST

/* Each of them makes a module that the kernel would not load, or that is none. */
static const struct {
        const char *command;
        const char *word;
} damages[] = {
        { "objcopy --strip-all tiny-module.ko bad.ko", "symbol table" },
        { "objcopy -R .modinfo tiny-module.ko bad.ko", "name" },
        { "objcopy -R .note.gnu.build-id tiny-module.ko bad.ko", "build-id" },
        { "cp /bin/true bad.ko", "linked" },
        { "head -c 700 tiny-module.ko > bad.ko", "no module" },
        { "gzip -c tiny-module.ko | head -c 500 > bad.ko", "module file" },
        { "echo > bad.ko", "module file" },
};

START_TEST(damaged_modules_are_refused_by_name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Image *i = NULL;

        make_module();
        shell(damages[_i].command);
        ck_assert_int_lt(open_path("bad.ko", &i, &error), 0);
        ck_assert_ptr_null(i);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("KernelImageInvalid"));
        ck_assert_msg(strcasestr(error.message, damages[_i].word), "%s", error.message);
}
END_TEST

/* Every relocation of every kind, changed in ways that the kernel refuses. */
static void relocation_break(uint8_t *data, unsigned how) {
        Elf64_Ehdr h;

        memcpy(&h, data, sizeof(h));
        for (size_t n = 0; n < h.e_shnum; n++) {
                Elf64_Shdr s;
                Elf64_Rela r;

                memcpy(&s, data + h.e_shoff + n * sizeof(s), sizeof(s));
                if (s.sh_type != SHT_RELA || !(s.sh_flags & SHF_INFO_LINK))
                        continue;
                memcpy(&r, data + s.sh_offset, sizeof(r));
                switch (how) {
                case 0:
                        r.r_info = ELF64_R_INFO(ELF64_R_SYM(r.r_info), R_X86_64_GOTPCREL);
                        break;
                case 1:
                        r.r_info = ELF64_R_INFO(9999, ELF64_R_TYPE(r.r_info));
                        break;
                case 2:
                        r.r_offset = UINT64_MAX - 1;
                        break;
                case 3:
                        r.r_info = ELF64_R_INFO(ELF64_R_SYM(r.r_info), R_X86_64_32);
                        break;
                case 4: /* the field is used twice */
                        memcpy(&r, data + s.sh_offset + sizeof(r), sizeof(r));
                        break;
                default:
                        r.r_addend = INT64_C(1) << 40;
                }
                memcpy(data + s.sh_offset, &r, sizeof(r));
                return;
        }
        ck_abort_msg("no relocations");
}

START_TEST(damaged_relocations_are_refused) {
        for (unsigned how = 0; how < 6; how++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                _cleanup_free_ void *data = NULL;
                size_t size;
                Image *i = NULL;

                make_module();
                ck_assert_ok(file_read_at(dir, "tiny-module.ko", 1 << 20, &data, &size));
                relocation_break(data, how);
                ck_assert_ok(file_replace_at(dir, "bad.ko", data, size, 0644));
                ck_assert_int_lt(open_path("bad.ko", &i, &error), 0);
                ck_assert_msg(strstr(error.message, "relocations"), "%u: %s", how, error.message);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("image-module");
        TCase *c = tcase_create("module");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, every_packing_is_read);
        tcase_add_test(c, linker_comes_to_the_same_bytes);
        tcase_add_test(c, positions_are_those_of_livepatch);
        tcase_add_test(c, undefined_symbols_have_places);
        tcase_add_test(c, sites_seals_and_moving_fields_are_known);
        tcase_add_loop_test(c, damaged_modules_are_refused_by_name, 0, ELEMENTSOF(damages));
        tcase_add_test(c, damaged_relocations_are_refused);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(suite)
