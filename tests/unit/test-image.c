/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading kernels, on small ones that make-kernel writes. That real ones are read rightly is shown
 * where real ones are: tests/vm/image.sh compares with what a running kernel says.
 */

#include <fcntl.h>

#include "builder/image/image.h"
#include "dbus/errors.h"
#include "livepatch/vmlinuz.h"
#include "tests/unit/unit.h"
#include "util/file.h"

#define TEXT UINT64_C(0xffffffff81000000)
#define RODATA UINT64_C(0xffffffff82000000)
#define INIT UINT64_C(0xffffffff83000000)

static char *folder;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        folder = scratch_new();
}

static void teardown(void) {
        scratch_free(folder);
}

static char *make(const char *options) {
        _cleanup_free_ char *command = NULL;
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/vmlinuz", folder), 0);
        ck_assert_int_ge(asprintf(&command, HOTPATCH_SOURCE_ROOT "/tests/unit/make-kernel '%s' %s", path, options), 0);
        ck_assert_int_eq(system(command), 0); /* NOLINT: the command is ours */
        return path;
}

static Image *open_made(const char *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = make(options);
        Image *i = NULL;
        int r = image_open_kernel(path, &i, &error);

        ck_assert_msg(r >= 0, "%s: %s", options, error.message);
        return i;
}

/* The symbols are those that were put in, all of them, in their order. */
static void check_map(const Image *i) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        char name[1024];
        unsigned long long address;
        size_t n = 0;

        ck_assert_int_ge(asprintf(&path, "%s/vmlinuz.map", folder), 0);
        f = fopen(path, "re");
        ck_assert_ptr_nonnull(f);
        for (; fscanf(f, "%llx %1023s", &address, name) == 2; n++) {
                ck_assert_uint_lt(n, i->n_symbols);
                ck_assert_uint_eq(i->symbols[n].address, address);
                ck_assert_str_eq(i->symbols[n].name, name);
        }
        ck_assert_uint_gt(n, 700);
        ck_assert_uint_eq(n, i->n_symbols);
}

static const char *const forms[] = {
        "--order old --absolute",
        "--order old",
        "--order old --absolute --no-sequences",
        "--order old --no-sequences",
        "--order new --absolute",
        "--order new",
        "--order new --pack gzip",
        "--order old --pack xz",
        "--order new --absolute --pack zstd",
        "--order old --absolute --pack lz4",
};

START_TEST(every_form_has_the_same_symbols) {
        _cleanup_image_free_ Image *i = open_made(forms[_i]);

        check_map(i);
        ck_assert_str_eq(i->object, "vmlinux");
        ck_assert_str_eq(i->build_id, "101112131415161718191a1b1c1d1e1f20212223");
        ck_assert_str_eq(i->banner, "Linux version 6.1.0-tiny (t@t) (gcc-12) #1 SMP");
}
END_TEST

START_TEST(unpacked_copies_are_the_same_kernel) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = make("--order new --pack xz"), *copy = NULL;
        _cleanup_image_free_ Image *i = NULL;

        ck_assert_int_ge(asprintf(&copy, "%s/vmlinux", folder), 0);
        ck_assert_ok(vmlinuz_unpack(path, copy));
        ck_assert_int_eq(vmlinuz_unpack(path, copy), -EEXIST);
        ck_assert_ok(image_open_kernel(copy, &i, &error));
        check_map(i);
        ck_assert(image_relocated(i, TEXT + 0x200));
}
END_TEST

START_TEST(names_have_positions) {
        _cleanup_image_free_ Image *i = open_made("--absolute");
        const ImageSymbol *const *found;

        ck_assert_uint_eq(image_find(i, "twin", &found), 2);
        ck_assert_uint_eq(found[0]->address, TEXT + 0x30);
        ck_assert_uint_eq(found[0]->position, 1);
        ck_assert_uint_eq(found[0]->n_same, 2);
        ck_assert_uint_eq(found[1]->address, TEXT + 0x50);
        ck_assert_uint_eq(found[1]->position, 2);
        ck_assert_uint_eq(image_find(i, "filler_699", &found), 1);
        ck_assert_uint_eq(found[0]->address, TEXT + 0x100 + 2 * 699);
        ck_assert_uint_eq(found[0]->position, 1);
        ck_assert_uint_eq(found[0]->n_same, 1);
        ck_assert_uint_eq(image_find(i, "filler_700", &found), 0);
        ck_assert_ptr_null(found);
        ck_assert_uint_eq(image_find(i, "", &found), 0);
}
END_TEST

START_TEST(symbols_are_measured_and_sorted_into_code_and_init) {
        static const struct {
                const char *name;
                uint64_t size;
                bool function, init;
        } rows[] = {
                { "at_function", 0x10, true, false },
                { "alias_one", 8, true, false },
                { "alias_two", 8, true, false },
                { "filler_699", 0x1000 - 0x100 - 2 * 699, true, false }, /* to the end of the section */
                { "_etext", 0, false, false }, /* behind it */
                { "table", 0x8000 - 0x80, false, false },
                { "percpu_first", 0x40, false, false },
                { "percpu_second", 0x100 - 0x40, false, false },
                { "init_function", 0x30, false, true },
                { "__init_end", 0, false, false },
        };
        _cleanup_image_free_ Image *i = open_made("--absolute");

        for (size_t n = 0; n < ELEMENTSOF(rows); n++) {
                const ImageSymbol *const *found;

                ck_assert_uint_eq(image_find(i, rows[n].name, &found), 1);
                ck_assert_msg(found[0]->size == rows[n].size && found[0]->function == rows[n].function &&
                                found[0]->init == rows[n].init, "%s", rows[n].name);
        }
}
END_TEST

START_TEST(addresses_are_answered) {
        _cleanup_image_free_ Image *i = open_made("--absolute");
        const ImageSymbol *s;
        const uint8_t *bytes;
        size_t size;

        ck_assert_uint_eq(image_symbols_at(i, TEXT + 0x58, &s), 2);
        ck_assert_str_eq(s[0].name, "alias_one");
        ck_assert_str_eq(s[1].name, "alias_two");
        ck_assert_uint_eq(image_symbols_at(i, TEXT + 0x59, &s), 0);
        ck_assert_ptr_null(s);
        ck_assert_str_eq(image_covering(i, TEXT + 0x10)->name, "at_function");
        ck_assert_str_eq(image_covering(i, TEXT + 0x1f)->name, "at_function");
        ck_assert_str_eq(image_covering(i, TEXT + 0xfff)->name, "filler_699");
        ck_assert_str_eq(image_covering(i, RODATA + 1)->name, "linux_banner");
        ck_assert_ptr_null(image_covering(i, TEXT + 0x1000));
        /* .BTF has no symbol of its own; the one before it lies in another section. */
        ck_assert_ptr_null(image_covering(i, RODATA + 0x20001));
        ck_assert_str_eq(image_covering(i, 0x41)->name, "percpu_second");

        bytes = image_bytes(i, TEXT + 0x20, &size);
        ck_assert_mem_eq(bytes, "\xf3\x0f\x1e\xfa\x90", 5);
        ck_assert_uint_eq(size, 0x1000 - 0x20);
        bytes = image_bytes(i, TEXT + 0xfff, &size);
        ck_assert_uint_eq(*bytes, 0x90);
        ck_assert_uint_eq(size, 1);
        ck_assert_ptr_null(image_bytes(i, TEXT + 0x1000, &size));
        ck_assert_ptr_null(image_bytes(i, TEXT - 1, &size));
        ck_assert_ptr_null(image_bytes(i, UINT64_MAX, &size));
        /* no bytes in the file */
        ck_assert_ptr_null(image_bytes(i, INIT + 0x3000, &size));
        ck_assert_str_eq(image_section_at(i, INIT + 0x37ff)->name, ".bss");
        ck_assert_ptr_null(image_section_at(i, INIT + 0x3800));
        ck_assert(image_section(i, ".text")->code);
        ck_assert(!image_section(i, ".text")->writable);
        ck_assert(image_section(i, ".bss")->writable);
        ck_assert_ptr_null(image_section(i, ".comment"));
        ck_assert_mem_eq(image_btf(i, &size), "btf", 3);
        ck_assert_uint_eq(size, 3);
}
END_TEST

START_TEST(ftrace_sites_are_at_the_start_or_after_endbr) {
        _cleanup_image_free_ Image *i = open_made("--absolute");

        ck_assert(image_ftrace_site(i, TEXT + 0x10));
        ck_assert(image_ftrace_site(i, TEXT + 0x20));
        /* four bytes in, but not after endbr64 */
        ck_assert(!image_ftrace_site(i, TEXT + 0x40));
        /* after endbr64, but further in */
        ck_assert(!image_ftrace_site(i, TEXT + 0x80));
        ck_assert(!image_ftrace_site(i, TEXT + 0x60));
        /* in the list, but gone after start */
        ck_assert(!image_ftrace_site(i, INIT + 0x10));
        ck_assert(!image_ftrace_site(i, TEXT + 0x1000));
        /* padding of the list, where the per-cpu symbols begin, and no code */
        ck_assert(!image_ftrace_site(i, 0));
        ck_assert(!image_ftrace_site(i, RODATA + 0x80));
}
END_TEST

START_TEST(sealed_functions_and_moving_fields_are_known) {
        static const uint64_t moving[] = { TEXT + 0x48, TEXT + 0x200, TEXT + 0x208, TEXT + 0x300,
                                           TEXT + 0x400, RODATA + 0x88 };
        _cleanup_image_free_ Image *i = open_made("");

        ck_assert(image_sealed(i, TEXT + 0x80));
        ck_assert(!image_sealed(i, TEXT + 0x20));
        for (size_t n = 0; n < ELEMENTSOF(moving); n++)
                ck_assert(image_relocated(i, moving[n]));
        ck_assert(!image_relocated(i, TEXT + 0x204));
        ck_assert(!image_relocated(i, 0));
}
END_TEST

/* What is broken, and a word of the sentence that says so. */
static const struct {
        const char *options;
        const char *word;
} damages[] = {
        { "--break marker", "symbol table" },
        { "--order new --break marker", "symbol table" },
        { "--break name", "symbol table" },
        { "--break order", "symbol table" },
        { "--order new --absolute --break order", "symbol table" },
        { "--break sequence", "symbol table" },
        { "--order new --break sequence", "symbol table" },
        { "--break token", "symbol table" },
        { "--break number", "symbol table" },
        { "--order new --break number", "symbol table" },
        { "--order new --no-sequences", "symbol table" }, /* no such kernel */
        { "--break banner", "not that of its code" },
        { "--break text", "not that of its code" },
        { "--break build-id", "build-id" },
        { "--break relocs", "move" },
        { "--break no-relocs", "give the packed image" },
        { "--break overlap", "overlap" },
        { "--break object", "executable" },
};

START_TEST(damaged_kernels_are_refused_by_name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = make(damages[_i].options);
        Image *i = NULL;

        ck_assert_int_lt(image_open_kernel(path, &i, &error), 0);
        ck_assert_ptr_null(i);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("KernelImageInvalid"));
        ck_assert_msg(strstr(error.message, damages[_i].word), "%s: %s", damages[_i].options, error.message);
}
END_TEST

START_TEST(other_files_are_refused) {
        static const char *const paths[] = { "/proc/self/exe", "/etc/passwd", "/dev/null", "/nonexistent", "/" };

        for (size_t n = 0; n < ELEMENTSOF(paths); n++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                Image *i = NULL;

                ck_assert_int_lt(image_open_kernel(paths[n], &i, &error), 0);
                ck_assert_ptr_nonnull(error.message);
                ck_assert_ptr_null(i);
        }
}
END_TEST

/* Cut anywhere, it is refused, and nothing is read that is not there. */
START_TEST(truncated_kernels_are_refused) {
        _cleanup_free_ char *path = make("--order new");
        _cleanup_free_ void *whole = NULL;
        size_t size;

        ck_assert_ok(file_read_at(AT_FDCWD, path, 1 << 24, &whole, &size));
        for (size_t n = 1; n < size; n += 997) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                Image *i = NULL;

                ck_assert_ok(truncate(path, (off_t) (size - n)));
                ck_assert_int_lt(image_open_kernel(path, &i, &error), 0);
                ck_assert_str_eq(error.name, HOTPATCH_ERROR("KernelImageInvalid"));
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("image");
        TCase *c = tcase_create("kernel");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, every_form_has_the_same_symbols, 0, ELEMENTSOF(forms));
        tcase_add_test(c, unpacked_copies_are_the_same_kernel);
        tcase_add_test(c, names_have_positions);
        tcase_add_test(c, symbols_are_measured_and_sorted_into_code_and_init);
        tcase_add_test(c, addresses_are_answered);
        tcase_add_test(c, ftrace_sites_are_at_the_start_or_after_endbr);
        tcase_add_test(c, sealed_functions_and_moving_fields_are_known);
        tcase_add_loop_test(c, damaged_kernels_are_refused_by_name, 0, ELEMENTSOF(damages));
        tcase_add_test(c, other_files_are_refused);
        tcase_add_test(c, truncated_kernels_are_refused);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(suite)
