/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The report of hotpatch-restore, on its way to the daemon. A file of the same form as the state files,
 * below /run, so that it speaks of this boot and of no other.
 */

#include "bundle/manifest.h"
#include "daemon/fields.h"
#include "daemon/restored.h"
#include "daemon/rundir.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

static bool valid_result(const char *s) {
        static const char *const results[] = {
                "restored", "present", "unfinished", "postponed", "other-kernel", "denied", "quarantined", "forbidden",
                "failed",
        };

        for (size_t i = 0; i < ELEMENTSOF(results); i++)
                if (streq(results[i], s))
                        return true;
        return false;
}

static const Field fields[] = {
        { "ID", FIELD_STRV, false, offsetof(Restored, ids), manifest_id_is_valid },
        { "RESULT", FIELD_STRV, false, offsetof(Restored, results), valid_result },
        { "REASON", FIELD_STRV, false, offsetof(Restored, reasons), NULL },
};

/** restored_done() - free what it owns */
void restored_done(Restored *r) {
        fields_done(fields, ELEMENTSOF(fields), r);
}

/** restored_add() - append one patch; @reason may be NULL. Return: 0 or -ENOMEM. */
int restored_add(Restored *r, const char *id, const char *result, const char *reason) {
        int k = strv_extend(&r->ids, id);

        if (k >= 0)
                k = strv_extend(&r->results, result);
        return k < 0 ? k : strv_extend(&r->reasons, strempty(reason));
}

/** restored_write() - leave the report for the daemon. Return: 0 or a negative errno. */
int restored_write(int root_fd, const Restored *r) {
        _cleanup_close_ int fd = rundir_open(root_fd);
        _cleanup_free_ char *data = NULL;
        size_t size;
        int k;

        if (fd < 0)
                return fd;
        k = fields_format(fields, ELEMENTSOF(fields), r, &data, &size);
        return k < 0 ? k : file_replace_at(fd, "restored", data, size, 0600);
}

/** restored_read() - the report of this boot. Return: 0, -ENOENT, -EBADMSG, or another negative errno. */
int restored_read(int root_fd, Restored *ret) {
        Restored restored = { 0 };
        _cleanup_free_ void *data = NULL;
        size_t size, n;
        int r;

        r = file_read_at(root_fd, "run/hotpatch/restored", HOTPATCH_RECORD_MAX, &data, &size);
        if (r < 0)
                return r;
        r = fields_parse(fields, ELEMENTSOF(fields), data, size, &restored);
        if (r < 0)
                return r;
        n = strv_length(restored.ids);
        if (strv_length(restored.results) != n || strv_length(restored.reasons) != n) {
                restored_done(&restored);
                return -EBADMSG;
        }
        *ret = restored;
        return 0;
}

/** restored_find() - what became of a patch: a word, or NULL */
const char *restored_find(const Restored *r, const char *id) {
        for (size_t i = 0; r->ids && r->ids[i]; i++)
                if (streq(r->ids[i], id))
                        return r->results[i];
        return NULL;
}

static int replace(char **field, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

/** restored_replace() - say something else of a patch in the report of this boot. Return: 0, -ENOENT, or a negative errno. */
int restored_replace(int root_fd, const char *id, const char *result, const char *reason) {
        _cleanup_(restored_done) Restored restored = { 0 };
        int r = restored_read(root_fd, &restored);

        if (r < 0)
                return r;
        for (size_t i = 0; restored.ids && restored.ids[i]; i++) {
                if (!streq(restored.ids[i], id))
                        continue;
                r = replace(&restored.results[i], result);
                if (r >= 0)
                        r = replace(&restored.reasons[i], reason);
                return r < 0 ? r : restored_write(root_fd, &restored);
        }
        return -ENOENT;
}
