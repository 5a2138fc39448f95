/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fix is a diff, and a diff cannot say "when the patch goes in". The author's file can: what it calls
 * pre_patch_OBJECT, post_patch_OBJECT, pre_unpatch_OBJECT or post_unpatch_OBJECT is called then, and
 * self_test() before anything. Names and not a table of their own, for they are what a reader looks
 * for, and a missing one is simply not there.
 *
 * The compiler says what a file defines; so the files are compiled once before the module is made.
 */

#include "builder/build/with.h"

#include <elf.h>
#include <fcntl.h>

#include "livepatch/elfimage.h"
#include "util/strv.h"

static int add_definitions(const ElfImage *i, char ***names) {
        for (size_t n = 1; n < i->n_symbols; n++) {
                const ElfSymbol *s = i->symbols + n;
                int r;

                if (s->bind != STB_GLOBAL || s->section == SHN_UNDEF || s->section >= SHN_LORESERVE ||
                    (s->type != STT_FUNC && s->type != STT_OBJECT) || strv_contains(*names, s->name))
                        continue;
                r = strv_extend(names, s->name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_definitions(const char *path, char ***names, sd_bus_error *error) {
        _cleanup_elf_image_free_ ElfImage *image = NULL;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = elf_image_read(fd, &image, error);
        return r < 0 ? r : add_definitions(image, names);
}

/**
 * with_examine() - compile the author's files and see what they define
 * @b: with @with; its work folder is filled
 * @ret: for with_done()
 * @error: ModuleBuildFailed; what the compiler said went to standard error
 *
 * Return: 0 or a negative errno.
 */
int with_examine(const Kbuild *b, With *ret, sd_bus_error *error) {
        _cleanup_strv_free_ char **objects = NULL, **names = NULL;
        int r;

        r = kbuild_compile(b, &objects, error);
        for (char **o = objects; r >= 0 && *o; o++)
                r = read_definitions(*o, &names, error);
        if (r >= 0)
                ret->provided = TAKE_PTR(names);
        return r;
}

void with_done(With *w) {
        strv_free(w->provided);
        *w = (With) {};
}

/* ---- callbacks ---- */

static int find_object(PatchFile *p, const char *object, PatchCallbacks **ret) {
        PatchCallbacks *grown;

        for (size_t i = 0; i < p->n_callbacks; i++)
                if (streq(p->callbacks[i].object, object)) {
                        *ret = p->callbacks + i;
                        return 0;
                }
        grown = reallocarray(p->callbacks, p->n_callbacks + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        p->callbacks = grown;
        grown[p->n_callbacks] = (PatchCallbacks) { .object = strdup(object) };
        if (!grown[p->n_callbacks].object)
                return -ENOMEM;
        *ret = grown + p->n_callbacks++;
        return 0;
}

static int add_callback(PatchFile *p, const char *name) {
        static const struct {
                const char *prefix;
                size_t offset;
        } kinds[] = {
                { "pre_patch_", offsetof(PatchCallbacks, pre_patch) },
                { "post_patch_", offsetof(PatchCallbacks, post_patch) },
                { "pre_unpatch_", offsetof(PatchCallbacks, pre_unpatch) },
                { "post_unpatch_", offsetof(PatchCallbacks, post_unpatch) },
        };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const char *object = startswith(name, kinds[i].prefix);
                PatchCallbacks *callbacks;
                char **at;
                int r;

                if (!object || !manifest_module_is_valid(object))
                        continue;
                r = find_object(p, object, &callbacks);
                if (r < 0)
                        return r;
                at = (char **) ((char *) callbacks + kinds[i].offset);
                *at = strdup(name);
                return *at ? 0 : -ENOMEM;
        }
        return 0;
}

/**
 * with_callbacks() - put callbacks and self-test into the table of the patch, by their names
 *
 * Return: 0 or -ENOMEM.
 */
int with_callbacks(const With *w, PatchFile *p) {
        int r = 0;

        for (char **name = w->provided; name && *name && r >= 0; name++) {
                if (streq(*name, "self_test")) {
                        free(p->self_test);
                        p->self_test = strdup(*name);
                        r = p->self_test ? 0 : -ENOMEM;
                } else
                        r = add_callback(p, *name);
        }
        return r;
}
