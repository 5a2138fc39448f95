/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The same as a CSAF 2.0 document of the profile VEX (https://docs.oasis-open.org/csaf/csaf/v2.0, section 4.5). That
 * format has a word for what OpenVEX cannot say: a relationship. Fixed is not the package of the kernel but a product of
 * its own, "this patch, installed on this kernel"; the package alone is listed and no status is given for it.
 *
 * A vulnerability whose id is not of the CVE programme goes under `ids`, as `cve` takes no other.
 */

#include "ctl/vex.h"
#include "util/cve.h"
#include "util/str.h"

#define KERNEL_PRODUCT "KERNEL"

static Value *object_of(const char *key, const char *a, const char *key2, const char *b) {
        Value *v = value_object();

        if (value_set_string(v, key, a) < 0 || (key2 && value_set_string(v, key2, b) < 0)) {
                value_unref(v);
                return NULL;
        }
        return v;
}

static int set_list(Value *object, const char *key, Value *only) {
        Value *array = value_array();

        if (value_set(object, key, array) < 0) {
                value_unref(only);
                return -ENOMEM;
        }
        return value_append(array, only);
}

static int set_publisher(const VexFacts *f, Value *document) {
        _cleanup_free_ char *namespace = NULL;
        Value *publisher = object_of("category", "user", "name", f->author);

        if (str_printf(&namespace, "urn:uuid:%s", f->machine_id) < 0) {
                value_unref(publisher);
                return -ENOMEM;
        }
        if (value_set(document, "publisher", publisher) < 0)
                return -ENOMEM;
        return value_set_string(publisher, "namespace", namespace);
}

static int set_tracking(const VexFacts *f, Value *document) {
        Value *tracking = object_of("id", f->document_id, "status", "final"), *revision = NULL;

        if (value_set(document, "tracking", tracking) < 0 || value_set_string(tracking, "version", "1") < 0 ||
            value_set_time(tracking, "initial_release_date", f->now_usec) < 0 ||
            value_set_time(tracking, "current_release_date", f->now_usec) < 0)
                return -ENOMEM;
        revision = object_of("number", "1", "summary", "What is fixed in the running kernel");
        if (value_set_time(revision, "date", f->now_usec) < 0) {
                value_unref(revision);
                return -ENOMEM;
        }
        if (set_list(tracking, "revision_history", revision) < 0 || !(revision = value_object()) ||
            value_set(tracking, "generator", revision) < 0)
                return -ENOMEM;
        return value_set(revision, "engine", object_of("name", f->tool, NULL, NULL));
}

static int set_document(const VexFacts *f, Value *root) {
        _cleanup_free_ char *title = NULL;
        Value *document = object_of("category", "csaf_vex", "csaf_version", "2.0");

        if (value_set(root, "document", document) < 0)
                return -ENOMEM;
        if (str_printf(&title, "Fixed by hotpatches in the running kernel of %s", f->host) < 0)
                return -ENOMEM;
        if (value_set_string(document, "title", title) < 0 || set_publisher(f, document) < 0)
                return -ENOMEM;
        return set_tracking(f, document);
}

static const char *patch_id(const Value *patch) {
        return strempty(value_string(patch, "id"));
}

/* "KERNEL+hp-one" */
static char *combined_id(const Value *patch) {
        char *id;

        return str_printf(&id, KERNEL_PRODUCT "+%s", patch_id(patch)) < 0 ? NULL : id;
}

static int add_relationship(const Value *patch, Value *relationships) {
        _cleanup_free_ char *id = combined_id(patch), *name = NULL;
        Value *v = object_of("category", "installed_on", "product_reference", patch_id(patch));

        if (value_append(relationships, v) < 0 || !id)
                return -ENOMEM;
        if (str_printf(&name, "The running kernel with the hotpatch %s", patch_id(patch)) < 0)
                return -ENOMEM;
        if (value_set_string(v, "relates_to_product_reference", KERNEL_PRODUCT) < 0)
                return -ENOMEM;
        return value_set(v, "full_product_name", object_of("product_id", id, "name", name));
}

static int set_products(const VexFacts *f, Value *root) {
        const Value *patches = value_get(f->status, "patches"), *kernel = value_get(f->status, "kernel");
        Value *tree = value_object(), *names = value_array(), *relationships = value_array(), *v;

        v = object_of("product_id", KERNEL_PRODUCT, "name", strempty(value_string(kernel, "release")));
        if (value_set(root, "product_tree", tree) < 0 || value_set(tree, "full_product_names", names) < 0 ||
            value_set(tree, "relationships", relationships) < 0 || value_append(names, v) < 0 ||
            value_set(v, "product_identification_helper", object_of("purl", f->purl, NULL, NULL)) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < value_length(patches); i++) {
                const Value *patch = value_at(patches, i);
                const char *id = patch_id(patch), *title = value_string(patch, "title");

                if (value_append(names, object_of("product_id", id, "name", title ?: id)) < 0 ||
                    add_relationship(patch, relationships) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int set_fixed(const VexFacts *f, const char *fix, Value *vulnerability) {
        const Value *patches = value_get(f->status, "patches");
        Value *status = value_object(), *fixed = value_array();

        if (value_set(vulnerability, "product_status", status) < 0 || value_set(status, "fixed", fixed) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < value_length(patches); i++) {
                _cleanup_free_ char *id = combined_id(value_at(patches, i));

                if (!id)
                        return -ENOMEM;
                if (vex_patch_fixes(value_at(patches, i), fix) && value_append(fixed, value_text_new(id)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int add_vulnerability(const VexFacts *f, const char *fix, Value *vulnerabilities) {
        _cleanup_free_ char *note = NULL;
        Value *v = value_object();
        int r = value_append(vulnerabilities, v);

        if (r >= 0)
                r = vex_note(f, fix, &note);
        if (r >= 0)
                r = cve_id_is_valid(fix) ? value_set_string(v, "cve", fix)
                                         : set_list(v, "ids", object_of("system_name", "other", "text", fix));
        if (r >= 0)
                r = set_list(v, "notes", object_of("category", "details", "text", note));
        return r < 0 ? r : set_fixed(f, fix, v);
}

/**
 * vex_csaf() - a CSAF VEX document with a vulnerability for each fix
 * @f: not empty, see vex_is_empty()
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int vex_csaf(const VexFacts *f, Value **ret) {
        const Value *fixed = value_get(f->status, "fixed");
        _cleanup_value_ Value *root = value_object();
        Value *vulnerabilities = value_array();
        int r = set_document(f, root);

        if (r >= 0)
                r = set_products(f, root);
        if (value_set(root, "vulnerabilities", vulnerabilities) < 0)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < value_length(fixed); i++)
                r = add_vulnerability(f, strempty(value_text(value_at(fixed, i))), vulnerabilities);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(root);
        return 0;
}
