/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Instructions as objdump sees them, in code that the compiler and the assembler made just now. */

#include <ctype.h>
#include <inttypes.h>

#include "builder/object/insn.h"
#include "tests/unit/unit.h"

/* What C code does not bring by itself: what the kernel's inline assembly does. */
static const char source[] =
        "extern int other(int, const char *); extern int counter; extern long table[]; extern void (*hook)(int);\n"
        "int several(int n, long *p) {\n"
        "  switch (n) { case 1: return other(1, \"one\"); case 2: p[200] = 0x12345678; break;\n"
        "  case 3: hook(3); break; case 4: counter += 7; break; case 5: return other(5, \"five\"); }\n"
        "  for (int i = 0; i < n; i++) p[i] = table[i * 3] / (n + 1);\n"
        "  return p[n] + counter; }\n"
        "double floats(double a, float b) { return a * b + 1.5; }\n"
        "struct big { char c[300]; } b1, b2; void copy(void) { b1 = b2; }\n"
        "asm(\".text\\n\"\n"
        "\"endbr64; pause; lfence; mfence; sfence; cpuid; rdtsc; rdtscp; swapgs; clac; stac; hlt; iretq\\n\"\n"
        "\"lock incl (%rdi); lock cmpxchg16b (%rsi); xchg %eax,(%rdx); lock xaddq %rax,8(%rbx)\\n\"\n"
        "\"rep movsb; rep stosq; repne scasb; rep ret; ret $16; lretq; int3; ud2; int $0x80; syscall\\n\"\n"
        "\"movq %gs:0x1234,%rax; movl %gs:(%rip),%eax; incl %gs:0x10(%rip); cmpl $0,%gs:counter(%rip)\\n\"\n"
        "\"movabs $0x1122334455667788,%rax; movabs 0x1122334455667788,%al; movq $counter,%rdi\\n\"\n"
        "\"jmp 1f; 1: .byte 0xe9,0,0,0,0; je 2f; 2: .byte 0x0f,0x84,0,0,0,0; jrcxz 2b; loop 2b\\n\"\n"
        "\"call other; jmp *%rax; call *8(%rax); call *hook(%rip); jmp *table(,%rdi,8)\\n\"\n"
        "\"nop; xchg %ax,%ax; nopl (%rax); nopl 8(%rax); nopl 8(%rax,%rax); nopw 8(%rax,%rax)\\n\"\n"
        "\".byte 0x66,0x2e,0x0f,0x1f,0x84,0,0,0,0,0; .byte 0x0f,0x1f,0x80,0,0,0,0; cs nopw 0(%rax,%rax)\\n\"\n"
        "\"cmpxchg %ecx,(%rdi,%rsi,4); btsl $5,0x100(%rdi); enter $16,$0; imul $100,%rdi,%rax\\n\"\n"
        "\"vmovdqu 0x40(%rdi),%ymm0; vpalignr $4,%ymm1,%ymm2,%ymm3; vpternlogd $3,%zmm1,%zmm2,%zmm3\\n\"\n"
        "\"crc32q %rax,%rdx; aesenc %xmm1,%xmm2; pclmulqdq $0x11,%xmm1,%xmm2; sha256rnds2 %xmm1,%xmm2\\n\"\n"
        "\"xsaves64 (%rdi); fxrstor64 (%rdi); invpcid (%rax),%rbx; wrmsr; mov %cr3,%rax; mov %rax,%dr7\\n\"\n"
        "\"ltr %ax; verw 4(%rip); lgdt (%rax); sti; cli; ud1 4(%rax),%eax; ud1 0x12(%eax),%eax; mov %ds,%eax\\n\");\n";

static char *folder;
static char *object;

static void setup(void) {
        _cleanup_free_ char *command = NULL, *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;

        folder = scratch_new();
        ck_assert_int_ge(asprintf(&object, "%s/x.o", folder), 0);
        ck_assert_int_ge(asprintf(&path, "%s/x.c", folder), 0);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(source, f), 0);
        ck_assert_int_eq(fflush(f), 0);
        ck_assert_int_ge(asprintf(&command, "gcc -O2 -fcf-protection=branch -fno-pic -mcmodel=kernel "
                                  "-fno-stack-protector -U_FORTIFY_SOURCE -c -o %s %s", object, path), 0);
        ck_assert_int_eq(system(command), 0);
}

static void teardown(void) {
        free(object);
        scratch_free(folder);
}

/* One line of `objdump -dw`: "  1a:\te8 00 00 00 00\tcall   1f <x>"; returns how many bytes it has. */
static size_t parse_line(const char *line, uint64_t *ret_address, uint8_t bytes[static INSN_MAX],
                char text[static 64]) {
        size_t n = 0;
        int used = 0;
        const char *tab;
        unsigned byte;

        if (sscanf(line, " %" SCNx64 ":\t%n", ret_address, &used) != 1 || used == 0)
                return 0;
        tab = strchr(line + used, '\t');
        ck_assert_ptr_nonnull(tab);
        for (const char *p = line + used; isxdigit((unsigned char) *p) && n < INSN_MAX; p += 3) {
                ck_assert_int_eq(sscanf(p, "%2x", &byte), 1);
                bytes[n++] = byte;
        }
        ck_assert_int_eq(sscanf(tab + 1, "%63[^\n]", text), 1);
        return n;
}

/* The kind that objdump's words say. */
static InsnKind expected_kind(const char *text) {
        bool indirect = strchr(text, '*');

        if (startswith(text, "call") || startswith(text, "jmp"))
                return indirect ? INSN_OTHER : *text == 'c' ? INSN_CALL : INSN_JUMP;
        if (*text == 'j' || startswith(text, "loop"))
                return INSN_CONDITIONAL_JUMP;
        if (streq(text, "int3"))
                return INSN_INT3;
        if (startswith(text, "ret") || startswith(text, "repz ret"))
                return INSN_RETURN;
        return strstr(text, "nop") || streq(text, "xchg   %ax,%ax") ? INSN_NOP : INSN_OTHER;
}

static void check_fields(const Insn *insn, const char *text) {
        uint64_t target;
        const char *rip = strstr(text, "(%rip)");

        ck_assert_msg(insn->rip_relative == !!rip, "%s: rip_relative is %d", text, insn->rip_relative);
        ck_assert_uint_le(insn->displacement_offset + insn->displacement_size, insn->length);
        ck_assert_uint_le(insn->immediate_offset + insn->immediate_size, insn->length);
        if (strstr(text, "$0x12345678"))
                ck_assert_int_eq(insn->immediate, 0x12345678);
        if (strstr(text, "$0x1122334455667788"))
                ck_assert_int_eq(insn->immediate, 0x1122334455667788);
        if (rip && sscanf(strchr(text, '#') + 1, " %" SCNx64, &target) == 1)
                ck_assert_uint_eq(insn->displacement_size, 4);
}

START_TEST(test_against_objdump) {
        _cleanup_free_ char *command = NULL;
        FILE *f;
        char line[512], text[64];
        uint8_t bytes[INSN_MAX];
        unsigned seen[INSN_RETURN + 1] = {}, n = 0;
        uint64_t address, target;

        ck_assert_int_ge(asprintf(&command, "objdump -dw %s", object), 0);
        f = popen(command, "r");
        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f)) {
                size_t size = parse_line(line, &address, bytes, text);
                InsnKind kind;
                Insn insn;

                if (size == 0)
                        continue;
                ck_assert_msg(insn_decode(bytes, size, &insn) == 0, "%s", line);
                ck_assert_msg(insn.length == size, "%zu, not %u: %s", size, insn.length, line);
                ck_assert_int_eq(insn_decode(bytes, size - 1, &insn), -EBADMSG);
                ck_assert_ok(insn_decode(bytes, size, &insn));
                kind = expected_kind(text);
                ck_assert_msg(insn.kind == kind, "kind %d, not %d: %s", insn.kind, kind, line);
                check_fields(&insn, text);
                if (kind == INSN_CALL || kind == INSN_JUMP || kind == INSN_CONDITIONAL_JUMP) {
                        ck_assert_int_eq(sscanf(text, "%*s %" SCNx64, &target), 1);
                        ck_assert_uint_eq(address + insn.length + insn.immediate, target);
                }
                seen[kind]++;
                n++;
        }
        ck_assert_int_eq(pclose(f), 0);
        for (size_t i = 0; i < ELEMENTSOF(seen); i++)
                ck_assert_msg(seen[i] > 0, "no instruction of kind %zu", i);
        ck_assert_uint_gt(n, 150);
}
END_TEST

static uint64_t operation(const char *hex) {
        uint8_t bytes[INSN_MAX];
        size_t n = strlen(hex) / 2;
        Insn insn;

        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(sscanf(hex + 2 * i, "%2hhx", bytes + i), 1);
        ck_assert_ok(insn_decode(bytes, n, &insn));
        ck_assert_uint_eq(insn.length, n);
        return insn.operation;
}

static const struct {
        const char *a;
        const char *b;
        bool same;
} pairs[] = {
        { "eb00", "e900000000", true },            /* jmp, short and near */
        { "7410", "0f8400010000", true },          /* je */
        { "7410", "7510", false },                 /* je, jne */
        { "eb00", "e800000000", false },           /* jmp, call */
        { "8b4708", "8b8780000000", true },        /* mov 8(%rdi), mov 0x80(%rdi) */
        { "8b07", "8b4708", true },                /* mov (%rdi), mov 8(%rdi) */
        { "8b4708", "8b4608", false },             /* mov 8(%rdi), mov 8(%rsi) */
        { "8b4708", "488b4708", false },           /* 32 and 64 bits */
        { "8b4708", "894708", false },             /* load, store */
        { "4883c008", "480500010000", true },      /* add $8,%rax, add $0x100,%rax */
        { "4883c008", "4883e808", false },         /* add, sub */
        { "4883c008", "4883c108", false },         /* %rax, %rcx */
        { "8b0500000000", "8b0510000000", true },  /* rip-relative */
        { "8b0500000000", "8b8500000000", false }, /* (%rip), (%rbp) */
        { "65488b0425101f0200", "488b0425101f0200", false }, /* %gs:, none */
        { "f0ff07", "ff07", false },               /* lock incl, incl */
        { "f3a4", "a4", false },                   /* rep movsb, movsb */
        { "8b448708", "8b44c708", false },         /* scale 4, scale 8 */
        { "8b448708", "8b448f08", false },         /* index %rax, index %rcx */
        { "89c3", "89d8", false },                 /* mov %eax,%ebx and back */
        { "6a01", "6801000100", true },            /* push $1, push $0x10001 */
        { "c3", "c20800", false },                 /* ret, ret $8 */
};

START_TEST(test_operation) {
        bool same = operation(pairs[_i].a) == operation(pairs[_i].b);

        ck_assert_msg(same == pairs[_i].same, "%s and %s", pairs[_i].a, pairs[_i].b);
}
END_TEST

START_TEST(test_format) {
        static const uint8_t call[] = { 0xe8, 0xfb, 0x0f, 0, 0 }, bad[] = { 0x06 };
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(insn_format(call, sizeof(call), 0xffffffff81000000, &text));
        ck_assert_str_eq(text, "call 0xffffffff81001000");
        ck_assert_int_eq(insn_format(bad, sizeof(bad), 0, &text), -EBADMSG);
        ck_assert_int_eq(insn_format(call, 4, 0, &text), -EBADMSG);
        ck_assert_int_eq(insn_format(call, 0, 0, &text), -EBADMSG);
}
END_TEST

static Suite *insn_suite(void) {
        Suite *s = suite_create("insn");
        TCase *c = tcase_create("objdump"), *t = tcase_create("bytes");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_against_objdump);
        suite_add_tcase(s, c);
        tcase_add_loop_test(t, test_operation, 0, ELEMENTSOF(pairs));
        tcase_add_test(t, test_format);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(insn_suite)
