/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What hotpatchd tells in GetAll() of the manager and in GetManagedObjects(), taken over by tables of properties. One that
 * is in no table was added by a newer daemon and is skipped; one that does not come stays empty.
 *
 * Only what becomes a notification is kept. The lists have limits: hotpatchd has its own, these are for the day when
 * somebody else owns its name.
 */

#include "dbus/names.h"
#include "notifier/machine.h"
#include "util/limits.h"
#include "util/strv.h"

/* Types of properties: those of D-Bus, A for as, W for (tss), or a list of structures: F, R, L. */
typedef struct Property {
        const char *name;
        char type;
        size_t offset;
} Property;

static const Property manager_properties[] = {
        { "BaselineState", 's', offsetof(Machine, baseline_state) },
        { "BaselineName", 's', offsetof(Machine, baseline_name) },
        { "BaselineText", 's', offsetof(Machine, baseline_text) },
        { "CoveredUntil", 't', offsetof(Machine, covered_until_usec) },
        { "RebootSchedule", 'W', 0 },
        { "Findings", 'F', 0 },
        { "RebootRequired", 'R', 0 },
        { "RolledBack", 'L', 0 },
};

static const Property patch_properties[] = {
        { "Id", 's', offsetof(MachinePatch, id) },
        { "Title", 's', offsetof(MachinePatch, title) },
        { "Severity", 's', offsetof(MachinePatch, severity) },
        { "State", 's', offsetof(MachinePatch, state) },
        { "Fixes", 'A', offsetof(MachinePatch, fixes) },
        { "AppliedUSec", 't', offsetof(MachinePatch, applied_usec) },
        { "TrialUntilUSec", 't', offsetof(MachinePatch, trial_until_usec) },
        { "Tripped", 't', offsetof(MachinePatch, tripped) },
        { "Foreign", 'b', offsetof(MachinePatch, foreign) },
        { "Wanted", 'b', offsetof(MachinePatch, wanted) },
        { "Quarantined", 'b', offsetof(MachinePatch, quarantined) },
};

static void patch_done(MachinePatch *p) {
        free(p->id);
        free(p->title);
        free(p->severity);
        free(p->state);
        strv_free(p->fixes);
}

/** machine_free() - NULL is fine. Returns NULL. */
Machine *machine_free(Machine *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_findings; i++) {
                MachineFinding *f = &m->findings[i];

                free(f->kind);
                free(f->severity);
                free(f->patch);
                free(f->object);
                free(f->sentence);
                free(f->remedy);
        }
        for (size_t i = 0; i < m->n_reasons; i++) {
                free(m->reasons[i].id);
                free(m->reasons[i].sentence);
        }
        for (size_t i = 0; i < m->n_rollbacks; i++) {
                free(m->rollbacks[i].patch);
                free(m->rollbacks[i].reason);
        }
        for (size_t i = 0; i < m->n_patches; i++)
                patch_done(&m->patches[i]);
        free(m->findings);
        free(m->reasons);
        free(m->rollbacks);
        free(m->patches);
        free(m->baseline_state);
        free(m->baseline_name);
        free(m->baseline_text);
        free(m->restart_by);
        free(m->restart_waits);
        free(m);
        return NULL;
}

static int set_string(char **to, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

/** machine_new() - one about which nothing is known. @ret: machine_free() it. Return: 0 or -ENOMEM. */
int machine_new(Machine **ret) {
        _cleanup_machine_ Machine *m = calloc(1, sizeof(*m));

        if (!m || set_string(&m->baseline_state, "") < 0 || set_string(&m->baseline_name, "") < 0 ||
            set_string(&m->baseline_text, "") < 0 || set_string(&m->restart_by, "") < 0 ||
            set_string(&m->restart_waits, "") < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(m);
        return 0;
}

/* @list with one more, which is zero; NULL without memory or beyond what a machine has, and @list is as it was. */
static void *grow(void *list, size_t *n, size_t size) {
        char *grown;

        if (*n >= HOTPATCH_NOTIFIER_LIST_MAX)
                return NULL;
        grown = reallocarray(list, *n + 1, size);
        if (!grown)
                return NULL;
        memset(grown + (*n)++ * size, 0, size);
        return grown;
}

/* @n strings in a row, each to its place. */
static int read_strings(sd_bus_message *m, char **const places[], size_t n) {
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                const char *value;

                r = sd_bus_message_read_basic(m, 's', &value);
                if (r >= 0)
                        r = set_string(places[i], value);
        }
        return r;
}

static int read_finding(Machine *machine, sd_bus_message *m) {
        MachineFinding *list = grow(machine->findings, &machine->n_findings, sizeof(*list)), *f;

        if (!list)
                return -ENOBUFS;
        machine->findings = list;
        f = &list[machine->n_findings - 1];
        return read_strings(m, (char **const[]) { &f->kind, &f->severity, &f->patch, &f->object, &f->sentence, &f->remedy },
                6);
}

static int read_reason(Machine *machine, sd_bus_message *m) {
        MachineReason *list = grow(machine->reasons, &machine->n_reasons, sizeof(*list)), *reason;

        if (!list)
                return -ENOBUFS;
        machine->reasons = list;
        reason = &list[machine->n_reasons - 1];
        return read_strings(m, (char **const[]) { &reason->id, &reason->sentence }, 2);
}

static int read_rollback(Machine *machine, sd_bus_message *m) {
        MachineRollback *list = grow(machine->rollbacks, &machine->n_rollbacks, sizeof(*list)), *b;
        int r;

        if (!list)
                return -ENOBUFS;
        machine->rollbacks = list;
        b = &list[machine->n_rollbacks - 1];
        r = read_strings(m, (char **const[]) { &b->patch }, 1);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 't', &b->when_usec);
        return r < 0 ? r : read_strings(m, (char **const[]) { &b->reason }, 1);
}

static int read_schedule(Machine *machine, sd_bus_message *m) {
        const char *by, *waits;
        uint64_t usec;
        int r = sd_bus_message_read(m, "v", "(tss)", &usec, &by, &waits);

        if (r < 0)
                return r;
        machine->restart_usec = usec;
        r = set_string(&machine->restart_by, by);
        return r < 0 ? r : set_string(&machine->restart_waits, waits);
}

/* A row that was begun and not ended has strings that are NULL, so any error ends the reading of all. */
static int read_list(Machine *machine, sd_bus_message *m, char type) {
        static const struct {
                char type;
                const char *array, *structure;
                int (*read)(Machine *, sd_bus_message *);
        } lists[] = {
                { 'F', "a(ssssss)", "ssssss", read_finding },
                { 'R', "a(ss)", "ss", read_reason },
                { 'L', "a(sts)", "sts", read_rollback },
        };
        size_t i = 0;
        int r;

        while (i < ELEMENTSOF(lists) - 1 && lists[i].type != type)
                i++;
        r = sd_bus_message_enter_container(m, 'v', lists[i].array);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', lists[i].array + 1);
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', lists[i].structure)) > 0) {
                r = lists[i].read(machine, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_strv(sd_bus_message *m, char ***to) {
        _cleanup_strv_free_ char **value = NULL;
        int r = sd_bus_message_enter_container(m, 'v', "as");

        if (r >= 0)
                r = sd_bus_message_read_strv(m, &value);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        strv_free(*to);
        *to = TAKE_PTR(value);
        return 0;
}

static int read_value(Machine *machine, void *object, const Property *p, sd_bus_message *m) {
        void *field = (char *) object + p->offset;
        const char *text;
        int r, yes;

        switch (p->type) {
        case 's':
                r = sd_bus_message_read(m, "v", "s", &text);
                return r < 0 ? r : set_string(field, text);
        case 't':
                return sd_bus_message_read(m, "v", "t", (uint64_t *) field);
        case 'b':
                r = sd_bus_message_read(m, "v", "b", &yes);
                if (r >= 0)
                        *(bool *) field = yes;
                return r;
        case 'A':
                return read_strv(m, field);
        case 'W':
                return read_schedule(machine, m);
        default:
                return read_list(machine, m, p->type);
        }
}

/* a{sv} */
static int read_properties(Machine *machine, void *object, const Property *table, size_t n, sd_bus_message *m) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;
                size_t i = 0;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r < 0)
                        return r;
                while (i < n && !streq(table[i].name, name))
                        i++;
                r = i < n ? read_value(machine, object, &table[i], m) : sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/** machine_read_manager() - take over the answer of GetAll(). Return: 0 or a negative errno; then @m is to be freed. */
int machine_read_manager(Machine *m, sd_bus_message *reply) {
        int r = read_properties(m, m, manager_properties, ELEMENTSOF(manager_properties), reply);

        return r < 0 ? r : 0;
}

static int read_patch(Machine *machine, sd_bus_message *m) {
        MachinePatch *list = grow(machine->patches, &machine->n_patches, sizeof(*list)), *p;

        if (!list)
                return -ENOBUFS;
        machine->patches = list;
        p = &list[machine->n_patches - 1];
        if (set_string(&p->id, "") < 0 || set_string(&p->title, "") < 0 || set_string(&p->severity, "") < 0 ||
            set_string(&p->state, "") < 0)
                return -ENOBUFS;
        return read_properties(machine, p, patch_properties, ELEMENTSOF(patch_properties), m);
}

/** machine_read_objects() - take over the answer of GetManagedObjects(). Return: 0 or a negative errno, as above. */
int machine_read_objects(Machine *m, sd_bus_message *reply) {
        int r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_skip(reply, "o");
                if (r >= 0)
                        r = sd_bus_message_enter_container(reply, 'a', "{sa{sv}}");
                while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sa{sv}")) > 0) {
                        const char *interface;

                        r = sd_bus_message_read_basic(reply, 's', &interface);
                        if (r >= 0)
                                r = streq(interface, HOTPATCH_PATCH_INTERFACE) ? read_patch(m, reply)
                                                                               : sd_bus_message_skip(reply, "a{sv}");
                        if (r >= 0)
                                r = sd_bus_message_exit_container(reply);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : 0;
}

/** machine_patch() - by its id; NULL: there is none, or @m is NULL */
const MachinePatch *machine_patch(const Machine *m, const char *id) {
        for (size_t i = 0; m && i < m->n_patches; i++)
                if (streq(m->patches[i].id, id))
                        return &m->patches[i];
        return NULL;
}

/** machine_patch_is_active() - it is ours and in force */
bool machine_patch_is_active(const MachinePatch *p) {
        return !p->foreign && streq(p->state, "active");
}
