/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An object as hotpatch-build compiles it against a module as its package has it, both made here from the
 * same sources. What goes wrong is written into the module's code after it was read.
 *
 * The module has a second object with functions and data of the same names. What is expected of places
 * is nm's answer.
 */

#include <inttypes.h>

#include "builder/match/match.h"
#include "tests/unit/object-material.h"
#include "tests/unit/unit.h"

#define COMMON                                                                                         \
        "typedef unsigned long ulong;\n"                                                               \
        "int printk(const char *, ...); void outside(void *); extern int number; extern int table[];\n" \
        "struct key { int n; }; struct ops { const char *name; int (*f)(int); };\n"                    \
        "#define noinline __attribute__((noinline, noclone, noipa))\n"

/* Each thing that is compared by rule, once at least. */
static const char source[] = COMMON
        "struct key key; static struct key inner_key;\n"
        /* The same in both objects. */
        "static noinline int twin(int x) { return number * x; }\n"
        "static noinline int twin_by_pointer(int x) { return number + x; }\n"
        "__attribute__((used)) static noinline int twin_by_neighbours(int x) { return number - x; }\n"
        "static int counter = 7;\n"
        /* Nothing but its name and its code tells where it is. */
        "noinline int plain(int a, int b) { return a * 1000003 + (b >> 3); }\n"
        /* A near jump in the object, a short one in the module. */
        "static noinline int tail(int x) { if (x > 5) number = x; return x + counter++; }\n"
        "int tail_call(int x) { number++; return tail(x + 1); }\n"
        "static __attribute__((cold)) noinline void complain(int x) { printk(\"bad %d\\n\", x); }\n"
        "int loops(int n, int *p) {\n"
        "  int sum = 0;\n"
        "  for (int i = 0; i < n; i++) { sum += p[i]; if (__builtin_expect(p[i] < 0, 0)) { complain(i); sum -= number; return tail(sum); } }\n"
        "  while (sum > 100) sum /= 3;\n"
        "  return twin(sum); }\n"
        "__attribute__((used)) static noinline int between(int x) { return x ^ 0x55; }\n"
        "const struct ops the_ops = { \"ops\", twin_by_pointer };\n"
        "static const int numbers[] = { 3, 1, 4, 1, 5, 9, 2, 6 };\n"
        "int constants(unsigned n) { printk(\"constants of %s\\n\", __func__); return numbers[n & 7] + table[n]; }\n"
        /* An address that is the end of a string. */
        "int string_end(char *to) { for (const char *p = \"0123456789abcdef0123456789\"; *to++ = *p, p != \"0123456789abcdef0123456789\" + 27; p++) outside(to); return *to; }\n"
        "void place(void) { here: outside(&&here); outside(&key); }\n"
        "__attribute__((weak)) int fallback(int x) { return x + 11; }\n"
        "int shared(int x) { return x + 13; }\n"
        "extern int weak_alias(int) __attribute__((weak, alias(\"shared\")));\n"
        "int use_alias(int x) { return weak_alias(x) + shared(x); }\n"
        "int after_fallback(int x) { return fallback(x) + 1; }\n"
        /* asm/jump_label.h: a jump that objtool makes a NOP. */
        "int branch(int x) {\n"
        "  asm goto(\"1: jmp %l[yes]\\n.pushsection __jump_table, \\\"aw\\\"\\n.balign 8\\n.long 1b - ., %l[yes] - .\\n\"\n"
        "           \".quad %c0 + %c1 - .\\n.popsection\" :: \"i\"(&inner_key), \"i\"(2) :: yes);\n"
        "  return x;\n"
        "yes: outside(&inner_key); return tail(x); }\n"
        /* asm/alternative.h, as 6.1 has it; .smp_locks */
        "int patched(int *p) {\n"
        "  asm volatile(\"661: pause\\n662: .skip 3, 0x90\\n663:\\n.pushsection .altinstructions, \\\"a\\\"\\n\"\n"
        "               \".long 661b - ., 664f - .\\n.2byte 0\\n.byte 663b - 661b, 665f - 664f\\n.popsection\\n\"\n"
        "               \".pushsection .altinstr_replacement, \\\"ax\\\"\\n664: lfence\\n665:\\n.popsection\");\n"
        "  asm volatile(\".pushsection .smp_locks, \\\"a\\\"\\n.balign 4\\n.long 671f - .\\n.popsection\\n671: lock incl %0\" : \"+m\"(*p));\n"
        "  return *p; }\n"
        "__attribute__((section(\".init.text\"))) static noinline int boot_helper(int x) { return x + number; }\n"
        "__attribute__((section(\".init.text\"))) int boot(void) { return boot_helper(5); }\n";

static const char other_source[] = COMMON
        "static noinline int twin(int x) { return number * x; }\n"
        "static noinline int twin_by_pointer(int x) { return number + x; }\n"
        "static noinline int twin_by_neighbours(int x) { return number - x; }\n"
        "static int counter = 8;\n"
        "static const int numbers[] = { 2, 7, 1, 8, 2, 8, 1, 8 };\n"
        "int fallback(int x) { return x + 12; }\n"
        "int weak_alias(int x) { return x + 14; }\n"
        "int other(int x) { counter++; return twin(x) + twin_by_pointer(x) + twin_by_neighbours(x) + numbers[x & 7]; }\n";

static const char *const sources[] = { other_source, source, NULL };

typedef struct Fixture {
        char *folder;
        char *module;
        Object *object;
        Image *image;
        Matcher *matcher;
        Findings findings;
} Fixture;

static Fixture fx;

static Image *open_module(const char *path) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Image *image = NULL;
        int r = image_open_module(path, &image, &error);

        ck_assert_msg(r >= 0, "%s", error.message);
        return image;
}

static void forget(void) {
        fx.matcher = matcher_free(fx.matcher);
        findings_done(&fx.findings);
        ck_assert_ok(matcher_new(fx.object, fx.image, &fx.matcher));
}

static uint8_t *code_at(uint64_t address) {
        size_t size;

        return (uint8_t *) image_bytes(fx.image, address, &size);
}

static uint64_t one_address(const char *name) {
        const ImageSymbol *const *found;

        ck_assert_uint_eq(image_find(fx.image, name, &found), 1);
        return found[0]->address;
}

/* What objtool does: a NOP over each jump of a static branch. Short ones are all we make. */
static void write_nops(void) {
        const ImageSection *table = image_section(fx.image, "__jump_table");
        int32_t distance;
        uint8_t *code;

        ck_assert_uint_eq(table->size, 16);
        memcpy(&distance, table->data, sizeof(distance));
        code = code_at(table->address + (uint64_t) (int64_t) distance);
        ck_assert_uint_eq(code[0], 0xeb);
        code[0] = 0x66;
        code[1] = 0x90;
}

static void setup(void) {
        fx.folder = scratch_new();
        fx.object = object_compile_and_read(fx.folder, "object", source);
        fx.module = object_link_module(fx.folder, "module", sources);
        fx.image = open_module(fx.module);
        write_nops();
        forget();
}

static void teardown(void) {
        matcher_free(fx.matcher);
        findings_done(&fx.findings);
        image_free(fx.image);
        object_free(fx.object);
        free(fx.module);
        scratch_free(fx.folder);
        fx = (Fixture) {};
}

static int prove(const char *name, const Match **ret) {
        uint32_t symbol = object_find(fx.object, name);

        ck_assert_msg(symbol != 0, "no %s", name);
        return matcher_prove(fx.matcher, symbol, ret, &fx.findings);
}

static const Match *prove_ok(const char *name) {
        const Match *match = NULL;
        int r = prove(name, &match);

        ck_assert_msg(r == 1, "%s: %d: %s", name, r, fx.findings.n ? fx.findings.items[0].text : "");
        return match;
}

/* Not proven, for a reason with these words. */
static void prove_not(const char *name, Rule rule, const char *words) {
        const Match *match = NULL;

        ck_assert_int_eq(prove(name, &match), 0);
        ck_assert_uint_eq(fx.findings.n, 1);
        ck_assert(fx.findings.items[0].refused);
        ck_assert_int_eq(fx.findings.items[0].rule, rule);
        ck_assert_msg(strstr(fx.findings.items[0].text, words), "'%s' in '%s'", words, fx.findings.items[0].text);
}

/* nm: the last of a name, as the object comes second, and the offset in its section. */
static uint64_t last_offset(const char *name) {
        _cleanup_free_ char *out = object_command("nm %s | grep ' [a-zA-Z] %s$' | sort | tail -n 1", fx.module, name);

        return strtoull(out, NULL, 16);
}

static bool is_function(uint32_t symbol) {
        return object_symbol_is_function(fx.object, symbol) && object_symbol_is_defined(fx.object, symbol);
}

START_TEST(test_all) {
        size_t n = 0;

        for (uint32_t i = 1; i < fx.object->n_symbols; i++) {
                const char *name = fx.object->symbols[i].name;
                const Match *match;

                if (!is_function(i) || streq(name, "fallback") || streq(name, "weak_alias"))
                        continue;
                match = prove_ok(name);
                ck_assert_str_eq(match->image->name, name);
                ck_assert_uint_gt(match->size, 0);
                ck_assert_uint_le(match->size, match->image->size);
                n++;
        }
        ck_assert_uint_ge(n, 16);
        ck_assert_uint_ne(object_find(fx.object, "loops.cold"), 0);
        ck_assert_uint_lt(prove_ok("tail_call")->size, fx.object->symbols[object_find(fx.object, "tail_call")].size);
}
END_TEST

static const char *const located[] = {
        "twin", "twin_by_pointer", "twin_by_neighbours", "counter", "numbers", "tail", "loops",
};

START_TEST(test_locate) {
        const char *name = located[_i];
        uint32_t symbol = object_find(fx.object, name);
        const ImageSection *section;
        const ImageSymbol *at;

        ck_assert_int_eq(matcher_locate(fx.matcher, symbol, &at), 1);
        ck_assert_str_eq(at->name, name);
        section = image_section_at(fx.image, at->address);
        ck_assert_uint_eq(at->address - section->address, last_offset(name));
        ck_assert_uint_eq(at->position, at->n_same);
}
END_TEST

/* The only one of its name is not the object's function. */
START_TEST(test_locate_changed) {
        const ImageSymbol *at;

        code_at(one_address("tail"))[6] ^= 1;
        ck_assert_int_eq(matcher_locate(fx.matcher, object_find(fx.object, "tail"), &at), 0);
        ck_assert_int_eq(matcher_locate(fx.matcher, object_find(fx.object, "tail_call"), &at), 1);
}
END_TEST

START_TEST(test_locate_undefined) {
        const ImageSymbol *at;

        ck_assert_int_eq(matcher_locate(fx.matcher, object_find(fx.object, "printk"), &at), 1);
        ck_assert_str_eq(at->name, "printk");
        ck_assert(at->undefined);
}
END_TEST

/* Every bit of the code, one at a time: 'tail' stands for ordinary code, 'branch' and 'patched' for sites. */
static const char *const corrupted[] = {
        "plain", "tail", "tail_call", "loops", "constants", "place", "branch", "patched", "boot", "after_fallback",
};

START_TEST(test_corrupt) {
        const char *name = corrupted[_i];
        uint64_t size = prove_ok(name)->size;
        uint8_t *code = code_at(one_address(name));
        const Match *match;

        for (uint64_t i = 0; i < 8 * size; i++) {
                code[i / 8] ^= (uint8_t) (1U << i % 8);
                forget();
                ck_assert_msg(prove(name, &match) == 0, "%s: bit %" PRIu64 " of byte %" PRIu64, name, i % 8, i / 8);
                ck_assert_uint_eq(fx.findings.n, 1);
                code[i / 8] ^= (uint8_t) (1U << i % 8);
        }
        forget();
        prove_ok(name);
}
END_TEST

START_TEST(test_corrupt_cold) {
        uint64_t cold = prove_ok("loops.cold")->size;
        uint8_t *code = code_at(one_address("loops.cold"));
        const Match *match;

        for (uint64_t i = 0; i < cold; i++) {
                code[i] ^= 1;
                forget();
                ck_assert_int_eq(prove("loops", &match), 0);
                code[i] ^= 1;
        }
}
END_TEST

START_TEST(test_message) {
        code_at(one_address("plain"))[5] = 0x90; /* after the call of __fentry__: imul */
        prove_not("plain", RULE_NOT_MATCHED,
                  "'plain' compiled here has 'imul $0xf4243, %edi, %edi' at plain+0x5, the image has 'nop' at +0x5 (0x");
}
END_TEST

START_TEST(test_string) {
        char *format = NULL;

        for (size_t i = 0; i < fx.image->n_sections; i++) {
                const ImageSection *s = fx.image->sections + i;
                char *at = s->data ? memmem(s->data, s->size, "constants of", 12) : NULL;

                format = at ?: format;
        }
        ck_assert_ptr_nonnull(format);
        *format = 'C';
        prove_not("constants", RULE_NOT_MATCHED, "'constants' compiled here refers to '.rodata.");
}
END_TEST

START_TEST(test_read_only_data) {
        const ImageSymbol *const *found;

        ck_assert_uint_eq(image_find(fx.image, "numbers", &found), 2);
        code_at(found[1]->address)[0] = 5;
        prove_not("constants", RULE_NOT_MATCHED, "refers to 'numbers' at constants+0x");
}
END_TEST

/* Make a relative call of the image go somewhere else. */
static void retarget(uint64_t function, uint64_t from, uint64_t to) {
        uint8_t *code = code_at(function);
        int32_t distance;

        for (size_t i = 0; i < 300; i++) {
                memcpy(&distance, code + i + 1, sizeof(distance));
                if ((code[i] != 0xe8 && code[i] != 0xe9) ||
                    function + i + 5 + (uint64_t) (int64_t) distance != from)
                        continue;
                distance += (int32_t) (to - from);
                memcpy(code + i + 1, &distance, sizeof(distance));
                return;
        }
        ck_abort_msg("no such call");
}

START_TEST(test_other_function) {
        retarget(one_address("constants"), one_address("printk"), one_address("outside"));
        prove_not("constants", RULE_NOT_MATCHED, "refers to 'printk'");
}
END_TEST

/* Two functions of the object that call the same thing, of which the image has two. */
START_TEST(test_contradiction) {
        static const char before[] = COMMON
                "static noinline int twin(int x) { return number * x; }\n"
                "int first(int x) { return twin(x) + 1; }\n"
                "int second(int x) { return twin(x) + 2; }\n";
        const char *const both[] = { other_source, before, NULL };
        const ImageSymbol *const *found, *at;
        const char *first = _i ? "second" : "first", *second = _i ? "first" : "second";

        teardown();
        fx.folder = scratch_new();
        fx.object = object_compile_and_read(fx.folder, "object", before);
        fx.module = object_link_module(fx.folder, "module", both);
        fx.image = open_module(fx.module);
        ck_assert_uint_eq(image_find(fx.image, "twin", &found), 2);
        retarget(one_address("second"), found[1]->address, found[0]->address);
        forget();
        prove_ok(first);
        prove_not(second, RULE_NOT_MATCHED, "refers to 'twin', which is at 0x");
        ck_assert_int_eq(matcher_locate(fx.matcher, object_find(fx.object, "twin"), &at), 1);
}
END_TEST

START_TEST(test_ambiguous) {
        static const char twins[] = COMMON
                "__attribute__((used)) static noinline int lonely(int x) { return number * x; }\n";
        const char *const both[] = { twins, twins, NULL };
        const ImageSymbol *at;

        teardown();
        fx.folder = scratch_new();
        fx.object = object_compile_and_read(fx.folder, "object", twins);
        fx.module = object_link_module(fx.folder, "module", both);
        fx.image = open_module(fx.module);
        forget();
        ck_assert_int_eq(matcher_locate(fx.matcher, object_find(fx.object, "lonely"), &at), 0);
        prove_not("lonely", RULE_AMBIGUOUS_SYMBOL, "2 functions 'lonely' of 'module' are all like the one compiled here");
}
END_TEST

static Object *other_object(const char *text) {
        Object *o = object_compile_and_read(fx.folder, "changed", text);

        object_free(fx.object);
        fx.object = NULL;
        return o;
}

START_TEST(test_missing) {
        fx.matcher = matcher_free(fx.matcher);
        fx.object = other_object(COMMON "int nobody(void) { return number; }\n");
        forget();
        prove_not("nobody", RULE_NOT_MATCHED, "'module' has no function 'nobody'");
}
END_TEST

START_TEST(test_longer) {
        fx.matcher = matcher_free(fx.matcher);
        /* The image's function begins like this one. */
        fx.object = other_object("asm(\".section .text.plain,\\\"ax\\\"; .globl plain; .type plain,@function\\n\"\n"
                                 "\"plain: call __fentry__; imul $1000003,%edi,%edi; .size plain,.-plain\");\n");
        forget();
        prove_not("plain", RULE_NOT_MATCHED, "'plain' has 11 bytes, in the image it goes on at 0x");
}
END_TEST

START_TEST(test_weak) {
        prove_not("fallback", RULE_NOT_MATCHED, "'fallback' is only a default here");
}
END_TEST

/* Change a field of the only entry: place, target, key (its lower half). */
static void add_to_entry(size_t field, int32_t n) {
        uint8_t *at = (uint8_t *) image_section(fx.image, "__jump_table")->data + 4 * field;
        int32_t value;

        memcpy(&value, at, sizeof(value));
        value += n;
        memcpy(at, &value, sizeof(value));
        forget();
}

START_TEST(test_static_branch) {
        prove_ok("branch");
        add_to_entry(1, 1);
        prove_not("branch", RULE_NOT_MATCHED, "'branch' compiled here has 'jmp ");
        add_to_entry(1, -1);
        add_to_entry(2, 4);
        prove_not("branch", RULE_NOT_MATCHED, "refers to 'inner_key'");
        add_to_entry(2, -4);
        add_to_entry(0, 1);
        prove_not("branch", RULE_NOT_MATCHED, "the image has 'nop");
        add_to_entry(0, -1);
        prove_ok("branch");
}
END_TEST

/* A jump that objtool was not asked to take away. */
START_TEST(test_static_branch_without_hack) {
        ObjectSection *table = NULL;

        for (size_t i = 1; i < fx.object->n_sections; i++)
                if (streq(fx.object->sections[i].name, "__jump_table"))
                        table = fx.object->sections + i;
        ck_assert_ptr_nonnull(table);
        table->relocations[2].delta &= ~INT64_C(2);
        forget();
        prove_not("branch", RULE_NOT_MATCHED, "the image has 'nop");
}
END_TEST

START_TEST(test_assembly) {
        fx.matcher = matcher_free(fx.matcher);
        fx.object = other_object("asm(\".section .text.plain,\\\"ax\\\"; .globl plain; .type plain,@function\\nplain: ret\");\n");
        forget();
        prove_not("plain", RULE_UNSUPPORTED, "'plain' is assembly without a size");
}
END_TEST

static bool is_masked(const Match *match, uint64_t offset) {
        for (size_t i = 0; i < match->n_masked; i++)
                if (offset >= match->masked[i].offset && offset - match->masked[i].offset < match->masked[i].size)
                        return true;
        return false;
}

static void check_digest(const Match *match) {
        uint8_t expected[DIGEST_SIZE], copy[4096];

        ck_assert_uint_le(match->size, sizeof(copy));
        for (uint64_t i = 0; i < match->size; i++)
                copy[i] = is_masked(match, i) ? 0 : code_at(match->image->address)[i];
        ck_assert_ok(digest_bytes(copy, match->size, expected));
        ck_assert_mem_eq(match->sha256, expected, sizeof(expected));
        for (size_t i = 1; i < match->n_masked; i++)
                ck_assert_uint_gt(match->masked[i].offset, match->masked[i - 1].offset + match->masked[i - 1].size);
}

/* Ftrace site, static branch, alternative, lock prefix; and nothing of a function without any of them. */
START_TEST(test_mask) {
        const Match *plain = prove_ok("plain"), *branch = prove_ok("branch"), *patched = prove_ok("patched");
        uint8_t *code = code_at(patched->image->address);
        const uint8_t *nop = memmem(code_at(branch->image->address), branch->size, "\x66\x90", 2);
        size_t pause = 5, lock = 5;

        ck_assert_uint_eq(plain->n_masked, 1);
        ck_assert_uint_eq(plain->masked[0].offset, 0);
        ck_assert_uint_eq(plain->masked[0].size, 5);
        ck_assert_ptr_nonnull(nop);
        ck_assert(is_masked(branch, (uint64_t) (nop - code_at(branch->image->address))));
        ck_assert(is_masked(branch, (uint64_t) (nop - code_at(branch->image->address)) + 1));
        ck_assert(!is_masked(branch, branch->size - 1));
        while (code[pause] != 0xf3 || code[pause + 1] != 0x90)
                pause++;
        while (code[lock] != 0xf0)
                lock++;
        for (size_t i = 0; i < 5; i++) /* pause and three bytes of filling */
                ck_assert(is_masked(patched, pause + i));
        ck_assert(!is_masked(patched, pause + 6)); /* behind the lock prefix that follows */
        ck_assert(is_masked(patched, lock) && !is_masked(patched, lock + 1));
        check_digest(plain);
        check_digest(branch);
        check_digest(patched);
        check_digest(prove_ok("loops"));
        check_digest(prove_ok("loops.cold"));
}
END_TEST

/* Code that moves with the module is not in the digest: opened at another place it is the same. */
START_TEST(test_mask_moving) {
        const Match *match = prove_ok("constants");
        uint8_t *code = code_at(match->image->address);
        size_t masked = 0;

        for (uint64_t i = 5; i < match->size; i++)
                masked += is_masked(match, i);
        /* string, __func__, call, two tables */
        ck_assert_uint_ge(masked, 5 * 4);
        ck_assert(!is_masked(match, match->size - 1));
        ck_assert_uint_eq(code[match->size - 1], 0xc3);
}
END_TEST

static Suite *match_suite(void) {
        Suite *s = suite_create("match");
        TCase *c = tcase_create("module");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, test_all);
        tcase_add_loop_test(c, test_locate, 0, ELEMENTSOF(located));
        tcase_add_test(c, test_locate_changed);
        tcase_add_test(c, test_locate_undefined);
        tcase_add_loop_test(c, test_corrupt, 0, ELEMENTSOF(corrupted));
        tcase_add_test(c, test_corrupt_cold);
        tcase_add_test(c, test_message);
        tcase_add_test(c, test_string);
        tcase_add_test(c, test_read_only_data);
        tcase_add_test(c, test_other_function);
        tcase_add_loop_test(c, test_contradiction, 0, 2);
        tcase_add_test(c, test_ambiguous);
        tcase_add_test(c, test_missing);
        tcase_add_test(c, test_longer);
        tcase_add_test(c, test_weak);
        tcase_add_test(c, test_static_branch);
        tcase_add_test(c, test_static_branch_without_hack);
        tcase_add_test(c, test_assembly);
        tcase_add_test(c, test_mask);
        tcase_add_test(c, test_mask_moving);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(match_suite)
