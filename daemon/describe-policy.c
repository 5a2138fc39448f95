/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration as it is in effect, as JSON: each key with its value, its default and where it was said. A
 * list and no tree, so that a reader that does not know a key can still show it.
 */

#include "daemon/describe-value.h"
#include "daemon/describe.h"

static json_t *setting_value(const ConfigSetting *s) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}",
                        "section", describe_string(s->section),
                        "key", describe_string(s->name),
                        "value", describe_string(s->value),
                        "default", describe_string(s->fallback),
                        "sources", describe_strv(s->origin->where),
                        "unreadable", s->origin->strictest);
}

static json_t *settings_value(const Config *c) {
        json_t *array = json_array();

        for (size_t i = 0; i < config_n_settings(); i++) {
                _cleanup_(config_setting_done) ConfigSetting s = { 0 };

                json_push(&array, config_setting(c, i, &s) < 0 ? NULL : setting_value(&s));
        }
        return array;
}

/**
 * describe_policy() - hotpatchd.conf(5) as it is in effect
 * @warnings: what was not understood; NULL: nothing
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_policy(const Config *c, char *const *warnings, char **ret) {
        return describe_end(json_pack("{s:o, s:o}",
                                "settings", settings_value(c),
                                "warnings", describe_strv(warnings)),
                        ret);
}
