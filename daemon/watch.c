/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What happens behind the daemon's back, as it happens.
 *
 * The kernel has no event for livepatches: neither uevents nor poll(2) on sysfs nor inotify, which
 * sysfs does not feed. Modules have uevents, but those do not say what became of a patch. The
 * kernel's log says it all, in words, and /dev/kmsg wakes up who polls it: a patch enabled or disabled
 * by hand, a patch that takes effect on a module which is being loaded, that leaves one, or that keeps
 * one from being loaded. So the log is followed while the kernel has a livepatch, with the descriptor
 * that the sandbox allows anyway. A line is only a reason to look at sysfs again; what it says by
 * itself is told to the journal. Lines that users write into the log have another facility.
 *
 * A module refused because of a patch leaves no trace but that line. It is remembered in
 * run/hotpatch/refused until the module is loaded or the patch is gone, and run/hotpatch/kernel-log
 * has the number of the next line, so that nothing is told twice and what happened while the daemon
 * was away is told at its start.
 *
 * Other things make no sound at all, a hook in a function for example: they are found by the next look.
 *
 * A module's file on disk is watched by inotify on the folder of modules.dep, which depmod(8) renames
 * into place after each update.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <syslog.h>

#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/watch.h"
#include "livepatch/klog-follow.h"
#include "livepatch/klp-message.h"
#include "livepatch/state.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

#define SEQUENCE_FILE "kernel-log"
#define REFUSED_FILE "refused"
/* Pairs of names, one a line; far more than a machine has. */
#define REFUSED_MAX ((size_t) 16 * 1024)

struct Watch {
        Manager *manager;
        KernelLogFollower *follower;
        sd_event_source *modules;
        char **refused; /* "PATCH MODULE" */
        int run_fd;
};

/* --- files in /run --- */

static uint64_t sequence_read(const Watch *w) {
        _cleanup_free_ char *line = NULL;
        uint64_t n;
        char *end;

        if (file_read_line_at(w->run_fd, SEQUENCE_FILE, &line) < 0)
                return 0; /* the first in this boot: all of it is news */
        errno = 0;
        n = strtoumax(line, &end, 10);
        return errno || *end ? 0 : n;
}

static void sequence_write(const Watch *w) {
        uint64_t next = w->follower ? kernel_log_follower_sequence(w->follower) : KERNEL_LOG_NOW;
        char text[24];

        if (next == KERNEL_LOG_NOW)
                return;
        (void) snprintf(text, sizeof(text), "%" PRIu64 "\n", next);
        (void) (file_replace_at(w->run_fd, SEQUENCE_FILE, text, strlen(text), 0600) < 0);
}

static void refused_read(Watch *w) {
        _cleanup_free_ void *content = NULL;
        char *rest, *line;

        if (file_read_at(w->run_fd, REFUSED_FILE, REFUSED_MAX, &content, NULL) < 0)
                return;
        for (rest = content; rest && (line = strsep(&rest, "\n"));)
                if (*line && strchr(line, ' ') && strv_extend(&w->refused, line) < 0)
                        return;
}

static void refused_write(const Watch *w) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return;
        for (char **pair = w->refused; pair && *pair; pair++)
                fprintf(f, "%s\n", *pair);
        if (fclose(f) == 0 && size < REFUSED_MAX)
                (void) (file_replace_at(w->run_fd, REFUSED_FILE, text, size, 0600) < 0);
}

/* --- what the log says --- */

static const Patch *find_patch(const Manager *m, const char *module) {
        for (size_t i = 0; i < m->patches.n_patches; i++)
                if (m->patches.patches[i]->state != PATCH_STAGED && streq(m->patches.patches[i]->module, module))
                        return m->patches.patches[i];
        return NULL;
}

static void record_event(const Watch *w, const KlpMessage *message) {
        static const struct {
                const char *id;
                int priority;
                const char *format;
        } kinds[] = {
                [KLP_APPLIED] = { HOTPATCH_MESSAGE_TARGET_PATCHED, LOG_NOTICE,
                        "Patch '%s' takes effect on module '%s', which is being loaded" },
                [KLP_REVERTED] = { HOTPATCH_MESSAGE_TARGET_UNPATCHED, LOG_NOTICE,
                        "Patch '%s' leaves module '%s', which is being unloaded or could not start" },
                [KLP_REFUSED] = { HOTPATCH_MESSAGE_TARGET_REFUSED, LOG_ERR,
                        "Patch '%s' does not fit module '%s', and the kernel refuses to load the module" },
        };
        const Patch *p = find_patch(w->manager, message->patch);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
        record_say(&(Record) {
                .message_id = kinds[message->event].id,
                .priority = kinds[message->event].priority,
                .patch = p && !p->foreign ? p->id : NULL,
                .module = message->patch,
                .object = message->module,
                .caller_uid = UINT32_MAX,
        }, kinds[message->event].format, p ? p->id : message->patch, message->module);
#pragma GCC diagnostic pop
}

static void remember_refused(Watch *w, const KlpMessage *message) {
        _cleanup_free_ char *pair = NULL;

        if (str_printf(&pair, "%s %s", message->patch, message->module) < 0)
                return;
        if (!strv_contains(w->refused, pair) && strv_extend(&w->refused, pair) >= 0)
                refused_write(w);
}

static void on_record(void *userdata, const KernelRecord *record) {
        Watch *w = userdata;
        KlpMessage message;

        if (record->facility != 0 || klp_message_parse(record->text, &message) == 0)
                return;
        if (message.event != KLP_CHANGED)
                record_event(w, &message);
        if (message.event == KLP_REFUSED)
                remember_refused(w, &message);
        sequence_write(w);
        findings_look_later(w->manager->findings);
}

static void on_lost(void *userdata, _unused_ uint64_t n) {
        Watch *w = userdata;

        findings_look_later(w->manager->findings);
}

/* --- modules on disk --- */

static int on_modules(_unused_ sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Watch *w = userdata;

        if (event->len == 0 || streq(event->name, "modules.dep"))
                audit_later(w->manager->audit);
        return 0;
}

static void modules_watch(Watch *w) {
        const Manager *m = w->manager;
        _cleanup_free_ char *path = NULL;

        if (str_printf(&path, "%s/lib/modules/%s", streq(m->root, "/") ? "" : m->root, m->identity.release) < 0)
                return;
        (void) sd_event_add_inotify(m->event, &w->modules, path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR,
                on_modules, w);
}

/* --- the whole --- */

/* As long as the kernel has one, ours or not: the modules that it keeps out are no less out. */
static bool is_needed(const Manager *m) {
        for (size_t i = 0; i < m->patches.n_patches; i++)
                if (m->patches.patches[i]->state != PATCH_STAGED)
                        return true;
        return false;
}

/**
 * watch_update() - the set of patches has changed
 *
 * A log that cannot be followed is no failure: then the next look finds what there is to find.
 */
void watch_update(Watch *w) {
        const Manager *m = w->manager;

        if (!is_needed(m)) {
                watch_stop(w);
                w->follower = kernel_log_follower_free(w->follower);
                w->modules = sd_event_source_disable_unref(w->modules);
                return;
        }
        if (!w->follower)
                (void) (kernel_log_follow(m->kernel, m->event, sequence_read(w), on_record, on_lost, w,
                                &w->follower) < 0);
        if (!w->modules)
                modules_watch(w);
}

/** watch_stop() - the daemon ends in order: the next one goes on from here */
void watch_stop(Watch *w) {
        sequence_write(w);
}

/* While its refusal is cleaned up a module is still there, but not live. */
static bool module_is_live(const Watch *w, const char *module) {
        _cleanup_free_ char *path = NULL, *state = NULL;

        return kernel_module_path("sys/module", module, "initstate", &path) >= 0 &&
                file_read_line_at(kernel_root_fd(w->manager->kernel), path, &state) >= 0 && streq(state, "live");
}

/**
 * watch_add_refused() - modules that the kernel refused because of a patch that is still there
 * @found: where findings are added
 *
 * Return: 0 or -ENOMEM.
 */
int watch_add_refused(Watch *w, FindingSet *found) {
        _cleanup_strv_free_ char **left = NULL;

        for (char **pair = w->refused; pair && *pair; pair++) {
                const char *module = strchr(*pair, ' ') + 1;
                _cleanup_free_ char *name = strndup(*pair, (size_t) (module - *pair) - 1);
                const Patch *p = name ? find_patch(w->manager, name) : NULL;
                int r;

                if (!name)
                        return -ENOMEM;
                if (!p || module_is_live(w, module))
                        continue;
                r = strv_extend(&left, *pair);
                if (r >= 0)
                        r = finding_set_add(found, FINDING_TARGET_REFUSED, p->id, module,
                                        "The kernel refused to load the module '%s', because the patch '%s' "
                                        "does not fit it", module, p->id);
                if (r < 0)
                        return r;
        }
        if (strv_length(left) != strv_length(w->refused)) {
                strv_free(w->refused);
                w->refused = TAKE_PTR(left);
                refused_write(w);
        }
        return 0;
}

/**
 * watch_new() - nothing is followed yet
 * @ret: watch_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int watch_new(Manager *m, Watch **ret) {
        Watch *w = malloc(sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (Watch) {
                .manager = m,
                .run_fd = openat(kernel_root_fd(m->kernel), "run/hotpatch",
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
        };
        refused_read(w);
        *ret = w;
        return 0;
}

/** watch_free() - stop; NULL is fine. Returns NULL. */
Watch *watch_free(Watch *w) {
        if (!w)
                return NULL;
        kernel_log_follower_free(w->follower);
        sd_event_source_disable_unref(w->modules);
        strv_free(w->refused);
        safe_close(w->run_fd);
        free(w);
        return NULL;
}
