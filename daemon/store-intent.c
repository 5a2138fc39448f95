/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The intent: what is about to be done to the kernel, written before the first step and deleted
 * after the last. There is at most one, as there is at most one job.
 *
 * One that is found at a start says what was interrupted. If it is of another boot, the machine went
 * down in the middle, and `clean` says whether it was told to.
 */

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "util/strv.h"

#define INTENT "intent"

static bool valid_intent_type(const char *s) {
        return streq(s, "apply") || streq(s, "remove") || streq(s, "rollback");
}

const Field store_intent_fields[] = {
        { "TYPE", FIELD_STRING, true, offsetof(Intent, type), valid_intent_type },
        { "ID", FIELD_STRV, true, offsetof(Intent, ids), manifest_id_is_valid },
        { "MODULE", FIELD_STRV, false, offsetof(Intent, modules), manifest_module_is_valid },
        { "DIGEST", FIELD_STRV, false, offsetof(Intent, digests), store_valid_digest },
        { "BOOT_ID", FIELD_ID128, true, offsetof(Intent, boot_id), NULL },
        { "STARTED_USEC", FIELD_U64, true, offsetof(Intent, started_usec), NULL },
        { "ORDER", FIELD_U64, false, offsetof(Intent, order), NULL },
        { "REPLACED", FIELD_STRV, false, offsetof(Intent, replaced), manifest_id_is_valid },
        { "REPLACED_FOREIGN", FIELD_STRV, false, offsetof(Intent, replaced_foreign), NULL },
        { "CLEAN", FIELD_BOOL, false, offsetof(Intent, clean), NULL },
};
const size_t store_n_intent_fields = ELEMENTSOF(store_intent_fields);

/** intent_done() - free what it owns */
void intent_done(Intent *i) {
        fields_done(store_intent_fields, ELEMENTSOF(store_intent_fields), i);
}

/**
 * store_intent_write() - say durably what is about to be done; call it before the kernel is touched
 *
 * Return: 0, or a negative errno with StateUnwritable: then nothing must be done.
 */
int store_intent_write(const Store *s, const Intent *i, sd_bus_error *error) {
        int r = store_write(s->dir_fd, INTENT, store_intent_fields, ELEMENTSOF(store_intent_fields), i);

        return r < 0 ? store_write_failed(error, "the intent", r) : 0;
}

/**
 * store_intent_read() - the open intent
 * @ret: filled on success; intent_done() it
 *
 * Return: 0, -ENOENT when there is none, -EBADMSG when it is damaged, or another negative errno.
 */
int store_intent_read(const Store *s, Intent *ret) {
        Intent i = { 0 };
        int r = store_read(s->dir_fd, INTENT, store_intent_fields, ELEMENTSOF(store_intent_fields), &i);

        if (r < 0)
                return r;
        /* Each module and digest is that of the id at the same place. */
        if (strv_length(i.ids) != strv_length(i.modules) ||
            (i.digests && strv_length(i.ids) != strv_length(i.digests))) {
                intent_done(&i);
                return -EBADMSG;
        }
        *ret = i;
        return 0;
}

/** store_intent_clear() - the work is done or undone. Return: 0 (also when there was none) or errno. */
int store_intent_clear(const Store *s) {
        int r = store_unlink(s->dir_fd, INTENT);

        return r == -ENOENT ? 0 : r;
}

/** store_intent_damaged() - append the intent's name if it is damaged. Return: 0 or a negative errno. */
int store_intent_damaged(const Store *s, char ***names) {
        _cleanup_(intent_done) Intent intent = { 0 };
        int r = store_intent_read(s, &intent);

        return r < 0 && r != -ENOENT ? store_damage_add(names, INTENT) : 0;
}
