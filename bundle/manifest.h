/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The manifest: what a bundle says about itself. hotpatch-bundle(5) documents every field.
 *
 * All strings are owned by the manifest and, unless marked optional, never NULL.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

#define MANIFEST_TYPE "org.hotpatch.bundle"
#define MANIFEST_FORMAT 1
/* 2^53 - 1: the largest integer that every JSON reader keeps exact (RFC 8259 section 6). */
#define MANIFEST_SEQUENCE_MAX ((INT64_C(1) << 53) - 1)
#define MANIFEST_TRIAL_SECONDS 600U /* when the manifest is silent: DESIGN, "The life of a hotpatch" */
#define MANIFEST_TIME_SIZE sizeof("9999-12-31T23:59:59Z")

typedef enum ManifestKind {
        MANIFEST_HOTPATCH,
        MANIFEST_BASELINE,
        _MANIFEST_KIND_MAX,
        _MANIFEST_KIND_INVALID = -EINVAL,
} ManifestKind;

typedef enum Severity {
        SEVERITY_LOW,
        SEVERITY_MODERATE,
        SEVERITY_IMPORTANT,
        SEVERITY_CRITICAL,
        _SEVERITY_MAX,
        _SEVERITY_INVALID = -EINVAL,
} Severity;

typedef enum MemberRole {
        MEMBER_PATCH_MODULE,
        _MEMBER_ROLE_MAX,
        _MEMBER_ROLE_INVALID = -EINVAL,
} MemberRole;

/** struct ManifestFix - one repaired problem; a CVE number as a rule */
typedef struct ManifestFix {
        char *id;
        char *summary;     /* optional */
        Severity severity; /* _SEVERITY_INVALID when not given */
        char **references; /* URLs, may be empty */
} ManifestFix;

/**
 * struct ManifestOriginal - machine code that was in the kernel's package when the patch was built
 * @function: as in ManifestObject.functions, or with .cold: a part of such a function
 * @sha256: of the @size bytes, with zeros where @masked says
 * @masked: optional; "OFFSET+SIZE,…", decimal, from the function's first byte, ascending: what a
 *   running kernel changes in its own code (ftrace, alternatives, static branches and calls), and
 *   addresses that are not the same at each boot
 * @source: optional; the C file that it was compiled from, as a path in the kernel tree: "mm/slab_common.c"
 */
typedef struct ManifestOriginal {
        char *function;
        uint64_t size;
        uint8_t sha256[32];
        char *masked;
        char *source;
} ManifestOriginal;

/** struct ManifestObject - `vmlinux` or a module, and the functions replaced in it */
typedef struct ManifestObject {
        char *name;
        char *build_id;   /* optional; only for modules; lower-case hexadecimal */
        char **functions; /* "NAME" or "NAME,SYMPOS" */
        ManifestOriginal *originals; /* what they replace; may be empty */
        size_t n_originals;
} ManifestObject;

/** struct ManifestTarget - one kernel build this bundle serves */
typedef struct ManifestTarget {
        char *arch;     /* as uname -m */
        char *release;  /* as uname -r */
        char *build_id; /* GNU build-id of vmlinux, lower-case hexadecimal */
        char *member;   /* name of the member with the patch module */
        char *module;   /* module name */
        bool replace;   /* atomic replace: takes the place of all livepatches */
        ManifestObject *objects;
        size_t n_objects;
} ManifestTarget;

typedef struct ManifestMember {
        char *name;
        uint64_t size;
        uint8_t sha256[32];
        MemberRole role;
} ManifestMember;

/** struct ManifestPackage - what a baseline brings: a package and the version to reach */
typedef struct ManifestPackage {
        char *name;
        char *version;
} ManifestPackage;

typedef struct ManifestProvenance {
        char *builder;    /* each optional */
        char *source;
        char *fix_sha256;
        char *toolchain;
        char *config_sha256; /* of the kernel's .config */
} ManifestProvenance;

typedef struct Manifest {
        char *id;
        char *title;
        char *description; /* optional */
        Severity severity;
        ManifestKind kind;
        char *stream;
        uint64_t sequence; /* 1 … 2^53 - 1 */
        char *baseline;    /* optional, "YYYY.MM" */
        uint64_t created_usec;
        uint64_t expires_usec; /* 0: never */
        ManifestFix *fixes;
        size_t n_fixes;
        char **requires;
        char **conflicts;
        char **supersedes;
        ManifestTarget *targets; /* of a hotpatch */
        size_t n_targets;
        ManifestPackage *packages; /* of a baseline */
        size_t n_packages;
        char *kernel_release;   /* of a baseline: what must run afterwards */
        uint64_t deadline_usec; /* of a baseline: reached by then */
        ManifestMember *members;
        size_t n_members;
        unsigned trial_seconds;
        bool force_safe;
        ManifestProvenance provenance;
} Manifest;

Manifest *manifest_free(Manifest *m);
DEFINE_TRIVIAL_CLEANUP(Manifest *, manifest_free);
#define _cleanup_manifest_free_ _cleanup_(manifest_freep)

int manifest_parse(const void *data, size_t size, Manifest **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
int manifest_format(const Manifest *m, char **ret, size_t *ret_size) _must_check_ _nonnull_(1, 2, 3);
int manifest_check(const Manifest *m, sd_bus_error *error) _must_check_ _nonnull_(1);

const ManifestTarget *manifest_find_target(
                const Manifest *m, const char *arch, const char *release, const char *build_id);

int manifest_add_fix(Manifest *m, const char *text) _must_check_ _nonnull_(1, 2);
int manifest_sequence_parse(const char *s, uint64_t *ret) _must_check_ _nonnull_(1, 2);

bool manifest_id_is_valid(const char *id);
bool manifest_function_is_valid(const char *function);
bool manifest_source_is_valid(const char *source);
bool manifest_module_is_valid(const char *name);
int manifest_time_parse(const char *s, uint64_t *ret_usec) _must_check_ _nonnull_(1, 2);
int manifest_time_format(uint64_t usec, char ret[static MANIFEST_TIME_SIZE]) _must_check_;
const char *manifest_kind_to_string(ManifestKind k);
ManifestKind manifest_kind_from_string(const char *s);
const char *member_role_to_string(MemberRole r);
MemberRole member_role_from_string(const char *s);
const char *severity_to_string(Severity s);
Severity severity_from_string(const char *s);
