/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tripwires: a patch counts how often somebody tried what it repairs, and sysfs wakes up whoever polls the
 * count. The daemon stays for that, without a timer of its own.
 *
 * The number itself is part of the merged view (patch.c); here are the watch and the record. The record
 * has no data from the attacker in it, and there is at most one a minute for each patch.
 */

#include <inttypes.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/tripwire.h"
#include "livepatch/state.h"

/* An attacker who hits the tripwire in a loop must not fill the journal. */
#define RECORD_INTERVAL_USEC (60 * USEC_PER_SEC)

/**
 * tripwire_alarm() - the count of a patch has grown: tell the journal, unless it was told just now
 * @p: the patch
 */
void tripwire_alarm(Patch *p) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        _cleanup_free_ char *text = NULL;

        if (p->tripwire_recorded_usec != 0 && now - p->tripwire_recorded_usec < RECORD_INTERVAL_USEC)
                return;
        if (asprintf(&text, "Tripwire of patch '%s' was hit: %" PRIu64 " times since it was loaded",
                        p->id, p->tripped) < 0) {
                text = NULL;
                return;
        }
        p->tripwire_recorded_usec = now;
        (void) record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_TRIPPED,
                .priority = LOG_ALERT,
                .text = text,
                .patch = p->id,
                .module = p->module,
                .fixes = p->fixes,
                .caller_uid = UINT32_MAX,
        });
}

static int on_tripwire(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata) {
        Patch *p = userdata;
        Manager *m = p->manager;
        char buffer[32];

        /* sysfs wakes up again only after the attribute was read through this descriptor. */
        if (pread(fd, buffer, sizeof(buffer), 0) < 0) {
                p->tripwire = sd_event_source_disable_unref(p->tripwire); /* the module is gone */
                return 0;
        }
        /* Counts anew, signals and alarms. This patch and its event source may be others afterwards. If
         * it fails, the next look finds the new count. */
        return patches_refresh(m) < 0 ? 0 : 1;
}

/**
 * tripwire_watch() - count the hits of a patch, and wake up when there are more
 * @p: a patch of the new view
 * @old: the same patch in the view before, whose watch goes on; NULL: there was none
 */
void tripwire_watch(Patch *p, Patch *old) {
        const Manager *m = p->manager;
        bool loaded = p->state == PATCH_ACTIVE || p->state == PATCH_TRANSITION;

        if (old)
                p->tripwire_recorded_usec = old->tripwire_recorded_usec;
        if (p->foreign || !loaded)
                return;
        if (livepatch_tripped(m->kernel, p->module, &p->tripped) < 0)
                return; /* a patch without tripwires */
        if (old && old->tripwire) {
                p->tripwire_fd = TAKE_FD(old->tripwire_fd);
                p->tripwire = TAKE_PTR(old->tripwire);
                (void) sd_event_source_set_userdata(p->tripwire, p);
                return;
        }
        p->tripwire_fd = livepatch_tripwire_open(m->kernel, p->module);
        if (p->tripwire_fd < 0)
                return;
        (void) sd_event_add_io(m->event, &p->tripwire, p->tripwire_fd, EPOLLPRI, on_tripwire, p);
}
