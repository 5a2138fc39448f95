/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The manifest as an object: its life, its words, and what must hold between its fields.
 *
 * How it is written in JSON is the business of manifest-parse.c and manifest-format.c. Both end in
 * manifest_check(), so that we never write what we would not read.
 */

#include <time.h>

#include "bundle/archive.h"
#include "bundle/manifest.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/strv.h"

static const char *const kind_table[_MANIFEST_KIND_MAX] = {
        [MANIFEST_HOTPATCH] = "hotpatch",
        [MANIFEST_BASELINE] = "baseline",
};

static const char *const severity_table[_SEVERITY_MAX] = {
        [SEVERITY_LOW] = "low",
        [SEVERITY_MODERATE] = "moderate",
        [SEVERITY_IMPORTANT] = "important",
        [SEVERITY_CRITICAL] = "critical",
};

static const char *const role_table[_MEMBER_ROLE_MAX] = {
        [MEMBER_PATCH_MODULE] = "patch-module",
};

static int table_find(const char *const *table, size_t n, const char *s) {
        for (size_t i = 0; i < n; i++)
                if (streq(table[i], s))
                        return (int) i;
        return -EINVAL;
}

/** manifest_kind_to_string() - the word of the manifest, or NULL */
const char *manifest_kind_to_string(ManifestKind k) {
        return k >= 0 && k < _MANIFEST_KIND_MAX ? kind_table[k] : NULL;
}

/** manifest_kind_from_string() - a negative value for an unknown word */
ManifestKind manifest_kind_from_string(const char *s) {
        return (ManifestKind) table_find(kind_table, ELEMENTSOF(kind_table), s);
}

/** severity_to_string() - the word of the manifest, or NULL */
const char *severity_to_string(Severity s) {
        return s >= 0 && s < _SEVERITY_MAX ? severity_table[s] : NULL;
}

/** severity_from_string() - _SEVERITY_INVALID for an unknown word */
Severity severity_from_string(const char *s) {
        return (Severity) table_find(severity_table, ELEMENTSOF(severity_table), s);
}

/** member_role_to_string() - the word of the manifest, or NULL */
const char *member_role_to_string(MemberRole r) {
        return r >= 0 && r < _MEMBER_ROLE_MAX ? role_table[r] : NULL;
}

/** member_role_from_string() - a negative value for an unknown word */
MemberRole member_role_from_string(const char *s) {
        return (MemberRole) table_find(role_table, ELEMENTSOF(role_table), s);
}

static void object_done(ManifestObject *o) {
        free(o->name);
        free(o->build_id);
        strv_free(o->functions);
        for (size_t i = 0; i < o->n_originals; i++) {
                free(o->originals[i].function);
                free(o->originals[i].masked);
                free(o->originals[i].source);
        }
        free(o->originals);
}

static void target_done(ManifestTarget *t) {
        free(t->arch);
        free(t->release);
        free(t->build_id);
        free(t->member);
        free(t->module);
        for (size_t i = 0; i < t->n_objects; i++)
                object_done(&t->objects[i]);
        free(t->objects);
}

static void fix_done(ManifestFix *f) {
        free(f->id);
        free(f->summary);
        strv_free(f->references);
}

/** manifest_free() - free; accepts NULL and what is half filled. Returns NULL. */
Manifest *manifest_free(Manifest *m) {
        if (!m)
                return NULL;
        free(m->id);
        free(m->title);
        free(m->description);
        free(m->stream);
        free(m->baseline);
        for (size_t i = 0; i < m->n_fixes; i++)
                fix_done(&m->fixes[i]);
        free(m->fixes);
        strv_free(m->requires);
        strv_free(m->conflicts);
        strv_free(m->supersedes);
        for (size_t i = 0; i < m->n_targets; i++)
                target_done(&m->targets[i]);
        free(m->targets);
        for (size_t i = 0; i < m->n_packages; i++) {
                free(m->packages[i].name);
                free(m->packages[i].version);
        }
        free(m->packages);
        free(m->kernel_release);
        for (size_t i = 0; i < m->n_members; i++)
                free(m->members[i].name);
        free(m->members);
        free(m->provenance.builder);
        free(m->provenance.source);
        free(m->provenance.fix_sha256);
        free(m->provenance.toolchain);
        free(m->provenance.config_sha256);
        free(m);
        return NULL;
}

/**
 * manifest_id_is_valid() - can this be a bundle id or a stream?
 *
 * Lower-case letters, digits, `.`, `_`, `-`, first a letter or digit, at most HOTPATCH_ID_MAX: it
 * becomes file names, object paths and journal fields.
 */
bool manifest_id_is_valid(const char *id) {
        size_t n = strlen(id);

        return n > 0 && n <= HOTPATCH_ID_MAX && strchr("._-", id[0]) == NULL &&
                strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/** manifest_masked_is_valid() - "OFFSET+SIZE,…": ascending, apart from each other, within @size bytes */
bool manifest_masked_is_valid(const char *masked, uint64_t size) {
        uint64_t end = 0;

        for (bool first = true;; first = false) {
                unsigned long long offset, length;
                char *rest;

                if (*masked < '0' || *masked > '9')
                        return false;
                errno = 0;
                offset = strtoull(masked, &rest, 10);
                if (errno != 0 || *rest != '+' || rest[1] < '0' || rest[1] > '9')
                        return false;
                length = strtoull(rest + 1, &rest, 10);
                if (errno != 0 || length == 0 || offset > size || length > size - offset || (!first && offset < end))
                        return false;
                end = offset + length;
                if (!*rest)
                        return true;
                if (*rest != ',')
                        return false;
                masked = rest + 1;
        }
}

/**
 * manifest_source_is_valid() - is it the path of a file in a kernel tree?
 *
 * Relative and in its shortest form, so that "below mm/" can be told by comparing bytes.
 */
bool manifest_source_is_valid(const char *source) {
        if (strlen(source) > HOTPATCH_FIX_PATH_MAX)
                return false;
        for (;;) {
                size_t n = strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+,-");

                if (n == 0 || (source[0] == '.' && (n == 1 || (n == 2 && source[1] == '.'))))
                        return false;
                if (!source[n])
                        return true;
                if (source[n] != '/')
                        return false;
                source += n + 1;
        }
}

/** manifest_module_is_valid() - can this be the name of a loaded module (include/linux/module.h)? */
bool manifest_module_is_valid(const char *name) {
        size_t n = strlen(name);

        return n > 0 && n <= HOTPATCH_MODULE_NAME_MAX &&
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

/** manifest_function_is_valid() - is this "NAME" or "NAME,SYMPOS", sympos without leading zeros? */
bool manifest_function_is_valid(const char *function) {
        size_t n = strspn(function,
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$");
        const char *position = function + n;

        if (n == 0 || n > HOTPATCH_SYMBOL_MAX || strchr("0123456789", function[0]))
                return false;
        if (*position == 0)
                return true;
        /* Nine digits are more than any kernel has symbols, and fit into an int. */
        n = strspn(position + 1, "0123456789");
        return *position == ',' && position[1] != '0' && n > 0 && n <= 9 && position[n + 1] == 0;
}

/**
 * manifest_time_parse() - read "YYYY-MM-DDTHH:MM:SSZ" and nothing else (a profile of RFC 3339)
 *
 * Return: 0 or -EINVAL.
 */
int manifest_time_parse(const char *s, uint64_t *ret_usec) {
        char again[MANIFEST_TIME_SIZE];
        struct tm tm = { 0 };
        time_t t;

        if (strlen(s) != MANIFEST_TIME_SIZE - 1 ||
            sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                    &tm.tm_min, &tm.tm_sec) != 6)
                return -EINVAL;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        t = timegm(&tm);
        /* Signs, blanks, the 30th of February and leap seconds do not come out as they went in. */
        if (t <= 0 || manifest_time_format((uint64_t) t * USEC_PER_SEC, again) < 0 || !streq(s, again))
                return -EINVAL;
        *ret_usec = (uint64_t) t * USEC_PER_SEC;
        return 0;
}

/** manifest_time_format() - write what manifest_time_parse() reads; returns 0 or -ERANGE */
int manifest_time_format(uint64_t usec, char ret[static MANIFEST_TIME_SIZE]) {
        /* 9999-12-31T23:59:59Z */
        static const uint64_t last = UINT64_C(253402300799);
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (usec / USEC_PER_SEC > last || !gmtime_r(&t, &tm))
                return -ERANGE;
        return strftime(ret, MANIFEST_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == MANIFEST_TIME_SIZE - 1
                ? 0 : -ERANGE;
}

/**
 * manifest_find_target() - the target for a kernel build, or NULL
 * @arch, @release, @build_id: of the kernel; NULL matches all
 */
const ManifestTarget *manifest_find_target(
                const Manifest *m, const char *arch, const char *release, const char *build_id) {
        for (size_t i = 0; i < m->n_targets; i++) {
                const ManifestTarget *t = &m->targets[i];

                if ((!arch || streq(t->arch, arch)) && (!release || streq(t->release, release)) &&
                    (!build_id || streq(t->build_id, build_id)))
                        return t;
        }
        return NULL;
}

#define refuse(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ManifestInvalid"), __VA_ARGS__)

static int check_members(const Manifest *m, sd_bus_error *error) {
        for (size_t i = 0; i < m->n_members; i++) {
                const char *name = m->members[i].name;

                if (!archive_name_is_valid(name) || startswith(name, ARCHIVE_MANIFEST))
                        return refuse(error, "In the manifest, members[%zu].name is no name for a member", i);
                for (size_t j = 0; j < i; j++)
                        if (streq(m->members[j].name, name))
                                return refuse(error, "The manifest lists the member '%s' twice", name);
        }
        return 0;
}

static int check_originals(const ManifestObject *o, size_t target, size_t object, sd_bus_error *error) {
        for (size_t i = 0; i < o->n_originals; i++)
                if (o->originals[i].masked &&
                    !manifest_masked_is_valid(o->originals[i].masked, o->originals[i].size))
                        return refuse(error, "In the manifest, targets[%zu].objects[%zu].originals[%zu].masked is not "
                                "of the form OFFSET+SIZE,… within the function", target, object, i);
        return 0;
}

static int check_objects(const ManifestTarget *t, size_t index, sd_bus_error *error) {
        int r;

        for (size_t i = 0; i < t->n_objects; i++) {
                const ManifestObject *o = &t->objects[i];

                if (o->build_id && streq(o->name, "vmlinux"))
                        return refuse(error, "In the manifest, targets[%zu].objects[%zu].build_id is of "
                                "vmlinux, whose build-id is the target's", index, i);
                for (size_t j = 0; j < i; j++)
                        if (streq(t->objects[j].name, o->name))
                                return refuse(error, "In the manifest, targets[%zu] has the object '%s' twice",
                                        index, o->name);
                for (char **f = o->functions; *f; f++)
                        if (strv_contains(f + 1, *f))
                                return refuse(error, "In the manifest, targets[%zu].objects[%zu] has the "
                                        "function '%s' twice", index, i, *f);
                r = check_originals(o, index, i, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_targets(const Manifest *m, sd_bus_error *error) {
        for (size_t i = 0; i < m->n_targets; i++) {
                const ManifestTarget *t = &m->targets[i];
                bool found = false;
                int r;

                for (size_t j = 0; !found && j < m->n_members; j++)
                        found = m->members[j].role == MEMBER_PATCH_MODULE && streq(m->members[j].name, t->member);
                if (!found)
                        return refuse(error, "In the manifest, targets[%zu].member '%s' is not among the members",
                                i, t->member);
                if (manifest_find_target(m, t->arch, t->release, t->build_id) != t)
                        return refuse(error, "The manifest has two targets for the kernel '%s' of one build-id",
                                t->release);
                r = check_objects(t, i, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * manifest_check() - does what holds between the fields hold?
 * @error: ManifestInvalid
 *
 * Each field by itself has been checked by who filled it.
 *
 * Return: 0 or a negative errno.
 */
int manifest_check(const Manifest *m, sd_bus_error *error) {
        bool baseline = m->kind == MANIFEST_BASELINE;
        int r;

        if (baseline != (m->n_targets == 0) || baseline != (m->n_packages > 0) ||
            baseline != !!m->kernel_release || baseline != (m->deadline_usec > 0))
                return refuse(error, baseline
                        ? "The manifest of a baseline has packages, kernel_release and deadline, and no targets"
                        : "The manifest of a hotpatch has targets, and no packages, kernel_release or deadline");
        if (strv_contains(m->requires, m->id) || strv_contains(m->conflicts, m->id) ||
            strv_contains(m->supersedes, m->id))
                return refuse(error, "The manifest relates the bundle '%s' to itself", m->id);
        if (m->expires_usec > 0 && m->expires_usec <= m->created_usec)
                return refuse(error, "The manifest says that the bundle expires before it was made");
        r = check_members(m, error);
        if (r < 0)
                return r;
        return check_targets(m, error);
}
