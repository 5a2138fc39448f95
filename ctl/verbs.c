/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of verbs, and the help that is made from it and from the table of options. */

#include <limits.h>

#include "ctl/verbs.h"
#include "util/limits.h"

const VerbEntry ctl_verbs[] = {
                {"status", "", 0, 0, 0, false, verb_status,
                                "am I safe, what is running, what must I do?"},
                {"list", "", 0, 0, 0, false, verb_list, "every hotpatch this machine knows"},
                {"show", "ID...", 1, UINT_MAX, 0, false, verb_show, "all about a patch"},
                {"verify", "FILE...", 1, UINT_MAX, 0, false, verb_verify,
                                "would this machine trust the bundle?"},
                {"plan", "FILE|ID...", 1, HOTPATCH_TRANSACTION_MAX,
                                OPTION_ALLOW_DOWNGRADE | OPTION_ALLOW_REPLACE, false,
                                verb_plan, "what apply would do, without doing it"},
                {"stage", "FILE...", 1, HOTPATCH_SPOOL_MAX, 0, false, verb_stage,
                                "keep bundles ready, to be applied by id"},
                {"apply", "FILE|ID...", 1, HOTPATCH_TRANSACTION_MAX,
                                OPTION_NO_WAIT | OPTION_WAIT_TRIAL | OPTION_ALLOW_DOWNGRADE | OPTION_ALLOW_REPLACE | OPTION_DRY_RUN,
                                false, verb_apply,
                                "change the running kernel; several: all or none"},
                {"remove", "ID...", 1, HOTPATCH_TRANSACTION_MAX, OPTION_NO_WAIT | OPTION_DRY_RUN, false, verb_remove,
                                "take patches out of the running kernel"},
                {"release", "ID...", 1, HOTPATCH_TRANSACTION_MAX, 0, false, verb_release,
                                "let a quarantined patch be used again"},
                {"end-trial", "ID...", 1, HOTPATCH_TRANSACTION_MAX, 0, false, verb_end_trial,
                                "be content with patches on trial"},
                {"cancel", "JOB", 1, 1, 0, false, verb_cancel, "stop a job and undo what it did"},
                {"force", "JOB", 1, 1, 0, false, verb_force, "end a stalled transition; wants a restart then"},
                {"history", "", 0, 0, OPTION_LINES | OPTION_SINCE | OPTION_HISTORY, false, verb_history,
                                "what happened, from the journal"},
                {"cves", "[CVE...]", 0, UINT_MAX, 0, false, verb_cves,
                                "what is fixed, could be, and needs a restart"},
                {"audit", "", 0, 0, 0, false, verb_audit,
                                "do kernel, records, store and journal agree?"},
                {"baseline", "[VERB [ID]]", 0, 2, 0, false, verb_baseline,
                                "its packages: status, plan, install, and others",
                                "  status     what was last planned, fetched and installed; also without a verb\n"
                                "  plan       what would be installed, now or by the staged bundle ID\n"
                                "  download   fetch it ahead\n"
                                "  schedule   make it due now, whatever the calendar says\n"
                                "  install    install it now; does not restart the machine\n"
                                "  mend       complete an installation that was cut off\n"
                                "  look       look at the calendar, as the daily timer does\n"},
                {"check", "", 0, 0, 0, false, verb_check,
                                "may this machine take hotpatches?"},
                {"is-current", "", 0, 0, 0, false, verb_is_current,
                                "is every known fix in force? exit status 0 or 11"},
                {"needs-reboot", "", 0, 0, 0, false, verb_needs_reboot,
                                "must the machine restart? exit status 0 or 11"},
                {"motd", "", 0, 0, 0, false, verb_motd, "what somebody who logs in should know"},
                {"policy", "[VERB [PATH...]]", 0, UINT_MAX, 0, false, verb_policy,
                                "what is configured, and where; reload, check",
                                "  reload          read hotpatchd.conf(5) again\n"
                                "  check PATH...   would anything in these files be ignored? exit status 0 or 11;\n"
                                "                  needs no daemon\n"},
                {"calendar", "[YEAR]", 0, 1, 0, false, verb_calendar,
                                "which months restart, which do not, what was done"},
                {"reboot", "[VERB [TIME]]", 0, 2, 0, false, verb_reboot,
                                "when the machine restarts; schedule, defer, cancel",
                                "  schedule [TIME]   restart then; without a time in five minutes\n"
                                "  defer TIME        put the restart of a baseline off, within the budget\n"
                                "  cancel            take it back\n"
                                "\n"
                                "A TIME is +2h (min, h, d) or '2026-11-21 22:00'.\n"},
                {"metrics", "", 0, 0, OPTION_OUTPUT, false, verb_metrics, "what a fleet watches, as OpenMetrics"},
                {"vex", "", 0, 0, OPTION_OUTPUT | OPTION_VEX, false, verb_vex,
                                "what is fixed in the running kernel, for scanners"},
                {"monitor", "", 0, 0, 0, false, verb_monitor, "print what happens as it happens"},
                {"bundle", "VERB ...", 0, UINT_MAX, 0, true, verb_bundle,
                                "make, sign, show, check, unpack; needs no daemon"},
                {"key", "VERB ...", 0, UINT_MAX, 0, true, verb_key,
                                "make keys and certificates; needs no daemon"},
};
const size_t n_ctl_verbs = ELEMENTSOF(ctl_verbs);

/** verb_find() - the row of a verb, or NULL */
const VerbEntry *verb_find(const char *name) {
        for (size_t i = 0; i < n_ctl_verbs; i++)
                if (streq(ctl_verbs[i].name, name))
                        return &ctl_verbs[i];
        return NULL;
}

/* Columns of what is explained: the longest option. */
#define LEFT 27

static void print_pair(const char *left, const char *right) {
        printf("  %-*s %s\n", LEFT, left, right);
}

static void print_option(const Option *option) {
        char left[64];
        const char *open = !option->value ? "" : option->value_optional ? "[=" : "=";

        snprintf(left, sizeof(left), "%c%c%c --%s%s%s%s", option->letter ? '-' : ' ',
                option->letter ?: ' ', option->letter ? ',' : ' ', option->name, open,
                strempty(option->value), option->value && option->value_optional ? "]" : "");
        print_pair(left, option->help);
}

static void print_verb(const VerbEntry *verb) {
        char left[64];

        snprintf(left, sizeof(left), "%s %s", verb->name, verb->args);
        print_pair(left, verb->summary);
}

/**
 * help_print() - the help of one verb, or of all
 * @verb: NULL for the overview
 */
void help_print(const VerbEntry *verb) {
        if (verb) {
                printf("hotpatchctl %s%s%s\n  %s\n%s%s\nOptions:\n", verb->name, *verb->args ? " " : "", verb->args,
                                verb->summary, verb->more ? "\n" : "", strempty(verb->more));
        } else {
                puts("hotpatchctl [OPTIONS] VERB [ARGUMENTS]\n"
                     "  Change the running kernel by signed hotpatches, see what was changed, undo "
                     "it.\n"
                     "\nVerbs:");
                for (size_t i = 0; i < n_ctl_verbs; i++)
                        print_verb(&ctl_verbs[i]);
                puts("\nOptions:");
        }
        for (size_t i = 0; i < n_ctl_options; i++)
                if (!verb || (ctl_options[i].set & ~verb->options) == 0)
                        print_option(&ctl_options[i]);
        putchar('\n');
        if (!verb || strstr(verb->args, "FILE"))
                puts("A FILE is a bundle (*.hpb or a path, '-' for standard input).");
        if (!verb || strstr(verb->args, "ID..."))
                puts("An ID names a patch that is applied or staged: 'hotpatchctl list'.");
        puts("Exit status: 0 done or nothing to do, 2 wrong command line. See hotpatchctl(1).");
}
