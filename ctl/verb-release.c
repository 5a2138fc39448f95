/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `hotpatchctl release`: what spoke against a bundle does not count any more. */

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/json.h"
#include "util/strv.h"

/* {"changed", "reason"}, as of the other verbs that may have nothing to do */
static int print_outcome(const Ctl *ctl, char *const *ids, const char *nothing) {
        _cleanup_value_ Value *answer = NULL;

        if (ctl->json) {
                answer = value_object();
                if (value_set_bool(answer, "changed", !nothing) < 0 || value_set_string(answer, "reason", nothing) < 0)
                        return -ENOMEM;
                return value_print(ctl, answer);
        }
        if (ctl->quiet)
                return 0;
        if (nothing) {
                printf("Nothing to do: %s.\n", nothing);
                return 0;
        }
        for (; *ids; ids++)
                printf("%s is released: it can be applied, and is restored if it is wanted.\n", *ids);
        return 0;
}

int verb_release(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = argument_check_ids(argv);

        if (r != HOTPATCH_EXIT_OK)
                return r;
        r = call_with_ids(ctl, "Release", argv + 1, &reply, &error);
        if (r >= 0)
                r = print_outcome(ctl, argv + 1, NULL);
        else if (sd_bus_error_has_name(&error, HOTPATCH_ERROR("NotQuarantined")))
                r = print_outcome(ctl, argv + 1, error.message);
        return r < 0 ? ctl_fail(ctl, argc == 2 ? argv[1] : NULL, &error, r) : HOTPATCH_EXIT_OK;
}
