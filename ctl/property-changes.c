/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What PropertiesChanged brings, of whichever object, for `hotpatchctl monitor`: as JSON and as words on one line. It
 * goes by the types that the contract uses, so that a property of a newer daemon is told as well.
 */

#include <inttypes.h>

#include "ctl/blockers.h"
#include "ctl/property-changes.h"
#include "ctl/text.h"
#include "util/strv.h"

/** struct Rows - a property that is a list of structures of strings; a key that is NULL is left out */
typedef struct Rows {
        const char *property;
        const char *contents; /* of the structure */
        const char *keys[6];
        size_t said;         /* what people see of a row */
        const char *between; /* and then the next string, behind this; NULL: no more */
} Rows;

static const Rows rows_of[] = {
        { "Findings", "ssssss", { "kind", "severity", "patch", "object", "message" }, 4, NULL },
        { "RebootRequired", "ss", { "reason", "message" }, 0, ": " },
        { "Objects", "ss", { "name", "state" }, 0, " is " },
};

static int read_row(sd_bus_message *m, const Rows *rows, Value *array, const char *begin, FILE *line) {
        const char *s[6] = { "", "", "", "", "", "" };
        _cleanup_value_ Value *row = value_object();
        int r;

        r = sd_bus_message_enter_container(m, 'r', rows->contents);
        for (size_t i = 0; r > 0 && i < ELEMENTSOF(s) && i < strlen(rows->contents); i++) {
                r = sd_bus_message_read(m, "s", &s[i]);
                if (r > 0 && rows->keys[i])
                        r = value_set_string(row, rows->keys[i], *s[i] ? s[i] : NULL) < 0 ? -ENOMEM : 1;
        }
        if (r <= 0)
                return r;
        fprintf(line, "%s%s%s%s", begin, s[rows->said], strempty(rows->between),
                        rows->between ? s[rows->said + 1] : "");
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        return value_append(array, TAKE_PTR(row)) < 0 ? -ENOMEM : 1;
}

static int read_rows(sd_bus_message *m, const Rows *rows, Value *object, FILE *line) {
        _cleanup_value_ Value *array = value_array();
        char type[16];
        size_t n = 0;
        int r;

        (void) snprintf(type, sizeof(type), "a(%s)", rows->contents);
        fprintf(line, " %s=", rows->property);
        r = sd_bus_message_enter_container(m, 'v', type);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', type + 1);
        while (r >= 0 && (r = read_row(m, rows, array, n > 0 ? ", " : "", line)) > 0)
                n++;
        if (r >= 0 && n == 0)
                fputs("none", line);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : value_set(object, rows->property, TAKE_PTR(array));
}

static int read_blockers(sd_bus_message *m, const char *name, Value *object, FILE *line) {
        _cleanup_(blocker_list_done) BlockerList blockers = { 0 };
        _cleanup_strv_free_ char **lines = NULL;
        Value *v = NULL;
        int r;

        r = blocker_list_read(m, &blockers);
        if (r >= 0)
                r = blocker_list_lines(&blockers, NULL, &lines);
        if (r >= 0)
                r = blocker_list_to_value(&blockers, &v);
        if (r < 0)
                return r;
        for (char **text = lines; text && *text; text++)
                fprintf(line, "%s %s", text == lines ? " waits for" : ";", *text);
        return value_set(object, name, v);
}

/* A number, or a time: "AppliedUSec" is "Applied" for people. */
static int print_number(const char *name, uint64_t t, FILE *line) {
        _cleanup_free_ char *local = NULL;
        size_t n = strlen(name);
        int r;

        if (n <= 4 || !streq(name + n - 4, "USec"))
                return fprintf(line, " %s=%" PRIu64, name, t) < 0 ? -ENOMEM : 0;
        if (t == 0)
                return 0;
        r = time_format_local(t, &local);
        return r < 0 ? r : fprintf(line, " %.*s=%s", (int) (n - 4), name, local) < 0 ? -ENOMEM : 0;
}

/* One variant of a type that the contract uses, into the object and as "NAME=VALUE" into the line.
 */
static int read_property(sd_bus_message *m, const char *name, Value *object, FILE *line) {
        const char *contents, *text;
        uint64_t t;
        uint32_t u;
        double d;
        int b, r;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (streq(contents, "s")) {
                r = sd_bus_message_read(m, "v", "s", &text);
                /* To people that there is nothing is no news. */
                if (r < 0 || (*text && fprintf(line, " %s=%s", name, text) < 0))
                        return r;
                return value_set_string(object, name, text);
        }
        if (streq(contents, "b")) {
                r = sd_bus_message_read(m, "v", "b", &b);
                if (r < 0 || fprintf(line, " %s=%s", name, b ? "yes" : "no") < 0)
                        return r;
                return value_set_bool(object, name, b);
        }
        if (streq(contents, "t") || streq(contents, "u")) {
                r = streq(contents, "t") ? sd_bus_message_read(m, "v", "t", &t)
                                         : sd_bus_message_read(m, "v", "u", &u);
                t = streq(contents, "t") ? t : u;
                if (r >= 0)
                        r = print_number(name, t, line);
                return r < 0 ? r : value_set_integer(object, name, t);
        }
        if (streq(contents, "d")) {
                r = sd_bus_message_read(m, "v", "d", &d);
                if (r < 0 || fprintf(line, " %s=%.0f%%", name, d * 100) < 0)
                        return r;
                return value_set_real(object, name, d);
        }
        for (size_t i = 0; i < ELEMENTSOF(rows_of); i++)
                if (streq(rows_of[i].property, name) && startswith(contents, "a(s"))
                        return read_rows(m, &rows_of[i], object, line);
        if (streq(contents, "a(uusssss)"))
                return read_blockers(m, name, object, line);
        return sd_bus_message_skip(m, "v");
}

/**
 * property_changes_read() - the a{sv} at the current position of a message
 * @object: gets all of them
 * @line: gets what people read, to be freed; it begins with a space, or is empty
 *
 * Return: 0 or a negative errno.
 */
int property_changes_read(sd_bus_message *m, Value *object, char **line) {
        const char *name;
        size_t size;
        FILE *f = open_memstream(line, &size);
        int r;

        if (!f)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, object, f);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return fclose(f) != 0 ? -ENOMEM : r;
}
