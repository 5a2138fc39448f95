/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a manifest may hold: the form of its names, and what must be true between its fields. Who fills
 * a field asks for its form; the whole is checked at the end, by readers and writers alike.
 */

#include "bundle/archive.h"
#include "bundle/manifest.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/strv.h"

/**
 * manifest_id_is_valid() - can this be a bundle id or a stream?
 *
 * Lower-case letters, digits, `.`, `_`, `-`, first a letter or digit, at most HOTPATCH_ID_MAX: it
 * becomes file names, object paths and journal fields.
 */
bool manifest_id_is_valid(const char *id) {
        size_t n = strlen(id);

        return n > 0 && n <= HOTPATCH_ID_MAX && strchr("._-", id[0]) == NULL &&
                strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* "OFFSET+SIZE,…": ascending, apart from each other, within @size bytes */
static bool masked_is_valid(const char *masked, uint64_t size) {
        uint64_t end = 0;

        for (bool first = true;; first = false) {
                unsigned long long offset, length;
                char *rest;

                if (*masked < '0' || *masked > '9')
                        return false;
                errno = 0;
                offset = strtoull(masked, &rest, 10);
                if (errno != 0 || *rest != '+' || rest[1] < '0' || rest[1] > '9')
                        return false;
                length = strtoull(rest + 1, &rest, 10);
                if (errno != 0 || length == 0 || offset > size || length > size - offset || (!first && offset < end))
                        return false;
                end = offset + length;
                if (!*rest)
                        return true;
                if (*rest != ',')
                        return false;
                masked = rest + 1;
        }
}

/**
 * manifest_source_is_valid() - is it the path of a file in a kernel tree?
 *
 * Relative and in its shortest form, so that "below mm/" can be told by comparing bytes.
 */
bool manifest_source_is_valid(const char *source) {
        if (strlen(source) > HOTPATCH_FIX_PATH_MAX)
                return false;
        for (;;) {
                size_t n = strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+,-");

                if (n == 0 || (source[0] == '.' && (n == 1 || (n == 2 && source[1] == '.'))))
                        return false;
                if (!source[n])
                        return true;
                if (source[n] != '/')
                        return false;
                source += n + 1;
        }
}

/** manifest_module_is_valid() - can this be the name of a loaded module (include/linux/module.h)? */
bool manifest_module_is_valid(const char *name) {
        size_t n = strlen(name);

        return n > 0 && n <= HOTPATCH_MODULE_NAME_MAX &&
                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

/** manifest_function_is_valid() - is this "NAME" or "NAME,SYMPOS", sympos without leading zeros? */
bool manifest_function_is_valid(const char *function) {
        size_t n = strspn(function,
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$");
        const char *position = function + n;

        if (n == 0 || n > HOTPATCH_SYMBOL_MAX || strchr("0123456789", function[0]))
                return false;
        if (*position == 0)
                return true;
        /* Nine digits are more than any kernel has symbols, and fit into an int. */
        n = strspn(position + 1, "0123456789");
        return *position == ',' && position[1] != '0' && n > 0 && n <= 9 && position[n + 1] == 0;
}

#define refuse(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ManifestInvalid"), __VA_ARGS__)

static int check_members(const Manifest *m, sd_bus_error *error) {
        for (size_t i = 0; i < m->n_members; i++) {
                const char *name = m->members[i].name;

                if (!archive_name_is_valid(name) || startswith(name, ARCHIVE_MANIFEST))
                        return refuse(error, "In the manifest, members[%zu].name is no name for a member", i);
                for (size_t j = 0; j < i; j++)
                        if (streq(m->members[j].name, name))
                                return refuse(error, "The manifest lists the member '%s' twice", name);
        }
        return 0;
}

static int check_originals(const ManifestObject *o, size_t target, size_t object, sd_bus_error *error) {
        for (size_t i = 0; i < o->n_originals; i++)
                if (o->originals[i].masked &&
                    !masked_is_valid(o->originals[i].masked, o->originals[i].size))
                        return refuse(error, "In the manifest, targets[%zu].objects[%zu].originals[%zu].masked is not "
                                "of the form OFFSET+SIZE,… within the function", target, object, i);
        return 0;
}

static int check_objects(const ManifestTarget *t, size_t index, sd_bus_error *error) {
        int r;

        for (size_t i = 0; i < t->n_objects; i++) {
                const ManifestObject *o = &t->objects[i];

                if (o->build_id && streq(o->name, "vmlinux"))
                        return refuse(error, "In the manifest, targets[%zu].objects[%zu].build_id is of "
                                "vmlinux, whose build-id is the target's", index, i);
                for (size_t j = 0; j < i; j++)
                        if (streq(t->objects[j].name, o->name))
                                return refuse(error, "In the manifest, targets[%zu] has the object '%s' twice",
                                        index, o->name);
                for (char **f = o->functions; *f; f++)
                        if (strv_contains(f + 1, *f))
                                return refuse(error, "In the manifest, targets[%zu].objects[%zu] has the "
                                        "function '%s' twice", index, i, *f);
                r = check_originals(o, index, i, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_targets(const Manifest *m, sd_bus_error *error) {
        for (size_t i = 0; i < m->n_targets; i++) {
                const ManifestTarget *t = &m->targets[i];
                bool found = false;
                int r;

                for (size_t j = 0; !found && j < m->n_members; j++)
                        found = m->members[j].role == MEMBER_PATCH_MODULE && streq(m->members[j].name, t->member);
                if (!found)
                        return refuse(error, "In the manifest, targets[%zu].member '%s' is not among the members",
                                i, t->member);
                if (manifest_find_target(m, t->arch, t->release, t->build_id) != t)
                        return refuse(error, "The manifest has two targets for the kernel '%s' of one build-id",
                                t->release);
                r = check_objects(t, i, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * manifest_check() - does what holds between the fields hold?
 * @error: ManifestInvalid
 *
 * Each field by itself has been checked by who filled it.
 *
 * Return: 0 or a negative errno.
 */
int manifest_check(const Manifest *m, sd_bus_error *error) {
        bool baseline = m->kind == MANIFEST_BASELINE;
        int r;

        if (baseline != (m->n_targets == 0) || baseline != (m->n_packages > 0) ||
            baseline != !!m->kernel_release || baseline != (m->deadline_usec > 0))
                return refuse(error, baseline
                        ? "The manifest of a baseline has packages, kernel_release and deadline, and no targets"
                        : "The manifest of a hotpatch has targets, and no packages, kernel_release or deadline");
        if (strv_contains(m->requires, m->id) || strv_contains(m->conflicts, m->id) ||
            strv_contains(m->supersedes, m->id))
                return refuse(error, "The manifest relates the bundle '%s' to itself", m->id);
        if (m->expires_usec > 0 && m->expires_usec <= m->created_usec)
                return refuse(error, "The manifest says that the bundle expires before it was made");
        r = check_members(m, error);
        if (r < 0)
                return r;
        return check_targets(m, error);
}
