/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two files for whoever looks at this machine and does not speak D-Bus, or must not start a service to look:
 *
 *   /run/hotpatch/status.json   what is in force, with kernel, boot and when it changed
 *   /run/hotpatch/fixed-cves    the CVEs of it, one a line, behind one line with kernel and boot
 *
 * Everybody may read them, as everybody may ask for the same on the bus. They are written when something changes, and at
 * no other time; each is replaced as a whole.
 *
 * They are there while hotpatchd is, because a patch is watched only then: whoever stops the service, for an update of
 * the package too, makes the claim go away before its ground does. When hotpatchd is killed, ExecStopPost= of
 * hotpatchd.service removes them. What nobody could remove is recognised by the boot id in it. If a file cannot be
 * written, the old one is removed for the same reason: no claim is better than one that is over.
 *
 * Nothing fails because of these files.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>

#include <config.h> /* the build's */
#include "daemon/eclipse.h"
#include "daemon/manager.h"
#include "daemon/publish.h"
#include "daemon/rundir.h"
#include "daemon/status.h"
#include "daemon/store-forced.h"
#include "util/file.h"

#define JSON_FILE "status.json"
#define LINES_FILE "fixed-cves"
/* Names are not listed, but who knows one may open what is open to him: all other files are root's alone. */
#define RUN_MODE 0711

struct Publisher {
        Manager *manager;
        int run_fd;
        uint64_t changed_usec;
        char *content; /* what the files say, without the time; NULL: there are none */
};

/* All patches of a forced transition are doubtful when its record cannot be read. */
static int gather(const Manager *m, sd_id128_t boot, const Patch ***ret, size_t *ret_n) {
        _cleanup_(forced_done) Forced forced = {};
        _cleanup_free_ const Patch **v = NULL;
        size_t n = 0;
        int r = store_forced_read(m->store, boot, &forced);

        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        v = calloc(m->patches.n_patches + 1, sizeof(*v));
        if (!v)
                return -ENOMEM;
        for (size_t i = 0; r != -EBADMSG && i < m->patches.n_patches; i++)
                if (status_is_in_force(m->patches.patches[i], forced.modules) &&
                    !eclipse_is_possible(m->kernel, &m->patches, m->patches.patches[i]))
                        v[n++] = m->patches.patches[i];
        *ret = TAKE_PTR(v);
        *ret_n = n;
        return 0;
}

/* @ret_lines: NULL: not wanted */
static int make(const Manager *m, uint64_t changed_usec, char **ret_json, char **ret_lines) {
        _cleanup_free_ const Patch **patches = NULL;
        _cleanup_free_ char *json = NULL;
        Status s = { .version = HOTPATCH_VERSION, .kernel = &m->identity, .changed_usec = changed_usec };
        int r;

        r = sd_id128_get_boot(&s.boot_id);
        if (r >= 0)
                r = gather(m, s.boot_id, &patches, &s.n_patches);
        if (r < 0)
                return r;
        s.patches = patches;
        r = status_json(&s, &json);
        if (r >= 0 && ret_lines)
                r = status_lines(&s, ret_lines);
        if (r < 0)
                return r;
        *ret_json = TAKE_PTR(json);
        return 0;
}

static void withdraw(Publisher *p) {
        (void) unlinkat(p->run_fd, LINES_FILE, 0);
        (void) unlinkat(p->run_fd, JSON_FILE, 0);
        free(p->content);
        p->content = NULL;
}

static int publish(Publisher *p) {
        _cleanup_free_ char *content = NULL, *json = NULL, *lines = NULL;
        uint64_t now = clock_usec(CLOCK_REALTIME);
        int r;

        r = make(p->manager, 0, &content, NULL);
        if (r < 0 || (p->content && streq(p->content, content)))
                return r;
        r = make(p->manager, now, &json, &lines);
        if (r >= 0)
                r = file_publish_at(p->run_fd, LINES_FILE, lines, strlen(lines), 0644);
        if (r >= 0)
                r = file_publish_at(p->run_fd, JSON_FILE, json, strlen(json), 0644);
        if (r < 0)
                return r;
        free(p->content);
        p->content = TAKE_PTR(content);
        p->changed_usec = now;
        return 0;
}

/**
 * publisher_look() - write the files if they would say something else than they do
 * @changed: a patch was seen to have changed; without that, only what was never written is
 *
 * To be called when the patches of the manager are fresh.
 */
void publisher_look(Publisher *p, bool changed) {
        int r;

        if (p->content && !changed)
                return;
        r = publish(p);
        if (r >= 0)
                return;
        fprintf(stderr, "<%d>/run/hotpatch/" LINES_FILE " cannot be written, scanners are told nothing: %s\n",
                LOG_WARNING, strerror(-r));
        withdraw(p);
}

/** publisher_stop() - this daemon ends, and with it what it vouches for */
void publisher_stop(Publisher *p) {
        withdraw(p);
}

/**
 * publish_bus_get() - GetStatus(): the content of status.json
 */
int publish_bus_get(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *json = NULL;
        Manager *m = userdata;
        int r;

        r = patches_refresh(m);
        if (r >= 0)
                r = make(m, m->publisher->changed_usec, &json, NULL);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", json);
}

/**
 * publisher_new() - nothing is said yet
 * @ret: publisher_free() it
 *
 * What the daemon before this one left behind goes: nobody vouches for it. That it has ended the lock of the state directory
 * says, which is ours by now (store_open()), whatever becomes of the name on the bus.
 *
 * Return: 0 or -ENOMEM.
 */
int publisher_new(Manager *m, Publisher **ret) {
        Publisher *p = malloc(sizeof(*p));

        if (!p)
                return -ENOMEM;
        *p = (Publisher) {
                .manager = m,
                .run_fd = rundir_open(kernel_root_fd(m->kernel)),
        };
        /* Made by an older version, or by whoever came first. */
        if (p->run_fd >= 0)
                (void) (fchmod(p->run_fd, RUN_MODE) < 0);
        withdraw(p);
        *ret = p;
        return 0;
}

/** publisher_free() - the files stay; NULL is fine. Returns NULL. */
Publisher *publisher_free(Publisher *p) {
        if (!p)
                return NULL;
        free(p->content);
        safe_close(p->run_fd);
        free(p);
        return NULL;
}
