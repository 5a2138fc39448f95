/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state file `forced`: transitions were ended by force in this boot.
 *
 * The kernel keeps no trace of it that could be read. Afterwards a task may still be inside a function
 * that was replaced, and the kernel's check of stacks, on which every later transition relies, does not see it;
 * so nothing more is applied until the restart. The file is written before the kernel is told, and it
 * counts only for the boot whose id it has: a restart is what makes it void.
 *
 * One record is of all that was forced in the boot. To an older hotpatchd, which knows one MODULE, one with several is
 * damaged: it applies nothing and publishes nothing, which is right.
 */

#include "bundle/manifest.h"
#include "daemon/store-forced.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/str.h"

#define FORCED "forced"

static const Field forced_fields[] = {
        { "ID", FIELD_STRV, true, offsetof(Forced, ids), manifest_id_is_valid },
        { "MODULE", FIELD_STRV, true, offsetof(Forced, modules), manifest_module_is_valid },
        { "PINNED", FIELD_STRV, false, offsetof(Forced, pinned), manifest_module_is_valid },
        { "BOOT_ID", FIELD_ID128, true, offsetof(Forced, boot_id), NULL },
        { "FORCED_USEC", FIELD_U64, true, offsetof(Forced, forced_usec), NULL },
        { "CALLER_UID", FIELD_U64, true, offsetof(Forced, caller_uid), NULL },
};

/** forced_done() - free what it owns */
void forced_done(Forced *f) {
        fields_done(forced_fields, ELEMENTSOF(forced_fields), f);
}

/**
 * store_forced_write() - say durably that a transition is forced; before the kernel is told
 *
 * Return: 0, or a negative errno with StateUnwritable: then it must not be forced.
 */
int store_forced_write(const Store *s, const Forced *f, sd_bus_error *error) {
        int r = store_write(s->dir_fd, FORCED, forced_fields, ELEMENTSOF(forced_fields), f);

        return r < 0 ? store_write_failed(error, "the record of a forced transition", r) : 0;
}

/**
 * store_forced_read() - what was forced since the machine was started
 * @boot_id: of the running system
 * @ret: forced_done() it
 *
 * A record of another boot is void, and removed.
 *
 * Return: 0, -ENOENT when nothing was forced, -EBADMSG when the record is damaged (then it may be of this
 * boot), or another negative errno.
 */
int store_forced_read(const Store *s, sd_id128_t boot_id, Forced *ret) {
        Forced f = {};
        int r = store_read(s->dir_fd, FORCED, forced_fields, ELEMENTSOF(forced_fields), &f);

        if (r < 0)
                return r;
        if (!sd_id128_equal(f.boot_id, boot_id)) {
                forced_done(&f);
                (void) (store_forced_clear(s) < 0);
                return -ENOENT;
        }
        *ret = f;
        return 0;
}

/**
 * store_forced_why() - why nothing more may be applied in this boot
 * @ret: half a sentence, to be freed; NULL: nothing was forced
 *
 * Return: 0 or a negative errno.
 */
int store_forced_why(const Store *s, char **ret) {
        _cleanup_(forced_done) Forced f = {};
        char *text = NULL;
        sd_id128_t boot;
        int r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return r;
        r = store_forced_read(s, boot, &f);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        if (r == -EBADMSG)
                text = strdup("the file '/var/lib/hotpatch/forced' cannot be read");
        else if (r >= 0 && str_printf(&text, "the transition of module '%s' was forced", f.modules[0]) < 0)
                return -ENOMEM;
        if (r != -ENOENT && !text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/** store_forced_damaged() - append the record's name if it is damaged. Return: 0 or a negative errno. */
int store_forced_damaged(const Store *s, char ***names) {
        Forced f = {};
        int r = store_read(s->dir_fd, FORCED, forced_fields, ELEMENTSOF(forced_fields), &f);

        if (r >= 0)
                forced_done(&f);
        return r < 0 && r != -ENOENT ? store_damage_add(names, FORCED) : 0;
}

/** store_forced_clear() - it was not forced after all. Return: 0 (also when there was none) or errno. */
int store_forced_clear(const Store *s) {
        int r = store_unlink(s->dir_fd, FORCED);

        return r == -ENOENT ? 0 : r;
}
