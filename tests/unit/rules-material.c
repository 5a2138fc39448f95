/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects are compiled here; the image is a module made of the object before the fix, as a kernel's
 * package would ship it, and the kernel another one with what the sources use of it.
 */

#include "dbus/errors.h"
#include "tests/unit/object-material.h"
#include "tests/unit/rules-material.h"
#include "tests/unit/unit.h"

/* What the sources have of the kernel's macros. */
#define PRELUDE                                                                                            \
        "typedef unsigned int u32; typedef unsigned long u64; struct file; struct task;\n"                  \
        "#define __init __attribute__((__section__(\".init.text\")))\n"                                         \
        "#define __exit __attribute__((__section__(\".exit.text\")))\n"                                         \
        "#define __initdata __attribute__((__section__(\".init.data\")))\n"                                     \
        "#define notrace __attribute__((no_instrument_function))\n"                                         \
        "#define noinline __attribute__((noinline, noclone))\n"                                             \
        "#define section(s) __attribute__((__used__, __section__(s)))\n"                                    \
        "int helper(int); void *kthread_create_on_node(int (*)(void *), void *); int kthread_should_stop(void);\n" \
        "void register_ops(const void *); void schedule_call(void (*)(void *)); int sealed(int);\n"

#define KERNEL                                                                                             \
        "int helper(int a) { return a; } int sealed(int a) { return a + 1; }\n"                             \
        "struct kernels { int a; int b; } kernels;\n"                                                      \
        "asm(\".pushsection .ibt_endbr_seal,\\\"a\\\"; .long sealed - .; .popsection\");\n"

Findings rules_findings;
Object *rules_after;
Changes *rules_changes;

static char *folder; /* of one test */
static char *shared; /* of all */
static Object *before;
static Image *image, *kernel;

static char *with_prelude(const char *source) {
        char *s;

        ck_assert_int_ge(asprintf(&s, PRELUDE "#line 1 \"test.c\"\n%s", source), 0);
        return s;
}

/* What tells an image its name. */
static void make_info(const char *module) {
        _cleanup_free_ char *source = NULL;

        ck_assert_int_ge(asprintf(&source, "static const char name[] __attribute__((used, section(\".modinfo\"))) = \"name=%s\";",
                                  module), 0);
        free(object_compile(shared, module, source));
}

/* IN/NAME.ko, with a build-id, a name and types; without a source, of before.o. */
static void make_module(const char *in, const char *name, const char *module, const char *source) {
        _cleanup_free_ char *text = source ? with_prelude(source) : NULL;

        if (source)
                free(object_compile(in, name, text));
        free(object_command("cd %s && ld -r --build-id=sha1 -o %s.ko %s.o %s/%s.o 2>&1 && "
                            "pahole --btf_encode_detached=%s.btf %s.ko 2>&1 && "
                            "objcopy --add-section .BTF=%s.btf %s.ko 2>&1",
                            in, name, source ? name : "before", shared, module, name, name, name, name));
}

static Image *open_module(const char *in, const char *name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        Image *i = NULL;
        int r;

        ck_assert_int_ge(asprintf(&path, "%s/%s.ko", in, name), 0);
        r = image_open_module(path, &i, &error);
        ck_assert_msg(r >= 0, "%s", error.message);
        return i;
}

static void share(void) {
        ck_assert_ok(hotpatch_errors_register());
        shared = scratch_new();
        make_info("vmlinux");
        make_info("driver");
        make_module(shared, "kernel", "vmlinux", KERNEL);
}

static void unshare(void) {
        scratch_free(shared);
}

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        folder = scratch_new();
}

static void drop(void) {
        findings_done(&rules_findings);
        rules_changes = changes_free(rules_changes);
        before = object_free(before);
        rules_after = object_free(rules_after);
        image = image_free(image);
        kernel = image_free(kernel);
}

static void teardown(void) {
        drop();
        scratch_free(folder);
}

/** rules_case() - a test case with the fixtures that the functions here need */
TCase *rules_case(const char *name) {
        TCase *c = tcase_create(name);

        tcase_set_timeout(c, 60);
        tcase_add_unchecked_fixture(c, share, unshare);
        tcase_add_checked_fixture(c, setup, teardown);
        return c;
}

static char *path_of(const char *name) {
        char *s;

        ck_assert_int_ge(asprintf(&s, "%s/%s", folder, name), 0);
        return s;
}

/** check_running() - run the rules on a pair of objects
 *  @module: the object is part of; "vmlinux" is one, too
 *  @running: what the image was made of; @old, @new: before and after the fix */
void check_running(const char *module, const char *running, const char *old, const char *new) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *a = with_prelude(old), *b = with_prelude(new);
        _cleanup_free_ char *before_path = path_of("before.o"), *after_path = path_of("after.o");
        int r;

        /* of the check before, if there was one */
        drop();
        before = object_compile_and_read(folder, "before", a);
        rules_after = object_compile_and_read(folder, "after", b);
        make_module(folder, "image", module, streq(running, old) ? NULL : running);
        image = open_module(folder, "image");
        kernel = open_module(shared, "kernel");
        ck_assert_ok(changes_find(before, rules_after, &rules_changes, &error));
        r = rules_check(&(RuleInput) { .changes = rules_changes, .image = image, .kernel = kernel,
                                        .before_path = before_path, .after_path = after_path, .work_dir = folder },
                        &rules_findings, &error);
        ck_assert_msg(r >= 0, "%s: %s", strerror(-r), error.message);
}

/** check_rules() - of an object of the kernel, which runs what was there before */
void check_rules(const char *old, const char *new) {
        check_running("vmlinux", old, old, new);
}

static void show(void) {
        for (size_t i = 0; i < rules_findings.n; i++)
                fprintf(stderr, "%s %s: %s\n", rules_findings.items[i].refused ? "refused" : "remark",
                                rule_name(rules_findings.items[i].rule), rules_findings.items[i].text);
}

/** find() - one of what the rules left, or NULL */
const Finding *find(Rule rule, bool refused, const char *subject) {
        for (size_t i = 0; i < rules_findings.n; i++)
                if (rules_findings.items[i].rule == rule && rules_findings.items[i].refused == refused &&
                                streq_ptr(rules_findings.items[i].subject, subject))
                        return rules_findings.items + i;
        return NULL;
}

static void expect_one(Rule rule, bool refused, const char *subject, const char *words) {
        const Finding *f = find(rule, refused, subject);

        if (!f || rules_findings.n != 1)
                show();
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(rules_findings.n, 1);
        ck_assert_msg(strstr(f->text, words), "'%s' is not in: %s", words, f->text);
        ck_assert_msg(f->text[strlen(f->text) - 1] != '.', "%s", f->text);
}

/** expect_refused() - that, in these words, and nothing else */
void expect_refused(Rule rule, const char *subject, const char *words) {
        expect_one(rule, true, subject, words);
}

/** expect_remark() - that, in these words, and nothing else */
void expect_remark(Rule rule, const char *subject, const char *words) {
        expect_one(rule, false, subject, words);
}

/** expect_nothing() - neither refusal nor remark */
void expect_nothing(void) {
        if (rules_findings.n)
                show();
        ck_assert_uint_eq(rules_findings.n, 0);
}

/** is_changed() - is that function of the fix to be replaced? */
bool is_changed(const char *function) {
        uint32_t s = object_find(rules_after, function);

        ck_assert_uint_ne(s, 0);
        return rules_changes->symbols[s].kind == CHANGE_CHANGED;
}
