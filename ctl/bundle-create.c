/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl bundle create`: from patch modules to an unsigned bundle.
 *
 * What a tool can find out is never typed: target, objects and functions come out of the module,
 * build-ids out of the kernel it is for, sizes and digests out of the files. What only a person
 * knows (title, severity, which problem is fixed) comes from patch.json or from options, and options
 * win. Modules of other tools than ours have no patch.json and are treated alike.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/archive.h"
#include "bundle/pack.h"
#include "bundle/patchfile.h"
#include "config.h"
#include "ctl/bundle-kernel.h"
#include "ctl/bundle-verbs.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "livepatch/inspect.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct CreateOptions {
        KernelSources kernels;
        char **fixes;
        char **releases;
        char **requires;
        char **conflicts;
        char **supersedes;
        const char *output;
        const char *patch;
        const char *id;
        const char *title;
        const char *description;
        const char *severity;
        const char *stream;
        const char *sequence;
        const char *baseline;
        const char *expires;
        const char *source;
        const char *root;
} CreateOptions;

#define AT(member) offsetof(CreateOptions, member)
const BundleOption bundle_create_options[] = {
        { "output", 'o', OPTION_STRING, "FILE", AT(output), "default: ID.hpb" },
        { "patch", 'p', OPTION_STRING, "FILE", AT(patch), "the patch.json that the modules were built from" },
        { "id", 0, OPTION_STRING, "ID", AT(id), "name of the bundle; default: from patch.json or the module" },
        { "title", 0, OPTION_STRING, "TEXT", AT(title), "what it does, in one line" },
        { "description", 0, OPTION_STRING, "TEXT", AT(description), "what it does, at length" },
        { "severity", 0, OPTION_STRING, "WORD", AT(severity), "low, moderate, important or critical" },
        { "stream", 0, OPTION_STRING, "ID", AT(stream), "line of bundles it belongs to; default: the id" },
        { "sequence", 0, OPTION_STRING, "NUMBER", AT(sequence), "its number in the stream; default: 1" },
        { "fix", 0, OPTION_LIST, "ID[=TEXT]", AT(fixes), "what it repairs, a CVE number for example; repeat" },
        { "requires", 0, OPTION_LIST, "ID", AT(requires), "bundle it needs; repeat" },
        { "conflicts", 0, OPTION_LIST, "ID", AT(conflicts), "bundle it cannot be with; repeat" },
        { "supersedes", 0, OPTION_LIST, "ID", AT(supersedes), "bundle it replaces; repeat" },
        { "baseline", 0, OPTION_STRING, "YYYY.MM", AT(baseline), "baseline it builds upon" },
        { "expires", 0, OPTION_STRING, "TIME", AT(expires), "not to be applied after, 2027-01-31T00:00:00Z" },
        { "source", 0, OPTION_STRING, "TEXT", AT(source), "where the fix comes from" },
        { "kernel", 'k', OPTION_LIST, "RELEASE", AT(releases), "refuse modules for other kernels; repeat" },
        { "vmlinux", 0, OPTION_LIST, "FILE", AT(kernels.images),
          "image of a kernel, packed or not, to find its build-id in; repeat" },
        { "headers", 0, OPTION_LIST, "DIR", AT(kernels.headers), "headers that may have a vmlinux; repeat" },
        { "root", 0, OPTION_STRING, "DIR", AT(root), "look for kernels and their modules below DIR" },
        { "build-id", 0, OPTION_LIST, "RELEASE=HEX", AT(kernels.build_ids), "build-id of a kernel, as last resort" },
        {},
};
#undef AT

static void create_options_done(CreateOptions *o) {
        strv_free(o->kernels.images);
        strv_free(o->kernels.headers);
        strv_free(o->kernels.build_ids);
        strv_free(o->fixes);
        strv_free(o->releases);
        strv_free(o->requires);
        strv_free(o->conflicts);
        strv_free(o->supersedes);
}

/** struct Creation - the bundle as it comes to be */
typedef struct Creation {
        const CreateOptions *options;
        PatchFile *patch; /* NULL: there is none */
        Manifest *manifest;
        int fds[HOTPATCH_MEMBERS_MAX];
        uint64_t newest_usec; /* modification time among the inputs */
} Creation;

static void creation_done(Creation *c) {
        for (size_t i = 0; c->manifest && i < c->manifest->n_members; i++)
                safe_close(c->fds[i]);
        patch_file_free(c->patch);
        manifest_free(c->manifest);
}

static void saw_mtime(Creation *c, const struct stat *st) {
        uint64_t usec = st->st_mtim.tv_sec > 0 ? (uint64_t) st->st_mtim.tv_sec * USEC_PER_SEC : 0;

        if (usec > c->newest_usec)
                c->newest_usec = usec;
}

#define bad(error, ...) sd_bus_error_setf((error), SD_BUS_ERROR_INVALID_ARGS, __VA_ARGS__)
#define mismatch(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ModuleManifestMismatch"), __VA_ARGS__)

/* ---- what the person says ---- */

static int set_string(char **at, const char *value) {
        char *copy;

        if (!value)
                return 0;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*at);
        *at = copy;
        return 0;
}

static int set_list(char ***at, char *const *value) {
        char **copy;
        int r;

        if (!value && *at)
                return 0;
        r = strv_copy(value, &copy);
        if (r < 0)
                return r;
        strv_free(*at);
        *at = copy;
        return 0;
}

static int apply_numbers(const CreateOptions *o, Manifest *m, sd_bus_error *error) {
        if (o->severity) {
                m->severity = severity_from_string(o->severity);
                if (m->severity < 0)
                        return bad(error, "--severity takes low, moderate, important or critical");
        }
        if (o->sequence && manifest_sequence_parse(o->sequence, &m->sequence) < 0)
                return bad(error, "--sequence takes a number from 1 on");
        if (o->expires && manifest_time_parse(o->expires, &m->expires_usec) < 0)
                return bad(error, "--expires takes a time like 2027-01-31T00:00:00Z");
        return 0;
}

static int apply_options(const CreateOptions *o, Manifest *m, sd_bus_error *error) {
        const struct {
                char **at;
                const char *value;
        } strings[] = {
                { &m->id, o->id }, { &m->title, o->title }, { &m->description, o->description },
                { &m->stream, o->stream }, { &m->baseline, o->baseline },
                { &m->provenance.source, o->source },
                { &m->provenance.builder, "hotpatchctl " HOTPATCH_VERSION },
        };
        int r = apply_numbers(o, m, error);

        for (size_t i = 0; i < ELEMENTSOF(strings) && r >= 0; i++)
                r = set_string(strings[i].at, strings[i].value);
        if (r >= 0)
                r = set_list(&m->requires, o->requires);
        if (r >= 0)
                r = set_list(&m->conflicts, o->conflicts);
        if (r >= 0)
                r = set_list(&m->supersedes, o->supersedes);
        for (char **f = o->fixes; f && *f && r >= 0; f++)
                r = manifest_add_fix(m, *f);
        return r;
}

static int load_patch(Creation *c, sd_bus_error *error) {
        _cleanup_free_ void *text = NULL;
        struct stat st;
        size_t size;
        int r;

        if (!c->options->patch) {
                c->manifest = calloc(1, sizeof(Manifest));
                if (!c->manifest)
                        return -ENOMEM;
                c->manifest->severity = _SEVERITY_INVALID;
                c->manifest->trial_seconds = MANIFEST_TRIAL_SECONDS;
                return 0;
        }
        r = bundle_read_file(c->options->patch, HOTPATCH_MANIFEST_MAX, &text, &size, error);
        if (r >= 0 && stat(c->options->patch, &st) >= 0)
                saw_mtime(c, &st);
        if (r >= 0)
                r = patch_file_parse(text, size, &c->patch, error);
        if (r >= 0)
                c->manifest = TAKE_PTR(c->patch->manifest);
        return r;
}

/* ---- what the module says ---- */

/* hp_fix → hp-fix: a module name that can be an id */
static char *id_of_module(const char *module) {
        char *id = strdup(module);

        for (char *p = id; p && *p; p++)
                *p = *p == '_' ? '-' : *p >= 'A' && *p <= 'Z' ? (char) (*p - 'A' + 'a') : *p;
        return id;
}

/* The note that our runtime carries must name this very bundle: the daemon recognises a loaded module by it. */
static int fit_note(Manifest *m, const ModuleInfo *info, sd_bus_error *error) {
        if (!info->has_note)
                return 0;
        if (m->id && !streq(m->id, info->note.bundle_id))
                return mismatch(error, "The module was built for the bundle '%s', not for '%s'",
                        info->note.bundle_id, m->id);
        if (m->sequence > 0 && m->sequence != info->note.sequence)
                return mismatch(error, "The module was built for the sequence %llu, not for %llu",
                        (unsigned long long) info->note.sequence, (unsigned long long) m->sequence);
        m->sequence = info->note.sequence;
        return m->id ? 0 : set_string(&m->id, info->note.bundle_id);
}

static int copy_objects(const Creation *c, const ModuleInfo *info, ManifestTarget *t, sd_bus_error *error) {
        if (info->n_objects == 0)
                return mismatch(error, "Which functions the module '%s' replaces cannot be told from the file",
                        info->name);
        t->objects = calloc(info->n_objects, sizeof(ManifestObject));
        if (!t->objects)
                return -ENOMEM;
        for (size_t i = 0; i < info->n_objects; i++) {
                ManifestObject *o = &t->objects[t->n_objects++];

                o->name = strdup(info->objects[i].name);
                if (!o->name || strv_copy(info->objects[i].functions, &o->functions) < 0)
                        return -ENOMEM;
                /* Optional in the manifest: the module may come from elsewhere than the kernel. */
                if (!streq(o->name, "vmlinux") &&
                    kernel_sources_module_build_id(&c->options->kernels, info->release, o->name, &o->build_id) < 0)
                        o->build_id = NULL;
        }
        return 0;
}

/* MODULE-RELEASE.ko, in the letters that a member's name may have */
static char *member_name(const ModuleInfo *info) {
        _cleanup_free_ char *stem = NULL;
        char *name;

        if (str_printf(&stem, "%s-%s", info->name, info->release) < 0)
                return NULL;
        for (char *p = stem; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
                else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-+", *p))
                        *p = '-';
        if (*stem == '_')
                *stem = '0';
        return str_printf(&name, "%.*s.ko", (int) (HOTPATCH_MEMBER_NAME_MAX - 3), stem) < 0 ? NULL : name;
}

static int fill_target(
                const Creation *c, const ModuleInfo *info, ManifestTarget *t, const char *member, sd_bus_error *error) {
        int r = 0;

        if (!info->arch || !info->name || !info->release)
                return mismatch(error, "The module does not say for which kernel it is");
        if (c->options->releases && !strv_contains(c->options->releases, info->release))
                return mismatch(error, "The module is for the kernel '%s'", info->release);
        if (c->patch && !streq(c->patch->module, info->name))
                return mismatch(error, "The module is called '%s', patch.json says '%s'", info->name, c->patch->module);
        t->arch = strdup(info->arch);
        t->release = strdup(info->release);
        t->module = strdup(info->name);
        t->member = strdup(member);
        t->replace = info->has_structures ? info->replace : c->patch && c->patch->replace;
        if (!t->arch || !t->release || !t->module || !t->member)
                return -ENOMEM;
        r = kernel_sources_build_id(&c->options->kernels, info->release, &t->build_id, error);
        return r < 0 ? r : copy_objects(c, info, t, error);
}

static int add_module(Creation *c, const char *path, sd_bus_error *error) {
        _cleanup_module_info_free_ ModuleInfo *info = NULL;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        Manifest *m = c->manifest;
        ManifestMember *member = &m->members[m->n_members];
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND, "It cannot be opened: %s", strerror(errno));
        saw_mtime(c, &st);
        r = module_inspect(fd, &info, error);
        if (r >= 0)
                r = module_info_require_livepatch(info, error);
        if (r >= 0)
                r = fit_note(m, info, error);
        if (r < 0)
                return r;
        if (!info->name || !info->release)
                return mismatch(error, "The module does not say its name and for which kernel it is");
        member->name = member_name(info);
        if (!member->name)
                return -ENOMEM;
        member->role = MEMBER_PATCH_MODULE;
        c->fds[m->n_members++] = fd;
        r = pack_describe(TAKE_FD(fd), member, error);
        return r < 0 ? r : fill_target(c, info, &m->targets[m->n_targets++], member->name, error);
}

static int add_modules(Creation *c, char **paths, const char **ret_at, sd_bus_error *error) {
        size_t n = strv_length(paths);
        int r = 0;

        if (n > HOTPATCH_MEMBERS_MAX - 2)
                return bad(error, "A bundle holds at most %u modules", HOTPATCH_MEMBERS_MAX - 2);
        c->manifest->members = calloc(n, sizeof(ManifestMember));
        c->manifest->targets = calloc(n, sizeof(ManifestTarget));
        if (!c->manifest->members || !c->manifest->targets)
                return -ENOMEM;
        for (; *paths && r >= 0; paths++) {
                *ret_at = *paths;
                r = add_module(c, *paths, error);
        }
        if (r >= 0)
                *ret_at = NULL;
        return r;
}

/* ---- what is left ---- */

static int fill_rest(Creation *c, sd_bus_error *error) {
        Manifest *m = c->manifest;
        int r = 0;

        if (!m->id)
                m->id = id_of_module(m->targets[0].module);
        if (!m->stream && m->id)
                m->stream = strdup(m->id);
        if (!m->id || !m->stream)
                return -ENOMEM;
        if (m->sequence == 0)
                m->sequence = 1;
        if (!m->title || m->severity < 0)
                return bad(error, "What is '%s' for? Give --patch, or --title and --severity", m->id);
        m->created_usec = getenv("SOURCE_DATE_EPOCH") ? bundle_created_now_usec() : c->newest_usec;
        return r;
}

static int write_bundle(const Creation *c, const char *path, sd_bus_error *error) {
        _cleanup_(output_file_done) OutputFile out = { .fd = -EBADF };
        int r = output_file_open(&out, path, error);

        if (r >= 0)
                r = pack_write(out.fd, c->manifest, c->fds, error);
        return r < 0 ? r : output_file_commit(&out, error);
}

static int print_created(const Ctl *ctl, const char *file, const Manifest *m) {
        _cleanup_free_ char *name = text_line(file);
        _cleanup_value_ Value *answer = NULL;
        Value *kernels = NULL;

        if (!ctl->json)
                return ctl->quiet || printf("%s: bundle '%s' for %zu %s, not signed yet\n", strempty(name), m->id,
                        m->n_targets, text_plural(m->n_targets, "kernel", "kernels")) > 0 ? 0 : -EIO;
        answer = value_object();
        kernels = value_array();
        if (value_set(answer, "kernels", kernels) < 0 || value_set_string(answer, "file", file) < 0 ||
            value_set_string(answer, "id", m->id) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_targets; i++)
                if (value_append(kernels, value_text_new(m->targets[i].release)) < 0)
                        return -ENOMEM;
        return value_print(ctl, answer);
}

static int create(const Ctl *ctl, const CreateOptions *o, char **paths, const char **ret_at, sd_bus_error *error) {
        _cleanup_(creation_done) Creation c = { .options = o };
        _cleanup_free_ char *output = NULL;
        int r = load_patch(&c, error);

        if (r >= 0)
                r = apply_options(o, c.manifest, error);
        if (r >= 0)
                r = add_modules(&c, paths, ret_at, error);
        if (r >= 0)
                r = fill_rest(&c, error);
        if (r < 0)
                return r;
        if (str_printf(&output, "%s.hpb", c.manifest->id) < 0)
                return -ENOMEM;
        r = write_bundle(&c, o->output ?: output, error);
        return r < 0 ? r : print_created(ctl, o->output ?: output, c.manifest);
}

int bundle_create(Ctl *ctl, const BundleVerb *verb, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(create_options_done) CreateOptions o = { 0 };
        _cleanup_strv_free_ char **args = NULL;
        const char *at = NULL;
        int r = bundle_options_parse(verb, argc, argv, &o, &args);

        if (r != 0)
                return r;
        if (!args[0])
                return ctl_usage("'bundle create' needs a patch module");
        o.kernels.root = o.root;
        r = create(ctl, &o, args, &at, &error);
        return r < 0 ? ctl_fail(ctl, at, &error, r) : HOTPATCH_EXIT_OK;
}
