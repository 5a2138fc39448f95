/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl status` when hotpatchd does not answer: whether the machine is safe is not known then, and
 * that is said; what runs is read from the kernel, which is the one thing that a person in front of a broken
 * machine can still be told. The one verb beside `bundle` and `key` that looks into the kernel by itself.
 */

#include <sys/utsname.h>

#include "ctl/fields.h"
#include "ctl/status.h"
#include "livepatch/identity.h"
#include "livepatch/state.h"
#include "util/strv.h"

/* Modules that the kernel has in force, whoever loaded them; NULL when there are none. */
static int kernel_livepatches(char **ret) {
        _cleanup_strv_free_ char **names = NULL, **on = NULL;
        _cleanup_kernel_free_ Kernel *k = NULL;
        int r = kernel_new("/", NULL, NULL, &k);

        if (r >= 0)
                r = livepatch_list(k, &names);
        for (char **name = names; r >= 0 && name && *name; name++) {
                LivepatchState state;

                r = livepatch_state(k, *name, &state);
                if (r >= 0 && state == LIVEPATCH_PATCHED)
                        r = strv_extend(&on, *name);
        }
        if (r < 0 || !on)
                return 0; /* then it is only not told */
        return strv_join(on, ", ", ret);
}

/**
 * status_print_unreachable() - the three lines when nobody answers
 * @error: why nobody does
 * @row: its row of the table of errors
 *
 * Return: exit status.
 */
int status_print_unreachable(const Ctl *ctl, const sd_bus_error *error, const HotpatchError *row) {
        _cleanup_free_ char *modules = NULL;
        struct utsname name;
        int r;

        r = field_printf(ctl, "Safety", STYLE_RED, "NOT KNOWN, because hotpatchd does not answer: %s", error->message);
        if (r >= 0 && uname(&name) == 0 && kernel_livepatches(&modules) >= 0)
                r = field_printf(ctl, "Running", STYLE_NONE, "Linux %s %s%s", name.release,
                        modules ? "with livepatch modules: " : "without a livepatch module", strempty(modules));
        if (r >= 0)
                r = field_print(ctl, "To do", row->remedy, STYLE_BOLD);
        return r < 0 ? HOTPATCH_EXIT_FAILURE : row->exit;
}
