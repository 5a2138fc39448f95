/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/utsname.h>

#include "livepatch/identity.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/tree.h"

START_TEST(captured_kernel) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(kernel_identity_done) KernelIdentity i = {};
        NoteBuffer b = {};

        note_add(&b, "Xen", 6, "linux", 6);
        note_add_gnu_build_id(&b, "\xde\xad\xbe\xef", 4);
        tree_bytes(&t, "sys/kernel/notes", b.data, b.size);
        tree_file(&t, "proc/sys/kernel/osrelease", "6.1.0-50-cloud-amd64\n");
        tree_file(&t, "proc/sys/kernel/arch", "s390x\n");
        ck_assert_ok(kernel_identity(t.kernel, &i));
        ck_assert_str_eq(i.release, "6.1.0-50-cloud-amd64");
        ck_assert_str_eq(i.arch, "s390x");
        ck_assert_str_eq(i.build_id, "deadbeef");
}
END_TEST

START_TEST(sparse_and_damaged_trees) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(kernel_identity_done) KernelIdentity i = {};
        struct utsname u;

        ck_assert_int_eq(uname(&u), 0);
        ck_assert_ok(kernel_identity(t.kernel, &i));
        ck_assert_str_eq(i.arch, u.machine);
        ck_assert_str_eq(i.build_id, "");
        kernel_identity_done(&i);
        tree_file(&t, "sys/kernel/notes", "garbage that is no note");
        ck_assert_int_eq(kernel_identity(t.kernel, &i), -EBADMSG);
}
END_TEST

START_TEST(this_kernel) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        _cleanup_(kernel_identity_done) KernelIdentity i = {};
        struct utsname u;
        Kernel *unchanged = NULL;

        ck_assert_int_eq(uname(&u), 0);
        ck_assert_ok(kernel_new("/", NULL, NULL, &k));
        ck_assert_ok(kernel_identity(k, &i));
        ck_assert_str_eq(i.release, u.release);
        ck_assert_str_eq(i.arch, u.machine);
        /* A tree has no kernel behind it that could be changed. */
        ck_assert_int_eq(kernel_new("/tmp", NULL, NULL, &unchanged), -EINVAL);
        ck_assert_ptr_null(unchanged);
}
END_TEST

START_TEST(gates_open_and_closed) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(kernel_gates_done) KernelGates g = {};

        ck_assert_ok(kernel_gates(t.kernel, &g));
        ck_assert(!g.livepatch_supported && !g.ftrace_enabled && !g.module_signature_required);
        ck_assert(!g.command_line_off);
        ck_assert_str_eq(g.lockdown, "none");
        kernel_gates_done(&g);

        tree_directory(&t, "sys/kernel/livepatch");
        tree_file(&t, "proc/sys/kernel/ftrace_enabled", "1\n");
        tree_file(&t, "sys/module/module/parameters/sig_enforce", "N\n");
        tree_file(&t, "sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        tree_file(&t, "proc/cmdline", "root=/dev/vda nohotpatch=off hotpatch=office quiet\n");
        ck_assert_ok(kernel_gates(t.kernel, &g));
        ck_assert(g.livepatch_supported && g.ftrace_enabled && !g.module_signature_required);
        ck_assert(!g.command_line_off);
        kernel_gates_done(&g);

        tree_file(&t, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        tree_file(&t, "proc/cmdline", "root=/dev/vda quiet hotpatch=off\n");
        ck_assert_ok(kernel_gates(t.kernel, &g));
        ck_assert_str_eq(g.lockdown, "integrity");
        ck_assert(g.module_signature_required && g.command_line_off);
        kernel_gates_done(&g);

        tree_file(&t, "sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        tree_file(&t, "sys/module/module/parameters/sig_enforce", "Y\n");
        tree_file(&t, "proc/sys/kernel/ftrace_enabled", "0\n");
        ck_assert_ok(kernel_gates(t.kernel, &g));
        ck_assert(g.module_signature_required && !g.ftrace_enabled);
}
END_TEST

START_TEST(modules_and_their_build_ids) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ char *id = NULL;
        NoteBuffer b = {};

        tree_file(&t, "sys/module/printk/parameters/time", "Y\n");
        tree_file(&t, "sys/module/ext4/initstate", "live\n");
        ck_assert_int_eq(kernel_module_loaded(t.kernel, "ext4"), 1);
        ck_assert_int_eq(kernel_module_loaded(t.kernel, "printk"), 0);
        ck_assert_int_eq(kernel_module_loaded(t.kernel, "xfs"), 0);
        ck_assert_int_eq(kernel_module_loaded(t.kernel, "../module/ext4"), -EINVAL);
        ck_assert_int_eq(kernel_module_loaded(t.kernel, ".."), -EINVAL);
        ck_assert_int_eq(kernel_module_loaded(t.kernel, ""), -EINVAL);
        ck_assert_int_eq(kernel_module_build_id(t.kernel, "ext4", &id), -ENOENT);
        note_add_gnu_build_id(&b, "\x01\x02", 2);
        tree_bytes(&t, "sys/module/ext4/notes/.note.gnu.build-id", b.data, b.size);
        ck_assert_ok(kernel_module_build_id(t.kernel, "ext4", &id));
        ck_assert_str_eq(id, "0102");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("identity");
        TCase *t = tcase_create("identity");

        tcase_add_test(t, captured_kernel);
        tcase_add_test(t, sparse_and_damaged_trees);
        tcase_add_test(t, this_kernel);
        tcase_add_test(t, gates_open_and_closed);
        tcase_add_test(t, modules_and_their_build_ids);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
