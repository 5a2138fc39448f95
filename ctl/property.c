/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Properties go into the fields that a table names, by their types. A property that is not in the table was added by a
 * newer daemon and is skipped, one that does not come stays empty.
 */

#include "ctl/property.h"
#include "ctl/snapshot.h"
#include "ctl/structs.h"
#include "util/strv.h"

/* --- lists --- */

static void findings_done(void *list) {
        FindingList *l = list;

        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].kind);
                free(l->items[i].severity);
                free(l->items[i].patch);
                free(l->items[i].object);
                free(l->items[i].sentence);
                free(l->items[i].remedy);
        }
        free(l->items);
        *l = (FindingList) { 0 };
}

static void reboot_done(void *list) {
        RebootList *l = list;

        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].reason);
                free(l->items[i].sentence);
        }
        free(l->items);
        *l = (RebootList) { 0 };
}

static void rollbacks_done(void *list) {
        RollbackList *l = list;

        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].patch);
                free(l->items[i].reason);
        }
        free(l->items);
        *l = (RollbackList) { 0 };
}

static int read_finding(sd_bus_message *m, void *list) {
        FindingList *l = list;
        const char *kind, *severity, *patch, *object, *sentence, *remedy;
        FindingInfo *grown, *f;
        int r;

        r = sd_bus_message_read(m, "(ssssss)", &kind, &severity, &patch, &object, &sentence, &remedy);
        if (r <= 0)
                return r;
        grown = structs_grow(l->items, &l->n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->items = grown;
        f = &grown[l->n - 1];
        *f = (FindingInfo) { strdup(kind), strdup(severity), strdup(patch), strdup(object),
                strdup(sentence), strdup(remedy) };
        return f->kind && f->severity && f->patch && f->object && f->sentence && f->remedy ? 1 : -ENOMEM;
}

static int read_reason(sd_bus_message *m, void *list) {
        RebootList *l = list;
        const char *reason, *sentence;
        RebootInfo *grown, *f;
        int r;

        r = sd_bus_message_read(m, "(ss)", &reason, &sentence);
        if (r <= 0)
                return r;
        grown = structs_grow(l->items, &l->n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->items = grown;
        f = &grown[l->n - 1];
        *f = (RebootInfo) { strdup(reason), strdup(sentence) };
        return f->reason && f->sentence ? 1 : -ENOMEM;
}

static int read_rollback(sd_bus_message *m, void *list) {
        RollbackList *l = list;
        const char *patch, *reason;
        RollbackInfo *grown, *i;
        uint64_t when;
        int r;

        r = sd_bus_message_read(m, "(sts)", &patch, &when, &reason);
        if (r <= 0)
                return r;
        grown = structs_grow(l->items, &l->n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->items = grown;
        i = &grown[l->n - 1];
        *i = (RollbackInfo) { strdup(patch), when, strdup(reason) };
        return i->patch && i->reason ? 1 : -ENOMEM;
}

/* --- types --- */

static int read_string(sd_bus_message *m, void *field) {
        const char *s;
        char *copy;
        int r;

        r = sd_bus_message_read(m, "v", "s", &s);
        if (r < 0)
                return r;
        copy = strdup(s);
        if (!copy)
                return -ENOMEM;
        free(*(char **) field);
        *(char **) field = copy;
        return 0;
}

static void string_done(void *field) {
        free(*(char **) field);
}

static int read_strings(sd_bus_message *m, void *field) {
        char **v = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_read_strv(m, &v);
        if (r < 0)
                return r;
        strv_free(*(char ***) field);
        *(char ***) field = v;
        return sd_bus_message_exit_container(m);
}

static void strings_done(void *field) {
        strv_free(*(char ***) field);
}

static int read_findings(sd_bus_message *m, void *field) {
        findings_done(field);
        return structs_read(m, "(ssssss)", read_finding, field);
}

static int read_rollbacks(sd_bus_message *m, void *field) {
        rollbacks_done(field);
        return structs_read(m, "(sts)", read_rollback, field);
}

static int read_reboot(sd_bus_message *m, void *field) {
        reboot_done(field);
        return structs_read(m, "(ss)", read_reason, field);
}

static int read_blockers(sd_bus_message *m, void *field) {
        return blocker_list_read(m, field);
}

static void blockers_done(void *field) {
        blocker_list_done(field);
}

/* The time alone. */
static int read_schedule(sd_bus_message *m, void *field) {
        const char *by, *waits;

        return sd_bus_message_read(m, "v", "(tss)", field, &by, &waits);
}

static int read_bool(sd_bus_message *m, void *field) {
        int b, r;

        r = sd_bus_message_read(m, "v", "b", &b);
        if (r >= 0)
                *(bool *) field = b;
        return r;
}

/* The types that sd-bus does not put into a field by itself. */
static const struct PropertyType {
        char type;
        int (*read)(sd_bus_message *m, void *field);
        void (*done)(void *field); /* NULL: it owns nothing */
} property_types[] = {
        { 's', read_string, string_done },
        { 'A', read_strings, strings_done },
        { 'F', read_findings, findings_done },
        { 'L', read_rollbacks, rollbacks_done },
        { 'B', read_blockers, blockers_done },
        { 'R', read_reboot, reboot_done },
        { 'W', read_schedule, NULL },
        { 'b', read_bool, NULL },
};

static const struct PropertyType *property_type_find(char type) {
        for (size_t i = 0; i < ELEMENTSOF(property_types); i++)
                if (property_types[i].type == type)
                        return &property_types[i];
        return NULL;
}

static int read_value(sd_bus_message *m, char type, void *field) {
        const struct PropertyType *t = property_type_find(type);

        return t ? t->read(m, field) : sd_bus_message_read(m, "v", (char[]) { type, '\0' }, field);
}

/** properties_done() - free what the fields own; they are not to be used then */
void properties_done(const Property *table, size_t n, void *object) {
        for (size_t i = 0; i < n; i++) {
                const struct PropertyType *t = property_type_find(table[i].type);

                if (t && t->done)
                        t->done((char *) object + table[i].offset);
        }
}

/* Strings are never NULL, whatever the daemon left out. */
static int properties_init(const Property *table, size_t n, void *object) {
        for (size_t i = 0; i < n; i++) {
                char **field = (char **) ((char *) object + table[i].offset);

                if (table[i].type != 's' || *field)
                        continue;
                *field = strdup("");
                if (!*field)
                        return -ENOMEM;
        }
        return 0;
}

static int read_property(sd_bus_message *m, const Property *table, size_t n, void *object) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (streq(table[i].name, name))
                        return read_value(m, table[i].type, (char *) object + table[i].offset);
        return sd_bus_message_skip(m, "v");
}

/**
 * properties_read() - take over the a{sv} at the current position of a message
 * @table: of @n properties
 * @object: what is not in the message stays as it is, but no string is NULL then
 *
 * Return: 0 or a negative errno.
 */
int properties_read(sd_bus_message *m, const Property *table, size_t n, void *object) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(m, table, n, object);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : properties_init(table, n, object);
}
