/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/fields.h"
#include "tests/unit/unit.h"
#include "util/limits.h"
#include "util/strv.h"

typedef struct Thing {
        char *name;
        char **list;
        uint64_t number;
        sd_id128_t id;
        char *maybe;
        bool flag;
} Thing;

static bool valid_name(const char *s) {
        return *s != '!';
}

static const Field fields[] = {
        { "NAME", FIELD_STRING, true, offsetof(Thing, name), valid_name },
        { "LIST", FIELD_STRV, false, offsetof(Thing, list), NULL },
        { "NUMBER", FIELD_U64, true, offsetof(Thing, number), NULL },
        { "ID", FIELD_ID128, true, offsetof(Thing, id), NULL },
        { "MAYBE", FIELD_STRING, false, offsetof(Thing, maybe), NULL },
        { "FLAG", FIELD_BOOL, false, offsetof(Thing, flag), NULL },
};

static void thing_done(Thing *t) {
        fields_done(fields, ELEMENTSOF(fields), t);
}

#define REST "NUMBER=7\nID=00112233445566778899aabbccddeeff\n"
#define GOOD "FORMAT=1\nNAME=x\n" REST "END=1\n"

START_TEST(test_round_trip) {
        _cleanup_(thing_done) Thing back = { 0 };
        Thing t = {
                .name = (char *) "a \\ b\n=\x7f \xc3\xa4 \x01",
                .list = (char *[]) { (char *) "", (char *) "END=1", (char *) "two", NULL },
                .number = UINT64_MAX,
                .id = SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff),
                .flag = true,
        };
        _cleanup_free_ char *text = NULL;
        size_t size;

        ck_assert_ok(fields_format(fields, ELEMENTSOF(fields), &t, &text, &size));
        ck_assert_uint_eq(strlen(text), size);
        ck_assert_ptr_nonnull(strstr(text, "NAME=a \\x5c b\\x0a=\\x7f \xc3\xa4 \\x01\n"));
        ck_assert_ok(fields_parse(fields, ELEMENTSOF(fields), text, size, &back));
        ck_assert_str_eq(back.name, t.name);
        ck_assert_uint_eq(strv_length(back.list), 3);
        ck_assert_str_eq(back.list[0], "");
        ck_assert_str_eq(back.list[1], "END=1");
        ck_assert(back.number == UINT64_MAX);
        ck_assert(sd_id128_equal(back.id, t.id));
        ck_assert_ptr_null(back.maybe);
        ck_assert(back.flag);
}
END_TEST

/* What could not be read back is not written. */
START_TEST(test_format_refuses) {
        Thing t = { .name = NULL };
        char *text = (char *) 1;
        size_t size = 5;

        ck_assert_int_eq(fields_format(fields, ELEMENTSOF(fields), &t, &text, &size), -EINVAL);
        t.name = (char *) "!";
        ck_assert_int_eq(fields_format(fields, ELEMENTSOF(fields), &t, &text, &size), -EINVAL);
        ck_assert_ptr_eq(text, (char *) 1);
        ck_assert_uint_eq(size, 5);
}
END_TEST

static const char *const damaged[] = {
        "", "FORMAT=1\n", "END=1\n", "FORMAT=1\nEND=1\n",
        "FORMAT=2\nNAME=x\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\n" REST,
        "FORMAT=1\nNAME=x\n" REST "END=1",
        "FORMAT=1\nNAME=x\n" REST "END=1\n\n",
        "FORMAT=1\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\nNAME=x\n" REST "END=1\n",
        "FORMAT=1\nNAME=!\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\nOTHER=1\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\nname=1\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\n\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\nMAYBE\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\n=\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\ty\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\r\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\x41\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\x00\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\x0A\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\n\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\x0\n" REST "END=1\n",
        "FORMAT=1\nNAME=\\\n" REST "END=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=07\nID=00112233445566778899aabbccddeeff\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=\nID=00112233445566778899aabbccddeeff\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=-1\nID=00112233445566778899aabbccddeeff\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER= 1\nID=00112233445566778899aabbccddeeff\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=18446744073709551616\nID=00112233445566778899aabbccddeeff\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=7\nID=00112233445566778899AABBCCDDEEFF\nEND=1\n",
        "FORMAT=1\nNAME=x\nNUMBER=7\nID=0011\nEND=1\n",
        "FORMAT=1\nNAME=x\n" REST "FLAG=2\nEND=1\n",
        "FORMAT=1\nNAME=x\n" REST "FLAG=\nEND=1\n",
        "FORMAT=1\nNAME=x\n" REST "FLAG=01\nEND=1\n",
};

START_TEST(test_damaged) {
        Thing t = { 0 }, none = { 0 };

        ck_assert_msg(fields_parse(fields, ELEMENTSOF(fields), damaged[_i], strlen(damaged[_i]), &t) == -EBADMSG,
                "accepted: %s", damaged[_i]);
        ck_assert_mem_eq(&t, &none, sizeof(t));
}
END_TEST

START_TEST(test_nul_byte) {
        static const char text[] = "FORMAT=1\nNAME=x\0y\n" REST "END=1\n";
        Thing t = { 0 };

        ck_assert_int_eq(fields_parse(fields, ELEMENTSOF(fields), text, sizeof(text) - 1, &t), -EBADMSG);
}
END_TEST

/* Cut or changed in any one place it is damage, or another value, and never a crash. */
START_TEST(test_every_cut) {
        for (size_t n = 0; n < strlen(GOOD); n++) {
                Thing t = { 0 };
                ck_assert_int_eq(fields_parse(fields, ELEMENTSOF(fields), GOOD, n, &t), -EBADMSG);
        }
}
END_TEST

START_TEST(test_long_list) {
        _cleanup_free_ char *text = NULL;
        Thing t = { 0 };
        size_t size;
        FILE *f;

        for (unsigned extra = 0; extra < 2; extra++) {
                f = open_memstream(&text, &size);
                fputs("FORMAT=1\nNAME=x\n", f);
                for (unsigned i = 0; i < HOTPATCH_RECORD_LIST_MAX + extra; i++)
                        fputs("LIST=y\n", f);
                fputs(REST "END=1\n", f);
                fclose(f);
                ck_assert_int_eq(fields_parse(fields, ELEMENTSOF(fields), text, size, &t), extra ? -EBADMSG : 0);
                thing_done(&t);
                free(TAKE_PTR(text));
        }
}
END_TEST

static Suite *fields_suite(void) {
        Suite *s = suite_create("fields");
        TCase *c = tcase_create("fields");

        tcase_add_test(c, test_round_trip);
        tcase_add_test(c, test_format_refuses);
        tcase_add_loop_test(c, test_damaged, 0, ELEMENTSOF(damaged));
        tcase_add_test(c, test_nul_byte);
        tcase_add_test(c, test_every_cut);
        tcase_add_test(c, test_long_list);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(fields_suite)
