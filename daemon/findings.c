/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The findings of this daemon. They are looked for at its start, whenever somebody asks for them,
 * when the set of patches or the state of one has changed, and when the kernel's log says that
 * livepatch did something. Nothing is polled, but for the seconds of a transition that somebody else
 * has started; while a job runs nothing is looked for, because kernel
 * and records disagree then on purpose.
 *
 * The daemon comes and goes many times a day, so run/hotpatch/findings remembers what was told since
 * the start of the machine. A finding that is over is told as well and may be told anew when it comes
 * back. Losing that file costs a second record.
 *
 * The file run/hotpatch/alive is there while a daemon runs: one that finds it knows that the one
 * before did not end in order.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>

#include "daemon/drift.h"
#include "daemon/findings.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/quarantine.h"
#include "daemon/record.h"
#include "daemon/rundir.h"
#include "daemon/timer.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

#define TOLD_FILE "findings"
#define ALIVE_FILE "alive"
/* FINDINGS_MAX keys of some 200 bytes. */
#define TOLD_MAX ((size_t) 256 * 1024)
/* The kernel itself looks at the tasks of a transition once a second. */
#define SETTLE_USEC USEC_PER_SEC

struct Findings {
        Manager *manager;
        FindingSet set;
        char **told; /* keys, see key_of() */
        bool killed;
        uint64_t iteration; /* of the event loop, of the last look */
        sd_event_source *later;
        sd_event_source *settle;
        int run_fd;
};

/* --- what was told already --- */

/* One line: names have neither tabs nor line feeds (printable() of drift.c, ids, module names). */
static char *key_of(const Finding *f) {
        char *key;

        return str_printf(&key, "%s\t%s\t%s", finding_kind_to_string(f->kind), f->patch, f->object) < 0 ? NULL : key;
}

static void told_read(Findings *f) {
        _cleanup_free_ void *content = NULL;
        char *rest, *line;

        if (file_read_at(f->run_fd, TOLD_FILE, TOLD_MAX, &content, NULL) < 0)
                return;
        for (rest = content; rest && (line = strsep(&rest, "\n"));)
                if (*line && strv_extend(&f->told, line) < 0)
                        return;
}

static void told_write(const Findings *f) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return;
        for (char **key = f->told; key && *key; key++)
                fprintf(to, "%s\n", *key);
        if (fclose(to) == 0)
                (void) (file_replace_at(f->run_fd, TOLD_FILE, text, size, 0600) < 0);
}

/* --- the journal --- */

static const char *message_id_of(FindingKind kind) {
        switch (kind) {
        case FINDING_UNRECORDED:
                return HOTPATCH_MESSAGE_ADOPTED;
        case FINDING_FOREIGN:
                return HOTPATCH_MESSAGE_FOREIGN;
        case FINDING_DAMAGED:
                return HOTPATCH_MESSAGE_DAMAGED;
        default:
                return HOTPATCH_MESSAGE_FINDING;
        }
}

static void record_finding(const Finding *f) {
        static const int priorities[_FINDING_SEVERITY_MAX] = {
                [FINDING_INFO] = LOG_NOTICE,
                [FINDING_ATTENTION] = LOG_WARNING,
                [FINDING_ALERT] = LOG_ERR,
        };
        bool foreign = f->kind == FINDING_FOREIGN;

        (void) record_write(&(Record) {
                .message_id = message_id_of(f->kind),
                .priority = priorities[finding_severity(f->kind)],
                .text = f->sentence,
                .patch = foreign ? NULL : f->patch,
                .module = foreign || f->kind == FINDING_UNRECORDED ? f->object : NULL,
                .finding = finding_kind_to_string(f->kind),
                .object = f->object,
                .caller_uid = UINT32_MAX,
        });
}

static void record_gone(const Finding *f) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_FINDING_GONE,
                .priority = LOG_NOTICE,
                .patch = f->kind == FINDING_FOREIGN ? NULL : f->patch,
                .finding = finding_kind_to_string(f->kind),
                .object = f->object,
                .caller_uid = UINT32_MAX,
        }, "This is over: %s", f->sentence);
}

static bool contains(const FindingSet *s, const char *key) {
        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ char *other = key_of(&s->items[i]);

                if (other && streq(other, key))
                        return true;
        }
        return false;
}

/* Tells what is new in @next and what of the old set is over, and remembers the keys of @next. */
static void tell(Findings *f, const FindingSet *next) {
        _cleanup_strv_free_ char **told = NULL;

        for (size_t i = 0; i < next->n; i++) {
                _cleanup_free_ char *key = key_of(&next->items[i]);

                /* findings_start() has told that one. */
                if (next->items[i].kind != FINDING_KILLED && (!key || !strv_contains(f->told, key)))
                        record_finding(&next->items[i]);
                if (key && strv_extend(&told, key) < 0)
                        return;
        }
        for (size_t i = 0; i < f->set.n; i++) {
                _cleanup_free_ char *key = key_of(&f->set.items[i]);

                if (key && !contains(next, key))
                        record_gone(&f->set.items[i]);
        }
        strv_free(f->told);
        f->told = TAKE_PTR(told);
        told_write(f);
}

/* --- patches of ours that were in the kernel before this daemon --- */

/* Whether that was not seen before; when in doubt it was not. */
static bool first_seen(int seen_fd, const char *module) {
        _cleanup_close_ int fd = -EBADF;

        if (seen_fd < 0)
                return true;
        fd = openat(seen_fd, module, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd >= 0 || errno != EEXIST;
}

static void record_adopted(const Patch *p) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_ADOPTED,
                .priority = LOG_INFO,
                .patch = p->id,
                .module = p->module,
                .digest = p->digest,
                .fixes = p->fixes,
                .caller_uid = UINT32_MAX,
        }, "The kernel has the patch '%s' already", p->id);
}

static bool is_in_kernel(const Patch *p) {
        return p->state == PATCH_ACTIVE || p->state == PATCH_TRANSITION || p->state == PATCH_REVERSING ||
                p->state == PATCH_PINNED;
}

/* Once for each start of the machine: an empty file run/hotpatch/seen/MODULE remembers it. */
static void record_patches(const Findings *f) {
        const Manager *m = f->manager;
        _cleanup_close_ int seen_fd = -EBADF;

        if (mkdirat(f->run_fd, "seen", 0700) >= 0 || errno == EEXIST)
                seen_fd = openat(f->run_fd, "seen", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        for (size_t i = 0; i < m->patches.n_patches; i++) {
                const Patch *p = m->patches.patches[i];

                if (p->recorded && is_in_kernel(p) && *p->module && first_seen(seen_fd, p->module))
                        record_adopted(p);
        }
}

/* --- the look --- */

static bool is_in_the_way(const FindingSet *s, const Finding *hook) {
        for (size_t i = 0; i < s->n; i++)
                if (s->items[i].kind == FINDING_HOOK_IN_THE_WAY && streq(s->items[i].object, hook->object))
                        return true;
        return false;
}

/* A hook that stands in the way of a patch is named once. */
static void drop_double_hooks(FindingSet *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->n; i++) {
                if (s->items[i].kind == FINDING_HOOK && is_in_the_way(s, &s->items[i]))
                        finding_done(&s->items[i]);
                else
                        s->items[n++] = s->items[i];
        }
        s->n = n;
}

/**
 * findings_collect() - all that is found now
 * @deep: what the audit has found, see audit.c
 * @ret: filled, sorted
 *
 * Return: 0 or a negative errno.
 */
int findings_collect(const Findings *f, const FindingSet *deep, FindingSet *ret) {
        _cleanup_free_ char *off = manager_disabled(f->manager), *denied = NULL;
        int r = config_denial(f->manager->config, &denied);

        if (r < 0)
                return r;
        if (f->killed) {
                r = finding_set_add(ret, FINDING_KILLED, NULL, NULL,
                                "The hotpatchd before this one did not end in order");
                if (r < 0)
                        return r;
        }
        r = drift_look(&(DriftQuestion) {
                .kernel = f->manager->kernel,
                .store = f->manager->store,
                .release = f->manager->identity.release,
                .off = off ?: denied,
        }, ret);
        if (r >= 0)
                r = quarantine_look(f->manager->store, &f->manager->patches, ret);
        if (r >= 0)
                r = watch_add_refused(f->manager->watch, ret);
        if (r >= 0)
                r = restart_add_findings(f->manager->restart, ret);
        if (r >= 0)
                r = finding_set_copy(ret, deep);
        finding_set_sort(ret);
        drop_double_hooks(ret);
        return r;
}

/**
 * findings_look() - look again, tell what is new, signal a change
 *
 * Does so at most once in a turn of the event loop, and not while a job runs. If it fails the old
 * findings stay.
 */
void findings_look(Findings *f) {
        _cleanup_(finding_set_done) FindingSet next = {};
        uint64_t iteration;
        FindingSet old;

        if (manager_running_job(f->manager))
                return;
        if (sd_event_get_iteration(f->manager->event, &iteration) >= 0) {
                if (iteration == f->iteration)
                        return;
                f->iteration = iteration;
        }
        if (findings_collect(f, audit_findings(f->manager->audit), &next) < 0 || finding_set_equal(&f->set, &next))
                return;
        tell(f, &next);
        old = f->set;
        f->set = next;
        next = old;
        bus_findings_changed(f->manager);
}

/** findings_look_again() - look even if that was done in this turn of the event loop */
void findings_look_again(Findings *f) {
        f->iteration = UINT64_MAX;
        findings_look(f);
}

static int on_settle(sd_event_source *source, uint64_t usec, void *userdata);

/* Somebody else's transition: the kernel says that it is over before its files say so, and nothing afterwards. */
static void look_until_settled(Findings *f) {
        const Manager *m = f->manager;
        bool moving = false;

        for (size_t i = 0; i < m->patches.n_patches; i++)
                moving = moving || m->patches.patches[i]->state == PATCH_TRANSITION ||
                        m->patches.patches[i]->state == PATCH_REMOVING;
        if (!moving || manager_running_job(m))
                return;
        (void) (timer_arm(m->event, &f->settle, SETTLE_USEC, SETTLE_USEC / 4, on_settle, f) < 0);
}

static int on_later(_unused_ sd_event_source *source, void *userdata) {
        Findings *f = userdata;

        if (patches_refresh(f->manager) < 0)
                return 0;
        findings_look(f);
        look_until_settled(f);
        return 0;
}

static int on_settle(sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        return on_later(source, userdata);
}

/** findings_look_later() - look when the event loop comes to it; asking twice is looking once */
void findings_look_later(Findings *f) {
        if (!f->later)
                (void) sd_event_add_defer(f->manager->event, &f->later, on_later, f);
        else
                (void) sd_event_source_set_enabled(f->later, SD_EVENT_ONESHOT);
}

/** findings_get() - what was found by the last look, worst first */
const FindingSet *findings_get(const Findings *f) {
        return &f->set;
}

/** findings_start() - the first look of this daemon, when it is ready; nothing fails because of it */
void findings_start(Findings *f) {
        _cleanup_close_ int alive = openat(f->run_fd, ALIVE_FILE,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        f->killed = alive < 0 && errno == EEXIST;
        if (f->killed)
                record_finding(&(Finding) {
                        .kind = FINDING_KILLED,
                        .patch = (char *) "",
                        .object = (char *) "",
                        .sentence = (char *) "The hotpatchd before this one did not end in order",
                });
        if (patches_refresh(f->manager) < 0)
                return;
        record_patches(f);
        findings_look_later(f);
        audit_later(f->manager->audit);
}

/** findings_stop() - this daemon ends in order */
void findings_stop(Findings *f) {
        (void) unlinkat(f->run_fd, ALIVE_FILE, 0);
}

/**
 * findings_new() - nothing is found yet
 * @ret: findings_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int findings_new(Manager *m, Findings **ret) {
        Findings *f = malloc(sizeof(*f));

        if (!f)
                return -ENOMEM;
        *f = (Findings) {
                .manager = m,
                .iteration = UINT64_MAX,
                .run_fd = rundir_open(kernel_root_fd(m->kernel)),
        };
        told_read(f);
        *ret = f;
        return 0;
}

/** findings_free() - forget what was found; NULL is fine. Returns NULL. */
Findings *findings_free(Findings *f) {
        if (!f)
                return NULL;
        sd_event_source_disable_unref(f->later);
        sd_event_source_disable_unref(f->settle);
        finding_set_done(&f->set);
        strv_free(f->told);
        safe_close(f->run_fd);
        free(f);
        return NULL;
}
