/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of keys. A key is one row: the defaults, the limits, the words, what is taken in place of a
 * value that cannot be read, all stand here and only here. The commented default file and the manual
 * repeat some of it; tests compare them with this table.
 *
 * Local configuration must survive a downgrade and a typing error, so nothing in it stops the daemon. A
 * bad value leaves what was set before, except where it may have been meant to demand more: then the
 * strictest value is taken until somebody repairs it. Lists that keep something from being done (Forbid,
 * FreezeExclude) have no strictest value that could be written down; they have a bool beside them.
 */

#include "config/keys.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static void *field(const ConfigKey *key, Config *c) {
        return (uint8_t *) c + key->offset;
}

static const void *const_field(const ConfigKey *key, const Config *c) {
        return (const uint8_t *) c + key->offset;
}

static int duplicate(const char *s, char **ret) {
        char *copy = strdup(s);

        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* --- kinds of values --- */

static int parse_boolean(const ConfigKey *key, const char *value, Config *c) {
        return value_parse_boolean(value, field(key, c));
}

static int format_boolean(const ConfigKey *key, const Config *c, char **ret) {
        return duplicate(*(const bool *) const_field(key, c) ? "yes" : "no", ret);
}

static int parse_number(const ConfigKey *key, const char *value, Config *c) {
        uint64_t n;
        int r = value_parse_unsigned(value, key->max, NULL, &n);

        if (r < 0 || n < key->min)
                return -EINVAL;
        *(unsigned *) field(key, c) = (unsigned) n;
        return 0;
}

static int format_number(const ConfigKey *key, const Config *c, char **ret) {
        return str_printf(ret, "%u", *(const unsigned *) const_field(key, c));
}

static int parse_percent(const ConfigKey *key, const char *value, Config *c) {
        uint64_t n;
        int r = value_parse_unsigned(value, 100, "%", &n);

        if (r < 0)
                return r;
        *(unsigned *) field(key, c) = (unsigned) n;
        return 0;
}

static int parse_span(const ConfigKey *key, const char *value, Config *c) {
        uint64_t usec;
        int r = value_parse_span(value, key->max, &usec);

        if (r < 0 || usec < key->min)
                return -EINVAL;
        *(uint64_t *) field(key, c) = usec;
        return 0;
}

static int format_span(const ConfigKey *key, const Config *c, char **ret) {
        return value_format_span(*(const uint64_t *) const_field(key, c), ret);
}

static int parse_flags(const ConfigKey *key, const char *value, Config *c) {
        unsigned *flags = field(key, c), read;
        int r = value_parse_flags(value, key->words, &read);

        if (r < 0 || (read == 0 && !key->may_be_empty))
                return -EINVAL;
        *flags = key->accumulates ? *flags | read : read;
        return 0;
}

static int format_flags(const ConfigKey *key, const Config *c, char **ret) {
        return value_format_flags(*(const unsigned *) const_field(key, c), key->words, ret);
}

static int parse_choice(const ConfigKey *key, const char *value, Config *c) {
        for (const ValueWord *w = key->words; w->word; w++)
                if (streq(w->word, value)) {
                        *(unsigned *) field(key, c) = w->value;
                        return 0;
                }
        return -EINVAL;
}

static int format_choice(const ConfigKey *key, const Config *c, char **ret) {
        const ValueWord *w = key->words;

        while (w[1].word && w->value != *(const unsigned *) const_field(key, c))
                w++;
        return duplicate(w->word, ret);
}

/* Words; they are added to those of the files before. */
static int parse_list(const ConfigKey *key, const char *value, Config *c) {
        _cleanup_free_ char *copy = strdup(value);
        char ***words = field(key, c), *rest = copy, *word;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, " \t\n"))) {
                int r;

                if (!*word || strv_contains(*words, word))
                        continue;
                if (!key->valid(word) || strv_length(*words) >= key->max)
                        return -EINVAL;
                r = strv_extend(words, word);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int format_list(const ConfigKey *key, const Config *c, char **ret) {
        return strv_join(*(char **const *) const_field(key, c), " ", ret);
}

static int parse_text(const ConfigKey *key, const char *value, Config *c) {
        char **text = field(key, c), *copy = NULL;
        int r;

        if (*value && !key->valid(value))
                return -EINVAL;
        r = *value ? duplicate(value, &copy) : 0;
        if (r < 0)
                return r;
        free(*text);
        *text = copy;
        return 0;
}

static int format_text(const ConfigKey *key, const Config *c, char **ret) {
        return duplicate(strempty(*(char *const *) const_field(key, c)), ret);
}

static int parse_day(const ConfigKey *key, const char *value, Config *c) {
        return day_rule_parse(value, field(key, c));
}

static int format_day(const ConfigKey *key, const Config *c, char **ret) {
        return day_rule_format(const_field(key, c), ret);
}

static int parse_window(const ConfigKey *key, const char *value, Config *c) {
        int r = calendar_window_parse(value, field(key, c));

        return r == -ENOMEM ? r : r < 0 ? -EINVAL : 0;
}

static int format_window(const ConfigKey *key, const Config *c, char **ret) {
        return duplicate(((const CalendarExpression *) const_field(key, c))->text, ret);
}

static const ConfigType boolean = { parse_boolean, format_boolean };
static const ConfigType number = { parse_number, format_number };
static const ConfigType percent = { parse_percent, format_number };
static const ConfigType span = { parse_span, format_span };
static const ConfigType flags = { parse_flags, format_flags };
static const ConfigType choice = { parse_choice, format_choice };
static const ConfigType list = { parse_list, format_list };
static const ConfigType text = { parse_text, format_text };
static const ConfigType day = { parse_day, format_day };
static const ConfigType window = { parse_window, format_window };

/* --- words --- */

/* What the kernel itself needs is required anyway, and may be named all the same. */
static const ValueWord require_words[] = {
        { "livepatch", 1 << CHECK_LIVEPATCH },
        { "stack-traces", 1 << CHECK_STACK_TRACES },
        { "architecture", 1 << CHECK_ARCHITECTURE },
        { "ftrace", 1 << CHECK_FTRACE },
        { "memory", 1 << CHECK_MEMORY },
        { "secure-boot", 1 << CHECK_SECURE_BOOT },
        { "lockdown", 1 << CHECK_LOCKDOWN },
        { "module-signatures", 1 << CHECK_MODULE_SIGNATURES },
        { "tpm2", 1 << CHECK_TPM2 },
        { "virtualization", 1 << CHECK_VIRTUALIZATION },
        { "enrolment", 1 << CHECK_ENROLMENT },
        { "baseline", 1 << CHECK_BASELINE },
        { "all", ((1U << _CHECK_MAX) - 1) & ~(1U << CHECK_POLICY) },
        { NULL, 0 },
};

static const ValueWord sign_words[] = {
        { "kernel-log", TRIAL_SIGN_KERNEL_LOG },
        { "kernel-oops", TRIAL_SIGN_KERNEL_OOPS },
        { "kernel-warning", TRIAL_SIGN_KERNEL_WARNING },
        { "kernel-memory", TRIAL_SIGN_KERNEL_MEMORY },
        { "taint", TRIAL_SIGN_TAINT },
        { "units", TRIAL_SIGN_UNITS },
        { "pressure", TRIAL_SIGN_PRESSURE },
        { "checks", TRIAL_SIGN_CHECKS },
        { "self-test", TRIAL_SIGN_SELF_TEST },
        { NULL, 0 },
};

#define MONTH(number, word, name) { #number, 1U << (number - 1) }, { word, 1U << (number - 1) }, { name, 1U << (number - 1) }
static const ValueWord month_words[] = {
        MONTH(1, "Jan", "January"), MONTH(2, "Feb", "February"), MONTH(3, "Mar", "March"),
        MONTH(4, "Apr", "April"), MONTH(5, "May", "May"), MONTH(6, "Jun", "June"),
        MONTH(7, "Jul", "July"), MONTH(8, "Aug", "August"), MONTH(9, "Sep", "September"),
        MONTH(10, "Oct", "October"), MONTH(11, "Nov", "November"), MONTH(12, "Dec", "December"),
        { NULL, 0 },
};

static const ValueWord busy_words[] = {
        { "users", BASELINE_BUSY_USERS },
        { "inhibitors", BASELINE_BUSY_INHIBITORS },
        { "battery", BASELINE_BUSY_BATTERY },
        { NULL, 0 },
};

static const ValueWord reboot_words[] = {
        { "reboot", REBOOT_METHOD_REBOOT },
        { "kexec", REBOOT_METHOD_KEXEC },
        { NULL, 0 },
};

/* --- the table --- */

#define FIELD(name) offsetof(Config, name)
#define DAYS(n) ((n) * VALUE_USEC_PER_DAY)

const ConfigKey config_keys[] = {
        { "Trust", "SignaturesMin", &number, FIELD(trust.signatures_min), "1", "a number from 1 to 8",
          .strictest = "8", .min = 1, .max = HOTPATCH_SIGNATURES_MAX },
        { "Trust", "RequireRevocationList", &boolean, FIELD(trust.require_crl), "no", "yes or no",
          .strictest = "yes" },

        { "Policy", "Hotpatch", &boolean, FIELD(hotpatch), "yes", "yes or no", .strictest = "no" },
        { "Policy", "Require", &flags, FIELD(require), "", "words of hotpatchd.conf(5), separated by blanks",
          .strictest = "all", .words = require_words, .may_be_empty = true, .accumulates = true },
        { "Policy", "PreviewArchitectures", &list, FIELD(preview_architectures), "",
          "names of architectures, separated by blanks", .max = HOTPATCH_CONFIG_WORDS_MAX,
          .valid = value_is_word, .may_be_empty = true, .accumulates = true },
        { "Policy", "Ring", &text, FIELD(ring), "", "a word of letters, digits, '.', '_' and '-'",
          .valid = value_is_word, .may_be_empty = true },
        { "Policy", "Forbid", &list, FIELD(forbid), "", "patterns, separated by blanks",
          .unreadable = FIELD(forbid_unreadable) + 1, .max = HOTPATCH_FORBID_MAX, .valid = value_is_pattern,
          .may_be_empty = true, .accumulates = true },

        { "Transition", "TimeoutSec", &span, FIELD(transition_timeout_usec), "60s",
          "a time span up to a day, 0 for no limit", .max = DAYS(1) },
        { "Transition", "FreezeAfterSec", &span, FIELD(freeze_after_usec), "5s",
          "a time span up to a day, 0 for never", .max = DAYS(1) },
        { "Transition", "FreezeExclude", &list, FIELD(freeze_exclude), "",
          "patterns of unit names, separated by blanks", .unreadable = FIELD(freeze_exclude_unreadable) + 1,
          .max = HOTPATCH_FREEZE_EXCLUDE_MAX, .valid = value_is_unit_glob, .may_be_empty = true,
          .accumulates = true },

        { "Trial", "MinSec", &span, FIELD(trial.min_usec), "0", "a time span up to a day", .max = DAYS(1) },
        { "Trial", "MaxSec", &span, FIELD(trial.max_usec), "24h",
          "a time span up to a day, 0 for no trials", .max = DAYS(1) },
        { "Trial", "Signs", &flags, FIELD(trial.signs),
          "kernel-log kernel-oops kernel-memory taint units pressure checks self-test",
          "words of hotpatchd.conf(5), separated by blanks", .words = sign_words, .may_be_empty = true },
        { "Trial", "MemoryPressurePercent", &percent, FIELD(trial.memory_pressure), "80",
          "a number from 0 to 100" },
        { "Trial", "IOPressurePercent", &percent, FIELD(trial.io_pressure), "0", "a number from 0 to 100" },
        { "Trial", "KernelMemoryPercent", &percent, FIELD(trial.kernel_memory), "20", "a number from 0 to 100" },
        { "Trial", "CheckIntervalSec", &span, FIELD(trial.check_interval_usec), "60s",
          "a time span from a second to a day", .min = USEC_PER_SEC, .max = DAYS(1) },

        { "Baseline", "Enable", &boolean, FIELD(baseline.enabled), "no", "yes or no", .strictest = "no" },
        { "Baseline", "Months", &flags, FIELD(baseline.calendar.months), "1 4 7 10",
          "months by number or English name, separated by blanks", .words = month_words },
        { "Baseline", "Day", &day, FIELD(baseline.calendar.day), "third Tue",
          "'first' to 'fourth' or 'last' and a weekday, or a day from 1 to 28, and '+Nd' if wanted" },
        { "Baseline", "Window", &window, FIELD(baseline.calendar.window), "22:00",
          "a calendar event of systemd.time(7) that comes within 31 days" },
        { "Baseline", "WindowLengthSec", &span, FIELD(baseline.calendar.window_length_usec), "4h",
          "a time span from ten minutes to a week", .min = 600 * USEC_PER_SEC, .max = DAYS(7) },
        { "Baseline", "DeadlineSec", &span, FIELD(baseline.calendar.deadline_usec), "14d",
          "a time span from a day to 90 days", .min = DAYS(1), .max = DAYS(90) },
        { "Baseline", "TrialSec", &span, FIELD(baseline.trial_usec), "10min", "a time span up to a day", .max = DAYS(1) },
        { "Baseline", "Deferrals", &number, FIELD(baseline.deferrals), "3", "a number from 0 to 100", .max = 100 },
        { "Baseline", "DeferMaxSec", &span, FIELD(baseline.defer_max_usec), "24h",
          "a time span up to 31 days", .max = DAYS(31) },
        { "Baseline", "Busy", &flags, FIELD(baseline.busy), "users inhibitors battery",
          "words of hotpatchd.conf(5), separated by blanks", .strictest = "users inhibitors battery",
          .words = busy_words, .may_be_empty = true },
        { "Baseline", "Backend", &text, FIELD(baseline.backend), "apt",
          "a name of lower-case letters, digits and '-'", .valid = value_is_program },
        { "Baseline", "RebootMethod", &choice, FIELD(baseline.reboot_method), "reboot", "reboot or kexec",
          .words = reboot_words },

        { "Service", "IdleTimeoutSec", &span, FIELD(idle_timeout_usec), "60s",
          "a time span up to a day, not 0", .min = 1, .max = DAYS(1) },
};
const size_t n_config_keys = ELEMENTSOF(config_keys);

/* --- what is done with a row --- */

/** config_key_find() - index of a key; n_config_keys: there is none of that name */
size_t config_key_find(const char *section, const char *name) {
        size_t i = 0;

        while (i < n_config_keys && !(streq(config_keys[i].section, section) && streq(config_keys[i].name, name)))
                i++;
        return i;
}

static int note_origin(Config *c, size_t i, const char *where, bool strictest) {
        ConfigOrigin *o = &c->origins[i];

        if (!config_keys[i].accumulates) {
                o->where = strv_free(o->where);
                o->strictest = false;
        }
        o->strictest = o->strictest || strictest;
        return strv_length(o->where) >= HOTPATCH_CONFIG_ORIGINS_MAX ? 0 : strv_extend(&o->where, where);
}

/**
 * config_key_set() - give a key a value
 * @c: the configuration
 * @i: the key
 * @value: its text; NULL: the file does not give one that can be read
 * @where: "FILE:LINE"
 *
 * Return: 0; -EINVAL when the value is bad, and nothing but words before the bad one was taken; -ENOMEM.
 */
int config_key_set(Config *c, size_t i, const char *value, const char *where) {
        const ConfigKey *key = &config_keys[i];
        int r;

        if (!value || (!*value && !key->may_be_empty))
                return -EINVAL;
        r = key->type->parse(key, value, c);
        return r < 0 ? r : note_origin(c, i, where, false);
}

/**
 * config_key_distrust() - what stands there cannot be read
 * @c: the configuration
 * @i: the key
 * @where: "FILE:LINE"
 *
 * Return: 1 when the strictest value was taken; 0 when the key has none and stays as it was; -ENOMEM.
 */
int config_key_distrust(Config *c, size_t i, const char *where) {
        const ConfigKey *key = &config_keys[i];
        int r;

        if (!key->strictest && key->unreadable == 0)
                return 0;
        if (key->unreadable > 0)
                *((bool *) ((uint8_t *) c + key->unreadable - 1)) = true;
        r = key->strictest ? key->type->parse(key, key->strictest, c) : 0;
        if (r >= 0)
                r = note_origin(c, i, where, true);
        return r < 0 ? r : 1;
}

/** config_set_defaults() - give every key its default in an empty Config. Return: 0 or -ENOMEM. */
int config_set_defaults(Config *c) {
        c->origins = calloc(n_config_keys, sizeof(*c->origins));
        if (!c->origins)
                return -ENOMEM;
        for (size_t i = 0; i < n_config_keys; i++) {
                int r = config_keys[i].type->parse(&config_keys[i], config_keys[i].fallback, c);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** config_ref() - one more user. Returns @c. */
Config *config_ref(Config *c) {
        c->n_ref++;
        return c;
}

/** config_unref() - one user less; the last one frees it; NULL is fine. Returns NULL. */
Config *config_unref(Config *c) {
        if (!c || --c->n_ref > 0)
                return NULL;
        for (size_t i = 0; c->origins && i < n_config_keys; i++)
                strv_free(c->origins[i].where);
        free(c->origins);
        strv_free(c->preview_architectures);
        strv_free(c->forbid);
        strv_free(c->freeze_exclude);
        free(c->ring);
        free(c->baseline.backend);
        free(c);
        return NULL;
}

/* --- to be shown --- */

/** config_n_settings() - how many keys there are */
size_t config_n_settings(void) {
        return n_config_keys;
}

/**
 * config_setting() - one key as it is in effect
 * @c: a loaded configuration
 * @i: below config_n_settings()
 * @ret: config_setting_done() it
 *
 * Return: 0 or -ENOMEM.
 */
int config_setting(const Config *c, size_t i, ConfigSetting *ret) {
        const ConfigKey *key = &config_keys[i];
        char *value;
        int r = key->type->format(key, c, &value);

        if (r < 0)
                return r;
        *ret = (ConfigSetting) {
                .section = key->section,
                .name = key->name,
                .value = value,
                .fallback = key->fallback,
                .origin = &c->origins[i],
        };
        return 0;
}

/** config_setting_done() - free what a ConfigSetting owns */
void config_setting_done(ConfigSetting *s) {
        free(s->value);
        s->value = NULL;
}

/**
 * config_distrusted() - does a key have its strictest value because what stands there cannot be read?
 *
 * Return: "FILE:LINE" of the place, as long as @c lives; NULL: no.
 */
const char *config_distrusted(const Config *c, const char *section, const char *name) {
        const ConfigOrigin *o = &c->origins[config_key_find(section, name)];
        size_t n = strv_length(o->where);

        return o->strictest && n > 0 ? o->where[n - 1] : NULL;
}

/**
 * config_denial() - why hotpatches are not allowed on this machine
 * @ret: the rest of a sentence, which names file and line; NULL: they are allowed; owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int config_denial(const Config *c, char **ret) {
        const ConfigOrigin *o = &c->origins[config_key_find("Policy", "Hotpatch")];
        const char *where = o->where ? *o->where : "the configuration";

        if (c->hotpatch) {
                *ret = NULL;
                return 0;
        }
        if (o->strictest)
                return str_printf(ret, "'Hotpatch' cannot be read at %s, which counts as 'no'", where);
        return str_printf(ret, "'Hotpatch=no' is set at %s", where);
}
