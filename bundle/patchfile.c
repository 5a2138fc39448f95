/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * patch.json, read strictly: an unknown key, a key twice, a wrong type or a name that cannot be one
 * is refused with its place ("fixes[0].severity"). A key that is silently ignored would be a fix
 * that was not made.
 *
 * A table for each kind of object says which keys it has, what they hold and where that goes;
 * patchfile-read.c walks them. The check of what belongs together (a function named twice) comes
 * afterwards.
 *
 * What is not checked here: whether the functions exist. The build finds that for replacements, the
 * kernel, and before it hotpatchd's preflight, for the replaced ones.
 */

#include "bundle/patchfile.h"

#include <inttypes.h>

#include "bundle/patchfile-read.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static bool char_in(char c, const char *others) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c && strchr(others, c));
}

static bool all_chars_in(const char *s, const char *others) {
        for (; *s; s++)
                if (!char_in(*s, others))
                        return false;
        return true;
}

/* What a C compiler takes for a name; it goes into generated C. */
static bool identifier_is_valid(const char *s) {
        return *s && !(*s >= '0' && *s <= '9') && strlen(s) <= HOTPATCH_SYMBOL_MAX && all_chars_in(s, "_");
}

/* Compilers add suffixes with dots; kernel/livepatch/core.c parses up to a comma. */
static bool symbol_is_valid(const char *s) {
        return *s && strlen(s) <= HOTPATCH_SYMBOL_MAX && all_chars_in(s, "_.$");
}

/* As in /proc/modules: never a dash. */
static bool object_is_valid(const char *s) {
        return manifest_module_is_valid(s);
}

/* A name that can begin the name of a bundle's member, which has no upper-case letters. */
static bool module_is_valid(const char *s) {
        return manifest_module_is_valid(s) && *s != '_' &&
                strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

/* A plain file name; it goes into a makefile. */
static bool source_is_valid(const char *s) {
        size_t l = strlen(s);

        return l > 2 && l <= 128 && char_in(*s, "_") && all_chars_in(s, "_-.") && streq(s + l - 2, ".c");
}

/* Text of one line, for people; the manifest's own reader has the last word. */
static bool line_is_valid(const char *s) {
        if (!*s)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

static bool text_is_valid(const char *s) {
        for (; *s; s++)
                if (((unsigned char) *s < ' ' && *s != '\n' && *s != '\t') || *s == 0x7f)
                        return false;
        return true;
}

static int read_fixes(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        Manifest *m = object;
        size_t i;
        json_t *element;
        int r;

        r = patch_read_objects(key, value, place, object, error);
        if (r < 0)
                return r;
        /* calloc() has made them SEVERITY_LOW. */
        json_array_foreach(value, i, element)
                if (!json_object_get(element, "severity"))
                        m->fixes[i].severity = _SEVERITY_INVALID;
        return 0;
}

#define STRING(type, member, check, ...) \
        .read = patch_read_string, .offset = offsetof(type, member), .valid = check, __VA_ARGS__

static const PatchKey fix_keys[] = {
        { .name = "id", STRING(ManifestFix, id, line_is_valid, .required = true) },
        { .name = "severity", .read = patch_read_severity, .offset = offsetof(ManifestFix, severity) },
        { .name = "summary", STRING(ManifestFix, summary, line_is_valid, .required = false) },
        { .name = "references", .read = patch_read_strings, .offset = offsetof(ManifestFix, references),
          .valid = line_is_valid, .max = 32 },
        {},
};

static const PatchKey trial_keys[] = {
        { .name = "seconds", .read = patch_read_unsigned, .offset = offsetof(Manifest, trial_seconds), .max = 7 * 24 * 3600,
          .required = true },
        {},
};

static const PatchKey function_keys[] = {
        { .name = "object", STRING(PatchFunction, object, object_is_valid, .required = true) },
        { .name = "function", STRING(PatchFunction, function, symbol_is_valid, .required = true) },
        { .name = "replacement", STRING(PatchFunction, replacement, identifier_is_valid, .required = true) },
        { .name = "sympos", .read = patch_read_uint64, .offset = offsetof(PatchFunction, sympos), .max = UINT32_MAX },
        {},
};

static const PatchKey callback_keys[] = {
        { .name = "object", STRING(PatchCallbacks, object, object_is_valid, .required = true) },
        { .name = "pre_patch", STRING(PatchCallbacks, pre_patch, identifier_is_valid, .required = false) },
        { .name = "post_patch", STRING(PatchCallbacks, post_patch, identifier_is_valid, .required = false) },
        { .name = "pre_unpatch", STRING(PatchCallbacks, pre_unpatch, identifier_is_valid, .required = false) },
        { .name = "post_unpatch", STRING(PatchCallbacks, post_unpatch, identifier_is_valid, .required = false) },
        {},
};

static const PatchKey symbol_keys[] = {
        { .name = "name", STRING(PatchSymbol, name, identifier_is_valid, .required = true) },
        { .name = "object", STRING(PatchSymbol, object, object_is_valid, .required = true) },
        { .name = "sympos", .read = patch_read_uint64, .offset = offsetof(PatchSymbol, sympos), .max = UINT32_MAX },
        {},
};

#define MANIFEST_STRING(member, check, ...)                                                        \
        .manifest = true, STRING(Manifest, member, check, __VA_ARGS__)
#define MANIFEST_IDS(member)                                                                   \
        .manifest = true, .read = patch_read_strings, .offset = offsetof(Manifest, member),          \
        .valid = manifest_id_is_valid, .max = HOTPATCH_TRANSACTION_MAX * 4
#define OBJECTS(type, member, n_member, element_keys, element_type, limit)                     \
        .offset = offsetof(type, member), .offset_n = offsetof(type, n_member),                \
        .keys = element_keys, .element_size = sizeof(element_type), .max = limit

static const PatchKey patch_keys[] = {
        /* The manifest part: same names as in the manifest, hotpatch-bundle(5). */
        { .name = "id", MANIFEST_STRING(id, manifest_id_is_valid, .required = true) },
        { .name = "title", MANIFEST_STRING(title, line_is_valid, .required = true) },
        { .name = "description", MANIFEST_STRING(description, text_is_valid, .required = false) },
        { .name = "severity", .manifest = true, .read = patch_read_severity, .offset = offsetof(Manifest, severity),
          .required = true },
        { .name = "stream", MANIFEST_STRING(stream, manifest_id_is_valid, .required = true) },
        { .name = "sequence", .manifest = true, .read = patch_read_uint64, .offset = offsetof(Manifest, sequence),
          .max = MANIFEST_SEQUENCE_MAX, .required = true },
        { .name = "fixes", .manifest = true, .read = read_fixes,
          OBJECTS(Manifest, fixes, n_fixes, fix_keys, ManifestFix, 256) },
        { .name = "trial", .manifest = true, .read = patch_read_object, .keys = trial_keys },
        { .name = "force_safe", .manifest = true, .read = patch_read_bool, .offset = offsetof(Manifest, force_safe) },
        { .name = "requires", MANIFEST_IDS(requires) },
        { .name = "conflicts", MANIFEST_IDS(conflicts) },
        { .name = "supersedes", MANIFEST_IDS(supersedes) },
        /* The build part. */
        { .name = "module", STRING(PatchFile, module, module_is_valid, .required = false) },
        { .name = "sources", .read = patch_read_strings, .offset = offsetof(PatchFile, sources),
          .valid = source_is_valid, .max = 64, .filled = true },
        { .name = "self_test", STRING(PatchFile, self_test, identifier_is_valid, .required = false) },
        { .name = "replace", .read = patch_read_bool, .offset = offsetof(PatchFile, replace) },
        { .name = "functions", .read = patch_read_objects, .required = true, .filled = true,
          OBJECTS(PatchFile, functions, n_functions, function_keys, PatchFunction, HOTPATCH_FUNCTIONS_MAX) },
        { .name = "callbacks", .read = patch_read_objects,
          OBJECTS(PatchFile, callbacks, n_callbacks, callback_keys, PatchCallbacks, HOTPATCH_OBJECTS_MAX) },
        { .name = "symbols", .read = patch_read_objects,
          OBJECTS(PatchFile, symbols, n_symbols, symbol_keys, PatchSymbol, HOTPATCH_FUNCTIONS_MAX) },
        {},
};

static int check_functions(const PatchFile *p, const PatchPlace *top, sd_bus_error *error) {
        PatchPlace list = { .parent = top, .key = "functions" };

        for (size_t i = 0; i < p->n_functions; i++)
                for (size_t j = 0; j < i; j++) {
                        const PatchFunction *a = p->functions + i, *b = p->functions + j;
                        PatchPlace here = { .parent = &list, .index = i };

                        if (streq(a->object, b->object) && streq(a->function, b->function) &&
                                        a->sympos == b->sympos)
                                return patch_refuse(error, &here, "'%s' of '%s' is there twice",
                                        a->function, a->object);
                }
        return 0;
}

static int check_callbacks(const PatchFile *p, const PatchPlace *top, sd_bus_error *error) {
        PatchPlace list = { .parent = top, .key = "callbacks" };

        for (size_t i = 0; i < p->n_callbacks; i++) {
                const PatchCallbacks *c = p->callbacks + i;
                PatchPlace here = { .parent = &list, .index = i };

                if (!c->pre_patch && !c->post_patch && !c->pre_unpatch && !c->post_unpatch)
                        return patch_refuse(error, &here, "names no callback");
                for (size_t j = 0; j < i; j++)
                        if (streq(c->object, p->callbacks[j].object))
                                return patch_refuse(error, &here, "'%s' is there twice", c->object);
        }
        return 0;
}

static int check_symbols(const PatchFile *p, const PatchPlace *top, sd_bus_error *error) {
        PatchPlace list = { .parent = top, .key = "symbols" };

        for (size_t i = 0; i < p->n_symbols; i++)
                for (size_t j = 0; j < i; j++) {
                        PatchPlace here = { .parent = &list, .index = i };

                        if (streq(p->symbols[i].name, p->symbols[j].name))
                                return patch_refuse(error, &here, "'%s' is there twice", p->symbols[i].name);
                }
        return 0;
}

/**
 * patch_module_name() - the name of a module by the id of its bundle
 * @id: valid
 * @ret: hp_ and the id, with underscores, because module names are C identifiers in part; may be too
 *   long; free with free()
 *
 * Return: 0 or -ENOMEM.
 */
int patch_module_name(const char *id, char **ret) {
        char *name;

        if (str_printf(&name, "%s%s", startswith(id, "hp-") ? "" : "hp_", id) < 0)
                return -ENOMEM;
        for (char *c = name; *c; c++)
                if (!char_in(*c, "_"))
                        *c = '_';
        *ret = name;
        return 0;
}

static int name_module(PatchFile *p, const PatchPlace *top, sd_bus_error *error) {
        PatchPlace here = { .parent = top, .key = "module" };
        int r = p->module ? 0 : patch_module_name(p->manifest->id, &p->module);

        if (r < 0)
                return r;
        if (strlen(p->module) > HOTPATCH_MODULE_NAME_MAX)
                return patch_refuse(error, &here, "is missing; '%s', made from the id, is longer than %u characters",
                        p->module, HOTPATCH_MODULE_NAME_MAX);
        return 0;
}

static int patch_file_check(PatchFile *p, const PatchPlace *top, sd_bus_error *error) {
        PatchPlace sequence = { .parent = top, .key = "sequence" };
        int r;

        if (p->manifest->sequence == 0)
                return patch_refuse(error, &sequence, "must not be 0");
        r = check_functions(p, top, error);
        if (r < 0)
                return r;
        r = check_callbacks(p, top, error);
        if (r < 0)
                return r;
        r = check_symbols(p, top, error);
        if (r < 0)
                return r;
        return name_module(p, top, error);
}

static int parse_json(const void *data, size_t size, json_t **ret, sd_bus_error *error) {
        json_error_t e;
        json_t *j;

        if (size > HOTPATCH_MANIFEST_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("PatchFileInvalid"),
                        "patch.json is larger than %" PRIu64 " bytes", (uint64_t) HOTPATCH_MANIFEST_MAX);
        j = json_loadb(data, size, JSON_REJECT_DUPLICATES, &e);
        if (!j)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("PatchFileInvalid"),
                        "patch.json, line %d, column %d: %s", e.line, e.column, e.text);
        *ret = j;
        return 0;
}

/** patch_file_new() - a patch without a content yet. Return: 0 or -ENOMEM. */
int patch_file_new(PatchFile **ret) {
        _cleanup_patch_file_free_ PatchFile *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->manifest = calloc(1, sizeof(*p->manifest));
        if (!p->manifest)
                return -ENOMEM;
        p->manifest->kind = MANIFEST_HOTPATCH;
        p->manifest->trial_seconds = MANIFEST_TRIAL_SECONDS;
        *ret = TAKE_PTR(p);
        return 0;
}

/**
 * patch_file_parse() - read the text of patch.json
 * @data: text, UTF-8
 * @size: its length in bytes
 * @ret: the patch; free with patch_file_free()
 * @error: PatchFileInvalid, with the place in the file
 *
 * Return: 0 or a negative errno.
 */
int patch_file_parse(const void *data, size_t size, PatchFile **ret, sd_bus_error *error) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        _cleanup_json_ json_t *json = NULL;
        static const PatchPlace top = { .key = "" };
        int r;

        r = parse_json(data, size, &json, error);
        if (r < 0)
                return r;
        r = patch_file_new(&p);
        if (r < 0)
                return r;
        r = patch_read_keys(patch_keys, json, &top, p, error);
        if (r < 0)
                return r;
        r = patch_file_check(p, &top, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/** patch_file_free() - free a patch and what it owns; NULL is fine. Returns NULL. */
PatchFile *patch_file_free(PatchFile *p) {
        if (!p)
                return NULL;
        manifest_free(p->manifest);
        for (size_t i = 0; i < p->n_functions; i++) {
                free(p->functions[i].object);
                free(p->functions[i].function);
                free(p->functions[i].replacement);
        }
        free(p->functions);
        for (size_t i = 0; i < p->n_callbacks; i++) {
                free(p->callbacks[i].object);
                free(p->callbacks[i].pre_patch);
                free(p->callbacks[i].post_patch);
                free(p->callbacks[i].pre_unpatch);
                free(p->callbacks[i].post_unpatch);
        }
        free(p->callbacks);
        for (size_t i = 0; i < p->n_symbols; i++) {
                free(p->symbols[i].name);
                free(p->symbols[i].object);
                free(p->symbols[i].symbol);
                free(p->symbols[i].owner);
        }
        free(p->symbols);
        free(p->module);
        strv_free(p->sources);
        free(p->self_test);
        free(p);
        return NULL;
}
