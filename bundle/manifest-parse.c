/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From JSON to a manifest; the only reader of JSON in this layer (jansson).
 *
 * The format is a table of fields for each kind of object: name, how to read it, where to put it.
 * What is not in a table is refused, with its place named as in `targets[0].objects[1].nmae`: a
 * signed manifest is understood as a whole or not at all. jansson itself refuses duplicate keys,
 * invalid UTF-8, escaped NULs and bytes after the end.
 */

#include <jansson.h>
#include <stdarg.h>

#include "bundle/archive.h"
#include "bundle/manifest.h"
#include "dbus/errors.h"
#include "util/hex.h"
#include "util/limits.h"
#include "util/strv.h"

static void json_freep(json_t **j) {
        json_decref(*j);
}

/* 2^53 - 1: the largest integer that every JSON reader keeps exact (RFC 8259 section 6). */
#define SEQUENCE_MAX ((INT64_C(1) << 53) - 1)

/* A week: longer trials say that somebody mistook the unit. */
#define TRIAL_SECONDS_MAX (7 * 24 * 60 * 60)

/* Terminals, mails and journal fields show these; longer ones hide something. */
#define LINE_MAX_BYTES 256U
#define TEXT_MAX_BYTES 16384U

#define LIST_MAX 256U

/** struct Reader - where in the document we are, and where to say what is wrong */
typedef struct Reader {
        char path[256];
        sd_bus_error *error;
} Reader;

typedef struct Field Field;
typedef struct List List;

/**
 * struct Field - one member of a JSON object
 * @read: puts the value to @at; on error nothing is owned by @at that its owner would not free
 * @list: for read_list()
 */
struct Field {
        const char *name;
        int (*read)(Reader *r, const Field *f, json_t *value, void *at);
        size_t offset;
        bool required;
        const List *list;
};

/**
 * struct List - an array of equal objects
 * @count: offset of the number of elements from the pointer to them
 * @init: what an element is before its fields are read, where that is not zero
 */
struct List {
        const Field *fields;
        size_t element;
        size_t count;
        size_t min, max;
        void (*init)(void *element);
};

_printf_(2, 3) static int invalid(Reader *r, const char *format, ...) {
        char what[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("ManifestInvalid"), "In the manifest, %s %s",
                r->path[0] ? r->path : "the document", what);
}

/* Returns the length to give to path_leave(). */
_printf_(2, 3) static size_t path_enter(Reader *r, const char *format, ...) {
        size_t n = strlen(r->path);
        va_list ap;

        va_start(ap, format);
        vsnprintf(r->path + n, sizeof(r->path) - n, format, ap);
        va_end(ap);
        return n;
}

static void path_leave(Reader *r, size_t n) {
        r->path[n] = 0;
}

/* ---- scalars ---- */

/* No control characters: titles and summaries end on terminals. */
static bool is_printable(const char *s, bool newlines) {
        for (; *s; s++)
                if (((unsigned char) *s < 0x20 && !(newlines && (*s == '\n' || *s == '\t'))) || *s == 0x7f ||
                    /* C1 controls, U+0080 … U+009F */
                    ((unsigned char) s[0] == 0xc2 && (unsigned char) s[1] < 0xa0))
                        return false;
        return true;
}

static int get_string(Reader *r, json_t *value, size_t max, const char **ret) {
        if (!json_is_string(value))
                return invalid(r, "is not a string");
        if (json_string_length(value) == 0 || json_string_length(value) > max)
                return invalid(r, "has %zu bytes, 1 to %zu are allowed", json_string_length(value), max);
        *ret = json_string_value(value);
        return 0;
}

static int put_string(const char *s, void *at) {
        char *copy = strdup(s);

        if (!copy)
                return -ENOMEM;
        free(*(char **) at);
        *(char **) at = copy;
        return 0;
}

static int read_line(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = get_string(r, value, LINE_MAX_BYTES, &s);

        if (e < 0)
                return e;
        if (!is_printable(s, false))
                return invalid(r, "holds a control character");
        return put_string(s, at);
}

static int read_text(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = get_string(r, value, TEXT_MAX_BYTES, &s);

        if (e < 0)
                return e;
        if (!is_printable(s, true))
                return invalid(r, "holds a control character");
        return put_string(s, at);
}

/* Strings that some function of ours must call valid. */
static int read_valid(Reader *r, json_t *value, size_t max, bool (*valid)(const char *), const char *what,
                void *at) {
        const char *s = NULL;
        int e = get_string(r, value, max, &s);

        if (e < 0)
                return e;
        if (!valid(s))
                return invalid(r, "is not %s", what);
        return put_string(s, at);
}

static int read_id(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, HOTPATCH_ID_MAX, manifest_id_is_valid,
                "made of lower-case letters, digits, '.', '_' and '-' only", at);
}

static int read_module(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, HOTPATCH_MODULE_NAME_MAX, manifest_module_is_valid,
                "the name of a module", at);
}

static int read_member_name(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, HOTPATCH_MEMBER_NAME_MAX, archive_name_is_valid,
                "a plain lower-case file name", at);
}

/* Kernel releases, architectures, packages and versions: words that end in paths and commands. */
static bool is_word(const char *s) {
        return strchr("._-+~:/", s[0]) == NULL && !strstr(s, "..") && strlen(s) ==
                strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+~:");
}

static int read_word(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, 64, is_word, "a plain word", at);
}

/* SHA-1 build-ids have 20 bytes; ld can make 8 to 32 (ld(1), --build-id). */
static bool is_build_id(const char *s) {
        size_t n = strlen(s);

        return n >= 16 && n <= 64 && n % 2 == 0 && strspn(s, "0123456789abcdef") == n;
}

static int read_build_id(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, 64, is_build_id, "a build-id in lower-case hexadecimal", at);
}

static bool is_baseline(const char *s) {
        return strlen(s) == 7 && strspn(s, "0123456789") == 4 && s[4] == '.' &&
                strspn(s + 5, "0123456789") == 2 && strncmp(s + 5, "01", 2) >= 0 && strncmp(s + 5, "12", 2) <= 0;
}

static int read_baseline(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, 7, is_baseline, "of the form YYYY.MM", at);
}

static int read_sha256(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = get_string(r, value, 64, &s);

        if (e < 0)
                return e;
        return hex_decode(s, at, 32) < 0 ? invalid(r, "is not a SHA-256 in lower-case hexadecimal") : 0;
}

static bool is_sha256(const char *s) {
        return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int read_sha256_text(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, 64, is_sha256, "a SHA-256 in lower-case hexadecimal", at);
}

static int read_time(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = get_string(r, value, MANIFEST_TIME_SIZE - 1, &s);

        if (e < 0)
                return e;
        return manifest_time_parse(s, at) < 0 ? invalid(r, "is not a time like 2026-11-21T09:00:00Z") : 0;
}

static int read_bool(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        if (!json_is_boolean(value))
                return invalid(r, "is neither true nor false");
        *(bool *) at = json_is_true(value);
        return 0;
}

static int get_integer(Reader *r, json_t *value, int64_t min, int64_t max, int64_t *ret) {
        if (!json_is_integer(value))
                return invalid(r, "is not an integer");
        if (json_integer_value(value) < min || json_integer_value(value) > max)
                return invalid(r, "is not between %lld and %lld", (long long) min, (long long) max);
        *ret = json_integer_value(value);
        return 0;
}

static int read_sequence(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = get_integer(r, value, 1, SEQUENCE_MAX, &i);

        if (e >= 0)
                *(uint64_t *) at = (uint64_t) i;
        return e;
}

static int read_size(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = get_integer(r, value, 1, (int64_t) HOTPATCH_BUNDLE_MAX, &i);

        if (e >= 0)
                *(uint64_t *) at = (uint64_t) i;
        return e;
}

static int read_seconds(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        int64_t i = 0;
        int e = get_integer(r, value, 0, TRIAL_SECONDS_MAX, &i);

        if (e >= 0)
                *(unsigned *) at = (unsigned) i;
        return e;
}

static int read_severity(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        Severity s = json_is_string(value) ? severity_from_string(json_string_value(value)) : _SEVERITY_INVALID;

        if (s < 0)
                return invalid(r, "is not one of low, moderate, important, critical");
        *(Severity *) at = s;
        return 0;
}

static int read_kind(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        int k = json_is_string(value) ? (int) manifest_kind_from_string(json_string_value(value)) : -EINVAL;

        if (k < 0)
                return invalid(r, "is neither hotpatch nor baseline");
        *(ManifestKind *) at = (ManifestKind) k;
        return 0;
}

static int read_role(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        int k = json_is_string(value) ? (int) member_role_from_string(json_string_value(value)) : -EINVAL;

        if (k < 0)
                return invalid(r, "is not the role of a member");
        *(MemberRole *) at = (MemberRole) k;
        return 0;
}

static int read_type(Reader *r, _unused_ const Field *f, json_t *value, _unused_ void *at) {
        if (!json_is_string(value) || !streq(json_string_value(value), MANIFEST_TYPE))
                return invalid(r, "is not '" MANIFEST_TYPE "'");
        return 0;
}

static int read_format(Reader *r, _unused_ const Field *f, json_t *value, _unused_ void *at) {
        if (!json_is_integer(value) || json_integer_value(value) != MANIFEST_FORMAT)
                return invalid(r, "is not %d, the format that this version reads", MANIFEST_FORMAT);
        return 0;
}

/* ---- lists and objects ---- */

static int read_strings(Reader *r, json_t *value, size_t min, size_t max,
                int (*read)(Reader *r, const Field *f, json_t *value, void *at), void *at) {
        _cleanup_strv_free_ char **list = NULL;
        size_t n = json_array_size(value);

        if (!json_is_array(value))
                return invalid(r, "is not an array");
        if (n < min || n > max)
                return invalid(r, "has %zu entries, %zu to %zu are allowed", n, min, max);
        list = calloc(n + 1, sizeof(char *));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                size_t outer = path_enter(r, "[%zu]", i);
                int e = read(r, NULL, json_array_get(value, i), &list[i]);

                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        strv_free(*(char ***) at);
        *(char ***) at = TAKE_PTR(list);
        return 0;
}

static int read_lines(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_strings(r, value, 0, LIST_MAX, read_line, at);
}

static int read_ids(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_strings(r, value, 0, LIST_MAX, read_id, at);
}

static int read_function(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, HOTPATCH_SYMBOL_MAX + 10, manifest_function_is_valid,
                "a function, as NAME or NAME,SYMPOS", at);
}

static int read_source(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_valid(r, value, HOTPATCH_FIX_PATH_MAX, manifest_source_is_valid,
                "the path of a file in a kernel tree", at);
}

static int read_functions(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_strings(r, value, 1, HOTPATCH_FUNCTIONS_MAX, read_function, at);
}

static const Field *field_find(const Field *fields, const char *name) {
        for (; fields->name; fields++)
                if (streq(fields->name, name))
                        return fields;
        return NULL;
}

static int read_object(Reader *r, const Field *fields, json_t *value, void *at) {
        const char *key, *dot = r->path[0] ? "." : "";
        json_t *member;

        if (!json_is_object(value))
                return invalid(r, "is not an object");
        json_object_foreach(value, key, member) {
                const Field *f = field_find(fields, key);
                size_t outer;
                int e;

                if (!f)
                        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("ManifestUnknownField"),
                                "The manifest has a field that this version does not know: '%s%s%.64s'",
                                r->path, dot, is_printable(key, false) ? key : "?");
                outer = path_enter(r, "%s%s", dot, key);
                e = f->read(r, f, member, (uint8_t *) at + f->offset);
                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        for (const Field *f = fields; f->name; f++)
                if (f->required && !json_object_get(value, f->name)) {
                        path_enter(r, "%s%s", dot, f->name);
                        return invalid(r, "is missing");
                }
        return 0;
}

/* The list and its count are stored before they are filled, so that their owner frees a part of them. */
static int read_list(Reader *r, const Field *f, json_t *value, void *at) {
        size_t n = json_array_size(value);
        size_t *count = (size_t *) ((uint8_t *) at + f->list->count);
        uint8_t *elements;

        if (!json_is_array(value))
                return invalid(r, "is not an array");
        if (n < f->list->min || n > f->list->max)
                return invalid(r, "has %zu entries, %zu to %zu are allowed", n, f->list->min, f->list->max);
        elements = calloc(n + 1, f->list->element);
        if (!elements)
                return -ENOMEM;
        *(void **) at = elements;
        *count = n;
        for (size_t i = 0; i < n; i++) {
                size_t outer = path_enter(r, "[%zu]", i);
                int e;

                if (f->list->init)
                        f->list->init(elements + i * f->list->element);
                e = read_object(r, f->list->fields, json_array_get(value, i), elements + i * f->list->element);

                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        return 0;
}

/* ---- the format ---- */

#define COUNT_BESIDE(type, pointer, number) (offsetof(type, number) - offsetof(type, pointer))

static const Field fix_fields[] = {
        { "id", read_line, offsetof(ManifestFix, id), true },
        { "references", read_lines, offsetof(ManifestFix, references), false },
        { "severity", read_severity, offsetof(ManifestFix, severity), false },
        { "summary", read_line, offsetof(ManifestFix, summary), false },
        {},
};

static const Field original_fields[] = {
        { "function", read_function, offsetof(ManifestOriginal, function), true },
        { "masked", read_text, offsetof(ManifestOriginal, masked), false },
        { "sha256", read_sha256, offsetof(ManifestOriginal, sha256), true },
        { "size", read_size, offsetof(ManifestOriginal, size), true },
        { "source", read_source, offsetof(ManifestOriginal, source), false },
        {},
};

/* A function and its parts: .cold, and .constprop or .isra copies. */
static const List original_list = {
        original_fields, sizeof(ManifestOriginal), COUNT_BESIDE(ManifestObject, originals, n_originals),
        0, 4 * HOTPATCH_FUNCTIONS_MAX,
};

static const Field object_fields[] = {
        { "build_id", read_build_id, offsetof(ManifestObject, build_id), false },
        { "functions", read_functions, offsetof(ManifestObject, functions), true },
        { "name", read_module, offsetof(ManifestObject, name), true },
        { "originals", read_list, offsetof(ManifestObject, originals), false, &original_list },
        {},
};

static const List object_list = {
        object_fields, sizeof(ManifestObject), COUNT_BESIDE(ManifestTarget, objects, n_objects),
        1, HOTPATCH_OBJECTS_MAX,
};

static const Field target_fields[] = {
        { "arch", read_word, offsetof(ManifestTarget, arch), true },
        { "build_id", read_build_id, offsetof(ManifestTarget, build_id), true },
        { "member", read_member_name, offsetof(ManifestTarget, member), true },
        { "module", read_module, offsetof(ManifestTarget, module), true },
        { "objects", read_list, offsetof(ManifestTarget, objects), true, &object_list },
        { "release", read_word, offsetof(ManifestTarget, release), true },
        { "replace", read_bool, offsetof(ManifestTarget, replace), false },
        {},
};

static const Field member_fields[] = {
        { "name", read_member_name, offsetof(ManifestMember, name), true },
        { "role", read_role, offsetof(ManifestMember, role), true },
        { "sha256", read_sha256, offsetof(ManifestMember, sha256), true },
        { "size", read_size, offsetof(ManifestMember, size), true },
        {},
};

static const Field package_fields[] = {
        { "name", read_word, offsetof(ManifestPackage, name), true },
        { "version", read_word, offsetof(ManifestPackage, version), true },
        {},
};

static void fix_init(void *element) {
        ((ManifestFix *) element)->severity = _SEVERITY_INVALID;
}

static const List fix_list = {
        fix_fields, sizeof(ManifestFix), COUNT_BESIDE(Manifest, fixes, n_fixes), 0, LIST_MAX, fix_init,
};
static const List target_list = {
        target_fields, sizeof(ManifestTarget), COUNT_BESIDE(Manifest, targets, n_targets),
        1, HOTPATCH_MEMBERS_MAX,
};
static const List member_list = {
        member_fields, sizeof(ManifestMember), COUNT_BESIDE(Manifest, members, n_members),
        0, HOTPATCH_MEMBERS_MAX,
};
static const List package_list = {
        package_fields, sizeof(ManifestPackage), COUNT_BESIDE(Manifest, packages, n_packages), 1, 4096,
};

static const Field provenance_fields[] = {
        { "builder", read_line, offsetof(ManifestProvenance, builder), false },
        { "config_sha256", read_sha256_text, offsetof(ManifestProvenance, config_sha256), false },
        { "fix_sha256", read_sha256_text, offsetof(ManifestProvenance, fix_sha256), false },
        { "source", read_line, offsetof(ManifestProvenance, source), false },
        { "toolchain", read_line, offsetof(ManifestProvenance, toolchain), false },
        {},
};

static int read_provenance(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_object(r, provenance_fields, value, at);
}

static const Field trial_fields[] = {
        { "seconds", read_seconds, 0, true },
        {},
};

static int read_trial(Reader *r, _unused_ const Field *f, json_t *value, void *at) {
        return read_object(r, trial_fields, value, at);
}

static int read_expires(Reader *r, const Field *f, json_t *value, void *at) {
        return json_is_null(value) ? 0 : read_time(r, f, value, at);
}

static const Field manifest_fields[] = {
        { "baseline", read_baseline, offsetof(Manifest, baseline), false },
        { "conflicts", read_ids, offsetof(Manifest, conflicts), false },
        { "created", read_time, offsetof(Manifest, created_usec), true },
        { "deadline", read_time, offsetof(Manifest, deadline_usec), false },
        { "description", read_text, offsetof(Manifest, description), false },
        { "expires", read_expires, offsetof(Manifest, expires_usec), false },
        { "fixes", read_list, offsetof(Manifest, fixes), false, &fix_list },
        { "force_safe", read_bool, offsetof(Manifest, force_safe), false },
        { "format", read_format, 0, true },
        { "id", read_id, offsetof(Manifest, id), true },
        { "kernel_release", read_word, offsetof(Manifest, kernel_release), false },
        { "kind", read_kind, offsetof(Manifest, kind), true },
        { "members", read_list, offsetof(Manifest, members), true, &member_list },
        { "packages", read_list, offsetof(Manifest, packages), false, &package_list },
        { "provenance", read_provenance, offsetof(Manifest, provenance), false },
        { "requires", read_ids, offsetof(Manifest, requires), false },
        { "sequence", read_sequence, offsetof(Manifest, sequence), true },
        { "severity", read_severity, offsetof(Manifest, severity), true },
        { "stream", read_id, offsetof(Manifest, stream), true },
        { "supersedes", read_ids, offsetof(Manifest, supersedes), false },
        { "targets", read_list, offsetof(Manifest, targets), false, &target_list },
        { "title", read_line, offsetof(Manifest, title), true },
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
                        is_printable(e.text, false) ? e.text : "invalid text");
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
        _cleanup_(json_freep) json_t *root = NULL;
        Reader reader = { .error = error };
        int r;

        if (!m)
                return -ENOMEM;
        m->trial_seconds = MANIFEST_TRIAL_SECONDS;
        r = json_read(data, size, &root, error);
        if (r >= 0)
                r = read_object(&reader, manifest_fields, root, m);
        if (r >= 0)
                r = fill_defaults(m);
        if (r >= 0)
                r = manifest_check(m, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
