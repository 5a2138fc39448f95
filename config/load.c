/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd.conf(5), read by libeconf: /usr/lib/hotpatch/hotpatchd.conf, or in its place
 * /etc/hotpatch/hotpatchd.conf, then the drop-ins hotpatchd.conf.d/ of both folders; a drop-in in /etc
 * hides one of the same name in /usr/lib.
 *
 * Nothing in these files stops the daemon: an unknown key or a bad value becomes a warning that names
 * file and line, see keys.c. When a file cannot be read at all nobody knows what it demanded, and every
 * key that has a strictest value gets it: bundles are refused until somebody repairs it, while listing
 * and removing go on.
 *
 * A key that is given twice in one file has both values, one on each line: for a list that is what
 * was meant, for anything else it is a bad value. (libeconf by itself drops the second without a word.)
 */

#include <libeconf.h>
#include <libeconf_ext.h>
#include <time.h>

#include "calendar/year.h"
#include "config/keys.h"
#include "util/str.h"
#include "util/strv.h"

#define USR_DIRECTORY "/usr/lib/hotpatch"
#define ETC_DIRECTORY "/etc/hotpatch"

static void econf_file_listp(econf_file ***files) {
        free(*files);
}

static void econf_arrayp(char ***array) {
        econf_freeArray(*array);
}

static void econf_ext_valuep(econf_ext_value **value) {
        econf_freeExtValue(*value);
}

static int warn(char ***warnings, const char *format, ...) _printf_(2, 3);
static int warn(char ***warnings, const char *format, ...) {
        va_list ap;
        int r;

        /* One warning for each line of a runaway file helps nobody. */
        if (strv_length(*warnings) >= 64)
                return 0;
        va_start(ap, format);
        r = strv_extendv(warnings, format, ap);
        va_end(ap);
        return r;
}

/* An empty value comes as NULL from libeconf. */
static char *read_value(econf_file *file, const char *group, const char *name) {
        char *value = NULL;

        if (econf_getStringValue(file, group, name, &value) != ECONF_SUCCESS)
                return NULL;
        return value ?: strdup("");
}

static int read_key(econf_file *file, const char *path, const char *group, const char *name,
                Config *c, char ***warnings) {
        _cleanup_(econf_ext_valuep) econf_ext_value *ext = NULL;
        _cleanup_free_ char *value = NULL, *where = NULL;
        size_t i = config_key_find(group, name);
        unsigned long long line = 0;
        int r;

        if (econf_getExtValue(file, group, name, &ext) == ECONF_SUCCESS && ext)
                line = ext->line_number;
        if (str_printf(&where, "%s:%llu", path, line) < 0)
                return -ENOMEM;
        if (i >= n_config_keys)
                return warn(warnings, "%s: unknown key '%s' in section [%s], ignoring it", where, name, group);
        value = read_value(file, group, name);
        r = config_key_set(c, i, value, where);
        if (r != -EINVAL)
                return r;
        r = config_key_distrust(c, i, where);
        if (r < 0)
                return r;
        return warn(warnings, "%s: '%s' of [%s] must be %s, %s", where, name, group, config_keys[i].needed,
                        r > 0 ? "taking the strictest value" : "ignoring it");
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

static const char *name_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* libeconf gives the drop-ins of both folders; which one hides which is ours to see. */
static bool is_hidden(char *const *paths, size_t n, size_t i, const char *by) {
        const char *name = name_of(paths[i]);

        for (size_t j = i + 1; j < n; j++)
                if (streq(name_of(paths[j]), name))
                        return true;
        return by && streq(name_of(by), name);
}

static int read_files(econf_file **files, size_t n, const char *root, const char *hide, Config *c, char ***warnings) {
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

                if (is_hidden(paths, n, i, hide))
                        continue;
                r = read_file(files[i], shown, c, warnings);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* @path: the file, where there is only one */
static int distrust(econf_err e, const char *root, const char *path, Config *c, char ***warnings) {
        _cleanup_free_ char *file = NULL, *where = NULL;
        const char *shown;
        uint64_t line = 0;

        if (e == ECONF_NOMEM)
                return -ENOMEM;
        econf_errLocation(&file, &line);
        shown = path ?: file && *file ? file : "hotpatchd.conf";
        if (!path && startswith(shown, root))
                shown += strlen(root);
        if (str_printf(&where, "%s:%llu", shown, (unsigned long long) line) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < n_config_keys; i++) {
                int r = config_key_distrust(c, i, where);
                if (r < 0)
                        return r;
        }
        return warn(warnings, "%s: %s; no configuration was read and the strictest values are taken",
                        where, econf_errString(e));
}

/* The environment is the only way to tell libeconf. */
#define JOIN_SAME_ENTRIES "ECONF_JOIN_SAME_ENTRIES"

static econf_err read_history(econf_file ***files, size_t *n, const char *usr, const char *etc) {
        econf_err e;

        if (setenv(JOIN_SAME_ENTRIES, "1", 1) < 0)
                return ECONF_NOMEM;
        e = econf_readDirsHistory(files, n, usr, etc, "hotpatchd", "conf", "=", "#");
        (void) unsetenv(JOIN_SAME_ENTRIES);
        /* libeconf 0.5.1 has freed the list then, and does not say so. */
        if (e != ECONF_SUCCESS && e != ECONF_NOFILE)
                *files = NULL;
        return e;
}

/* @hide: not the files of that name */
static int read_layers(const char *root, const char *hide, Config *c, char ***warnings) {
        _cleanup_free_ char *usr = NULL, *etc = NULL;
        _cleanup_(econf_file_listp) econf_file **files = NULL;
        size_t n = 0;
        econf_err e;
        int r;

        if (str_printf(&usr, "%s" USR_DIRECTORY, root) < 0 || str_printf(&etc, "%s" ETC_DIRECTORY, root) < 0)
                return -ENOMEM;
        e = read_history(&files, &n, usr, etc);
        if (e == ECONF_NOFILE)
                return 0;
        if (e != ECONF_SUCCESS)
                return distrust(e, root, NULL, c, warnings);
        r = read_files(files, n, root, hide, c, warnings);
        for (size_t i = 0; i < n; i++)
                econf_freeFile(files[i]);
        return r;
}

/* Each value is fine, and together they let a baseline be missed each time. */
static int warn_of_late_windows(const Config *c, char ***warnings) {
        const CalendarPolicy *p = &c->baseline.calendar;
        CalendarMonth months[12];
        int r = calendar_year(p, calendar_year_at(p, (uint64_t) time(NULL) * USEC_PER_SEC), months);

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < ELEMENTSOF(months); i++)
                if (months[i].baseline && months[i].window_begin_usec >= months[i].deadline_usec)
                        return warn(warnings, "[Baseline]: the window of baseline %s begins after its deadline; change "
                                        "'Window' or 'DeadlineSec'", months[i].name);
        return 0;
}

static int new_config(Config **ret) {
        _cleanup_config_ Config *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->n_ref = 1;
        r = config_set_defaults(c);
        if (r >= 0)
                *ret = TAKE_PTR(c);
        return r;
}

/* "/" as a root would make "//usr": harmless, but shown in warnings. */
static const char *prefix_of(const char *root) {
        return streq(root, "/") ? "" : root;
}

/**
 * config_load() - read the configuration
 * @root: root directory
 * @ret: the configuration; defaults where nothing is set; config_unref() it
 * @ret_warnings: one text for each thing that was ignored, naming file, line and key; never NULL;
 *   free with strv_free()
 *
 * Return: 0 or -ENOMEM.
 */
int config_load(const char *root, Config **ret, char ***ret_warnings) {
        _cleanup_strv_free_ char **warnings = NULL;
        _cleanup_config_ Config *c = NULL;
        int r;

        r = new_config(&c);
        if (r >= 0)
                r = strv_copy(NULL, &warnings);
        if (r >= 0)
                r = read_layers(prefix_of(root), NULL, c, &warnings);
        if (r >= 0)
                r = warn_of_late_windows(c, &warnings);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        *ret_warnings = TAKE_PTR(warnings);
        return 0;
}

static int read_one(const char *path, Config *c, char ***warnings) {
        econf_file *file = NULL;
        econf_err e;
        int r;

        if (setenv(JOIN_SAME_ENTRIES, "1", 1) < 0)
                return -ENOMEM;
        e = econf_readFile(&file, path, "=", "#");
        (void) unsetenv(JOIN_SAME_ENTRIES);
        if (e != ECONF_SUCCESS)
                return distrust(e, "", path, c, warnings);
        r = read_file(file, path, c, warnings);
        econf_freeFile(file);
        return r;
}

/**
 * config_check() - what would be ignored of a file if it were one of the configuration's
 * @root: root directory of the machine whose configuration it joins; one of the same name is not read
 * @path: the file, not below @root; the caller has seen that it is one
 * @ret_warnings: as those of config_load(), of this file, and of what it makes of the whole; never NULL; free
 *   with strv_free()
 *
 * Return: 0 or -ENOMEM.
 */
int config_check(const char *root, const char *path, char ***ret_warnings) {
        _cleanup_strv_free_ char **warnings = NULL, **before = NULL;
        _cleanup_config_ Config *c = NULL;
        size_t n;
        int r;

        r = new_config(&c);
        if (r >= 0)
                r = strv_copy(NULL, &warnings);
        if (r >= 0)
                r = read_layers(prefix_of(root), path, c, &before);
        n = strv_length(before);
        if (r >= 0)
                r = warn_of_late_windows(c, &before);
        if (r >= 0)
                r = read_one(path, c, &warnings);
        /* What is so without the file is not the file's doing. */
        if (r >= 0 && strv_length(before) == n)
                r = warn_of_late_windows(c, &warnings);
        if (r < 0)
                return r;
        *ret_warnings = TAKE_PTR(warnings);
        return 0;
}
