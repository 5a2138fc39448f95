/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What every verb of hotpatchctl shares: the options, the connection, and how results and refusals
 * are shown. A verb is one function; main.c has the table of verbs.
 */

#include <systemd/sd-bus.h>

#include "dbus/errors.h"
#include "util/base.h"

/**
 * struct Ctl - options given before or after the verb
 * @json: print JSON for machines instead of text for people
 * @legend: headings and closing lines of tables
 * @quiet: no progress, no "done" lines
 * @ask_password: a password may be asked for (pkttyagent)
 * @wait: wait for the end of jobs
 * @bus: opened by ctl_bus() when first needed
 */
typedef struct Ctl {
        bool json;
        bool legend;
        bool quiet;
        bool ask_password;
        bool wait;
        sd_bus *bus;
} Ctl;

/** Verb - run with argv[0] being the verb's name. Returns an exit code, enum hotpatchctl_exit. */
typedef int (*Verb)(Ctl *ctl, int argc, char *argv[]);

int ctl_bus(Ctl *ctl, sd_bus **ret) _must_check_ _nonnull_(1, 2);
int ctl_fail(const Ctl *ctl, const char *subject, const sd_bus_error *error, int r);
int ctl_usage(const char *format, ...) _printf_(1, 2);

/* verb-bundle.c, verb-key.c: work without the daemon */
int verb_bundle(Ctl *ctl, int argc, char *argv[]);
int verb_key(Ctl *ctl, int argc, char *argv[]);
