/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * OpenVEX 0.2.0 (https://github.com/openvex/spec): what this machine's running kernel is not vulnerable to any more,
 * though its package is.
 *
 * The status is `fixed`, and not `not_affected`. That one says that no remediation is required; here one was, and it
 * was taken. Its justifications are about code that the product never reaches (`vulnerable_code_not_in_execute_path`)
 * or protections that nobody can switch off (`inline_mitigations_already_exist`), while a hotpatch is taken out by one
 * command. `fixed` says that this product contains a fix, and that is so: of the kernel that runs, for as long as it
 * runs. Scanners treat the two alike: the finding goes.
 *
 * The product is the package of the kernel, because that is what a scanner finds. The statement is about one machine
 * and one boot all the same, which the format has no word for: the notes say so, each document has an id of its own,
 * and whoever collects them must not apply them to other machines. It cannot be empty, so where nothing is fixed there is
 * no document.
 */

#include "ctl/vex.h"
#include "util/str.h"

/** vex_patch_fixes() - is @fix among those of the patch? */
bool vex_patch_fixes(const Value *patch, const char *fix) {
        const Value *fixes = value_get(patch, "fixes");

        for (size_t i = 0; i < value_length(fixes); i++)
                if (streq(strempty(value_text(value_at(fixes, i))), fix))
                        return true;
        return false;
}

static void print_patch(FILE *to, const Value *patch, bool first) {
        const char *trial = value_string(patch, "trial_until");

        fprintf(to, "%s the hotpatch %s (sequence %lld, manifest sha256 %s), applied %s", first ? " by" : ", and by",
                strempty(value_string(patch, "id")), (long long) value_integer(patch, "sequence"),
                strempty(value_string(patch, "digest")), strempty(value_string(patch, "applied")));
        if (value_bool(patch, "trial"))
                fprintf(to, ", on trial until %s", strempty(trial));
}

/**
 * vex_note() - in words, by what and how long @fix is fixed
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int vex_note(const VexFacts *f, const char *fix, char **ret) {
        const Value *patches = value_get(f->status, "patches"), *kernel = value_get(f->status, "kernel");
        _cleanup_free_ char *text = NULL;
        bool first = true;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return -ENOMEM;
        fprintf(to, "Fixed in the running kernel %s of the machine %s", strempty(value_string(kernel, "release")), f->host);
        for (size_t i = 0; i < value_length(patches); i++)
                if (vex_patch_fixes(value_at(patches, i), fix)) {
                        print_patch(to, value_at(patches, i), first);
                        first = false;
                }
        fprintf(to, ". The package on disk is not changed. This is so for boot %s of this machine and no other.",
                strempty(value_string(f->status, "boot_id")));
        if (fclose(to) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static Value *named(const char *key, const char *text) {
        Value *v = value_object();

        (void) (value_set_string(v, key, text) < 0);
        return v;
}

static int products(const VexFacts *f, Value **ret) {
        _cleanup_value_ Value *array = value_array();
        Value *product = named("@id", f->purl);

        if (value_set(product, "identifiers", named("purl", f->purl)) < 0 || value_append(array, product) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(array);
        return 0;
}

static int add_statement(const VexFacts *f, const char *fix, Value *statements) {
        _cleanup_free_ char *note = NULL;
        Value *statement = value_object(), *list = NULL;

        if (value_append(statements, statement) < 0 || vex_note(f, fix, &note) < 0 ||
            value_set(statement, "vulnerability", named("name", fix)) < 0 || products(f, &list) < 0 ||
            value_set(statement, "products", list) < 0 || value_set_string(statement, "status", "fixed") < 0 ||
            value_set_string(statement, "status_notes", note) < 0)
                return -ENOMEM;
        return 0;
}

static int set_head(const VexFacts *f, Value *document) {
        _cleanup_free_ char *id = NULL;

        if (str_printf(&id, "urn:uuid:%s", f->document_id) < 0)
                return -ENOMEM;
        if (value_set_string(document, "@context", "https://openvex.dev/ns/v0.2.0") < 0 ||
            value_set_string(document, "@id", id) < 0 || value_set_string(document, "author", f->author) < 0 ||
            value_set_time(document, "timestamp", f->now_usec) < 0 || value_set_integer(document, "version", 1) < 0 ||
            value_set_string(document, "tooling", f->tool) < 0)
                return -ENOMEM;
        return 0;
}

/**
 * vex_openvex() - an OpenVEX document with a statement for each fix
 * @f: not empty, see vex_is_empty()
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int vex_openvex(const VexFacts *f, Value **ret) {
        const Value *fixed = value_get(f->status, "fixed");
        _cleanup_value_ Value *document = value_object();
        Value *statements = value_array();
        int r = set_head(f, document);

        if (value_set(document, "statements", statements) < 0)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < value_length(fixed); i++)
                r = add_statement(f, strempty(value_text(value_at(fixed, i))), statements);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(document);
        return 0;
}
