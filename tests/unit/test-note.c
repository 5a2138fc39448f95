/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/note.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/unit.h"

#define TABLE "vmlinux cmdline_proc_show 0 hp_cmdline_proc_show\nhptarget answer 2 hp_answer\n"

START_TEST(identity_and_table_are_read) {
        _cleanup_(patch_note_done) PatchNote n = {};
        NoteBuffer b = {};
        PatchNoteFunction f;
        const char *text;

        note_add_gnu_build_id(&b, "\xab\xcd\x01", 3);
        note_add_patch(&b, "hp-2026-11-test", 0x123456789aULL, TABLE);
        ck_assert_ok(patch_note_parse(b.data, b.size, &n));
        ck_assert_str_eq(n.bundle_id, "hp-2026-11-test");
        ck_assert_uint_eq(n.sequence, 0x123456789aULL);
        ck_assert_uint_eq(n.table_sha256[31], 31);
        ck_assert_str_eq(n.table, TABLE);

        text = n.table;
        ck_assert_int_eq(patch_note_next_function(&text, &f), 1);
        ck_assert_str_eq(f.object, "vmlinux");
        ck_assert_str_eq(f.function, "cmdline_proc_show");
        ck_assert_uint_eq(f.sympos, 0);
        ck_assert_str_eq(f.replacement, "hp_cmdline_proc_show");
        ck_assert_int_eq(patch_note_next_function(&text, &f), 1);
        ck_assert_str_eq(f.object, "hptarget");
        ck_assert_uint_eq(f.sympos, 2);
        ck_assert_int_eq(patch_note_next_function(&text, &f), 0);
}
END_TEST

START_TEST(build_id_is_found_among_others) {
        _cleanup_free_ char *id = NULL, *none = NULL;
        NoteBuffer b = {}, without = {};

        note_add(&b, "Xen", 6, "linux", 6);
        note_add(&b, "GNU", 1, "\1\2\3\4", 4);
        note_add_gnu_build_id(&b, "\x0f\xf0\xaa\x55\x01", 5);
        ck_assert_ok(build_id_note_parse(b.data, b.size, &id));
        ck_assert_str_eq(id, "0ff0aa5501");
        /* The last padding may be missing. */
        b.size -= 3;
        free(id);
        id = NULL;
        ck_assert_ok(build_id_note_parse(b.data, b.size, &id));

        note_add(&without, "Xen", 3, "linux", 6);
        ck_assert_int_eq(build_id_note_parse(without.data, without.size, &none), -ENODATA);
        ck_assert_int_eq(build_id_note_parse("", 0, &none), -ENODATA);
        ck_assert_ptr_null(none);
}
END_TEST

/* Every cut and every single wrong byte is refused or read, never read beyond the end (ASan). */
START_TEST(truncation_and_damage) {
        NoteBuffer b = {};

        note_add_patch(&b, "hp-x", 1, TABLE);
        for (size_t size = 0; size < b.size; size++) {
                _cleanup_(patch_note_done) PatchNote n = {};
                _cleanup_free_ uint8_t *copy = malloc(size ?: 1);

                ck_assert_ptr_nonnull(copy);
                memcpy(copy, b.data, size);
                /* Up to three bytes of padding may be cut. */
                if (size + 4 <= b.size)
                        ck_assert_int_eq(patch_note_parse(copy, size, &n), -EBADMSG);
        }
        for (size_t at = 0; at < b.size; at++) {
                _cleanup_(patch_note_done) PatchNote n = {};
                NoteBuffer c = b;

                c.data[at] ^= 0x80;
                if (patch_note_parse(c.data, c.size, &n) >= 0)
                        ck_assert_ptr_nonnull(n.bundle_id);
        }
}
END_TEST

static int parse_table(const char *table) {
        _cleanup_(patch_note_done) PatchNote n = {};
        NoteBuffer b = {};

        note_add_patch(&b, "hp-x", 1, table);
        return patch_note_parse(b.data, b.size, &n);
}

START_TEST(malformed_tables_are_refused) {
        static const char *const bad[] = {
                        "vmlinux f 0 g",
                        "vmlinux f 0\n",
                        "vmlinux f x g\n",
                        "vmlinux f 00 g\n",
                        "vmlinux  f 0 g\n",
                        " vmlinux f 0 g\n",
                        "vmlinux f 0 g \n",
                        "vmlinux f 0 g\n\n",
                        "../x f 0 g\n",
                        "vmlinux f\t 0 g\n",
                        "vmlinux f -1 g\n",
                        "vmlinux f 99999999999 g\n",
                        "vmlinux \x80 0 g\n",
                        "a_name_of_more_than_fifty_five_characters_is_no_module_name f 0 g\n",
        };

        ck_assert_ok(parse_table("vmlinux f 0 g\n"));
        ck_assert_ok(parse_table(""));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(parse_table(bad[i]) == -EBADMSG, "accepted: %s", bad[i]);
}
END_TEST

START_TEST(malformed_identities_are_refused) {
        PatchNote n = {};
        NoteBuffer twice = {}, half = {}, later = {}, slash = {};

        note_add_patch(&twice, "hp-x", 1, "");
        note_add_patch(&twice, "hp-y", 1, "");
        ck_assert_int_eq(patch_note_parse(twice.data, twice.size, &n), -EBADMSG);
        note_add(&half, HOTPATCH_NOTE_OWNER, HOTPATCH_NOTE_TABLE, "", 1);
        ck_assert_int_eq(patch_note_parse(half.data, half.size, &n), -EBADMSG);
        note_add_patch(&later, "hp-x", 1, "");
        later.data[12 + 12] = 2;
        ck_assert_int_eq(patch_note_parse(later.data, later.size, &n), -EPROTONOSUPPORT);
        note_add_patch(&slash, "hp/x", 1, "");
        ck_assert_int_eq(patch_note_parse(slash.data, slash.size, &n), -EBADMSG);
        ck_assert_ptr_null(n.bundle_id);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("note");
        TCase *t = tcase_create("note");

        tcase_add_test(t, identity_and_table_are_read);
        tcase_add_test(t, build_id_is_found_among_others);
        tcase_add_test(t, truncation_and_damage);
        tcase_add_test(t, malformed_tables_are_refused);
        tcase_add_test(t, malformed_identities_are_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
