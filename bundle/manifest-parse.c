/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From JSON to a manifest.
 *
 * The format is a table of fields for each kind of object: name, how to read it, where to put it;
 * manifest-read.c walks them. jansson itself refuses duplicate keys, invalid UTF-8, escaped NULs and
 * bytes after the end.
 */

#include "bundle/archive.h"
#include "bundle/manifest-read.h"
#include "bundle/manifest.h"
#include "dbus/errors.h"
#include "util/hex.h"
#include "util/limits.h"

/* A week: longer trials say that somebody mistook the unit. */
#define TRIAL_SECONDS_MAX (7 * 24 * 60 * 60)

#define LIST_MAX 256U

/* ---- scalars ---- */

static int read_id(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, HOTPATCH_ID_MAX, manifest_id_is_valid,
                "made of lower-case letters, digits, '.', '_' and '-' only", at);
}

static int read_module(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, HOTPATCH_MODULE_NAME_MAX, manifest_module_is_valid,
                "the name of a module", at);
}

static int read_member_name(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, HOTPATCH_MEMBER_NAME_MAX, archive_name_is_valid,
                "a plain lower-case file name", at);
}

/* Kernel releases, architectures, packages and versions: words that end in paths and commands. */
static bool is_word(const char *s) {
        return strchr("._-+~:/", s[0]) == NULL && !strstr(s, "..") && strlen(s) ==
                strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+~:");
}

static int read_word(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, 64, is_word, "a plain word", at);
}

/* SHA-1 build-ids have 20 bytes; ld can make 8 to 32 (ld(1), --build-id). */
static bool is_build_id(const char *s) {
        size_t n = strlen(s);

        return n >= 16 && n <= 64 && n % 2 == 0 && strspn(s, "0123456789abcdef") == n;
}

static int read_build_id(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, 64, is_build_id, "a build-id in lower-case hexadecimal", at);
}

static bool is_baseline(const char *s) {
        return strlen(s) == 7 && strspn(s, "0123456789") == 4 && s[4] == '.' &&
                strspn(s + 5, "0123456789") == 2 && strncmp(s + 5, "01", 2) >= 0 && strncmp(s + 5, "12", 2) <= 0;
}

static int read_baseline(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, 7, is_baseline, "of the form YYYY.MM", at);
}

static int read_sha256(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = manifest_get_string(r, value, 64, &s);

        if (e < 0)
                return e;
        return hex_decode(s, at, 32) < 0 ? manifest_refuse(r, "is not a SHA-256 in lower-case hexadecimal") : 0;
}

static bool is_sha256(const char *s) {
        return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int read_sha256_text(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, 64, is_sha256, "a SHA-256 in lower-case hexadecimal", at);
}

static int read_time(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = manifest_get_string(r, value, MANIFEST_TIME_SIZE - 1, &s);

        if (e < 0)
                return e;
        return manifest_time_parse(s, at) < 0 ? manifest_refuse(r, "is not a time like 2026-11-21T09:00:00Z") : 0;
}

static int read_sequence(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = manifest_get_integer(r, value, 1, MANIFEST_SEQUENCE_MAX, &i);

        if (e >= 0)
                *(uint64_t *) at = (uint64_t) i;
        return e;
}

static int read_size(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = manifest_get_integer(r, value, 1, (int64_t) HOTPATCH_BUNDLE_MAX, &i);

        if (e >= 0)
                *(uint64_t *) at = (uint64_t) i;
        return e;
}

static int read_seconds(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = manifest_get_integer(r, value, 0, TRIAL_SECONDS_MAX, &i);

        if (e >= 0)
                *(unsigned *) at = (unsigned) i;
        return e;
}

static int read_severity(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        Severity s = json_is_string(value) ? severity_from_string(json_string_value(value)) : _SEVERITY_INVALID;

        if (s < 0)
                return manifest_refuse(r, "is not one of low, moderate, important, critical");
        *(Severity *) at = s;
        return 0;
}

static int read_kind(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        int k = json_is_string(value) ? (int) manifest_kind_from_string(json_string_value(value)) : -EINVAL;

        if (k < 0)
                return manifest_refuse(r, "is neither hotpatch nor baseline");
        *(ManifestKind *) at = (ManifestKind) k;
        return 0;
}

static int read_role(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        int k = json_is_string(value) ? (int) member_role_from_string(json_string_value(value)) : -EINVAL;

        if (k < 0)
                return manifest_refuse(r, "is not the role of a member");
        *(MemberRole *) at = (MemberRole) k;
        return 0;
}

static int read_type(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, _unused_ void *at) {
        if (!json_is_string(value) || !streq(json_string_value(value), MANIFEST_TYPE))
                return manifest_refuse(r, "is not '" MANIFEST_TYPE "'");
        return 0;
}

static int read_format(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, _unused_ void *at) {
        if (!json_is_integer(value) || json_integer_value(value) != MANIFEST_FORMAT)
                return manifest_refuse(r, "is not %d, the format that this version reads", MANIFEST_FORMAT);
        return 0;
}

static int read_lines(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_strings(r, value, 0, LIST_MAX, manifest_read_line, at);
}

static int read_ids(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_strings(r, value, 0, LIST_MAX, read_id, at);
}

static int read_function(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, HOTPATCH_SYMBOL_MAX + 10, manifest_function_is_valid,
                "a function, as NAME or NAME,SYMPOS", at);
}

static int read_source(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_valid(r, value, HOTPATCH_FIX_PATH_MAX, manifest_source_is_valid,
                "the path of a file in a kernel tree", at);
}

static int read_functions(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_strings(r, value, 1, HOTPATCH_FUNCTIONS_MAX, read_function, at);
}

/* ---- the format ---- */

#define COUNT_BESIDE(type, pointer, number) (offsetof(type, number) - offsetof(type, pointer))

static const ManifestField fix_fields[] = {
        { "id", manifest_read_line, offsetof(ManifestFix, id), true },
        { "references", read_lines, offsetof(ManifestFix, references), false },
        { "severity", read_severity, offsetof(ManifestFix, severity), false },
        { "summary", manifest_read_line, offsetof(ManifestFix, summary), false },
        {},
};

static const ManifestField original_fields[] = {
        { "function", read_function, offsetof(ManifestOriginal, function), true },
        { "masked", manifest_read_text, offsetof(ManifestOriginal, masked), false },
        { "sha256", read_sha256, offsetof(ManifestOriginal, sha256), true },
        { "size", read_size, offsetof(ManifestOriginal, size), true },
        { "source", read_source, offsetof(ManifestOriginal, source), false },
        {},
};

/* A function and its parts: .cold, and .constprop or .isra copies. */
static const ManifestList original_list = {
        original_fields, sizeof(ManifestOriginal), COUNT_BESIDE(ManifestObject, originals, n_originals),
        0, 4 * HOTPATCH_FUNCTIONS_MAX,
};

static const ManifestField object_fields[] = {
        { "build_id", read_build_id, offsetof(ManifestObject, build_id), false },
        { "functions", read_functions, offsetof(ManifestObject, functions), true },
        { "name", read_module, offsetof(ManifestObject, name), true },
        { "originals", manifest_read_list, offsetof(ManifestObject, originals), false, &original_list },
        {},
};

static const ManifestList object_list = {
        object_fields, sizeof(ManifestObject), COUNT_BESIDE(ManifestTarget, objects, n_objects),
        1, HOTPATCH_OBJECTS_MAX,
};

static const ManifestField target_fields[] = {
        { "arch", read_word, offsetof(ManifestTarget, arch), true },
        { "build_id", read_build_id, offsetof(ManifestTarget, build_id), true },
        { "member", read_member_name, offsetof(ManifestTarget, member), true },
        { "module", read_module, offsetof(ManifestTarget, module), true },
        { "objects", manifest_read_list, offsetof(ManifestTarget, objects), true, &object_list },
        { "release", read_word, offsetof(ManifestTarget, release), true },
        { "replace", manifest_read_bool, offsetof(ManifestTarget, replace), false },
        {},
};

static const ManifestField member_fields[] = {
        { "name", read_member_name, offsetof(ManifestMember, name), true },
        { "role", read_role, offsetof(ManifestMember, role), true },
        { "sha256", read_sha256, offsetof(ManifestMember, sha256), true },
        { "size", read_size, offsetof(ManifestMember, size), true },
        {},
};

static const ManifestField package_fields[] = {
        { "name", read_word, offsetof(ManifestPackage, name), true },
        { "version", read_word, offsetof(ManifestPackage, version), true },
        {},
};

static void fix_init(void *element) {
        ((ManifestFix *) element)->severity = _SEVERITY_INVALID;
}

static const ManifestList fix_list = {
        fix_fields, sizeof(ManifestFix), COUNT_BESIDE(Manifest, fixes, n_fixes), 0, LIST_MAX, fix_init,
};
static const ManifestList target_list = {
        target_fields, sizeof(ManifestTarget), COUNT_BESIDE(Manifest, targets, n_targets),
        1, HOTPATCH_MEMBERS_MAX,
};
static const ManifestList member_list = {
        member_fields, sizeof(ManifestMember), COUNT_BESIDE(Manifest, members, n_members),
        0, HOTPATCH_MEMBERS_MAX,
};
static const ManifestList package_list = {
        package_fields, sizeof(ManifestPackage), COUNT_BESIDE(Manifest, packages, n_packages), 1, HOTPATCH_RUN_PACKAGES_MAX,
};

static const ManifestField provenance_fields[] = {
        { "builder", manifest_read_line, offsetof(ManifestProvenance, builder), false },
        { "config_sha256", read_sha256_text, offsetof(ManifestProvenance, config_sha256), false },
        { "fix_sha256", read_sha256_text, offsetof(ManifestProvenance, fix_sha256), false },
        { "source", manifest_read_line, offsetof(ManifestProvenance, source), false },
        { "toolchain", manifest_read_line, offsetof(ManifestProvenance, toolchain), false },
        {},
};

static int read_provenance(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_object(r, provenance_fields, value, at);
}

static const ManifestField trial_fields[] = {
        { "seconds", read_seconds, 0, true },
        {},
};

static int read_trial(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        return manifest_read_object(r, trial_fields, value, at);
}

static int read_expires(ManifestReader *r, const ManifestField *f, json_t *value, void *at) {
        return json_is_null(value) ? 0 : read_time(r, f, value, at);
}

static const ManifestField manifest_fields[] = {
        { "baseline", read_baseline, offsetof(Manifest, baseline), false },
        { "conflicts", read_ids, offsetof(Manifest, conflicts), false },
        { "created", read_time, offsetof(Manifest, created_usec), true },
        { "deadline", read_time, offsetof(Manifest, deadline_usec), false },
        { "description", manifest_read_text, offsetof(Manifest, description), false },
        { "expires", read_expires, offsetof(Manifest, expires_usec), false },
        { "fixes", manifest_read_list, offsetof(Manifest, fixes), false, &fix_list },
        { "force_safe", manifest_read_bool, offsetof(Manifest, force_safe), false },
        { "format", read_format, 0, true },
        { "id", read_id, offsetof(Manifest, id), true },
        { "kernel_release", read_word, offsetof(Manifest, kernel_release), false },
        { "kind", read_kind, offsetof(Manifest, kind), true },
        { "members", manifest_read_list, offsetof(Manifest, members), true, &member_list },
        { "packages", manifest_read_list, offsetof(Manifest, packages), false, &package_list },
        { "provenance", read_provenance, offsetof(Manifest, provenance), false },
        { "requires", read_ids, offsetof(Manifest, requires), false },
        { "sequence", read_sequence, offsetof(Manifest, sequence), true },
        { "severity", read_severity, offsetof(Manifest, severity), true },
        { "stream", read_id, offsetof(Manifest, stream), true },
        { "supersedes", read_ids, offsetof(Manifest, supersedes), false },
        { "targets", manifest_read_list, offsetof(Manifest, targets), false, &target_list },
        { "title", manifest_read_line, offsetof(Manifest, title), true },
        { "trial", read_trial, offsetof(Manifest, trial_seconds), false },
        { "type", read_type, 0, true },
        {},
};

static int json_read(const void *data, size_t size, json_t **ret, sd_bus_error *error) {
        json_error_t e;
        json_t *root;

        if (size > HOTPATCH_MANIFEST_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The manifest has %zu bytes, %llu are allowed", size,
                        (unsigned long long) HOTPATCH_MANIFEST_MAX);
        root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (!root)
                return sd_bus_error_setf(error,
                        json_error_code(&e) == json_error_duplicate_key
                                ? HOTPATCH_ERROR("ManifestDuplicateKey") : HOTPATCH_ERROR("ManifestInvalid"),
                        "The manifest is refused at line %d, column %d: %s", e.line, e.column,
                        manifest_text_is_printable(e.text, false) ? e.text : "invalid text");
        *ret = root;
        return 0;
}

/* Lists are never NULL in a finished manifest, severities of fixes are known to be given or not. */
static int fill_defaults(Manifest *m) {
        char ***lists[] = { &m->requires, &m->conflicts, &m->supersedes };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (!*lists[i] && !(*lists[i] = calloc(1, sizeof(char *))))
                        return -ENOMEM;
        for (size_t i = 0; i < m->n_fixes; i++)
                if (!m->fixes[i].references && !(m->fixes[i].references = calloc(1, sizeof(char *))))
                        return -ENOMEM;
        return 0;
}

/**
 * manifest_parse() - read a manifest, strictly
 * @data: JSON; must be verified bytes wherever the result decides anything
 * @ret: free with manifest_free()
 * @error: ManifestInvalid, ManifestUnknownField, ManifestDuplicateKey, BundleTooLarge; the message
 *   names the place
 *
 * Return: 0 or a negative errno.
 */
int manifest_parse(const void *data, size_t size, Manifest **ret, sd_bus_error *error) {
        _cleanup_manifest_free_ Manifest *m = calloc(1, sizeof(*m));
        _cleanup_json_ json_t *root = NULL;
        ManifestReader reader = { .error = error };
        int r;

        if (!m)
                return -ENOMEM;
        m->trial_seconds = MANIFEST_TRIAL_SECONDS;
        r = json_read(data, size, &root, error);
        if (r >= 0)
                r = manifest_read_object(&reader, manifest_fields, root, m);
        if (r >= 0)
                r = fill_defaults(m);
        if (r >= 0)
                r = manifest_check(m, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
