/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From a manifest to JSON: sorted keys, two blanks of indentation, one newline at the end, every
 * optional list and switch written out. The same manifest always gives the same bytes, which is
 * what gets signed; readers take any layout.
 */

#include "bundle/manifest.h"
#include "util/hex.h"
#include "util/json.h"
#include "util/str.h"

static void set_optional(json_t **object, const char *key, const char *value) {
        if (value)
                json_put(object, key, json_string(value));
}

static json_t *time_value(uint64_t usec) {
        char s[MANIFEST_TIME_SIZE];

        return manifest_time_format(usec, s) < 0 ? NULL : json_string(s);
}

static json_t *fixes(const Manifest *m) {
        json_t *array = json_array();

        for (size_t i = 0; i < m->n_fixes; i++) {
                const ManifestFix *f = &m->fixes[i];
                json_t *o = json_object();

                json_put(&o, "id", json_string(f->id));
                json_put(&o, "references", json_strings(f->references));
                set_optional(&o, "severity", severity_to_string(f->severity));
                set_optional(&o, "summary", f->summary);
                json_push(&array, o);
        }
        return array;
}

static json_t *originals(const ManifestObject *object) {
        json_t *array = json_array();

        for (size_t i = 0; i < object->n_originals; i++) {
                const ManifestOriginal *original = &object->originals[i];
                _cleanup_free_ char *hex = hex_encode(original->sha256, sizeof(original->sha256));
                json_t *o = json_object();

                json_put(&o, "function", json_string(original->function));
                json_put(&o, "size", json_integer((json_int_t) original->size));
                json_put(&o, "sha256", hex ? json_string(hex) : NULL);
                set_optional(&o, "masked", original->masked);
                set_optional(&o, "source", original->source);
                json_push(&array, o);
        }
        return array;
}

static json_t *objects(const ManifestTarget *t) {
        json_t *array = json_array();

        for (size_t i = 0; i < t->n_objects; i++) {
                json_t *o = json_object();

                json_put(&o, "name", json_string(t->objects[i].name));
                set_optional(&o, "build_id", t->objects[i].build_id);
                json_put(&o, "functions", json_strings(t->objects[i].functions));
                if (t->objects[i].n_originals > 0)
                        json_put(&o, "originals", originals(&t->objects[i]));
                json_push(&array, o);
        }
        return array;
}

static json_t *targets(const Manifest *m) {
        json_t *array = json_array();

        for (size_t i = 0; i < m->n_targets; i++) {
                const ManifestTarget *t = &m->targets[i];
                json_t *o = json_object();

                json_put(&o, "arch", json_string(t->arch));
                json_put(&o, "release", json_string(t->release));
                json_put(&o, "build_id", json_string(t->build_id));
                json_put(&o, "member", json_string(t->member));
                json_put(&o, "module", json_string(t->module));
                json_put(&o, "replace", json_boolean(t->replace));
                json_put(&o, "objects", objects(t));
                json_push(&array, o);
        }
        return array;
}

static json_t *packages(const Manifest *m) {
        json_t *array = json_array();

        for (size_t i = 0; i < m->n_packages; i++) {
                json_t *o = json_object();

                json_put(&o, "name", json_string(m->packages[i].name));
                json_put(&o, "version", json_string(m->packages[i].version));
                json_push(&array, o);
        }
        return array;
}

static json_t *members(const Manifest *m) {
        json_t *array = json_array();

        for (size_t i = 0; i < m->n_members; i++) {
                const ManifestMember *member = &m->members[i];
                _cleanup_free_ char *hex = hex_encode(member->sha256, sizeof(member->sha256));
                json_t *o = json_object();

                json_put(&o, "name", json_string(member->name));
                json_put(&o, "size", json_integer((json_int_t) member->size));
                json_put(&o, "sha256", hex ? json_string(hex) : NULL);
                json_put(&o, "role", json_string(member_role_to_string(member->role)));
                json_push(&array, o);
        }
        return array;
}

static json_t *provenance(const ManifestProvenance *p) {
        json_t *o = json_object();

        set_optional(&o, "builder", p->builder);
        set_optional(&o, "source", p->source);
        set_optional(&o, "fix_sha256", p->fix_sha256);
        set_optional(&o, "toolchain", p->toolchain);
        set_optional(&o, "config_sha256", p->config_sha256);
        return o;
}

static json_t *document(const Manifest *m) {
        json_t *o = json_object(), *trial = json_object();

        json_put(&trial, "seconds", json_integer(m->trial_seconds));
        json_put(&o, "type", json_string(MANIFEST_TYPE));
        json_put(&o, "format", json_integer(MANIFEST_FORMAT));
        json_put(&o, "id", json_string(m->id));
        json_put(&o, "title", json_string(m->title));
        set_optional(&o, "description", m->description);
        json_put(&o, "severity", json_string(severity_to_string(m->severity)));
        json_put(&o, "kind", json_string(manifest_kind_to_string(m->kind)));
        json_put(&o, "stream", json_string(m->stream));
        json_put(&o, "sequence", json_integer((json_int_t) m->sequence));
        set_optional(&o, "baseline", m->baseline);
        json_put(&o, "created", time_value(m->created_usec));
        json_put(&o, "expires", m->expires_usec > 0 ? time_value(m->expires_usec) : json_null());
        json_put(&o, "fixes", fixes(m));
        json_put(&o, "requires", json_strings(m->requires));
        json_put(&o, "conflicts", json_strings(m->conflicts));
        json_put(&o, "supersedes", json_strings(m->supersedes));
        if (m->kind == MANIFEST_BASELINE) {
                json_put(&o, "packages", packages(m));
                json_put(&o, "kernel_release", json_string(m->kernel_release));
                json_put(&o, "deadline", time_value(m->deadline_usec));
        } else
                json_put(&o, "targets", targets(m));
        json_put(&o, "members", members(m));
        json_put(&o, "trial", trial);
        json_put(&o, "force_safe", json_boolean(m->force_safe));
        json_put(&o, "provenance", provenance(&m->provenance));
        return o;
}

/**
 * manifest_format() - write a manifest as JSON
 * @m: complete, as manifest_check() wants it
 * @ret: the text, NUL-terminated; to be freed
 * @ret_size: bytes without the NUL
 *
 * Return: 0, -EINVAL for text that is not UTF-8 or numbers out of range, or -ENOMEM.
 */
int manifest_format(const Manifest *m, char **ret, size_t *ret_size) {
        _cleanup_json_ json_t *root = document(m);
        _cleanup_free_ char *text = NULL, *whole = NULL;

        if (!root)
                return -EINVAL;
        text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
        if (!text || str_printf(&whole, "%s\n", text) < 0)
                return -ENOMEM;
        *ret_size = strlen(whole);
        *ret = TAKE_PTR(whole);
        return 0;
}
