/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tripwires: a patch counts how often somebody tried what it repairs, and sysfs wakes up whoever polls
 * the count. The daemon stays for that.
 *
 * The number itself is part of the merged view (patch.c); here are the watch, and what is told: a
 * journal record and the signal TripwireHit, within a second of the hit. An attacker who hits in a
 * loop must fill neither the journal nor the bus, so after a few messages there is one a minute, which
 * says how many hits it stands for; only then, as long as something is still to be told, a timer runs.
 *
 * run/hotpatch/tripwires/MODULE remembers what was told of the module that is loaded now (the inode
 * of its folder in sysfs: sysfs does not use a number twice in a boot for folders that follow each
 * other). So hits while the daemon was away are told at its start, and none is told twice.
 *
 * Nothing in a message comes from the attacker: names and counts are the patch's.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/timer.h"
#include "daemon/tripwire.h"
#include "dbus/names.h"
#include "livepatch/state.h"
#include "livepatch/tripwires.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define TOLD_DIR "run/hotpatch/tripwires"
/* So many messages at once, and one more after each interval. */
#define BURST 5U
#define INTERVAL_USEC (60 * USEC_PER_SEC)

struct Tripwire {
        Patch *patch; /* in the view that is in place */
        int fd;
        sd_event_source *source;
        sd_event_source *timer;
        TripwireCounts now;
        TripwireCounts told;
        uint64_t inode;
        unsigned left;       /* messages that may be sent at once */
        uint64_t since_usec; /* CLOCK_MONOTONIC, from which @left grows */
};

/** tripwire_free() - stop watching; what was told stays remembered. NULL is fine. Returns NULL. */
Tripwire *tripwire_free(Tripwire *t) {
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->source);
        sd_event_source_disable_unref(t->timer);
        safe_close(t->fd);
        tripwire_counts_done(&t->now);
        tripwire_counts_done(&t->told);
        free(t);
        return NULL;
}

/* --- what was told --- */

static uint64_t module_inode(const Manager *m, const char *module) {
        _cleanup_free_ char *path = NULL;
        struct stat st;

        if (str_printf(&path, "sys/module/%s", module) < 0 ||
            fstatat(kernel_root_fd(m->kernel), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return st.st_ino;
}

/* First line: the inode; then as in sysfs. */
static void told_read(Tripwire *t, const Manager *m, const char *module) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *content = NULL;
        TripwireCounts told;
        uint64_t inode;
        char *end;

        if (str_printf(&path, TOLD_DIR "/%s", module) < 0 ||
            file_read_at(kernel_root_fd(m->kernel), path, HOTPATCH_TRIPWIRES_MAX, &content, NULL) < 0)
                return;
        errno = 0;
        inode = strtoumax(content, &end, 10);
        if (errno || *end != '\n' || inode != t->inode)
                return; /* another life of the module */
        if (tripwire_counts_parse(end + 1, &told) < 0)
                return;
        t->told = told;
}

/* Losing it costs a second message. */
static void told_write(const Tripwire *t) {
        _cleanup_close_ int dir = -EBADF;
        _cleanup_free_ char *text = NULL;
        int root_fd = kernel_root_fd(t->patch->manager->kernel);
        size_t size;
        FILE *f;

        if (mkdirat(root_fd, TOLD_DIR, 0700) < 0 && errno != EEXIST)
                return;
        dir = openat(root_fd, TOLD_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        f = dir < 0 ? NULL : open_memstream(&text, &size);
        if (!f)
                return;
        fprintf(f, "%" PRIu64 "\n", t->inode);
        for (size_t i = 0; i < t->told.n; i++)
                fprintf(f, "%s %" PRIu64 "\n", t->told.items[i].name, t->told.items[i].n);
        if (fclose(f) == 0)
                (void) (file_replace_at(dir, t->patch->module, text, size, 0600) < 0);
}

/* --- telling --- */

/* Names whose count has grown since the last message. */
static int grown_names(const Tripwire *t, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        int r = strv_copy(NULL, &names);

        for (size_t i = 0; r >= 0 && i < t->now.n; i++)
                if (t->now.items[i].n > tripwire_counts_find(&t->told, t->now.items[i].name))
                        r = strv_extend(&names, t->now.items[i].name);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(names);
        return 0;
}

static char *make_text(const Patch *p, char *const *names, uint64_t n, uint64_t sum) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fprintf(f, "Tripwire of patch '%s' was hit", p->id);
        for (char *const *name = names; *name; name++)
                fprintf(f, "%s%s", name == names ? " (" : ", ", *name);
        fprintf(f, "%s: %" PRIu64 " %s since it was loaded", *names ? ")" : "", sum, sum == 1 ? "time" : "times");
        if (n > 1 && n < sum)
                fprintf(f, ", %" PRIu64 " of them since the last message", n);
        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

static void emit_hit(const Patch *p, char **names, uint64_t sum) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (!p->manager->bus ||
            sd_bus_message_new_signal(p->manager->bus, &m, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                            "TripwireHit") < 0 ||
            sd_bus_message_append(m, "s", p->id) < 0 || sd_bus_message_append_strv(m, names) < 0 ||
            sd_bus_message_append(m, "t", sum) < 0)
                return;
        (void) sd_bus_send(p->manager->bus, m, NULL);
}

/* Until the next look there is nothing new. */
static void told_all(Tripwire *t) {
        tripwire_counts_done(&t->told);
        t->told = t->now;
        t->now = (TripwireCounts) {};
        told_write(t);
}

static void tell(Tripwire *t) {
        uint64_t sum = tripwire_counts_sum(&t->now), before = tripwire_counts_sum(&t->told);
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *text = NULL;
        const Patch *p = t->patch;

        if (grown_names(t, &names) < 0)
                return;
        text = make_text(p, names, sum - before, sum);
        (void) record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_TRIPPED,
                .priority = LOG_ALERT,
                .text = text,
                .patch = p->id,
                .module = p->module,
                .fixes = names,
                .caller_uid = UINT32_MAX,
        });
        emit_hit(p, names, sum);
        told_all(t);
}

/* Return: 0 when a message may be sent now, else microseconds until the next one may. */
static uint64_t wait_for_turn(Tripwire *t) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC), turns = (now - t->since_usec) / INTERVAL_USEC;

        if (turns > 0) {
                t->left = t->left + turns > BURST ? BURST : t->left + (unsigned) turns;
                t->since_usec += turns * INTERVAL_USEC;
        }
        if (t->left == BURST)
                t->since_usec = now; /* the first of a burst begins the interval */
        return t->left > 0 ? 0 : t->since_usec + INTERVAL_USEC - now;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* Later: never from within patches_refresh(), and not before the bus knows who we are. */
static void arm(Tripwire *t, uint64_t in_usec) {
        /* If that fails, the next hit tells. */
        (void) (timer_arm(t->patch->manager->event, &t->timer, in_usec, 1, on_timer, t) < 0);
}

static bool has_more(const Tripwire *t) {
        return tripwire_counts_sum(&t->now) > tripwire_counts_sum(&t->told);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Tripwire *t = userdata;
        uint64_t wait = wait_for_turn(t);

        if (!has_more(t))
                return 0;
        if (wait > 0) {
                arm(t, wait);
                return 0;
        }
        t->left--;
        tell(t);
        return 0;
}

/* --- watching --- */

static int on_tripwire(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata) {
        Tripwire *t = userdata;
        Manager *m = t->patch->manager;
        char buffer[32];

        /* sysfs wakes up again only after the attribute was read through this descriptor. */
        if (pread(fd, buffer, sizeof(buffer), 0) < 0) {
                t->source = sd_event_source_disable_unref(t->source); /* the module is gone */
                findings_look_later(m->findings);
                return 0;
        }
        /* Counts anew, signals and alarms. This patch may be another afterwards. If it fails, the next
         * look finds the new count. */
        return patches_refresh(m) < 0 ? 0 : 1;
}

static int tripwire_new(Patch *p, Tripwire **ret) {
        const Manager *m = p->manager;
        Tripwire *t = malloc(sizeof(*t));

        if (!t)
                return -ENOMEM;
        *t = (Tripwire) {
                .patch = p,
                .fd = livepatch_tripwire_open(m->kernel, p->module),
                .inode = module_inode(m, p->module),
                .left = BURST,
                .since_usec = clock_usec(CLOCK_MONOTONIC),
        };
        told_read(t, m, p->module);
        /* A captured tree has no sysfs to wait for: there a question finds the hits. */
        if (t->fd >= 0)
                (void) sd_event_add_io(m->event, &t->source, t->fd, EPOLLPRI, on_tripwire, t);
        *ret = t;
        return 0;
}

/**
 * tripwire_watch() - count the hits of a patch, tell them, and wake up when there are more
 * @p: a patch of the new view
 * @old: the same patch in the view before, whose watch goes on; NULL: there was none
 */
void tripwire_watch(Patch *p, Patch *old) {
        bool loaded = p->state == PATCH_ACTIVE || p->state == PATCH_TRANSITION;
        TripwireCounts now;

        if (p->foreign || !loaded || livepatch_tripwires(p->manager->kernel, p->module, &now) < 0)
                return; /* none, or a patch without tripwires */
        if (old && old->tripwire && old->tripwire->inode == module_inode(p->manager, p->module))
                p->tripwire = TAKE_PTR(old->tripwire);
        else if (tripwire_new(p, &p->tripwire) < 0) {
                tripwire_counts_done(&now);
                return;
        }
        tripwire_counts_done(&p->tripwire->now);
        p->tripwire->now = now;
        p->tripwire->patch = p;
        p->tripped = tripwire_counts_sum(&now);
        if (has_more(p->tripwire))
                arm(p->tripwire, wait_for_turn(p->tripwire));
}
