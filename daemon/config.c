/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd.conf(5), read by libeconf: /usr/lib/hotpatch/hotpatchd.conf, or in its place
 * /etc/hotpatch/hotpatchd.conf, then the drop-ins hotpatchd.conf.d/ of both folders; a drop-in in /etc
 * hides one of the same name in /usr/lib.
 *
 * Local configuration must survive a downgrade and a typing error, so nothing in it stops the
 * daemon: an unknown key or a bad value becomes a warning that names the file. A bad value leaves
 * what was set before, except for [Trust] and [Policy]. There a value that cannot be read may have been
 * meant to demand more, so the strictest is taken: bundles are refused until somebody repairs it, while
 * listing and removing go on. The same holds when a file cannot be read at all.
 *
 * A key that is given twice in one file has both values, one on each line: for a list that is what
 * was meant, for anything else it is a bad value. (libeconf by itself drops the second without a word.)
 */

#include <libeconf.h>
#include <libeconf_ext.h>

#include "daemon/config.h"
#include "daemon/plan.h"
#include "util/limits.h"
#include "util/strv.h"

#define USR_DIRECTORY "/usr/lib/hotpatch"
#define ETC_DIRECTORY "/etc/hotpatch"
#define USEC_PER_DAY (UINT64_C(24) * 3600 * USEC_PER_SEC)

typedef struct Key {
        const char *group;
        const char *name;
        int (*set)(Config *c, const char *value); /* -EINVAL: bad value */
        void (*strictest)(Config *c);             /* NULL: a bad value leaves what was set before */
        const char *needed;
        bool may_be_empty;
} Key;

static void econf_file_listp(econf_file ***files) {
        free(*files);
}

static void econf_arrayp(char ***array) {
        econf_freeArray(*array);
}

static void econf_ext_valuep(econf_ext_value **value) {
        econf_freeExtValue(*value);
}

/* --- values --- */

static int parse_unsigned(const char *s, uint64_t max, uint64_t *ret, const char **ret_end) {
        uint64_t v = 0;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
                v = v * 10 + (uint64_t) (*s - '0');
                if (v > max)
                        return -EINVAL;
        }
        *ret = v;
        *ret_end = s;
        return 0;
}

/* "90", "90s", "5 min", "1h": one number and one unit, seconds if there is none. At most a day. */
static int parse_span(const char *s, uint64_t *ret_usec) {
        static const struct {
                const char *unit;
                uint64_t usec;
        } units[] = {
                { "", USEC_PER_SEC },         { "ms", USEC_PER_MSEC },
                { "s", USEC_PER_SEC },        { "min", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
        };
        uint64_t v;
        int r = parse_unsigned(s, USEC_PER_DAY, &v, &s);

        if (r < 0)
                return r;
        s += strspn(s, " ");
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(s, units[i].unit)) {
                        if (v > USEC_PER_DAY / units[i].usec)
                                return -EINVAL;
                        *ret_usec = v * units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

/* As systemd.syntax(7) reads booleans. */
static int parse_boolean(const char *s, bool *ret) {
        static const char *const words[2][5] = {
                { "0", "no", "false", "off", "n" },
                { "1", "yes", "true", "on", "y" },
        };

        for (int value = 0; value < 2; value++)
                for (size_t i = 0; i < ELEMENTSOF(words[value]); i++)
                        if (strcasecmp(s, words[value][i]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

static int set_signatures_min(Config *c, const char *value) {
        uint64_t n;
        int r = parse_unsigned(value, HOTPATCH_SIGNATURES_MAX, &n, &value);

        if (r < 0 || *value || n == 0)
                return -EINVAL;
        c->trust.signatures_min = (unsigned) n;
        return 0;
}

static void strictest_signatures_min(Config *c) {
        c->trust.signatures_min = HOTPATCH_SIGNATURES_MAX;
}

static int set_require_crl(Config *c, const char *value) {
        return parse_boolean(value, &c->trust.require_crl);
}

static void strictest_require_crl(Config *c) {
        c->trust.require_crl = true;
}

/* Words; they are added to those of the files before. */
static int add_words(char ***words, const char *value, unsigned max, bool (*valid)(const char *word)) {
        _cleanup_free_ char *copy = strdup(value);
        char *rest = copy, *word;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, " \t\n"))) {
                int r;

                if (!*word || strv_contains(*words, word))
                        continue;
                if (!valid(word) || strv_length(*words) >= max)
                        return -EINVAL;
                r = strv_extend(words, word);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_forbid(Config *c, const char *value) {
        return add_words(&c->forbid, value, HOTPATCH_FORBID_MAX, plan_pattern_is_valid);
}

static void strictest_forbid(Config *c) {
        c->forbid_unreadable = true;
}

/* A glob as fnmatch(3) takes it, for names of units. */
static bool is_unit_glob(const char *word) {
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@*?[]!";

        return strlen(word) <= HOTPATCH_UNIT_NAME_MAX && strspn(word, allowed) == strlen(word);
}

static int set_freeze_exclude(Config *c, const char *value) {
        return add_words(&c->freeze_exclude, value, HOTPATCH_FREEZE_EXCLUDE_MAX, is_unit_glob);
}

static void strictest_freeze_exclude(Config *c) {
        c->freeze_exclude_unreadable = true;
}

static int set_freeze_after(Config *c, const char *value) {
        return parse_span(value, &c->freeze_after_usec);
}

static int set_transition_timeout(Config *c, const char *value) {
        return parse_span(value, &c->transition_timeout_usec);
}

static int set_idle_timeout(Config *c, const char *value) {
        uint64_t usec;
        int r = parse_span(value, &usec);

        if (r < 0 || usec == 0)
                return -EINVAL;
        c->idle_timeout_usec = usec;
        return 0;
}

static int set_trial_min(Config *c, const char *value) {
        return parse_span(value, &c->trial.min_usec);
}

static int set_trial_max(Config *c, const char *value) {
        return parse_span(value, &c->trial.max_usec);
}

/* The words as a whole: a later file replaces the list of an earlier one. */
static int set_trial_signs(Config *c, const char *value) {
        static const struct {
                const char *word;
                unsigned sign;
        } words[] = {
                { "kernel-log", TRIAL_SIGN_KERNEL_LOG },
                { "kernel-oops", TRIAL_SIGN_KERNEL_OOPS },
                { "kernel-warning", TRIAL_SIGN_KERNEL_WARNING },
                { "taint", TRIAL_SIGN_TAINT },
                { "units", TRIAL_SIGN_UNITS },
                { "pressure", TRIAL_SIGN_PRESSURE },
                { "checks", TRIAL_SIGN_CHECKS },
        };
        unsigned signs = 0;

        for (const char *p = value + strspn(value, " \t"); *p; p += strspn(p, " \t")) {
                size_t n = strcspn(p, " \t"), i;

                for (i = 0; i < ELEMENTSOF(words); i++)
                        if (strlen(words[i].word) == n && memcmp(words[i].word, p, n) == 0)
                                break;
                if (i == ELEMENTSOF(words))
                        return -EINVAL;
                signs |= words[i].sign;
                p += n;
        }
        c->trial.signs = signs;
        return 0;
}

static int set_percent(unsigned *field, const char *value) {
        uint64_t n;
        int r = parse_unsigned(value, 100, &n, &value);

        if (r < 0 || (*value && !streq(value, "%")))
                return -EINVAL;
        *field = (unsigned) n;
        return 0;
}

static int set_trial_memory(Config *c, const char *value) {
        return set_percent(&c->trial.memory_pressure, value);
}

static int set_trial_io(Config *c, const char *value) {
        return set_percent(&c->trial.io_pressure, value);
}

static int set_trial_interval(Config *c, const char *value) {
        uint64_t usec;
        int r = parse_span(value, &usec);

        if (r < 0 || usec < USEC_PER_SEC)
                return -EINVAL;
        c->trial.check_interval_usec = usec;
        return 0;
}

static const Key keys[] = {
        { "Trust", "SignaturesMin", set_signatures_min, strictest_signatures_min,
          "a number from 1 to 8", false },
        { "Trust", "RequireRevocationList", set_require_crl, strictest_require_crl, "yes or no", false },
        { "Policy", "Forbid", set_forbid, strictest_forbid, "patterns, separated by blanks", true },
        { "Transition", "TimeoutSec", set_transition_timeout, NULL,
          "a time span up to a day, 0 for no limit", false },
        { "Transition", "FreezeAfterSec", set_freeze_after, NULL,
          "a time span up to a day, 0 for never", false },
        { "Transition", "FreezeExclude", set_freeze_exclude, strictest_freeze_exclude,
          "patterns of unit names, separated by blanks", true },
        { "Trial", "MinSec", set_trial_min, NULL, "a time span up to a day", false },
        { "Trial", "MaxSec", set_trial_max, NULL, "a time span up to a day, 0 for no trials", false },
        { "Trial", "Signs", set_trial_signs, NULL, "words of hotpatchd.conf(5), separated by blanks", true },
        { "Trial", "MemoryPressurePercent", set_trial_memory, NULL, "a number from 0 to 100", false },
        { "Trial", "IOPressurePercent", set_trial_io, NULL, "a number from 0 to 100", false },
        { "Trial", "CheckIntervalSec", set_trial_interval, NULL, "a time span from a second to a day", false },
        { "Service", "IdleTimeoutSec", set_idle_timeout, NULL, "a time span up to a day, not 0", false },
};

/* --- files --- */

static int warn(char ***warnings, const char *format, ...) _printf_(2, 3);
static int warn(char ***warnings, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        /* One warning for each line of a runaway file helps nobody. */
        if (strv_length(*warnings) >= 64)
                return 0;
        return strv_extend(warnings, text);
}

static const Key *key_find(const char *group, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i].group, group) && streq(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

static int read_key(econf_file *file, const char *path, const char *group, const char *name,
                Config *c, char ***warnings) {
        _cleanup_(econf_ext_valuep) econf_ext_value *ext = NULL;
        _cleanup_free_ char *value = NULL;
        const Key *key = key_find(group, name);
        unsigned long long line = 0;

        if (econf_getExtValue(file, group, name, &ext) == ECONF_SUCCESS && ext)
                line = ext->line_number;
        if (!key)
                return warn(warnings, "%s:%llu: unknown key '%s' in section [%s], ignoring it",
                                path, line, name, group);
        if (econf_getStringValue(file, group, name, &value) == ECONF_SUCCESS &&
            (value ? key->set(c, value) >= 0 : key->may_be_empty))
                return 0;
        if (key->strictest)
                key->strictest(c);
        return warn(warnings, "%s:%llu: '%s' of [%s] must be %s, %s", path, line, name, group, key->needed,
                        key->strictest ? "taking the strictest value" : "ignoring it");
}

static int read_group(econf_file *file, const char *path, const char *group, Config *c, char ***warnings) {
        _cleanup_(econf_arrayp) char **names = NULL;
        size_t n = 0;

        if (econf_getKeys(file, group, &n, &names) != ECONF_SUCCESS)
                return 0;
        for (size_t i = 0; i < n; i++) {
                int r = read_key(file, path, strempty(group), names[i], c, warnings);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_file(econf_file *file, const char *path, Config *c, char ***warnings) {
        _cleanup_(econf_arrayp) char **groups = NULL;
        size_t n = 0;
        int r;

        /* Keys before the first section header: unknown, all of them. */
        r = read_group(file, path, NULL, c, warnings);
        if (r < 0)
                return r;
        if (econf_getGroups(file, &n, &groups) != ECONF_SUCCESS)
                return 0;
        for (size_t i = 0; i < n; i++) {
                r = read_group(file, path, groups[i], c, warnings);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* libeconf gives the drop-ins of both folders; which one hides which is ours to see. */
static bool is_hidden(char *const *paths, size_t n, size_t i) {
        const char *name = strrchr(paths[i], '/') ?: paths[i];

        for (size_t j = i + 1; j < n; j++)
                if (streq(strrchr(paths[j], '/') ?: paths[j], name))
                        return true;
        return false;
}

static int read_files(econf_file **files, size_t n, const char *root, Config *c, char ***warnings) {
        _cleanup_strv_free_ char **paths = NULL;
        size_t skip = strlen(root);
        int r;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *path = econf_getPath(files[i]);

                r = strv_extend(&paths, strempty(path));
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n; i++) {
                const char *shown = startswith(paths[i], root) ? paths[i] + skip : paths[i];

                if (is_hidden(paths, n, i))
                        continue;
                r = read_file(files[i], shown, c, warnings);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int distrust(econf_err e, Config *c, char ***warnings) {
        _cleanup_free_ char *file = NULL;
        uint64_t line = 0;

        if (e == ECONF_NOMEM)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].strictest)
                        keys[i].strictest(c);
        econf_errLocation(&file, &line);
        return warn(warnings,
                        "%s:%llu: %s; no configuration was read and the strictest values are taken",
                        file && *file ? file : "hotpatchd.conf", (unsigned long long) line,
                        econf_errString(e));
}

/* The environment is the only way to tell libeconf. */
static econf_err read_history(econf_file ***files, size_t *n, const char *usr, const char *etc) {
        econf_err e;

        if (setenv("ECONF_JOIN_SAME_ENTRIES", "1", 1) < 0)
                return ECONF_NOMEM;
        e = econf_readDirsHistory(files, n, usr, etc, "hotpatchd", "conf", "=", "#");
        (void) unsetenv("ECONF_JOIN_SAME_ENTRIES");
        return e;
}

static int read_layers(const char *root, Config *c, char ***warnings) {
        _cleanup_free_ char *usr = NULL, *etc = NULL;
        _cleanup_(econf_file_listp) econf_file **files = NULL;
        size_t n = 0;
        econf_err e;
        int r;

        if (asprintf(&usr, "%s" USR_DIRECTORY, root) < 0 || asprintf(&etc, "%s" ETC_DIRECTORY, root) < 0)
                return -ENOMEM;
        e = read_history(&files, &n, usr, etc);
        if (e == ECONF_NOFILE)
                return 0;
        if (e != ECONF_SUCCESS)
                return distrust(e, c, warnings);
        r = read_files(files, n, root, c, warnings);
        for (size_t i = 0; i < n; i++)
                econf_freeFile(files[i]);
        return r;
}

/**
 * config_load() - read the configuration
 * @root: root directory
 * @ret: the configuration; defaults where nothing is set; config_done() it
 * @ret_warnings: one text for each thing that was ignored, naming file, line and key; never NULL;
 *   free with strv_free()
 *
 * Return: 0 or -ENOMEM.
 */
int config_load(const char *root, Config *ret, char ***ret_warnings) {
        _cleanup_strv_free_ char **warnings = NULL;
        _cleanup_(config_done) Config c = {
                .trust = { .signatures_min = 1, .require_crl = false },
                .transition_timeout_usec = 60 * USEC_PER_SEC,
                .freeze_after_usec = 5 * USEC_PER_SEC,
                .trial = {
                        .max_usec = USEC_PER_DAY,
                        .signs = TRIAL_SIGN_KERNEL_LOG | TRIAL_SIGN_KERNEL_OOPS | TRIAL_SIGN_TAINT |
                                TRIAL_SIGN_UNITS | TRIAL_SIGN_PRESSURE | TRIAL_SIGN_CHECKS,
                        .memory_pressure = 80,
                        .check_interval_usec = 60 * USEC_PER_SEC,
                },
                .idle_timeout_usec = 60 * USEC_PER_SEC,
        };
        int r;

        r = strv_copy(NULL, &warnings);
        if (r < 0)
                return r;
        /* "/" as a root would make "//usr": harmless, but shown in warnings. */
        r = read_layers(streq(root, "/") ? "" : root, &c, &warnings);
        if (r < 0)
                return r;
        *ret = c;
        c = (Config) { 0 };
        *ret_warnings = TAKE_PTR(warnings);
        return 0;
}

/** config_done() - free what a Config owns */
void config_done(Config *c) {
        c->forbid = strv_free(c->forbid);
        c->freeze_exclude = strv_free(c->freeze_exclude);
}
