/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Of several livepatches of one function the kernel runs the one that was loaded last (klp_ftrace_handler(),
 * kernel/livepatch/patch.c). Ours then says that it is patched, in all its objects, and its code is not what runs. The
 * kernel does not tell in which order they came, and what a stranger's function repairs nobody verified: so every
 * livepatch of somebody else that replaces one of the functions of a patch speaks against it.
 *
 * What cannot be compared, because the kernel does not show the functions of one of the two, is taken to be the same.
 * A function of one name at another position (two static ones) is another function.
 */

#include "daemon/eclipse.h"
#include "livepatch/functions.h"
#include "util/strv.h"

typedef struct Functions {
        InspectedObject *objects;
        size_t n;
} Functions;

static void functions_done(Functions *f) {
        inspected_objects_free(f->objects, f->n);
}

static bool share_function(const Functions *a, const Functions *b) {
        for (size_t i = 0; i < a->n; i++)
                for (size_t j = 0; j < b->n; j++) {
                        if (!streq(a->objects[i].name, b->objects[j].name))
                                continue;
                        for (char **f = a->objects[i].functions; f && *f; f++)
                                if (strv_contains(b->objects[j].functions, *f))
                                        return true;
                }
        return false;
}

/* Return: false when the kernel shows none; every livepatch has at least one. */
static bool functions_read(const Kernel *k, const char *module, Functions *ret) {
        return livepatch_functions(k, module, &ret->objects, &ret->n) >= 0 && ret->n > 0;
}

/* Disabled, it replaces nothing. */
static bool is_at_work(const Patch *p) {
        return p->foreign && p->state != PATCH_INACTIVE && p->state != PATCH_PINNED;
}

/**
 * eclipse_is_possible() - may somebody else's livepatch run in the place of this patch?
 * @patches: all that the kernel has
 *
 * Return: true also when it cannot be told.
 */
bool eclipse_is_possible(const Kernel *k, const PatchSet *patches, const Patch *p) {
        _cleanup_(functions_done) Functions mine = {};
        bool read = false;

        for (size_t i = 0; i < patches->n_patches; i++) {
                _cleanup_(functions_done) Functions theirs = {};

                if (!is_at_work(patches->patches[i]))
                        continue;
                read = read || functions_read(k, p->module, &mine);
                if (!read || !functions_read(k, patches->patches[i]->module, &theirs) || share_function(&mine, &theirs))
                        return true;
        }
        return false;
}
