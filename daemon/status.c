/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What may be called fixed in the running kernel. A scanner believes this list instead of the version of a package, so
 * it errs to one side: what is not surely in force is not on it.
 *
 *   in force   our own patch, with a record (its fixes were verified), whose transition is over; also on trial: its
 *              code runs since the transition ended, and if the trial fails the line goes when the patch does
 *   not        staged, in transition, being taken out, pinned; a livepatch without a record (nobody verified what it
 *              repairs); one of whose modules is loaded and not patched; one whose transition was forced (some task
 *              may still be inside the old function); one that somebody else's livepatch may stand in front of (eclipse.c)
 *
 * A module that is not loaded has nothing to be fixed, and is patched when it is loaded: it does not count against
 * its patch.
 *
 * Ids are taken as they stand in verified manifests. The list of lines has only those of the CVE programme, by their
 * form; the JSON has all.
 */

#include <stdio.h>

#include "daemon/status.h"
#include "util/cve.h"
#include "util/limits.h"
#include "util/strv.h"

/**
 * status_is_in_force() - does every task run the code of this patch, as far as can be told?
 * @forced_modules: whose transitions were forced in this boot; NULL: none
 */
bool status_is_in_force(const Patch *p, char *const *forced_modules) {
        if (p->state != PATCH_ACTIVE || p->foreign || !p->recorded)
                return false;
        if (strv_contains(forced_modules, p->module))
                return false;
        for (size_t i = 0; i < p->n_objects; i++)
                if (p->objects[i].state == PATCHED_NO)
                        return false;
        return true;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorted, each once. */
static void sort_unique(char **v) {
        size_t n = strv_length(v), kept = 0;

        if (n > 0)
                qsort(v, n, sizeof(*v), compare_strings);
        for (size_t i = 0; i < n; i++) {
                if (kept > 0 && streq(v[kept - 1], v[i]))
                        free(v[i]);
                else
                        v[kept++] = v[i];
        }
        if (v)
                v[kept] = NULL;
}

/**
 * status_fixes() - what the patches in force repair, sorted, each once
 * @ret: to be freed with strv_free(); NULL when there is nothing
 *
 * At most HOTPATCH_FIXES_PUBLISHED_MAX are looked at: to name fewer than there are is the safe side.
 *
 * Return: 0 or -ENOMEM.
 */
int status_fixes(const Status *s, char ***ret) {
        _cleanup_strv_free_ char **v = NULL;
        size_t n = 0;

        for (size_t i = 0; i < s->n_patches; i++)
                for (char **fix = s->patches[i]->fixes; fix && *fix && n < HOTPATCH_FIXES_PUBLISHED_MAX; fix++, n++)
                        if (strv_extend(&v, *fix) < 0)
                                return -ENOMEM;
        sort_unique(v);
        *ret = TAKE_PTR(v);
        return 0;
}

/**
 * status_lines() - the content of /run/hotpatch/fixed-cves
 * @ret: the kernel and the boot it is about, then one CVE a line, sorted; owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int status_lines(const Status *s, char **ret) {
        _cleanup_strv_free_ char **fixes = NULL;
        _cleanup_free_ char *text = NULL;
        char boot[SD_ID128_UUID_STRING_MAX];
        size_t size;
        FILE *f;
        int r;

        r = status_fixes(s, &fixes);
        if (r < 0)
                return r;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "# kernel %s boot %s\n", s->kernel->release, sd_id128_to_uuid_string(s->boot_id, boot));
        for (char **fix = fixes; fix && *fix; fix++)
                if (cve_id_is_valid(*fix))
                        fprintf(f, "%s\n", *fix);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}
