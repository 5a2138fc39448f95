/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Facts gathered from captured trees and a real store. */

#include <fcntl.h>
#include <sys/mman.h>

#include "daemon/facts.h"
#include "dbus/errors.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/tree.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static Tree tree;
static Store *store;
static Facts *facts;
static char *functions[] = { (char *) "cmdline_proc_show", (char *) "twice,2", NULL };
static ManifestObject objects[2];
static ManifestTarget target;
static Manifest manifest;
static const Manifest *manifests[2] = { &manifest, &manifest };

static void setup(void) {
        static const uint8_t id[] = { 0xaa, 0xbb };
        NoteBuffer note = { 0 };
        KernelIdentity k;

        ck_assert_ok(hotpatch_errors_register());
        tree = tree_new();
        note_add(&note, "GNU", 3, id, sizeof(id));
        tree_bytes(&tree, "sys/kernel/notes", note.data, note.size);
        tree_file(&tree, "proc/cmdline", "quiet\n");
        tree_file(&tree, "proc/sys/kernel/ftrace_enabled", "1\n");
        tree_directory(&tree, "sys/kernel/livepatch");
        tree_file(&tree, "proc/kallsyms", "0000000000000000 T cmdline_proc_show\n"
                "0000000000000000 t twice\n0000000000000000 t twice\n0000000000000000 t other\n");
        tree_file(&tree, "sys/kernel/tracing/available_filter_functions", "cmdline_proc_show\ntwice\n");
        tree_file(&tree, "sys/kernel/tracing/enabled_functions", "");
        ck_assert_ok(kernel_identity(tree.kernel, &k));
        free(k.version);
        objects[0] = (ManifestObject) { .name = (char *) "vmlinux", .functions = functions };
        objects[1] = (ManifestObject) { .name = (char *) "ext4", .functions = functions };
        target = (ManifestTarget) {
                .arch = k.arch, .release = k.release, .build_id = k.build_id, .module = (char *) "hp_a",
                .objects = objects, .n_objects = 2,
        };
        manifest = (Manifest) {
                .id = (char *) "hp-a", .stream = (char *) "s", .sequence = 3, .targets = &target, .n_targets = 1,
        };
        ck_assert_ok(store_open(tree.root, &store, NULL));
}

static void teardown(void) {
        facts = facts_free(facts);
        store_free(store);
        free(target.arch);
        free(target.release);
        free(target.build_id);
        tree_free(&tree);
}

static const PlanFacts *gather(size_t n) {
        facts = facts_free(facts);
        ck_assert_ok(facts_gather(tree.kernel, store, manifests, n, NULL, 5, &facts, NULL));
        return facts_for_plan(facts);
}

static void admit(const char *module, const char *build_id) {
        int fd = store_tmpfile(store, NULL);

        ck_assert_ok(store_admitted_commit(store, fd, &(AdmittedRecord) {
                .id = (char *) "hp-a", .title = (char *) "t", .severity = (char *) "low", .stream = (char *) "s",
                .sequence = 3, .digest = (char *) DIGEST, .module = (char *) module,
                .module_build_id = (char *) build_id, .release = (char *) "6.1", .order = 7,
                .requires = (char *[]) { (char *) "hp-b", NULL },
        }, NULL));
        close(fd);
}

static void load(const char *module, const char *function) {
        char path[256];

        tree_livepatch(&tree, module, "1\n", "0\n", "1\n");
        snprintf(path, sizeof(path), "sys/kernel/livepatch/%s/vmlinux/%s", module, function);
        tree_directory(&tree, path);
}

static void add_build_id(const char *module, uint8_t byte) {
        NoteBuffer note = { 0 };
        char path[256];

        note_add(&note, "GNU", 3, &byte, 1);
        snprintf(path, sizeof(path), "sys/module/%s/notes/.note.gnu.build-id", module);
        tree_bytes(&tree, path, note.data, note.size);
}

START_TEST(test_empty) {
        const PlanFacts *f = gather(1);

        ck_assert_str_eq(f->kernel->build_id, "aabb");
        ck_assert(f->gates->ftrace_enabled && f->gates->livepatch_supported);
        ck_assert_ptr_null(f->disabled);
        ck_assert_ptr_null(f->transition_module);
        ck_assert_uint_eq(f->now_usec, 5);
        ck_assert_uint_eq(f->n_patches, 0);
        ck_assert_uint_eq(f->n_streams, 1);
        ck_assert_uint_eq(f->streams[0].sequence, 0);
        ck_assert_uint_eq(f->n_modules, 2);
        ck_assert(!f->modules[0].loaded && !f->modules[1].loaded);
}
END_TEST

START_TEST(test_modules_and_streams) {
        const PlanFacts *f;

        tree_file(&tree, "sys/module/ext4/initstate", "live\n");
        add_build_id("ext4", 0xcc);
        ck_assert_ok(store_stream_set(store, "s", 9, DIGEST));
        f = gather(2);
        ck_assert_uint_eq(f->n_modules, 2);
        ck_assert_str_eq(f->modules[0].name, "ext4");
        ck_assert(f->modules[0].loaded);
        ck_assert_str_eq(f->modules[0].build_id, "cc");
        ck_assert_uint_eq(f->streams[0].sequence, 9);
        ck_assert_str_eq(f->streams[0].digest, DIGEST);
}
END_TEST

START_TEST(test_recorded) {
        const PlanFacts *f;

        admit("hp_a", NULL);
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert(f->patches[0].recorded);
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_ABSENT);
        ck_assert_str_eq(f->patches[0].requires[0], "hp-b");

        load("hp_a", "cmdline_proc_show,1");
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_PATCHED);
        ck_assert_uint_eq(f->patches[0].n_objects, 1);
        ck_assert_str_eq(f->patches[0].objects[0].name, "vmlinux");
        ck_assert_str_eq(f->patches[0].objects[0].functions[0], "cmdline_proc_show");
}
END_TEST

/* Somebody loaded another module under the name in our record. */
START_TEST(test_impostor) {
        const PlanFacts *f;

        admit("hp_a", "dd");
        load("hp_a", "cmdline_proc_show,1");
        add_build_id("hp_a", 0xcc);
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 2);
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_ABSENT);
        ck_assert_ptr_null(f->patches[1].id);
        ck_assert_int_eq(f->patches[1].state, LIVEPATCH_PATCHED);

        add_build_id("hp_a", 0xdd);
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_PATCHED);
}
END_TEST

/* As above, but there is no build-id: the note tells. */
START_TEST(test_impostor_by_note) {
        NoteBuffer other = { 0 }, ours = { 0 };
        const PlanFacts *f;

        admit("hp_a", NULL);
        load("hp_a", "cmdline_proc_show,1");
        note_add_patch(&other, "hp-other", 1, "vmlinux cmdline_proc_show 0 new\n");
        tree_bytes(&tree, "sys/module/hp_a/notes/.note.hotpatch", other.data, other.size);
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 2);
        ck_assert_str_eq(f->patches[0].id, "hp-a");
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_ABSENT);
        ck_assert_str_eq(f->patches[1].id, "hp-other");
        ck_assert(!f->patches[1].recorded);
        ck_assert_int_eq(f->patches[1].state, LIVEPATCH_PATCHED);

        note_add_patch(&ours, "hp-a", 3, "vmlinux cmdline_proc_show 0 new\n");
        tree_bytes(&tree, "sys/module/hp_a/notes/.note.hotpatch", ours.data, ours.size);
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_PATCHED);
}
END_TEST

/* In effect it is a stranger's; without effect (the next test) it is what we left behind. */
START_TEST(test_our_note_without_a_record) {
        NoteBuffer note = { 0 };
        const PlanFacts *f;

        load("hp_a", "cmdline_proc_show,1");
        note_add_patch(&note, "hp-a", 3, "vmlinux cmdline_proc_show 0 new\n");
        tree_bytes(&tree, "sys/module/hp_a/notes/.note.hotpatch", note.data, note.size);
        f = gather(1);
        ck_assert_uint_eq(f->n_patches, 1);
        /* Adopted: it has that id, and nothing else is known of it. */
        ck_assert_str_eq(f->patches[0].id, "hp-a");
        ck_assert_ptr_null(f->patches[0].digest);
        ck_assert(!f->patches[0].recorded);
        load("copy", "cmdline_proc_show,1");
        tree_bytes(&tree, "sys/module/copy/notes/.note.hotpatch", note.data, note.size);
        f = gather(1);
        ck_assert_uint_eq(f->n_patches, 2);
        ck_assert(streq_ptr(f->patches[0].id, "hp-a") != streq_ptr(f->patches[1].id, "hp-a"));
}
END_TEST

START_TEST(test_leftover) {
        NoteBuffer note = { 0 };
        const PlanFacts *f;

        tree_file(&tree, "sys/module/hp_a/initstate", "live\n");
        tree_file(&tree, "sys/module/hp_a/refcnt", "0\n");
        note_add_patch(&note, "hp-a", 3, "vmlinux cmdline_proc_show 0 new\n");
        tree_bytes(&tree, "sys/module/hp_a/notes/.note.hotpatch", note.data, note.size);
        ck_assert_uint_eq(gather(0)->n_patches, 0);
        f = gather(1);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert_str_eq(f->patches[0].id, "hp-a");
        ck_assert_int_eq(f->patches[0].state, LIVEPATCH_INACTIVE);
}
END_TEST

START_TEST(test_foreign) {
        const PlanFacts *f;

        load("kpatch_x", "other,2");
        f = gather(0);
        ck_assert_uint_eq(f->n_patches, 1);
        ck_assert_ptr_null(f->patches[0].id);
        ck_assert(!f->patches[0].recorded);
        ck_assert_str_eq(f->patches[0].objects[0].functions[0], "other,2");
}
END_TEST

START_TEST(test_transition) {
        tree_livepatch(&tree, "kpatch_x", "1\n", "1\n", "1\n");
        ck_assert_str_eq(gather(0)->transition_module, "kpatch_x");
}
END_TEST

START_TEST(test_damaged_mark) {
        tree_file(&tree, "var/lib/hotpatch/streams/s", "7");
        Facts *none = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        ck_assert_int_lt(facts_gather(tree.kernel, store, manifests, 1, NULL, 5, &none, &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("StateDamaged")));
        ck_assert_ptr_null(none);
        /* removing needs no mark */
        (void) gather(0);
}
END_TEST

#define OWNED "vmlinux stack_trace_save_tsk_reliable 1 1 1 0 0\nvmlinux fa 1 1 1 1 0 a_handler [its_module]\n"

START_TEST(test_symbols) {
        _cleanup_free_ void *answer = NULL;
        _cleanup_close_ int fd = memfd_create("answer", MFD_CLOEXEC);
        const PlanFacts *f;
        size_t size;
        char path[64];

        ck_assert_ok(facts_symbols(tree.kernel, manifests, 2, fd));
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        size = (size_t) lseek(fd, 0, SEEK_END);
        answer = calloc(1, size + 1);
        ck_assert_ok(file_pread_all(fd, answer, size, 0));
        ck_assert_str_eq(answer,
                "ext4 cmdline_proc_show 0 0 0 0 0\n"
                "ext4 twice 0 0 0 0 0\n"
                "vmlinux cmdline_proc_show 1 1 1 0 0\n"
                "vmlinux stack_trace_save_tsk_reliable 0 1 0 0 0\n"
                "vmlinux twice 2 1 1 0 0\n");
        (void) gather(1);
        ck_assert_ok(facts_add_symbols(facts, answer, size));
        f = facts_for_plan(facts);
        ck_assert_uint_eq(f->n_symbols, 5);
        ck_assert_str_eq(f->symbols[4].name, "twice");
        ck_assert_uint_eq(f->symbols[4].matches, 2);
        ck_assert(f->symbols[4].object_loaded && f->symbols[4].traceable && !f->symbols[4].busy);
        ck_assert_int_eq(f->reliable_stacks, CERTAINLY_NOT);
        /* again, in place of the first */
        ck_assert_ok(facts_add_symbols(facts, OWNED, strlen(OWNED)));
        f = facts_for_plan(facts);
        ck_assert_uint_eq(f->n_symbols, 2);
        ck_assert_str_eq(f->symbols[0].owner, "");
        ck_assert_str_eq(f->symbols[1].owner, "a_handler [its_module]");
        ck_assert_int_eq(f->reliable_stacks, CERTAINLY);
        ck_assert_ok(facts_add_symbols(facts, NULL, 0));
        ck_assert_uint_eq(facts_for_plan(facts)->n_symbols, 0);
        ck_assert_int_eq(facts_for_plan(facts)->reliable_stacks, UNCERTAIN);
}
END_TEST

static const char *const bad_answers[] = {
        "x", "\n", "a b 1 1 1 0\n", "a b 1 1 1 0 0 \n", "a b 1 1 1 0 2\n", "a b -1 1 1 0 0\n",
        "a  1 1 1 0 0\n", "a b 1 1 1 0 0", "a b 1 1 1 0 0\n\n", "a b 4294967296 1 1 0 0\n",
};

START_TEST(test_bad_answers) {
        (void) gather(1);
        ck_assert_msg(facts_add_symbols(facts, bad_answers[_i], strlen(bad_answers[_i])) == -EBADMSG, "%s",
                bad_answers[_i]);
        ck_assert_int_eq(facts_add_symbols(facts, "a b 1 1 1 0 0\n\0", 15), -EBADMSG);
        ck_assert_uint_eq(facts_for_plan(facts)->n_symbols, 0);
}
END_TEST

/* --- modules of bundles --- */

#define PAYLOAD "FORMAT=1\nBUILD_ID=aabb\nSIGNED=1\nSIGNATURE_READABLE=1\nSIGNATURE_OPEN=0\nSIGNER=Our key\n" \
        "ISSUER_SERIAL=01ff31\nSERIAL=01ff\nSTATES_KNOWN=1\nSTATE=5:2\nSTATE=6:1\nEND=1\n"

START_TEST(test_payloads) {
        _cleanup_(payload_done) Payload p = { 0 }, none = { 0 };
        const Payload *both[] = { &p, &none };
        const PlanPayload *f;

        ck_assert_ok(payload_parse(PAYLOAD, strlen(PAYLOAD), &p));
        ck_assert_str_eq(p.build_id, "aabb");
        ck_assert_str_eq(p.states[1], "6:1");
        ck_assert_ok(payload_parse(NULL, 0, &none));
        ck_assert(!none.signature.present && !none.states_known);

        tree_file(&tree, "proc/keys", "0a I------     1 perm 1f0b0000     0     0 keyring   .platform: empty\n");
        (void) gather(1);
        ck_assert_ok(facts_add_payloads(facts, tree.kernel, both, 2));
        f = facts_for_plan(facts)->payloads;
        ck_assert(f[0].is_signed && f[0].states_known && f[0].key == CERTAINLY_NOT);
        ck_assert_str_eq(f[0].signer, "'Our key' with the serial number 01ff");
        ck_assert_str_eq(f[0].states[0], "5:2");
        ck_assert(!f[1].is_signed && !f[1].signer);
        /* nobody knows the keys */
        ck_assert_int_eq(unlinkat(tree.fd, "proc/keys", 0), 0);
        ck_assert_ok(facts_add_payloads(facts, tree.kernel, both, 2));
        ck_assert_int_eq(facts_for_plan(facts)->payloads[0].key, UNCERTAIN);
}
END_TEST

START_TEST(test_bad_payloads) {
        static const char *const texts[] = {
                "x", "FORMAT=1\nSIGNED=1\nEND=1\n", "FORMAT=1\nSIGNED=1\nSIGNATURE_READABLE=1\nSIGNATURE_OPEN=0\nSTATES_KNOWN=0\nEND=1\n",
                "FORMAT=1\nSIGNED=0\nSIGNATURE_READABLE=0\nSIGNATURE_OPEN=0\nSTATES_KNOWN=1\nSTATE=5\nEND=1\n",
                "FORMAT=1\nSIGNED=0\nSIGNATURE_READABLE=0\nSIGNATURE_OPEN=0\nSTATES_KNOWN=1\nBUILD_ID=AA\nEND=1\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Payload p = { .states_known = true };

                ck_assert_msg(payload_parse(texts[i], strlen(texts[i]), &p) == -EBADMSG, "%s", texts[i]);
                ck_assert_msg(p.states_known && !p.build_id, "%s: written", texts[i]);
        }
}
END_TEST

/* --- other vendors --- */

START_TEST(test_others) {
        const PlanFacts *f = gather(0);

        ck_assert_uint_eq(f->n_others, 0);
        tree_directory(&tree, "run/systemd/units");
        ck_assert_int_eq(symlinkat("0123", tree.fd, "run/systemd/units/invocation:uptrack.service"), 0);
        ck_assert_int_eq(symlinkat("0123", tree.fd, "run/systemd/units/invocation:cron.service"), 0);
        tree_file(&tree, "sys/module/ksplice_abc/initstate", "live\n");
        tree_directory(&tree, "sys/module/kcare_built_in/parameters");
        f = gather(0);
        ck_assert_uint_eq(f->n_others, 2);
        ck_assert_str_eq(f->others[0].name, "Ksplice");
        ck_assert_str_eq(f->others[0].sign, "uptrack.service is active");
        ck_assert(!f->others[0].hidden); /* the service alone has no code in the kernel */
        ck_assert_str_eq(f->others[1].sign, "module 'ksplice_abc' is loaded");
        ck_assert(f->others[1].hidden);
}
END_TEST

static Suite *facts_suite(void) {
        Suite *s = suite_create("facts");
        TCase *c = tcase_create("facts");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_empty);
        tcase_add_test(c, test_modules_and_streams);
        tcase_add_test(c, test_recorded);
        tcase_add_test(c, test_impostor);
        tcase_add_test(c, test_impostor_by_note);
        tcase_add_test(c, test_our_note_without_a_record);
        tcase_add_test(c, test_leftover);
        tcase_add_test(c, test_foreign);
        tcase_add_test(c, test_transition);
        tcase_add_test(c, test_damaged_mark);
        tcase_add_test(c, test_symbols);
        tcase_add_test(c, test_payloads);
        tcase_add_test(c, test_bad_payloads);
        tcase_add_test(c, test_others);
        tcase_add_loop_test(c, test_bad_answers, 0, ELEMENTSOF(bad_answers));
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(facts_suite)
