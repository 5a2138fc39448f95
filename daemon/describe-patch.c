/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One patch, as JSON: a bundle that was verified, or all that the daemon knows of a patch.
 *
 * Of a patch there may be the manifest, the record of its admission, what the kernel shows, or any of them alone. The
 * manifest says most and is asked first, then the record; a member that nobody knows is null, and none is left out.
 */

#include "daemon/describe-value.h"
#include "daemon/describe.h"

/* --- bundle --- */

static json_t *signers_value(const Signer *signers, size_t n) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_push(&array, json_pack("{s:o, s:o, s:o, s:o, s:o}",
                                "subject", describe_string(signers[i].subject),
                                "issuer", describe_string(signers[i].issuer),
                                "spki_sha256", describe_string(signers[i].spki_sha256),
                                "not_after", describe_time(signers[i].not_after_usec),
                                "signing_time", describe_time(signers[i].signing_time_usec)));
        return array;
}

/* The manifest was parsed by stricter rules already; here it only becomes part of an answer. */
static json_t *manifest_value(const Verified *v) {
        size_t size;
        const char *text = verified_manifest_text(v, &size);

        return json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
}

static json_t *target_value(const Verified *v, const KernelIdentity *k) {
        const ManifestTarget *t =
                manifest_find_target(verified_manifest(v), k->arch, k->release, k->build_id);

        if (!t)
                return json_null();
        return json_pack("{s:o, s:o}",
                        "release", describe_string(t->release),
                        "module", describe_string(t->module));
}

/**
 * describe_bundle() - the answer of VerifyBundle
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_bundle(const Verified *v, const KernelIdentity *kernel, char **ret) {
        size_t n;
        const Signer *signers = verified_signers(v, &n);

        return describe_end(json_pack("{s:b, s:o, s:o, s:o, s:o}",
                                "valid", true,
                                "digest", describe_string(verified_digest(v)),
                                "manifest", manifest_value(v),
                                "signers", signers_value(signers, n),
                                "target", target_value(v, kernel)),
                        ret);
}

/* --- patch --- */

static json_t *fix_value(const ManifestFix *f) {
        return json_pack("{s:o, s:o, s:o, s:o}",
                        "id", describe_string(f->id),
                        "severity", describe_string(severity_to_string(f->severity)),
                        "summary", describe_string(f->summary),
                        "references", describe_strv(f->references));
}

/* With the bundle at hand all is known of a fix, else the record has its id. */
static json_t *fixes_value(const Description *d) {
        json_t *array = json_array();

        for (size_t i = 0; d->manifest && i < d->manifest->n_fixes; i++)
                json_push(&array, fix_value(&d->manifest->fixes[i]));
        if (!d->manifest && d->record)
                for (char **id = d->record->fixes; id && *id; id++)
                        json_push(&array, fix_value(&(ManifestFix) { .id = *id, .severity = -EINVAL }));
        return array;
}

static const ManifestTarget *find_target(const Description *d) {
        for (size_t i = 0; d->manifest && d->module && i < d->manifest->n_targets; i++)
                if (streq(d->manifest->targets[i].module, d->module) &&
                    (!d->release || streq(d->manifest->targets[i].release, d->release)))
                        return &d->manifest->targets[i];
        return NULL;
}

/* Null as long as the kernel does not have the patch. */
static json_t *patched_value(const Description *d, const char *object) {
        for (size_t i = 0; i < d->n_patched; i++)
                if (streq(d->patched[i].name, object))
                        return describe_string(patched_state_to_string(d->patched[i].state));
        return json_null();
}

static json_t *object_value(const Description *d, const char *name, char *const *functions) {
        return json_pack("{s:o, s:o, s:o}",
                        "name", describe_string(name),
                        "functions", describe_strv(functions),
                        "state", patched_value(d, name));
}

/* As the manifest lists them; without one, as the kernel does. */
static json_t *objects_value(const Description *d) {
        const ManifestTarget *t = find_target(d);
        json_t *array = json_array();

        for (size_t i = 0; t && i < t->n_objects; i++)
                json_push(&array, object_value(d, t->objects[i].name, t->objects[i].functions));
        for (size_t i = 0; !t && i < d->n_patched; i++)
                json_push(&array, object_value(d, d->patched[i].name, NULL));
        return array;
}

static json_t *restore_value(const Description *d) {
        if (!d->restore_result)
                return json_null();
        return json_pack("{s:o, s:o}",
                        "result", describe_string(d->restore_result),
                        "reason", describe_string(d->restore_reason));
}

/* Who made it of what, as the signed manifest says; null without the bundle. */
static json_t *provenance_value(const Manifest *m) {
        if (!m)
                return json_null();
        return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                        "builder", describe_string(m->provenance.builder),
                        "source", describe_string(m->provenance.source),
                        "fix_sha256", describe_string(m->provenance.fix_sha256),
                        "toolchain", describe_string(m->provenance.toolchain),
                        "config_sha256", describe_string(m->provenance.config_sha256));
}

/**
 * describe_patch() - the answer of Describe
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_patch(const Description *d, char **ret) {
        const AdmittedRecord *record = d->record;
        const Manifest *m = d->manifest;
        uint64_t sequence = m ? m->sequence : record ? record->sequence : 0;

        return describe_end(json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                                " s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                                "id", describe_string(d->id),
                                "title", describe_string(m ? m->title : record ? record->title : NULL),
                                "description", describe_string(m ? m->description : NULL),
                                "severity", describe_string(m ? severity_to_string(m->severity) :
                                                            record ? record->severity : NULL),
                                "state", describe_string(d->state),
                                "foreign", d->foreign,
                                "module", describe_string(d->module),
                                "stream", describe_string(m ? m->stream : record ? record->stream : NULL),
                                "sequence", sequence ? describe_integer(sequence) : json_null(),
                                "fixes", fixes_value(d),
                                "objects", objects_value(d),
                                "digest", describe_string(d->digest),
                                "signers", signers_value(d->signers, d->n_signers),
                                "admitted", describe_time(record ? record->admitted_usec : 0),
                                "applied", describe_time(record ? record->applied_usec : 0),
                                "trial_until", describe_time(d->trial_until_usec),
                                "trial_kind", describe_string(d->trial_kind),
                                "tripped", describe_integer(d->tripped),
                                "wanted", record != NULL,
                                "quarantined", d->quarantined,
                                "strikes", describe_strv(d->strikes),
                                "restore", restore_value(d),
                                "kind", describe_string(m ? manifest_kind_to_string(m->kind) : NULL),
                                "created", describe_time(m ? m->created_usec : 0),
                                "expires", describe_time(m ? m->expires_usec : 0),
                                "kernel_release", describe_string(m ? m->kernel_release : NULL),
                                "provenance", provenance_value(m),
                                "requires", describe_strv(m ? m->requires : NULL),
                                "conflicts", describe_strv(m ? m->conflicts : NULL),
                                "supersedes", describe_strv(m ? m->supersedes : NULL)),
                        ret);
}
