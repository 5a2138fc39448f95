/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl bundle show` and `bundle verify`.
 *
 * `verify` answers yes or no, by its exit status too. `show` shows also what nobody vouches for,
 * and then says so first: it runs with the rights of who asks, and decides nothing. The JSON of a
 * good bundle is that of the daemon's VerifyBundle (doc/json-shapes.md).
 */

#include <fcntl.h>

#include "bundle/archive.h"
#include "ctl/bundle-verbs.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "livepatch/identity.h"
#include "util/strv.h"

typedef struct ShowOptions {
        TrustOptions trust;
} ShowOptions;

const BundleOption bundle_show_options[] = { TRUST_OPTIONS(ShowOptions, trust), {} };
const BundleOption bundle_verify_options[] = { TRUST_OPTIONS(ShowOptions, trust), {} };

/**
 * struct Judged - a bundle and what was found out about it
 * @verified: NULL when @refusal says why not
 * @text, @manifest: of the unverified bundle, when there is no @verified
 */
typedef struct Judged {
        Bundle *bundle;
        Verified *verified;
        sd_bus_error refusal;
        void *text;
        Manifest *manifest;
} Judged;

static void judged_done(Judged *j) {
        bundle_free(j->bundle);
        verified_free(j->verified);
        sd_bus_error_free(&j->refusal);
        free(j->text);
        manifest_free(j->manifest);
}

static int verify(Judged *j, const TrustOptions *o, sd_bus_error *error) {
        _cleanup_trust_free_ Trust *trust = NULL;
        int r = bundle_load_trust(o, &trust, error);

        if (r >= 0)
                r = bundle_verify(&j->bundle, trust, bundle_present(bundle_now_usec()), &j->verified, error);
        return r < 0 ? r : verified_check_members(j->verified, error);
}

static int read_unverified(Judged *j, const char *path, sd_bus_error *error) {
        size_t size;
        int r = j->bundle ? 0 : bundle_open_file(path, &j->bundle, error);

        if (r >= 0)
                r = bundle_unverified_read(j->bundle, ARCHIVE_MANIFEST, HOTPATCH_MANIFEST_MAX, &j->text, &size, error);
        return r < 0 ? r : manifest_parse(j->text, size, &j->manifest, error);
}

/* ---- JSON ---- */

static int signer_to_value(const Signer *s, Value **ret) {
        _cleanup_value_ Value *v = value_object();
        int r = v ? value_set_string(v, "subject", s->subject) : -ENOMEM;

        if (r >= 0)
                r = value_set_string(v, "issuer", s->issuer);
        if (r >= 0)
                r = value_set_string(v, "spki_sha256", s->spki_sha256);
        if (r >= 0)
                r = value_set_time(v, "not_after", s->not_after_usec);
        if (r >= 0)
                r = value_set_time(v, "signing_time", s->signing_time_usec);
        if (r >= 0)
                *ret = TAKE_PTR(v);
        return r;
}

static int signers_to_value(const Verified *verified, Value **ret) {
        _cleanup_value_ Value *array = value_array();
        size_t n = 0;
        const Signer *signers = verified ? verified_signers(verified, &n) : NULL;
        int r = array ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++) {
                Value *v = NULL;

                r = signer_to_value(&signers[i], &v);
                if (r >= 0)
                        r = value_append(array, v);
        }
        if (r >= 0)
                *ret = TAKE_PTR(array);
        return r;
}

/* The target for the kernel that runs here; NULL when there is none, or no kernel that could say. */
static const ManifestTarget *target_here(const Manifest *m) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        _cleanup_(kernel_identity_done) KernelIdentity id = { 0 };

        if (kernel_new("/", NULL, NULL, &k) < 0 || kernel_identity(k, &id) < 0)
                return NULL;
        return manifest_find_target(m, id.arch, id.release, id.build_id);
}

static int set_target(Value *v, const Manifest *m) {
        const ManifestTarget *t = target_here(m);
        Value *target;
        int r;

        if (!t)
                return value_set_string(v, "target", NULL);
        target = value_object();
        r = target ? value_set_string(target, "release", t->release) : -ENOMEM;
        if (r >= 0)
                r = value_set_string(target, "module", t->module);
        if (r < 0) {
                value_unref(target);
                return r;
        }
        return value_set(v, "target", target);
}

static int set_refusal(Value *v, const sd_bus_error *e) {
        const HotpatchError *row = hotpatch_error_find(e->name);
        Value *refusal = value_object();
        int r = refusal ? value_set_string(refusal, "name", e->name) : -ENOMEM;

        if (r >= 0)
                r = value_set_string(refusal, "message", e->message);
        if (r >= 0)
                r = value_set_string(refusal, "remedy", row ? row->remedy : NULL);
        if (r < 0) {
                value_unref(refusal);
                return r;
        }
        return value_set(v, "refusal", refusal);
}

static int print_json(const Ctl *ctl, const Judged *j) {
        _cleanup_value_ Value *v = value_object();
        Value *manifest = NULL, *signers = NULL;
        size_t size;
        int r = v ? value_set_bool(v, "valid", j->verified != NULL) : -ENOMEM;

        if (r >= 0 && j->verified)
                r = value_set_string(v, "digest", verified_digest(j->verified));
        if (r >= 0)
                r = value_parse(j->verified ? verified_manifest_text(j->verified, &size) : j->text, &manifest);
        if (r >= 0)
                r = value_set(v, "manifest", manifest);
        if (r >= 0)
                r = signers_to_value(j->verified, &signers);
        if (r >= 0)
                r = value_set(v, "signers", signers);
        if (r >= 0)
                r = set_target(v, j->verified ? verified_manifest(j->verified) : j->manifest);
        if (r >= 0 && !j->verified)
                r = set_refusal(v, &j->refusal);
        return r < 0 ? r : value_print(ctl, v);
}

/* ---- text ---- */

static int print_optional(const Ctl *ctl, const char *label, const char *text) {
        return text ? field_print(ctl, label, text, STYLE_NONE) : 0;
}

static int print_time(const Ctl *ctl, const char *label, uint64_t usec) {
        _cleanup_free_ char *text = NULL;
        int r = usec > 0 ? time_format_utc(usec, &text) : 0;

        return r < 0 || usec == 0 ? r : field_print(ctl, label, text, STYLE_NONE);
}

static int print_list(const Ctl *ctl, const char *label, char *const *list) {
        int r = 0;

        for (size_t i = 0; list && list[i] && r >= 0; i++)
                r = field_print(ctl, i == 0 ? label : "", list[i], STYLE_NONE);
        return r;
}

static int print_fixes(const Ctl *ctl, const Manifest *m) {
        int r = 0;

        for (size_t i = 0; i < m->n_fixes && r >= 0; i++) {
                const ManifestFix *f = &m->fixes[i];
                const char *severity = severity_to_string(f->severity);

                r = field_printf(ctl, i == 0 ? "Fixes" : "", STYLE_NONE, "%s%s%s%s%s%s", f->id,
                        severity ? " (" : "", strempty(severity), severity ? ")" : "",
                        f->summary ? ": " : "", strempty(f->summary));
                if (r >= 0)
                        r = print_list(ctl, "", f->references);
        }
        return r;
}

static int print_objects(const Ctl *ctl, const ManifestTarget *t) {
        int r = 0;

        for (size_t i = 0; i < t->n_objects && r >= 0; i++)
                for (char **f = t->objects[i].functions; *f && r >= 0; f++)
                        r = field_printf(ctl, i == 0 && f == t->objects[i].functions ? "Replaces" : "",
                                STYLE_NONE, "%s:%s", t->objects[i].name, *f);
        return r;
}

static int print_targets(const Ctl *ctl, const Manifest *m) {
        int r = 0;

        for (size_t i = 0; i < m->n_targets && r >= 0; i++) {
                const ManifestTarget *t = &m->targets[i];

                r = field_printf(ctl, "Kernel", STYLE_NONE, "%s (%s), build-id %s", t->release, t->arch, t->build_id);
                if (r >= 0)
                        r = field_printf(ctl, "Module", STYLE_NONE, "%s%s", t->module,
                                t->replace ? ", takes the place of all livepatches" : "");
                if (r >= 0)
                        r = print_objects(ctl, t);
        }
        return r;
}

static int print_packages(const Ctl *ctl, const Manifest *m) {
        int r = 0;

        for (size_t i = 0; i < m->n_packages && r >= 0; i++)
                r = field_printf(ctl, i == 0 ? "Packages" : "", STYLE_NONE, "%s %s", m->packages[i].name,
                        m->packages[i].version);
        if (r >= 0)
                r = print_optional(ctl, "Kernel", m->kernel_release);
        return r < 0 ? r : print_time(ctl, "Deadline", m->deadline_usec);
}

static int print_signers(const Ctl *ctl, const Verified *v) {
        size_t n;
        const Signer *s = verified_signers(v, &n);
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                r = field_print(ctl, i == 0 ? "Signed by" : "", s[i].subject, STYLE_NONE);
                if (r >= 0)
                        r = field_printf(ctl, "", STYLE_DIM, "key %s", s[i].spki_sha256);
        }
        return r;
}

static int print_manifest(const Ctl *ctl, const Manifest *m) {
        int r = field_print(ctl, "Bundle", m->id, STYLE_BOLD);

        if (r >= 0)
                r = field_print(ctl, "Title", m->title, STYLE_NONE);
        if (r >= 0)
                r = print_optional(ctl, "Text", m->description);
        if (r >= 0)
                r = field_print(ctl, "Severity", severity_to_string(m->severity), STYLE_NONE);
        if (r >= 0)
                r = print_fixes(ctl, m);
        if (r >= 0)
                r = field_printf(ctl, "Stream", STYLE_NONE, "%s, sequence %llu", m->stream,
                        (unsigned long long) m->sequence);
        if (r >= 0)
                r = print_optional(ctl, "Baseline", m->baseline);
        if (r >= 0)
                r = print_time(ctl, "Created", m->created_usec);
        if (r >= 0)
                r = print_time(ctl, "Expires", m->expires_usec);
        if (r >= 0)
                r = print_list(ctl, "Requires", m->requires);
        if (r >= 0)
                r = print_list(ctl, "Conflicts", m->conflicts);
        if (r >= 0)
                r = print_list(ctl, "Supersedes", m->supersedes);
        if (r >= 0)
                r = m->kind == MANIFEST_BASELINE ? print_packages(ctl, m) : print_targets(ctl, m);
        if (r >= 0)
                r = print_optional(ctl, "Built by", m->provenance.builder);
        return r < 0 ? r : print_optional(ctl, "Source", m->provenance.source);
}

static int print_text(const Ctl *ctl, const Judged *j) {
        int r;

        if (!j->verified) {
                r = field_printf(ctl, "Trust", STYLE_RED, "NOT VERIFIED: %s", strempty(j->refusal.message));
                return r < 0 ? r : print_manifest(ctl, j->manifest);
        }
        r = print_manifest(ctl, verified_manifest(j->verified));
        if (r >= 0)
                r = print_signers(ctl, j->verified);
        if (r >= 0)
                r = field_print(ctl, "Digest", verified_digest(j->verified), STYLE_NONE);
        return r < 0 ? r : field_print(ctl, "Trust", "good, signatures and digests", STYLE_GREEN);
}

/* ---- verbs ---- */

static int show_one(const Ctl *ctl, const TrustOptions *o, const char *path, sd_bus_error *error) {
        _cleanup_(judged_done) Judged j = { 0 };
        int r = bundle_open_file(path, &j.bundle, error);

        if (r < 0)
                return r;
        r = verify(&j, o, &j.refusal);
        if (r < 0 && !sd_bus_error_is_set(&j.refusal))
                return r;
        if (r < 0) {
                j.verified = verified_free(j.verified);
                r = read_unverified(&j, path, error);
        }
        if (r < 0)
                return r;
        return ctl->json ? print_json(ctl, &j) : print_text(ctl, &j);
}

static int check_one(const Ctl *ctl, const TrustOptions *o, const char *path, sd_bus_error *error) {
        _cleanup_free_ char *name = text_line(path);
        _cleanup_(judged_done) Judged j = { 0 };
        int r = bundle_open_file(path, &j.bundle, error);

        if (r >= 0)
                r = verify(&j, o, error);
        if (r < 0)
                return r;
        if (ctl->json)
                return print_json(ctl, &j);
        if (ctl->quiet)
                return 0;
        printf("%s is %svalid%s\n", strempty(name), style_on(ctl->colour, STYLE_GREEN), style_off(ctl->colour, STYLE_GREEN));
        r = field_print(ctl, "Bundle", verified_manifest(j.verified)->id, STYLE_BOLD);
        if (r >= 0)
                r = field_print(ctl, "Title", verified_manifest(j.verified)->title, STYLE_NONE);
        return r < 0 ? r : print_signers(ctl, j.verified);
}

/* One after the other; the exit status is that of the first refusal. */
static int for_each_bundle(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[],
                int (*one)(const Ctl *, const TrustOptions *, const char *, sd_bus_error *)) {
        _cleanup_strv_free_ char **args = NULL;
        ShowOptions o = { 0 };
        int code = bundle_options_parse(verb, argc, argv, &o, &args);

        if (code == 0 && !args[0])
                code = ctl_usage("'bundle %s' needs a bundle", verb->name);
        for (size_t i = 0; code != HOTPATCH_EXIT_USAGE && args && args[i]; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                int r, failed;

                if (i > 0 && !ctl->json)
                        putchar('\n');
                r = one(ctl, &o.trust, args[i], &error);
                failed = r < 0 ? ctl_fail(ctl, args[i], &error, r) : HOTPATCH_EXIT_OK;
                code = code == HOTPATCH_EXIT_OK ? failed : code;
        }
        strv_free(o.trust.files);
        return code;
}

int bundle_show(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        return for_each_bundle(ctl, verb, argc, argv, show_one);
}

int bundle_check(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        return for_each_bundle(ctl, verb, argc, argv, check_one);
}
