/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bundle appears under its name when it is complete and, if asked for, signed.
 *
 * What is in it is read back from the finished module, not copied from what we meant to build. Its
 * time of making is that of the newest input file, or SOURCE_DATE_EPOCH
 * (https://reproducible-builds.org/specs/source-date-epoch/), so that the same input gives the same
 * bytes up to the signature.
 */

#include "builder/build/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "bundle/archive.h"
#include "bundle/pack.h"
#include "bundle/signature-sign.h"
#include "config.h"
#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static int read_input(const char *path, size_t max, void **ret, size_t *ret_size, sd_bus_error *error) {
        int r = file_read_at(AT_FDCWD, path, max, ret, ret_size);

        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND, "Cannot read '%s': %s", path, strerror(-r));
        return 0;
}

/* ---- the time ---- */

static uint64_t newest_usec(char *const *paths, uint64_t newest) {
        for (; paths && *paths; paths++) {
                struct stat st;

                if (stat(*paths, &st) == 0 && (uint64_t) st.st_mtime * USEC_PER_SEC > newest)
                        newest = (uint64_t) st.st_mtime * USEC_PER_SEC;
        }
        return newest;
}

static uint64_t created_usec(const Build *b) {
        const char *epoch = getenv("SOURCE_DATE_EPOCH");

        if (epoch && *epoch >= '0' && *epoch <= '9')
                return strtoull(epoch, NULL, 10) * USEC_PER_SEC;
        return newest_usec(b->options->with, newest_usec(b->options->patches, 0));
}

/* ---- the target ---- */

/* "OFFSET+SIZE,…", or NULL for none */
static int format_masked(const Match *match, char **ret) {
        char *text = NULL;
        size_t size;
        FILE *f;

        *ret = NULL;
        if (match->n_masked == 0)
                return 0;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < match->n_masked; i++)
                fprintf(f, "%s%u+%u", i > 0 ? "," : "", match->masked[i].offset, match->masked[i].size);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int name_original(const ImageSymbol *s, char **ret) {
        return s->n_same > 1 ? str_printf(ret, "%s,%u", s->name, s->position) : str_printf(ret, "%s", s->name);
}

static int add_original(ManifestObject *o, const char *source, const Match *match) {
        ManifestOriginal *grown = reallocarray(o->originals, o->n_originals + 1, sizeof(*grown)), *original;
        int r;

        if (!grown)
                return -ENOMEM;
        o->originals = grown;
        original = grown + o->n_originals++;
        *original = (ManifestOriginal) { .size = match->size };
        memcpy(original->sha256, match->sha256, sizeof(original->sha256));
        original->source = strdup(source);
        if (!original->source)
                return -ENOMEM;
        r = name_original(match->image, &original->function);
        return r < 0 ? r : format_masked(match, &original->masked);
}

static int add_originals(const Build *b, ManifestObject *o) {
        for (size_t i = 0; i < b->n_units; i++) {
                const BuildUnit *u = b->units + i;

                if (!streq(u->compiled->object, o->name))
                        continue;
                for (size_t k = 0; k < u->n_originals; k++) {
                        int r = add_original(o, u->compiled->source, u->originals[k]);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static const char *module_build_id(const Build *b, const char *module) {
        for (size_t i = 0; i < b->n_modules; i++)
                if (streq(b->modules[i]->object, module) && b->modules[i]->build_id && *b->modules[i]->build_id)
                        return b->modules[i]->build_id;
        return NULL;
}

static int fill_object(const Build *b, const InspectedObject *from, ManifestObject *o) {
        const char *build_id = module_build_id(b, from->name);
        int r;

        o->name = strdup(from->name);
        o->build_id = build_id ? strdup(build_id) : NULL;
        if (!o->name || (build_id && !o->build_id))
                return -ENOMEM;
        r = strv_copy(from->functions, &o->functions);
        return r < 0 ? r : add_originals(b, o);
}

static int fill_target(const Build *b, const ModuleInfo *info, ManifestTarget *t) {
        t->arch = strdup(strempty(info->arch));
        t->release = strdup(b->tree->release);
        t->build_id = strdup(b->kernel->build_id);
        t->module = strdup(b->patch->module);
        (void) (str_printf(&t->member, "%s-%s.ko", b->patch->module, b->tree->release) < 0);
        t->replace = info->replace;
        t->objects = calloc(info->n_objects + 1, sizeof(*t->objects));
        if (!t->arch || !t->release || !t->build_id || !t->module || !t->member || !t->objects)
                return -ENOMEM;
        for (; t->n_objects < info->n_objects; t->n_objects++) {
                int r = fill_object(b, info->objects + t->n_objects, t->objects + t->n_objects);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int fill_provenance(const Build *b, ManifestProvenance *p) {
        p->builder = strdup("hotpatch-build " HOTPATCH_VERSION);
        p->source = strdup(b->tree->source_version);
        p->toolchain = strdup(b->tree->compiler_version);
        p->config_sha256 = strdup(b->tree->config_sha256);
        p->fix_sha256 = hex_encode(b->fix->sha256, sizeof(b->fix->sha256));
        return p->builder && p->source && p->toolchain && p->config_sha256 && p->fix_sha256 ? 0 : -ENOMEM;
}

static int fill_manifest(const Build *b, int module_fd, sd_bus_error *error) {
        _cleanup_module_info_free_ ModuleInfo *info = NULL;
        Manifest *m = b->patch->manifest;
        int r;

        r = module_inspect(module_fd, &info, error);
        if (r >= 0)
                r = module_info_require_livepatch(info, error);
        if (r < 0)
                return r;
        m->created_usec = created_usec(b);
        m->targets = calloc(1, sizeof(*m->targets));
        m->members = calloc(1, sizeof(*m->members));
        if (!m->targets || !m->members)
                return -ENOMEM;
        m->n_targets = m->n_members = 1;
        r = fill_target(b, info, m->targets);
        if (r >= 0)
                r = fill_provenance(b, &m->provenance);
        if (r < 0)
                return r;
        m->members[0].role = MEMBER_PATCH_MODULE;
        m->members[0].name = strdup(m->targets[0].member);
        if (!m->members[0].name)
                return -ENOMEM;
        if (!archive_name_is_valid(m->members[0].name))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "'%s' cannot be the name of a member: choose a shorter --id", m->members[0].name);
        r = pack_describe(module_fd, m->members, error);
        return r < 0 ? r : manifest_check(m, error);
}

/* ---- the file ---- */

static int make_signature(const Build *b, void **ret, size_t *ret_size, sd_bus_error *error) {
        _cleanup_free_ char *beside = b->options->certificate ? NULL : signing_certificate_beside(b->options->key);
        _cleanup_free_ char *manifest = NULL;
        _cleanup_free_ void *certificate = NULL, *key = NULL;
        size_t size, certificate_size, key_size = 0;
        struct timespec now;
        int r;

        r = read_input(b->options->certificate ?: strempty(beside), HOTPATCH_ANCHOR_MAX, &certificate,
                &certificate_size, error);
        if (r >= 0)
                r = read_input(b->options->key, HOTPATCH_ANCHOR_MAX, &key, &key_size, error);
        if (r >= 0)
                r = manifest_format(b->patch->manifest, &manifest, &size);
        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (r >= 0)
                r = sign_bytes(&(SigningKey) { certificate, certificate_size, key, key_size },
                        (uint64_t) now.tv_sec * USEC_PER_SEC, manifest, size, ret, ret_size, error);
        if (key)
                explicit_bzero(key, key_size);
        return r;
}

static int temporary_file(const char *folder, const char *name) {
        _cleanup_free_ char *path = path_join(folder, name);
        int fd;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : fd;
}

static int sign(const Build *b, int *fd, sd_bus_error *error) {
        _cleanup_free_ void *signature = NULL;
        _cleanup_close_ int out = -EBADF;
        size_t size;
        int r;

        r = make_signature(b, &signature, &size, error);
        if (r < 0)
                return r;
        out = temporary_file(b->work_dir, "signed.hpb");
        if (out < 0)
                return out;
        r = pack_add_signature(*fd, signature, size, out, error);
        if (r < 0)
                return r;
        safe_close(*fd);
        *fd = TAKE_FD(out);
        return 0;
}

static int publish(const char *path, int fd, sd_bus_error *error) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
        _cleanup_free_ void *data = NULL;
        _cleanup_close_ int dir = -EBADF;
        struct stat st;
        int r;

        if (!folder)
                return -ENOMEM;
        if (fstat(fd, &st) < 0)
                return -errno;
        data = malloc((size_t) st.st_size + 1);
        if (!data)
                return -ENOMEM;
        r = file_pread_all(fd, data, (size_t) st.st_size, 0);
        if (r < 0)
                return r;
        dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? -errno : file_replace_at(dir, slash ? slash + 1 : path, data, (size_t) st.st_size, 0644);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_IO_ERROR, "Cannot write '%s': %s", path, strerror(-r));
        return 0;
}

/**
 * bundle_check_output() - can a bundle be put there?
 * @path: of the bundle to be
 * @error: InvalidArgs or IOError
 *
 * Asked before a minute of work. A device, which root could replace by renaming, is none for us.
 *
 * Return: 0 or a negative errno.
 */
int bundle_check_output(const char *path, sd_bus_error *error) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
        struct stat st;

        if (!folder)
                return -ENOMEM;
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' is not a regular file", path);
        if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_IO_ERROR, "Cannot write '%s': %s", path, strerror(errno));
        return 0;
}

/**
 * bundle_write() - pack the module, sign the bundle and put it in its place
 * @b: built; its manifest is completed
 * @error: a file that cannot be read or written, a key that does not fit …
 *
 * Return: 0 or a negative errno; nothing has appeared then.
 */
int bundle_write(const Build *b, sd_bus_error *error) {
        _cleanup_close_ int module = open(b->module, O_RDONLY | O_CLOEXEC), fd = -EBADF;
        int r;

        if (module < 0)
                return -errno;
        r = fill_manifest(b, module, error);
        if (r < 0)
                return r;
        fd = temporary_file(b->work_dir, "bundle.hpb");
        if (fd < 0)
                return fd;
        r = pack_write(fd, b->patch->manifest, &module, error);
        if (r >= 0 && b->options->key)
                r = sign(b, &fd, error);
        return r < 0 ? r : publish(b->options->output, fd, error);
}
