/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl bundle sign`: one more signature. The bundle is replaced as a whole, by a copy with
 * the signature in it. Several signers sign one after the other, or each signs the manifest with a
 * tool of their choice and --attach puts the result in.
 */

#include <fcntl.h>

#include "bundle/archive.h"
#include "bundle/pack.h"
#include "bundle/signature-sign.h"
#include "ctl/argument.h"
#include "ctl/bundle-verbs.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "util/file.h"
#include "util/strv.h"

typedef struct SignOptions {
        const char *key;
        const char *certificate;
        const char *attach;
        const char *output;
} SignOptions;

const BundleOption bundle_sign_options[] = {
        { "key", 'k', OPTION_STRING, "FILE", offsetof(SignOptions, key), "private key (PEM)" },
        { "certificate", 'c', OPTION_STRING, "FILE", offsetof(SignOptions, certificate),
          "its certificate and the intermediate ones (PEM); default: beside the key, *.pem for *.key" },
        { "attach", 0, OPTION_STRING, "FILE", offsetof(SignOptions, attach),
          "put in this detached CMS signature (DER) instead of making one" },
        { "output", 'o', OPTION_STRING, "FILE", offsetof(SignOptions, output),
          "write there instead of replacing the bundle" },
        {},
};

/* What the bundle's signatures are over; size limits and archive headers were checked. */
static int read_manifest(const char *path, void **ret, size_t *ret_size, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *b = NULL;
        int r = bundle_open_file(path, &b, error);

        return r < 0 ? r : bundle_unverified_read(b, ARCHIVE_MANIFEST, HOTPATCH_MANIFEST_MAX, ret, ret_size, error);
}

/* Nobody signs what would be refused: the manifest is parsed before the key is touched. */
static int make_signature(
                const SignOptions *o, const char *path, void **ret, size_t *ret_size, sd_bus_error *error) {
        _cleanup_free_ char *beside = o->certificate ? NULL : signing_certificate_beside(o->key);
        _cleanup_free_ void *manifest = NULL, *certificate = NULL, *key = NULL;
        _cleanup_manifest_free_ Manifest *parsed = NULL;
        size_t size, certificate_size, key_size = 0;
        int r;

        r = read_manifest(path, &manifest, &size, error);
        if (r >= 0)
                r = manifest_parse(manifest, size, &parsed, error);
        if (r >= 0)
                r = bundle_read_file(o->certificate ?: strempty(beside), HOTPATCH_ANCHOR_MAX, &certificate,
                        &certificate_size, error);
        if (r >= 0)
                r = bundle_read_file(o->key, HOTPATCH_ANCHOR_MAX, &key, &key_size, error);
        if (r >= 0)
                r = sign_bytes(&(SigningKey) { certificate, certificate_size, key, key_size },
                        bundle_created_now_usec(), manifest, size, ret, ret_size, error);
        if (key)
                explicit_bzero(key, key_size);
        return r;
}

static int sign(const SignOptions *o, const char *path, sd_bus_error *error) {
        _cleanup_(output_file_done) OutputFile out = { .fd = -EBADF };
        _cleanup_free_ void *signature = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t size;
        int r;

        r = o->attach ? bundle_read_file(o->attach, HOTPATCH_SIGNATURE_MAX, &signature, &size, error)
                      : make_signature(o, path, &signature, &size, error);
        if (r >= 0)
                r = argument_open(path, &fd, error);
        if (r >= 0)
                r = output_file_open(&out, o->output ?: path, error);
        if (r >= 0)
                r = pack_add_signature(fd, signature, size, out.fd, error);
        return r < 0 ? r : output_file_commit(&out, error);
}

int bundle_sign(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_strv_free_ char **args = NULL;
        _cleanup_free_ char *name = NULL;
        SignOptions o = { 0 };
        int r;

        r = bundle_options_parse(verb, argc, argv, &o, &args);
        if (r != 0)
                return r;
        if (strv_length(args) != 1)
                return ctl_usage("'bundle sign' takes one bundle");
        if (!o.key == !o.attach)
                return ctl_usage("'bundle sign' needs either --key or --attach");
        r = sign(&o, args[0], &error);
        if (r < 0)
                return ctl_fail(ctl, args[0], &error, r);
        if (ctl->json)
                return value_print_pair(ctl, "file", o.output ?: args[0]) < 0 ? HOTPATCH_EXIT_FAILURE : HOTPATCH_EXIT_OK;
        name = text_line(o.output ?: args[0]);
        if (!ctl->quiet)
                printf("%s is signed\n", strempty(name));
        return HOTPATCH_EXIT_OK;
}
