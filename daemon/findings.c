/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the daemon finds when it starts: patches that the kernel has already, ours or not, and state
 * files that cannot be read.
 *
 * The daemon comes and goes many times a day, so a patch is told once for each start of the machine:
 * an empty file run/hotpatch/seen/MODULE remembers it. Losing that file costs a second record.
 * Damage is told at every start, until somebody has looked at it.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>

#include "daemon/findings.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "util/strv.h"

static const char *const seen_parents[] = { "run", "run/hotpatch", "run/hotpatch/seen" };

static int open_seen(int root_fd) {
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(seen_parents); i++)
                if (mkdirat(root_fd, seen_parents[i], i == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
                        return -errno;
        fd = openat(root_fd, "run/hotpatch/seen", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Whether that was not seen before; when in doubt it was not. */
static bool first_seen(int seen_fd, const char *module) {
        _cleanup_close_ int fd = -EBADF;

        if (seen_fd < 0)
                return true;
        fd = openat(seen_fd, module, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd >= 0 || errno != EEXIST;
}

static void record_patch(const Patch *p) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (p->foreign)
                r = asprintf(&text, "The livepatch '%s' in the kernel is not ours", p->module);
        else
                r = asprintf(&text, "The kernel has the patch '%s' already", p->id);
        if (r < 0) {
                text = NULL;
                return;
        }
        (void) record_write(&(Record) {
                .message_id = p->foreign ? HOTPATCH_MESSAGE_FOREIGN : HOTPATCH_MESSAGE_ADOPTED,
                .priority = p->foreign ? LOG_WARNING : LOG_INFO,
                .text = text,
                .patch = p->foreign ? NULL : p->id,
                .module = p->module,
                .digest = p->digest,
                .fixes = p->fixes,
                .caller_uid = UINT32_MAX,
        });
}

static bool is_in_kernel(const Patch *p) {
        return p->state == PATCH_ACTIVE || p->state == PATCH_TRANSITION || p->state == PATCH_REVERSING ||
                p->state == PATCH_PINNED;
}

static void record_patches(Manager *m) {
        _cleanup_close_ int seen_fd = -EBADF;

        if (patches_refresh(m) < 0)
                return;
        for (size_t i = 0; i < m->patches.n_patches; i++) {
                const Patch *p = m->patches.patches[i];

                if (!is_in_kernel(p) || !*p->module)
                        continue;
                if (seen_fd < 0)
                        seen_fd = open_seen(kernel_root_fd(m->kernel));
                if (first_seen(seen_fd, p->module))
                        record_patch(p);
        }
}

static void record_damage(const Manager *m) {
        _cleanup_strv_free_ char **names = NULL;

        if (store_damaged(m->store, &names) < 0)
                return;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "The state file '%s' cannot be read and is left as it is", *name) < 0) {
                        text = NULL;
                        return;
                }
                (void) record_write(&(Record) {
                        .message_id = HOTPATCH_MESSAGE_DAMAGED,
                        .priority = LOG_ERR,
                        .text = text,
                        .caller_uid = UINT32_MAX,
                });
        }
}

/** findings_record() - tell the journal what is there; nothing fails because of it */
void findings_record(Manager *m) {
        record_damage(m);
        record_patches(m);
}
