/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in force, as JSON: /run/hotpatch/status.json, and the answer of GetStatus. doc/json-shapes.md and
 * doc/schemas/status-file.json have the shape. It is printed for people, and written seldom.
 */

#include "daemon/describe-value.h"
#include "daemon/status.h"
#include "util/strv.h"

/* Here "" says "not known" too, and who does not know writes null. */
static json_t *known_value(const char *s) {
        json_t *j = s && *s ? json_string(s) : NULL;

        return j ?: json_null();
}

static json_t *patch_value(const Patch *p) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}",
                        "id", known_value(p->id),
                        "module", known_value(p->module),
                        "stream", known_value(p->stream),
                        "sequence", describe_integer(p->sequence),
                        "severity", known_value(p->severity),
                        "title", known_value(p->title),
                        "digest", known_value(p->digest),
                        "fixes", describe_strv(p->fixes),
                        "applied", describe_time(p->applied_usec),
                        "trial", p->trial_until_usec > 0,
                        "trial_until", describe_time(p->trial_until_usec));
}

static json_t *patches_value(const Status *s) {
        json_t *array = json_array();

        for (size_t i = 0; i < s->n_patches; i++)
                json_push(&array, patch_value(s->patches[i]));
        return array;
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
                        "version", known_value(s->version),
                        "boot_id", sd_id128_to_uuid_string(s->boot_id, boot),
                        "kernel",
                        "arch", known_value(s->kernel->arch),
                        "release", known_value(s->kernel->release),
                        "version", known_value(s->kernel->version),
                        "build_id", known_value(s->kernel->build_id),
                        "changed", describe_time(s->changed_usec),
                        "fixed", describe_strv(fixes),
                        "patches", patches_value(s));
        text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
