/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in force, as JSON: /run/hotpatch/status.json, and the answer of GetStatus. doc/json-shapes.md and
 * doc/schemas/status-file.json have the shape. As in describe.c: strings by the library, never by printing; what is no
 * UTF-8 is null.
 */

#include <jansson.h>

#include "bundle/manifest.h"
#include "daemon/status.h"
#include "util/strv.h"

/* Numbers in JSON are exact up to here for every reader. */
#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

static void json_decrefpp(json_t **j) {
        json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_decrefpp)

static json_t *string_value(const char *s) {
        json_t *j = s && *s ? json_string(s) : NULL;

        return j ?: json_null();
}

static json_t *time_value(uint64_t usec) {
        char text[MANIFEST_TIME_SIZE];

        return usec == 0 || manifest_time_format(usec, text) < 0 ? json_null() : json_string(text);
}

static json_t *strv_value(char *const *v) {
        _cleanup_json_ json_t *array = json_array();

        for (; array && v && *v; v++)
                if (json_array_append_new(array, string_value(*v)) < 0)
                        return NULL;
        return json_incref(array);
}

static json_t *patch_value(const Patch *p) {
        return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o}",
                        "id", string_value(p->id),
                        "module", string_value(p->module),
                        "stream", string_value(p->stream),
                        "sequence", (json_int_t) (p->sequence < JSON_INTEGER_MAX ? p->sequence : JSON_INTEGER_MAX),
                        "severity", string_value(p->severity),
                        "title", string_value(p->title),
                        "digest", string_value(p->digest),
                        "fixes", strv_value(p->fixes),
                        "applied", time_value(p->applied_usec),
                        "trial", p->trial_until_usec > 0,
                        "trial_until", time_value(p->trial_until_usec));
}

static json_t *patches_value(const Status *s) {
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; array && i < s->n_patches; i++)
                if (json_array_append_new(array, patch_value(s->patches[i])) < 0)
                        return NULL;
        return json_incref(array);
}

/**
 * status_json() - what is in force, as JSON
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int status_json(const Status *s, char **ret) {
        _cleanup_strv_free_ char **fixes = NULL;
        _cleanup_json_ json_t *j = NULL;
        char boot[SD_ID128_UUID_STRING_MAX], *text;

        if (status_fixes(s, &fixes) < 0)
                return -ENOMEM;
        j = json_pack("{s:s, s:i, s:o, s:s, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o}",
                        "type", "org.hotpatch.status", "format", 1,
                        "version", string_value(s->version),
                        "boot_id", sd_id128_to_uuid_string(s->boot_id, boot),
                        "kernel",
                        "arch", string_value(s->kernel->arch),
                        "release", string_value(s->kernel->release),
                        "version", string_value(s->kernel->version),
                        "build_id", string_value(s->kernel->build_id),
                        "changed", time_value(s->changed_usec),
                        "fixed", strv_value(fixes),
                        "patches", patches_value(s));
        text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
