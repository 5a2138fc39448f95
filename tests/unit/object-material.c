/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The flags are those of Debian's 6.1 for x86-64 that change what an object looks like, and the two that
 * hotpatch-build adds. gcc-12 is what those kernels are built with; without it, `cc` has to do.
 */

#include <check.h>
#include <stdarg.h>

#include "dbus/errors.h"
#include "tests/unit/object-material.h"

#define FLAGS                                                                                              \
        "-std=gnu11 -O2 -g -w -ffreestanding -fno-strict-aliasing -fno-common -fshort-wchar -fno-PIE "         \
        "-mno-sse -mno-mmx -mno-sse2 -mno-3dnow -mno-avx -m64 -mno-80387 -mpreferred-stack-boundary=3 "     \
        "-mskip-rax-setup -mno-red-zone -mcmodel=kernel -fcf-protection=none -fno-jump-tables "             \
        "-fno-asynchronous-unwind-tables -fno-delete-null-pointer-checks -fno-stack-protector "             \
        "-pg -mrecord-mcount -mfentry -fno-strict-overflow -fconserve-stack "                               \
        "-ffunction-sections -fdata-sections"

/** object_command() - what a shell command prints; a failure fails the test. To be freed */
char *object_command(const char *format, ...) {
        _cleanup_free_ char *command = NULL;
        char *out = NULL;
        size_t size, n;
        char buffer[4096];
        FILE *p, *f;
        va_list ap;

        va_start(ap, format);
        ck_assert_int_ge(vasprintf(&command, format, ap), 0);
        va_end(ap);
        p = popen(command, "re");
        f = open_memstream(&out, &size);
        ck_assert(p && f);
        while ((n = fread(buffer, 1, sizeof(buffer), p)) > 0)
                fwrite(buffer, 1, n, f);
        fclose(f);
        ck_assert_msg(pclose(p) == 0, "%.60s…: failed: %s", command, out);
        return out;
}

/** object_compile_with() - object_compile() with more flags */
char *object_compile_with(const char *folder, const char *name, const char *flags, const char *source) {
        _cleanup_free_ char *path = NULL;
        char *object = NULL;
        FILE *f;

        ck_assert_int_ge(asprintf(&path, "%s/%s.c", folder, name), 0);
        ck_assert_int_ge(asprintf(&object, "%s/%s.o", folder, name), 0);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fprintf(f, "#line 1 \"test.c\"\n%s", source), 0);
        ck_assert_int_eq(fclose(f), 0);
        free(object_command("cc=$(command -v gcc-12 || echo cc); exec $cc " FLAGS " %s -c -o %s %s", flags,
                            object, path));
        return object;
}

/** object_compile() - @source as FOLDER/NAME.o; line numbers count from its first line. Return: the path */
char *object_compile(const char *folder, const char *name, const char *source) {
        return object_compile_with(folder, name, "", source);
}

/**
 * object_link_module() - a module as its package has it: without a section for each function, linked
 * @name: the file is FOLDER/NAME.ko
 * @sources: of its objects, in this order; ends with NULL
 *
 * Return: the path.
 */
char *object_link_module(const char *folder, const char *name, const char *const *sources) {
        _cleanup_free_ char *objects = strdup(""), *modinfo = NULL;
        char *module = NULL;

        for (size_t i = 0; sources[i]; i++) {
                _cleanup_free_ char *part = NULL, *object = NULL, *old = objects;

                ck_assert_int_ge(asprintf(&part, "%s-%zu", name, i), 0);
                object = object_compile_with(folder, part, "-fno-function-sections -fno-data-sections", sources[i]);
                ck_assert_int_ge(asprintf(&objects, "%s %s", old, object), 0);
        }
        ck_assert_int_ge(asprintf(&module, "%s/%s-info", folder, name), 0);
        modinfo = object_compile_with(folder, module + strlen(folder) + 1, "",
                          "static const char n[] __attribute__((section(\".modinfo\"), used)) = \"name=module\";");
        free(module);
        ck_assert_int_ge(asprintf(&module, "%s/%s.ko", folder, name), 0);
        free(object_command("ld -r --build-id=sha1 -o %s %s %s", module, objects, modinfo));
        return module;
}

/** object_compile_and_read() - Return: the object, to be freed with object_free() */
Object *object_compile_and_read(const char *folder, const char *name, const char *source) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = object_compile(folder, name, source);
        Object *o = NULL;
        int r;

        ck_assert_int_ge(hotpatch_errors_register(), 0);
        r = object_read(path, &o, &error);
        ck_assert_msg(r >= 0, "%s", error.message);
        return o;
}
