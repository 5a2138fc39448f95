/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From a stranger's descriptor to bytes that may be loaded.
 *
 * The order is fixed: size, copy, archive headers, signatures over the exact manifest bytes, JSON,
 * member digests, and only then the ELF file of the module, which by now consists of bytes that
 * somebody trusted has signed. From the copy on nobody else can change a byte: the copy has no name,
 * and the module lies in a directory that is the daemon's alone, so what was checked is what is
 * loaded.
 *
 * The manifest is what people and the plan read, so it must describe the module: name, kernel,
 * functions and our note are compared. What cannot be told from the file (a module of another
 * builder fills its structures at run time) rests on the signature.
 *
 * The caller's descriptor is read with pread(2): its file position stays as it is.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "baseline/state.h"
#include "daemon/admit.h"
#include "daemon/payload.h"
#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define COPY_BLOCK ((size_t) 64 * 1024)

/* --- the copy --- */

static int refuse_unreadable(sd_bus_error *error, const char *why) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle cannot be read: %s", why);
}

static int refuse_large(sd_bus_error *error) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The bundle has more than %llu bytes",
                        (unsigned long long) HOTPATCH_BUNDLE_MAX);
}

static int check_source(int fd, sd_bus_error *error) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fstat(fd, &st) < 0)
                return refuse_unreadable(error, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return refuse_unreadable(error, "it is not a regular file");
        if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
                return refuse_unreadable(error, "it is not open for reading");
        if (st.st_size < 0 || (uint64_t) st.st_size > HOTPATCH_BUNDLE_MAX)
                return refuse_large(error);
        return 0;
}

/* The size was checked, and may change while we read: the limit holds here as well. */
static int copy_source(int fd, int copy_fd, sd_bus_error *error) {
        _cleanup_free_ uint8_t *buf = malloc(COPY_BLOCK);
        uint64_t offset = 0;

        if (!buf)
                return -ENOMEM;
        for (;;) {
                ssize_t n = pread(fd, buf, COPY_BLOCK, (off_t) offset);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return refuse_unreadable(error, strerror(errno));
                if (n == 0)
                        return 0;
                offset += (uint64_t) n;
                if (offset > HOTPATCH_BUNDLE_MAX)
                        return refuse_large(error);
                r = file_write_all(copy_fd, buf, (size_t) n);
                if (r < 0)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                        "Cannot copy the bundle: %s", strerror(-r));
        }
}

/* --- the module --- */

static int mismatch(sd_bus_error *error, const char *what, const char *manifest, const char *module) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleManifestMismatch"),
                        "The manifest gives the %s '%s', the module has '%s'", what, manifest,
                        module ?: "none");
}

/* "NAME" and "NAME,1" mean the same to the kernel when the name is unique. */
static bool same_function(const char *a, const char *b) {
        size_t n = strcspn(a, ","), m = strcspn(b, ",");
        const char *pos_a = a[n] ? a + n + 1 : "1", *pos_b = b[m] ? b + m + 1 : "1";

        return n == m && memcmp(a, b, n) == 0 && streq(pos_a, pos_b);
}

static bool has_function(char *const *functions, const char *function) {
        for (; functions && *functions; functions++)
                if (same_function(*functions, function))
                        return true;
        return false;
}

static char *const *inspected_functions(const ModuleInfo *info, const char *object) {
        for (size_t i = 0; i < info->n_objects; i++)
                if (streq(info->objects[i].name, object))
                        return info->objects[i].functions;
        return NULL;
}

static char *const *listed_functions(const ManifestTarget *t, const char *object) {
        for (size_t i = 0; i < t->n_objects; i++)
                if (streq(t->objects[i].name, object))
                        return t->objects[i].functions;
        return NULL;
}

static int check_listed(const ManifestTarget *t, const ModuleInfo *info, sd_bus_error *error) {
        for (size_t i = 0; i < t->n_objects; i++) {
                const ManifestObject *o = &t->objects[i];
                char *const *found = inspected_functions(info, o->name);

                for (char **f = o->functions; f && *f; f++)
                        if (!has_function(found, *f))
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleManifestMismatch"),
                                                "The manifest lists the function '%s' of '%s', which the "
                                                "module does not replace", *f, o->name);
        }
        return 0;
}

static int check_unlisted(const ManifestTarget *t, const ModuleInfo *info, sd_bus_error *error) {
        for (size_t i = 0; i < info->n_objects; i++) {
                const InspectedObject *o = &info->objects[i];
                char *const *listed = listed_functions(t, o->name);

                for (char **f = o->functions; f && *f; f++)
                        if (!has_function(listed, *f))
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleManifestMismatch"),
                                                "The module replaces the function '%s' of '%s', which the "
                                                "manifest does not list", *f, o->name);
        }
        return 0;
}

static int check_note(const Manifest *m, const ModuleInfo *info, sd_bus_error *error) {
        char ours[32], theirs[32];

        if (!info->has_note)
                return 0;
        if (!streq_ptr(info->note.bundle_id, m->id))
                return mismatch(error, "bundle id", m->id, info->note.bundle_id);
        if (info->note.sequence == m->sequence)
                return 0;
        snprintf(ours, sizeof(ours), "%llu", (unsigned long long) m->sequence);
        snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long) info->note.sequence);
        return mismatch(error, "sequence", ours, theirs);
}

static int check_module(const Manifest *m, const ManifestTarget *t, const ModuleInfo *info,
                sd_bus_error *error) {
        int r = module_info_require_livepatch(info, error);

        if (r < 0)
                return r;
        if (!streq_ptr(info->name, t->module))
                return mismatch(error, "module name", t->module, info->name);
        if (!streq_ptr(info->arch, t->arch))
                return mismatch(error, "architecture", t->arch, info->arch);
        if (!streq_ptr(info->release, t->release))
                return mismatch(error, "kernel release", t->release, info->release);
        if (info->has_structures && info->replace != t->replace)
                return mismatch(error, "value of 'replace'", t->replace ? "true" : "false",
                                info->replace ? "true" : "false");
        r = check_note(m, info, error);
        if (r < 0)
                return r;
        if (info->n_objects == 0)
                return 0;
        r = check_listed(t, info, error);
        return r < 0 ? r : check_unlisted(t, info, error);
}

/* The file that receives the module: MODULE.ko in @dir_fd, the name libkmod takes the module's from;
 * or one without a name when it is only to be looked at. */
static int create_module_file(int dir_fd, const char *name, sd_bus_error *error) {
        int fd;

        if (dir_fd < 0)
                fd = memfd_create("hotpatch-module", MFD_CLOEXEC);
        else {
                /* A crash may have left one; the directory is ours alone. */
                (void) unlinkat(dir_fd, name, 0);
                fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
        if (fd < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                "Cannot make a private copy of the module: %s", strerror(errno));
        return fd;
}

static int extract_module(const Verified *v, const ManifestTarget *t, int fd, int output_fd, sd_bus_error *error) {
        _cleanup_module_info_free_ ModuleInfo *info = NULL;
        int r = verified_copy_member(v, t->member, fd, error);

        if (r < 0)
                return r;
        r = module_inspect(fd, &info, error);
        if (r >= 0)
                r = check_module(verified_manifest(v), t, info, error);
        return r < 0 || output_fd < 0 ? r : payload_write(info, output_fd);
}

static int admit_module(const AdmitRequest *q, const Verified *v, int output_fd, sd_bus_error *error) {
        const ManifestTarget *t = manifest_find_target(verified_manifest(v), q->kernel->arch,
                        q->kernel->release, q->kernel->build_id);
        _cleanup_free_ char *name = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* For another kernel: the plan says so, where it matters. */
        if (!t)
                return 0;
        if (str_printf(&name, "%s.ko", t->module) < 0)
                return -ENOMEM;
        fd = create_module_file(q->load_dir_fd, name, error);
        if (fd < 0)
                return fd;
        r = extract_module(v, t, fd, output_fd, error);
        if (r < 0 && q->load_dir_fd >= 0)
                (void) unlinkat(q->load_dir_fd, name, 0);
        return r;
}

/* --- the whole --- */

/* @ret: the bundle in @copy_fd; @ret_trust: whom it is to be judged by */
static int open_judged(int copy_fd, const char *root, const TrustPolicy *policy, Bundle **ret, Trust **ret_trust,
                sd_bus_error *error) {
        _cleanup_close_ int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        int r;

        if (root_fd < 0)
                return -errno;
        r = bundle_open(copy_fd, &bundle, error);
        if (r < 0)
                return r;
        r = trust_load(root_fd, policy, ret_trust, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bundle);
        return 0;
}

/**
 * admit_open() - verify a copy that nobody else can change
 * @copy_fd: written by admit_copy(), or an admitted bundle
 * @root: root directory for trust anchors
 * @now_usec: time certificates are checked against: now, or when the bundle was admitted
 * @ret: free with verified_free()
 * @error: what trust_load(), bundle_open() and bundle_verify() refuse
 *
 * Payloads are not hashed. Return: 0 or a negative errno.
 */
int admit_open(int copy_fd, const char *root, const TrustPolicy *policy, uint64_t now_usec,
                Verified **ret, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        int r = open_judged(copy_fd, root, policy, &bundle, &trust, error);

        return r < 0 ? r : bundle_verify(&bundle, trust, now_usec, ret, error);
}

/**
 * admit_check_signatures() - second of three: are the signatures of the copy good?
 * @copy_fd: that admit_begin() has filled
 * @ret: free with signed_free()
 * @error: what trust_load(), bundle_open() and bundle_check_signatures() refuse
 *
 * The manifest is not parsed. Return: 0 or a negative errno.
 */
int admit_check_signatures(int copy_fd, const char *root, const TrustPolicy *policy, uint64_t now_usec,
                Signed **ret, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        int r = open_judged(copy_fd, root, policy, &bundle, &trust, error);

        return r < 0 ? r : bundle_check_signatures(&bundle, trust, now_usec, ret, error);
}

static int refuse_other_id(const char *expected, const char *found, sd_bus_error *error) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchBundle"),
                        "The file staged as '%s' holds the bundle '%s'", expected, found);
}

static int copy_in(const AdmitRequest *q, sd_bus_error *error) {
        int r = check_source(q->source_fd, error);

        return r < 0 ? r : copy_source(q->source_fd, q->copy_fd, error);
}

/* All that comes after the signatures. */
static int look_at(const AdmitRequest *q, const Verified *v, int output_fd, sd_bus_error *error) {
        int r = verified_check_members(v, error);

        if (r < 0)
                return r;
        if (q->expected_id && !streq(verified_manifest(v)->id, q->expected_id))
                return refuse_other_id(q->expected_id, verified_manifest(v)->id, error);
        return admit_module(q, v, output_fd, error);
}

/**
 * admit_begin() - first of three: copy a bundle, and go through the copy as far as its signatures
 * @q: @load_dir_fd, @kernel and @expected_id are not used
 * @error: BundleUnreadable, BundleTooLarge, StateUnwritable, what trust_load(), bundle_open() and
 *   bundle_rehearse() refuse
 *
 * Blocks, and sees hostile bytes: call it in a worker. What it says is no verdict.
 *
 * Return: 0 or a negative errno; then what was written to @q->copy_fd is to be thrown away.
 */
int admit_begin(const AdmitRequest *q, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        int r = copy_in(q, error);

        if (r >= 0)
                r = open_judged(q->copy_fd, q->root, q->policy, &bundle, &trust, error);
        return r < 0 ? r : bundle_rehearse(bundle, trust, q->now_usec, error);
}

/**
 * admit_look() - third of three: parse the manifest, hash all payloads, and look at the module
 * @q: @source_fd and @copy_fd are not used
 * @s: that admit_check_signatures() has made, in this process or before it was forked; taken over on success
 * @output_fd: receives what the module says about itself, for payload_parse(); -EBADF: nobody asks
 * @ret: free with verified_free()
 * @error: what signed_parse(), verified_check_members() and module_inspect() refuse, NoSuchBundle when it is not
 *   the expected one, NotALivepatch, ModuleManifestMismatch, StateUnwritable
 *
 * Blocks: call it in a worker, which inherits @s and has nothing to take on trust but its parent.
 *
 * Return: 0 or a negative errno; then nothing is left in the load directory.
 */
int admit_look(const AdmitRequest *q, Signed **s, int output_fd, Verified **ret, sd_bus_error *error) {
        _cleanup_verified_free_ Verified *v = NULL;
        int r = signed_parse(s, &v, error);

        if (r >= 0)
                r = look_at(q, v, output_fd, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

/**
 * admit_copy() - copy a bundle, verify the copy and all its payloads, and look at the module in it
 * @q: the request
 * @output_fd: receives what the module says about itself, for payload_parse(); -EBADF: nobody asks
 * @error: BundleUnreadable, BundleTooLarge, NoSuchBundle when it is not the expected one, what
 *   admit_open(), verified_check_members() and module_inspect() refuse, NotALivepatch,
 *   ModuleManifestMismatch, StateUnwritable
 *
 * All three in one process, for a bundle that was admitted before. Blocks: call it in a worker. On failure nothing is
 * left in the load directory; what was written to @q->copy_fd is to be thrown away.
 *
 * Return: 0 or a negative errno.
 */
int admit_copy(const AdmitRequest *q, int output_fd, sd_bus_error *error) {
        _cleanup_verified_free_ Verified *v = NULL;
        int r = copy_in(q, error);

        if (r >= 0)
                r = admit_open(q->copy_fd, q->root, q->policy, q->now_usec, &v, error);
        return r < 0 ? r : look_at(q, v, output_fd, error);
}

/**
 * admit_again() - verify an admitted bundle as if it were new, and take its module out
 * @q: @source_fd is the admitted bundle, which is nobody else's: it is not copied; @now_usec is when it
 *   was admitted
 * @output_fd: as admit_copy()
 * @ret: free with verified_free()
 * @error: as admit_copy()
 *
 * Return: 0 or a negative errno; then nothing is left in the load directory.
 */
int admit_again(const AdmitRequest *q, int output_fd, Verified **ret, sd_bus_error *error) {
        _cleanup_verified_free_ Verified *v = NULL;
        int r;

        r = admit_open(q->source_fd, q->root, q->policy, q->now_usec, &v, error);
        if (r >= 0)
                r = look_at(q, v, output_fd, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

static int copy_fixes(const Manifest *m, char ***ret) {
        _cleanup_strv_free_ char **fixes = NULL;

        for (size_t i = 0; i < m->n_fixes; i++) {
                int r = strv_extend(&fixes, m->fixes[i].id);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(fixes);
        return 0;
}

static int fill_record(const Verified *v, const ManifestTarget *t, AdmittedRecord *record) {
        const Manifest *m = verified_manifest(v);
        const char *baseline;
        int r;

        record->id = strdup(m->id);
        record->title = strdup(m->title);
        record->severity = strdup(severity_to_string(m->severity));
        record->stream = strdup(m->stream);
        record->digest = strdup(verified_digest(v));
        record->module = strdup(t->module);
        record->release = strdup(t->release);
        record->sequence = m->sequence;
        record->force_safe = m->force_safe;
        /* A name that no calendar has compares with none. */
        baseline = m->baseline && baseline_name_is_valid(m->baseline) ? m->baseline : NULL;
        record->baseline = baseline ? strdup(baseline) : NULL;
        if (!record->id || !record->title || !record->severity || !record->stream || !record->digest ||
            !record->module || !record->release || (baseline && !record->baseline))
                return -ENOMEM;
        r = copy_fixes(m, &record->fixes);
        if (r >= 0)
                r = strv_copy(m->requires, &record->requires);
        if (r >= 0)
                r = strv_copy(m->conflicts, &record->conflicts);
        if (r >= 0)
                r = strv_copy(m->supersedes, &record->supersedes);
        return r;
}

/**
 * admit_record() - the record of a verified bundle, for store_admitted_commit()
 * @now_usec: the time its certificates were checked against
 * @ret: to be emptied with admitted_record_done(); @order, @applied_usec and @module_build_id are the
 *   caller's to fill
 *
 * Return: 0, -ENOENT when the bundle has no target for this kernel, or -ENOMEM.
 */
int admit_record(const Verified *v, const KernelIdentity *kernel, uint64_t now_usec, AdmittedRecord *ret) {
        const ManifestTarget *t = manifest_find_target(verified_manifest(v), kernel->arch, kernel->release,
                        kernel->build_id);
        AdmittedRecord record = { .admitted_usec = now_usec };
        int r;

        if (!t)
                return -ENOENT;
        r = fill_record(v, t, &record);
        if (r < 0) {
                admitted_record_done(&record);
                return r;
        }
        *ret = record;
        return 0;
}
