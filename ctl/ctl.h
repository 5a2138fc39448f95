/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What every verb of hotpatchctl shares: the options, the connection, and how results and refusals
 * are shown. A verb is one function; verbs.c has the table of verbs, options.c that of options.
 */

#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "dbus/errors.h"
#include "util/base.h"

/**
 * struct Ctl - options given before or after the verb, and the terminal
 * @json: print JSON for machines instead of text for people
 * @json_short: one line for each JSON value instead of indentation
 * @legend: headings and closing lines of tables
 * @quiet: no progress, no "done" lines
 * @ask_password: a password may be asked for (pkttyagent)
 * @wait: wait for the end of jobs
 * @wait_trial: wait for the end of the trial, too
 * @allow_downgrade: accept a lower sequence than this machine has seen
 * @dry_run: only say what would be done
 * @allow_replace_foreign: patches that the bundle does not supersede may be taken out for it
 * @help, @version: print that and nothing else
 * @lines: how many entries of the history; 0: all
 * @since_usec: only history from then on; 0: all
 * @output: the file that the result goes to; NULL: stdout
 * @csaf: VEX as CSAF, not OpenVEX
 * @author: who answers for a document; NULL: the administrators of this machine
 * @until_usec: only history up to then; 0: all
 * @patch: only history of this patch; NULL: all
 * @cve: only history of patches that repair this; NULL: all
 * @failed: only what did not end well
 * @directory: journal files to read the history from; NULL: those of this machine
 * @colour, @colour_stderr: that stream is a terminal that shows colours
 * @terminal: stdout is a terminal
 * @out: where fields are printed; NULL: stdout
 * @bus: opened by ctl_bus() when first needed
 * @agent_pid: the pkttyagent that was started, 0: none
 */
typedef struct Ctl {
        bool json;
        bool json_short;
        bool legend;
        bool quiet;
        bool ask_password;
        bool wait;
        bool wait_trial;
        bool allow_downgrade;
        bool allow_replace_foreign;
        bool dry_run;
        bool help;
        bool version;
        unsigned lines;
        uint64_t since_usec;
        const char *output;
        bool csaf;
        const char *author;
        uint64_t until_usec;
        const char *patch;
        const char *cve;
        bool failed;
        const char *directory;
        bool colour;
        bool colour_stderr;
        bool terminal;
        FILE *out;
        sd_bus *bus;
        pid_t agent_pid;
} Ctl;

/** Verb - run with argv[0] being the verb's name. Returns an exit code, enum hotpatchctl_exit. */
typedef int (*Verb)(Ctl *ctl, int argc, char *argv[]);

void ctl_init(Ctl *ctl) _nonnull_(1);
void ctl_done(Ctl *ctl) _nonnull_(1);

/* bus.c */
int ctl_bus(Ctl *ctl, sd_bus **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);

/* fail.c */
int ctl_fail(const Ctl *ctl, const char *subject, const sd_bus_error *error, int r);
int ctl_usage_of(const char *verb, const char *format, ...) _printf_(2, 3);
/* of no verb that is known */
#define ctl_usage(...) ctl_usage_of(NULL, __VA_ARGS__)

/* verb-*.c */
int verb_status(Ctl *ctl, int argc, char *argv[]);
int verb_list(Ctl *ctl, int argc, char *argv[]);
int verb_show(Ctl *ctl, int argc, char *argv[]);
int verb_verify(Ctl *ctl, int argc, char *argv[]);
int verb_plan(Ctl *ctl, int argc, char *argv[]);
int plan_removal(Ctl *ctl, int argc, char *argv[]);
int verb_stage(Ctl *ctl, int argc, char *argv[]);
int verb_apply(Ctl *ctl, int argc, char *argv[]);
int verb_remove(Ctl *ctl, int argc, char *argv[]);
int verb_release(Ctl *ctl, int argc, char *argv[]);
int verb_force(Ctl *ctl, int argc, char *argv[]);
int verb_end_trial(Ctl *ctl, int argc, char *argv[]);
int verb_cancel(Ctl *ctl, int argc, char *argv[]);
int verb_history(Ctl *ctl, int argc, char *argv[]);
int verb_cves(Ctl *ctl, int argc, char *argv[]);
int verb_is_current(Ctl *ctl, int argc, char *argv[]);
int verb_needs_reboot(Ctl *ctl, int argc, char *argv[]);
int verb_motd(Ctl *ctl, int argc, char *argv[]);
int verb_check(Ctl *ctl, int argc, char *argv[]);
int verb_reboot(Ctl *ctl, int argc, char *argv[]);
int verb_calendar(Ctl *ctl, int argc, char *argv[]);
int verb_policy(Ctl *ctl, int argc, char *argv[]);
int policy_check(Ctl *ctl, int argc, char *argv[]);
int verb_baseline(Ctl *ctl, int argc, char *argv[]);
int verb_metrics(Ctl *ctl, int argc, char *argv[]);
int verb_vex(Ctl *ctl, int argc, char *argv[]);
int verb_audit(Ctl *ctl, int argc, char *argv[]);
int verb_monitor(Ctl *ctl, int argc, char *argv[]);

/*
 * verb-bundle.c, verb-key.c: work without the daemon. They read their own options; the options that
 * all verbs share (--json, --quiet, --no-legend …) were taken out of argv before, but for -h and
 * --help, which they answer themselves.
 */
int verb_bundle(Ctl *ctl, int argc, char *argv[]);
int verb_key(Ctl *ctl, int argc, char *argv[]);
