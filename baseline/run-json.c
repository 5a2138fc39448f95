/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON of the baseline's files and messages: read strictly (no duplicate keys, no unknown ones, limits first),
 * because it is written by another program. An error names the document and the place in it.
 */

#include <stdarg.h>

#include "baseline/run-json.h"
#include "dbus/errors.h"

/**
 * run_json_refuse() - BackendFailed: the document @what is not as it should be
 *
 * Return: the negative errno.
 */
int run_json_refuse(sd_bus_error *error, const char *what, const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        /* jansson quotes what it read. */
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BackendFailed"), "%s cannot be read: %s", what, text);
}

/**
 * run_json_load() - one JSON object out of bytes
 * @what: beginning of the message: "The result of …"
 * @max: most bytes
 * @ret: to be unreferenced
 *
 * Return: 0 or a negative errno.
 */
int run_json_load(const char *what, const void *data, size_t size, size_t max, json_t **ret, sd_bus_error *error) {
        json_error_t e;
        json_t *root;

        if (size > max)
                return run_json_refuse(error, what, "it has %zu bytes, %zu are allowed", size, max);
        root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (!root)
                return run_json_refuse(error, what, "%s", e.text);
        *ret = root;
        return 0;
}

/** run_json_copy() - strdup() of what may be NULL */
int run_json_copy(const char *value, char **ret) {
        char *copy = value ? strdup(value) : NULL;

        if (value && !copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        return 0;
}

/** run_change_done() - free what a change holds */
void run_change_done(RunChange *c) {
        free(c->name);
        free(c->from);
        free(c->to);
        *c = (RunChange) {};
}

/**
 * run_json_change() - {"action", "name", "from", "to"}; "type" may stand there
 * @ret: run_change_done() it
 *
 * Return: 0 or a negative errno.
 */
int run_json_change(const char *what, json_t *object, RunChange *ret, sd_bus_error *error) {
        _cleanup_(run_change_done) RunChange c = {};
        const char *type = NULL, *action = NULL, *name = NULL, *from = NULL, *to = NULL;
        json_error_t e;
        int r;

        if (json_unpack_ex(object, &e, 0, "{s?s, s:s, s:s, s?s, s?s !}", "type", &type, "action", &action,
                            "name", &name, "from", &from, "to", &to) < 0)
                return run_json_refuse(error, what, "%s", e.text);
        c.action = run_action_from_string(action);
        if (c.action < 0)
                return run_json_refuse(error, what, "'%.32s' is no action", action);
        if (!run_package_is_valid(name) || (from && !run_version_is_valid(from)) || (to && !run_version_is_valid(to)))
                return run_json_refuse(error, what, "a package has no valid name or version: '%.64s'", name);
        if (!from != (c.action == RUN_CHANGE_INSTALL) || !to != (c.action == RUN_CHANGE_REMOVE))
                return run_json_refuse(error, what, "'from' and 'to' of package '%s' do not fit to '%s'", name, action);
        r = run_json_copy(name, &c.name);
        if (r >= 0)
                r = run_json_copy(from, &c.from);
        if (r >= 0)
                r = run_json_copy(to, &c.to);
        if (r < 0)
                return r;
        *ret = c;
        c = (RunChange) {};
        return 0;
}

/** run_json_from_change() - the object of a change, or NULL when memory is out */
json_t *run_json_from_change(const RunChange *c) {
        return json_pack("{s:s, s:s, s:s*, s:s*}", "action", run_action_to_string(c->action), "name", c->name,
                "from", c->from, "to", c->to);
}
