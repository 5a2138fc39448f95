/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs below `bundle`, and what they share. */

#include "bundle/bundle.h"
#include "ctl/bundle-options.h"

extern const BundleOption bundle_create_options[];
extern const BundleOption bundle_sign_options[];
extern const BundleOption bundle_show_options[];
extern const BundleOption bundle_verify_options[];
extern const BundleOption bundle_extract_options[];

int bundle_create(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]);
int bundle_sign(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]);
int bundle_show(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]);
int bundle_check(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]);
int bundle_extract(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]);

/** struct TrustOptions - whom to trust; no files: the directories of this machine */
typedef struct TrustOptions {
        char **files;
        const char *signatures;
        bool require_crl;
} TrustOptions;

#define TRUST_OPTIONS(type, member)                                                             \
        { "trust", 't', OPTION_LIST, "FILE", offsetof(type, member.files),                      \
          "trust this root certificate (or obey this *.crl) instead of trust.d; repeat" },      \
        { "signatures", 0, OPTION_STRING, "NUMBER", offsetof(type, member.signatures),          \
          "demand so many different signers" },                                                 \
        { "require-crl", 0, OPTION_SWITCH, NULL, offsetof(type, member.require_crl),            \
          "refuse when a revocation list is missing or outdated" }

int bundle_load_trust(const TrustOptions *o, Trust **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
int bundle_open_file(const char *path, Bundle **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
int bundle_read_file(const char *path, size_t max, void **ret, size_t *ret_size, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3, 4, 5);
uint64_t bundle_now_usec(void);
uint64_t bundle_created_now_usec(void);

/** struct OutputFile - a file that appears complete or not at all */
typedef struct OutputFile {
        const char *path; /* the caller's */
        char *temporary;
        int fd;
} OutputFile;

int output_file_open(OutputFile *f, const char *path, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
int output_file_commit(OutputFile *f, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void output_file_done(OutputFile *f);
