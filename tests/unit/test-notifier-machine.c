/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/socket.h>

#include "dbus/names.h"
#include "notifier/machine.h"
#include "tests/unit/unit.h"
#include "util/limits.h"

/* A connection to nobody: messages are made and read, and never sent. */
static sd_bus *bus_new(int fds[static 2]) {
        sd_bus *bus;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_ok(sd_bus_new(&bus));
        ck_assert_ok(sd_bus_set_fd(bus, fds[0], fds[0]));
        ck_assert_ok(sd_bus_start(bus));
        return bus;
}

static void bus_done(sd_bus *bus, const int fds[static 2]) {
        sd_bus_close_unref(bus);
        close(fds[1]);
}

static sd_bus_message *begin(sd_bus *bus) {
        sd_bus_message *m;

        ck_assert_ok(sd_bus_message_new_method_call(bus, &m, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH, "x.y", "Answer"));
        return m;
}

static void end(sd_bus_message *m) {
        ck_assert_ok(sd_bus_message_seal(m, 1, 0));
        ck_assert_ok(sd_bus_message_rewind(m, true));
}

START_TEST(what_the_manager_says) {
        int fds[2];
        sd_bus *bus = bus_new(fds);
        sd_bus_message *m = begin(bus);
        Machine *machine;

        ck_assert_ok(sd_bus_message_append(m, "a{sv}", 7,
                "Version", "s", "9", /* not for us */
                "OfANewerDaemon", "a{s(bt)}", 1, "x", 1, UINT64_C(2),
                "BaselineState", "s", "idle",
                "RebootSchedule", "(tss)", UINT64_C(17), "calendar", "It waits",
                "RebootRequired", "a(ss)", 2, "baseline", "One", "forced", "Two",
                "RolledBack", "a(sts)", 1, "hp-a", UINT64_C(5), "it warned",
                "Findings", "a(ssssss)", 1, "hook", "alert", "p", "o", "sentence", "remedy"));
        end(m);
        ck_assert_ok(machine_new(&machine));
        ck_assert_ok(machine_read_manager(machine, m));
        ck_assert_str_eq(machine->baseline_state, "idle");
        ck_assert_str_eq(machine->baseline_text, ""); /* did not come */
        ck_assert_uint_eq(machine->restart_usec, 17);
        ck_assert_str_eq(machine->restart_waits, "It waits");
        ck_assert_uint_eq(machine->n_reasons, 2);
        ck_assert_str_eq(machine->reasons[1].sentence, "Two");
        ck_assert_uint_eq(machine->rollbacks[0].when_usec, 5);
        ck_assert_str_eq(machine->rollbacks[0].reason, "it warned");
        ck_assert_str_eq(machine->findings[0].remedy, "remedy");
        machine_free(machine);
        sd_bus_message_unref(m);
        bus_done(bus, fds);
}
END_TEST

START_TEST(a_type_that_is_wrong_is_an_error) {
        static const char *const properties[] = { "BaselineState", "CoveredUntil", "RebootSchedule", "Findings", "RolledBack" };
        int fds[2];
        sd_bus *bus = bus_new(fds);

        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                sd_bus_message *m = begin(bus);
                Machine *machine;

                ck_assert_ok(sd_bus_message_append(m, "a{sv}", 1, properties[i], "u", 7U));
                end(m);
                ck_assert_ok(machine_new(&machine));
                ck_assert_msg(machine_read_manager(machine, m) < 0, "%s", properties[i]);
                machine_free(machine);
                sd_bus_message_unref(m);
        }
        bus_done(bus, fds);
}
END_TEST

static void append_patch(sd_bus_message *m, const char *path, const char *id) {
        ck_assert_ok(sd_bus_message_append(m, "{oa{sa{sv}}}", path, 2,
                "org.freedesktop.DBus.Peer", 0,
                HOTPATCH_PATCH_INTERFACE, 5, "Id", "s", id, "State", "s", "active", "Fixes", "as", 2, "CVE-1", "CVE-2",
                "Tripped", "t", UINT64_C(3), "Wanted", "b", 1));
}

START_TEST(patches_among_other_objects) {
        int fds[2];
        sd_bus *bus = bus_new(fds);
        sd_bus_message *m = begin(bus);
        Machine *machine;

        ck_assert_ok(sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}"));
        append_patch(m, "/a", "hp-a");
        ck_assert_ok(sd_bus_message_append(m, "{oa{sa{sv}}}", "/job/1", 1, HOTPATCH_JOB_INTERFACE, 1, "Progress", "d", 0.5));
        append_patch(m, "/b", "hp-b");
        ck_assert_ok(sd_bus_message_close_container(m));
        end(m);
        ck_assert_ok(machine_new(&machine));
        ck_assert_ok(machine_read_objects(machine, m));
        ck_assert_uint_eq(machine->n_patches, 2);
        ck_assert_ptr_null(machine_patch(machine, "hp-c"));
        ck_assert_ptr_null(machine_patch(NULL, "hp-a"));
        ck_assert_str_eq(machine_patch(machine, "hp-b")->fixes[1], "CVE-2");
        ck_assert_uint_eq(machine_patch(machine, "hp-b")->tripped, 3);
        ck_assert(machine_patch(machine, "hp-b")->wanted && machine_patch_is_active(machine_patch(machine, "hp-b")));
        ck_assert_str_eq(machine_patch(machine, "hp-b")->title, "");
        machine_free(machine);
        sd_bus_message_unref(m);
        bus_done(bus, fds);
}
END_TEST

START_TEST(more_than_a_machine_has_is_refused) {
        int fds[2];
        sd_bus *bus = bus_new(fds);

        for (unsigned n = HOTPATCH_NOTIFIER_LIST_MAX; n <= HOTPATCH_NOTIFIER_LIST_MAX + 1; n++) {
                sd_bus_message *m = begin(bus);
                Machine *machine;
                int r;

                ck_assert_ok(sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}"));
                for (unsigned i = 0; i < n; i++)
                        append_patch(m, "/a", "hp-a");
                ck_assert_ok(sd_bus_message_close_container(m));
                end(m);
                ck_assert_ok(machine_new(&machine));
                r = machine_read_objects(machine, m);
                ck_assert_int_eq(r, n > HOTPATCH_NOTIFIER_LIST_MAX ? -ENOBUFS : 0);
                machine_free(machine);
                sd_bus_message_unref(m);
        }
        bus_done(bus, fds);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("notifier-machine");
        TCase *t = tcase_create("machine");

        tcase_add_test(t, what_the_manager_says);
        tcase_add_test(t, a_type_that_is_wrong_is_an_error);
        tcase_add_test(t, patches_among_other_objects);
        tcase_add_test(t, more_than_a_machine_has_is_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
