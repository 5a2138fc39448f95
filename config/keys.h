/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every key of hotpatchd.conf(5): where its value goes, what may stand there, and what is taken otherwise. */

#include "config/config.h"
#include "config/values.h"

typedef struct ConfigKey ConfigKey;

/**
 * struct ConfigType - a kind of value
 * @parse: set the field; -EINVAL: not such a value
 * @format: text that @parse reads as the same
 */
typedef struct ConfigType {
        int (*parse)(const ConfigKey *key, const char *value, Config *c);
        int (*format)(const ConfigKey *key, const Config *c, char **ret);
} ConfigType;

/**
 * struct ConfigKey - one key
 * @offset: of the field in Config
 * @fallback: the value when nothing is set
 * @needed: "… must be <needed>"
 * @strictest: the value in place of one that cannot be read; NULL: what was set before
 * @unreadable: offset of a bool that is set in place of @strictest, plus 1
 * @min, @max: of numbers, spans (µs) and lists (words)
 * @words: of flags and enumerations
 * @valid: one word of a list
 * @may_be_empty: nothing is a value
 * @accumulates: values of all files count; otherwise the last
 */
struct ConfigKey {
        const char *section;
        const char *name;
        const ConfigType *type;
        size_t offset;
        const char *fallback;
        const char *needed;
        const char *strictest;
        size_t unreadable;
        uint64_t min;
        uint64_t max;
        const ValueWord *words;
        bool (*valid)(const char *word);
        bool may_be_empty;
        bool accumulates;
};

extern const ConfigKey config_keys[];
extern const size_t n_config_keys;

size_t config_key_find(const char *section, const char *name);
int config_key_set(Config *c, size_t i, const char *value, const char *where) _must_check_ _nonnull_(1, 4);
int config_key_distrust(Config *c, size_t i, const char *where) _must_check_ _nonnull_(1, 3);
int config_set_defaults(Config *c) _must_check_ _nonnull_(1);
