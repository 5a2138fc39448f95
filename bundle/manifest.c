/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The manifest as an object: its life, its words, and what a person may say of it.
 *
 * How it is written in JSON is the business of manifest-parse.c and manifest-format.c. Both end in
 * manifest_check(), so that we never write what we would not read.
 */

#include "bundle/manifest.h"

#include <time.h>

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

/**
 * manifest_add_fix() - one more repaired problem, as a person writes it
 * @text: "CVE-2026-0000" or "CVE-2026-0000=one line"
 *
 * Return: 0 or -ENOMEM.
 */
int manifest_add_fix(Manifest *m, const char *text) {
        size_t n = strcspn(text, "=");
        ManifestFix *grown = reallocarray(m->fixes, m->n_fixes + 1, sizeof(ManifestFix)), *f;

        if (!grown)
                return -ENOMEM;
        m->fixes = grown;
        f = &grown[m->n_fixes++];
        *f = (ManifestFix) {
                .id = strndup(text, n),
                .summary = text[n] ? strdup(text + n + 1) : NULL,
                .severity = _SEVERITY_INVALID,
                .references = calloc(1, sizeof(char *)),
        };
        return f->id && f->references && (!text[n] || f->summary) ? 0 : -ENOMEM;
}

/**
 * manifest_sequence_parse() - a number in a stream, as a person writes it
 * @ret: 1 to MANIFEST_SEQUENCE_MAX
 *
 * Return: 0 or -EINVAL.
 */
int manifest_sequence_parse(const char *s, uint64_t *ret) {
        unsigned long long value;
        char *end;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(s, &end, 10);
        if (*end || errno != 0 || value == 0 || value > MANIFEST_SEQUENCE_MAX)
                return -EINVAL;
        *ret = value;
        return 0;
}
