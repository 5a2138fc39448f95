/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an atomic replace, or a crash after it, leaves: modules of ours that are loaded and have no effect.
 *
 * The kernel disables the patches that another one replaces and keeps their modules, for somebody to
 * unload. A job does that for what its plan takes out. What is left is swept when the daemon starts and
 * after each job: a module that carries our note, that no record names, and that the kernel shows as
 * loaded, unused and without a livepatch. A recorded one is drift, and somebody's business. A note is a
 * claim, but whoever could load a module with a false one could unload it as well, and nothing
 * else than a module without effect is lost by it.
 *
 * One that cannot be unloaded stays until the restart; that it is there is for the findings to tell.
 */

#include <syslog.h>

#include "daemon/leftovers.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "livepatch/load.h"
#include "livepatch/state.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

/* Each unload takes the kernel some milliseconds, more under emulation. */
#define SWEEP_TIMEOUT_USEC (60 * USEC_PER_SEC)

struct Leftovers {
        Manager *manager;
        char **modules;
        char **ids; /* of the note of the module at the same place */
        Worker *worker;
};

/** leftovers_free() - stop sweeping; NULL is fine. Returns NULL. */
Leftovers *leftovers_free(Leftovers *l) {
        if (!l)
                return NULL;
        worker_free(l->worker);
        strv_free(l->modules);
        strv_free(l->ids);
        free(l);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Leftovers *, leftovers_free);

/** leftovers_pending() - is a sweep under way? */
bool leftovers_pending(const Manager *m) {
        return m->leftovers;
}

static bool is_recorded(const AdmittedRecord *records, size_t n, const char *module) {
        for (size_t i = 0; i < n; i++)
                if (streq_ptr(records[i].module, module))
                        return true;
        return false;
}

/* Return: 1 with the id of its note, 0, or -ENOMEM. */
static int is_leftover(const Kernel *k, const char *module, char **ret_id) {
        LivepatchState state;
        PatchNote note;

        if (livepatch_note(k, module, &note) < 0)
                return 0;
        if (livepatch_state(k, module, &state) < 0 || state != LIVEPATCH_INACTIVE ||
            livepatch_is_coming(k, module) != 0) {
                patch_note_done(&note);
                return 0;
        }
        *ret_id = TAKE_PTR(note.bundle_id);
        patch_note_done(&note);
        return 1;
}

static int see_module(Leftovers *l, const char *module) {
        _cleanup_free_ char *id = NULL;
        int r = is_leftover(l->manager->kernel, module, &id);

        if (r <= 0)
                return r;
        r = strv_extend(&l->modules, module);
        return r < 0 ? r : strv_extend(&l->ids, id);
}

static int find_leftovers(Leftovers *l) {
        const Manager *m = l->manager;
        _cleanup_closedir_ DIR *d = NULL;
        AdmittedRecord *records;
        const char *name;
        size_t n;
        int r;

        r = directory_open_at(kernel_root_fd(m->kernel), "sys/module", 0, &d);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = store_admitted_list(m->store, &records, &n);
        if (r < 0)
                return r;
        while (r >= 0 && (r = directory_next_folder(d, &name)) > 0)
                if (!is_recorded(records, n, name))
                        r = see_module(l, name);
        admitted_records_free(records, n);
        return r;
}

/* In a child: says which ones are gone, each on a line. */
static int unload(void *userdata, int output_fd, _unused_ sd_bus_error *error) {
        const Leftovers *l = userdata;

        for (char **module = l->modules; module && *module; module++) {
                _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
                _cleanup_free_ char *line = NULL;
                int r = module_unload(l->manager->kernel, *module, &ignored);

                if (r < 0)
                        continue;
                if (str_printf(&line, "%s\n", *module) < 0)
                        return -ENOMEM;
                r = file_write_all(output_fd, line, strlen(line));
                if (r < 0)
                        return r;
        }
        return 0;
}

static void record_unloaded(const Leftovers *l, size_t i) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_LEFTOVER,
                .priority = LOG_INFO,
                .patch = l->ids[i],
                .module = l->modules[i],
                .caller_uid = UINT32_MAX,
        }, "Module '%s' of '%s' had no effect any more and was unloaded", l->modules[i], l->ids[i]);
}

static void swept(void *userdata, _unused_ int r, _unused_ const sd_bus_error *error, const void *output,
                size_t size) {
        _cleanup_(leftovers_freep) Leftovers *l = userdata;
        _cleanup_free_ char *text = strndup(size ? output : "", size);
        char *rest = text, *line;

        l->manager->leftovers = NULL;
        while (text && (line = strsep(&rest, "\n")))
                for (size_t i = 0; l->modules[i]; i++)
                        if (streq(l->modules[i], line))
                                record_unloaded(l, i);
}

/**
 * leftovers_sweep() - unload what is left of patches that nobody wants
 * @m: the manager; with a job running nothing is done, it ends with a sweep of its own
 *
 * Returns at once; the work is a worker's. Failure leaves things as they are.
 */
void leftovers_sweep(Manager *m) {
        _cleanup_(leftovers_freep) Leftovers *l = NULL;

        if (m->leftovers || manager_running_job(m))
                return;
        l = calloc(1, sizeof(*l));
        if (!l)
                return;
        l->manager = m;
        if (find_leftovers(l) < 0 || !l->modules)
                return;
        if (worker_start(m->event, "leftovers", SWEEP_TIMEOUT_USEC, unload, l, swept, l, &l->worker) < 0)
                return;
        m->leftovers = TAKE_PTR(l);
}
