/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Why this machine has to be restarted, as the property RebootRequired tells it: each reason has an id
 * for programs and a sentence for people.
 *
 *   forced   a transition was forced in this boot; nothing more is applied
 *   baseline a baseline is installed, and the restart into it has not been
 *   packages a package manager, whoever had it run, asks for it by Debian's file
 *   pinned   a module has no effect any more, and the kernel keeps it
 *
 * Which modules are pinned the record of the forced transition says, the merged view of those that are recorded still, and
 * the kernel of all others that carry our note: one whose removal ended without a force may be held all the
 * same, and one that has no exit function always is. While a job runs, a module on its way out is no reason yet.
 */

#include <dirent.h>
#include <fcntl.h>

#include "baseline/run.h"
#include "daemon/bus.h"
#include "daemon/manager.h"
#include "daemon/reboot.h"
#include "daemon/store-forced.h"
#include "livepatch/state.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static int add(RebootReason reason, void *userdata, const char *id, const char *format, const char *name) {
        _cleanup_free_ char *text = NULL;

        if (str_printf(&text, "%s'%s'%s", format, name,
                    streq(id, "forced") ? " was forced; nothing more is applied before the restart"
                                        : " has no effect any more but stays in memory until the restart") < 0)
                return -ENOMEM;
        return reason(userdata, id, text);
}

static int add_forced(const Manager *m, const Forced *f, RebootReason reason, void *userdata) {
        int r = 0;

        for (char **module = f->modules; r >= 0 && module && *module; module++)
                r = add(reason, userdata, "forced", "The transition of module ", *module);
        for (char **module = f->pinned; r >= 0 && module && *module; module++) {
                LivepatchState state;

                if (livepatch_state(m->kernel, *module, &state) >= 0 && state == LIVEPATCH_HELD)
                        r = add(reason, userdata, "pinned", "Module ", *module);
        }
        return r;
}

static int add_baseline(const Manager *m, RebootReason reason, void *userdata) {
        const BaselineState *s = baseline_state(m->baseline);
        _cleanup_free_ char *text = NULL;

        if (s->phase != BASELINE_INSTALLED && s->phase != BASELINE_SCHEDULED && s->phase != BASELINE_RESTARTING)
                return 0;
        if (str_printf(&text, "Baseline %s is installed and comes into force with a restart", s->name) < 0)
                return -ENOMEM;
        return reason(userdata, "baseline", text);
}

static bool is_held(const Kernel *k, const char *module) {
        LivepatchState state;
        PatchNote note;

        if (livepatch_note(k, module, &note) < 0)
                return false;
        patch_note_done(&note);
        return livepatch_state(k, module, &state) >= 0 && state == LIVEPATCH_HELD && livepatch_is_coming(k, module) == 0;
}

static bool is_told(const Manager *m, const Forced *f, const char *module) {
        if (strv_contains(f->pinned, module))
                return true;
        for (size_t i = 0; i < m->patches.n_patches; i++)
                if (m->patches.patches[i]->state == PATCH_PINNED && streq(m->patches.patches[i]->module, module))
                        return true;
        return false;
}

/* What nobody records. A folder that cannot be read has none. */
static int add_held(const Manager *m, const Forced *f, RebootReason reason, void *userdata) {
        _cleanup_closedir_ DIR *d = NULL;
        const char *module;
        int r = 0;

        if (manager_running_job(m) || directory_open_at(kernel_root_fd(m->kernel), "sys/module", 0, &d) < 0)
                return 0;
        while (r >= 0 && directory_next_folder(d, &module) > 0)
                if (!is_told(m, f, module) && is_held(m->kernel, module))
                        r = add(reason, userdata, "pinned", "Module ", module);
        return r;
}

static bool packages_ask(const Manager *m) {
        return faccessat(kernel_root_fd(m->kernel), "run/reboot-required", F_OK, 0) >= 0;
}

/** reboot_look() - tell the bus when packages have begun, or ceased, to ask for a restart: it is others who have them do so */
void reboot_look(Manager *m) {
        bool ask = packages_ask(m);

        if (ask == m->packages_ask)
                return;
        m->packages_ask = ask;
        if (m->bus)
                bus_reboot_changed(m);
}

/* /run/reboot-required, and the packages that want it. Names of packages are all that is believed. */
static int add_packages(const Manager *m, RebootReason reason, void *userdata) {
        int root_fd = kernel_root_fd(m->kernel), r;
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ void *packages = NULL;
        char *first;

        if (!packages_ask(m))
                return 0;
        (void) (file_read_at(root_fd, "run/reboot-required.pkgs", HOTPATCH_REBOOT_PACKAGES_MAX, &packages, NULL) < 0);
        first = packages;
        if (first)
                first[strcspn(first, "\n")] = 0;
        if (first && run_package_is_valid(first))
                r = str_printf(&text, "Packages were installed that ask for a restart, '%s' first", first);
        else
                r = str_printf(&text, "Packages were installed that ask for a restart");
        if (r < 0)
                return r;
        return reason(userdata, "packages", text);
}

/**
 * reboot_reasons() - call @reason for each reason why the machine has to be restarted
 *
 * Return: 0 or a negative errno.
 */
int reboot_reasons(const Manager *m, RebootReason reason, void *userdata) {
        _cleanup_(forced_done) Forced f = {};
        sd_id128_t boot;
        int r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return r;
        r = store_forced_read(m->store, boot, &f);
        if (r == -EBADMSG)
                r = reason(userdata, "forced", "The file '/var/lib/hotpatch/forced' cannot be read; "
                        "nothing is applied before it was looked at");
        else if (r >= 0)
                r = add_forced(m, &f, reason, userdata);
        else if (r == -ENOENT)
                r = 0;
        for (size_t i = 0; r >= 0 && i < m->patches.n_patches; i++) {
                const Patch *p = m->patches.patches[i];

                if (p->state == PATCH_PINNED && !strv_contains(f.pinned, p->module))
                        r = add(reason, userdata, "pinned", "Module ", p->module);
        }
        if (r >= 0)
                r = add_held(m, &f, reason, userdata);
        if (r >= 0)
                r = add_baseline(m, reason, userdata);
        return r < 0 ? r : add_packages(m, reason, userdata);
}
