/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Putting back what was applied, at the start of the machine.
 *
 * The same parts as in the daemon decide and do it (admission, facts, plan, loading), but one after the
 * other and in one process: at this time there is no bus, nobody else asks for anything, and what is read
 * was verified before and lay in a directory that is root's alone. It is verified again all the same.
 *
 * Nothing here keeps a machine from starting. What cannot be restored is told and left out; the boot
 * check (check.c) says later whether that matters.
 */

#include <syslog.h>
#include <time.h>

#include "daemon/aftermath.h"
#include "daemon/loaddir.h"
#include "daemon/switch.h"
#include "restore/restore-internal.h"
#include "util/strv.h"

/* The start of the machine waits for us: so long and no longer. */
#define RESTORE_TIMEOUT_USEC (60 * USEC_PER_SEC)

static void restore_done(Restore *r) {
        for (size_t i = 0; i < r->n_candidates; i++)
                verified_free(r->candidates[i].verified);
        free(r->candidates);
        admitted_records_free(r->records, r->n_records);
        free(r->symbols);
        restored_done(&r->report);
        if (r->load_dir_fd >= 0) {
                loaddir_remove(kernel_root_fd(r->kernel), "restore");
                safe_close(r->load_dir_fd);
        }
        store_free(r->store);
        config_unref(r->config);
        kernel_identity_done(&r->identity);
        kernel_free(r->kernel);
}

static int fail(int r, const char *what, const sd_bus_error *error) {
        fprintf(stderr, "<%d>%s: %s\n", LOG_ERR, what, sd_bus_error_is_set(error) ? error->message : strerror(-r));
        return r;
}

static uint64_t now(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* What hotpatchd says about a wrong line of the configuration is in its log; here only the values count. */
static int load_config(Restore *r) {
        char **warnings = NULL;
        int k = config_load(r->root, &r->config, &warnings);

        strv_free(warnings);
        return k;
}

static int open_all(Restore *r) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k;

        k = sd_id128_get_boot(&r->boot_id);
        if (k < 0)
                return fail(k, "The boot id cannot be read", NULL);
        k = kernel_identity(r->kernel, &r->identity);
        if (k < 0)
                return fail(k, "The kernel does not say who it is", NULL);
        k = load_config(r);
        if (k < 0)
                return fail(k, "The configuration cannot be read", NULL);
        k = store_open(r->root, &r->store, &error);
        return k < 0 ? fail(k, "Nothing is restored", &error) : 0;
}

static int work(Restore *r) {
        int k;

        k = restore_sort(r);
        if (k < 0)
                return fail(k, "The admitted patches cannot be listed", NULL);
        k = loaddir_make(kernel_root_fd(r->kernel), "restore", &r->load_dir_fd);
        if (k < 0)
                return fail(k, "/run/hotpatch/load cannot be used", NULL);
        k = restore_verify(r);
        if (k >= 0)
                k = restore_load(r);
        return k < 0 ? fail(k, "Not everything could be restored", NULL) : 0;
}

/**
 * restore_run() - settle what the last boot left, then put back what is wanted for this kernel
 * @root: every path hangs off it
 * @ops: how modules are loaded; NULL: by the kernel
 *
 * Return: 0, also when patches could not be restored; a negative errno, after saying why on stderr, when
 * nothing could be done at all.
 */
int restore_run(const char *root, const ModuleOps *ops, void *ops_userdata) {
        _cleanup_(restore_done) Restore r = { .root = root, .load_dir_fd = -EBADF };
        const char *off;
        int k;

        k = kernel_new(root, ops, ops_userdata, &r.kernel);
        if (k < 0)
                return fail(k, "The kernel cannot be looked at", NULL);
        /* Before anything else is touched: it is the way out when something here goes wrong. */
        off = switch_off_reason(r.kernel);
        if (off) {
                fprintf(stderr, "<%d>Nothing is restored: %s\n", LOG_NOTICE, off);
                return 0;
        }
        r.deadline_usec = now(CLOCK_MONOTONIC) + RESTORE_TIMEOUT_USEC;
        k = open_all(&r);
        if (k < 0)
                return k;
        k = aftermath_settle(r.store, kernel_root_fd(r.kernel), r.boot_id, now(CLOCK_REALTIME));
        if (k < 0)
                return fail(k, "What the last boot left cannot be settled, so nothing is restored", NULL);
        if (store_mark_running(r.store, r.boot_id, NULL) < 0)
                fprintf(stderr, "<%d>It cannot be noted that the machine runs on after a shutdown\n", LOG_WARNING);
        k = work(&r);
        if (restored_write(kernel_root_fd(r.kernel), &r.report) < 0)
                fprintf(stderr, "<%d>The report for hotpatchd could not be written\n", LOG_WARNING);
        return k;
}
