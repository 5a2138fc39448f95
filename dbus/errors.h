/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Every named refusal of the project: one table, from which come the D-Bus error names, the errno a
 * C caller sees, the exit code of hotpatchctl and the remedy it prints.
 *
 * The names are contract: one may be added, none changes its meaning. Any layer sets them with
 * sd_bus_error_setf(); this header needs libsystemd only for that type.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

#define HOTPATCH_ERROR(name) "org.hotpatch.Error." name

/** enum hotpatchctl_exit - exit codes of hotpatchctl, see hotpatchctl(1), "EXIT STATUS" */
enum hotpatchctl_exit {
        HOTPATCH_EXIT_OK = 0,
        HOTPATCH_EXIT_FAILURE = 1,       /* anything that has no code of its own */
        HOTPATCH_EXIT_USAGE = 2,         /* the command line is wrong */
        HOTPATCH_EXIT_NOT_FOUND = 3,     /* no such patch, job or bundle */
        HOTPATCH_EXIT_NOT_AUTHORIZED = 4,
        HOTPATCH_EXIT_BAD_BUNDLE = 5,    /* the bundle or its signature is refused */
        HOTPATCH_EXIT_BUSY = 6,          /* something else is under way, or time ran out */
        HOTPATCH_EXIT_NOT_APPLICABLE = 7, /* a good bundle, but not for this kernel or now */
        HOTPATCH_EXIT_KERNEL = 8,        /* the kernel refused or could not finish */
        HOTPATCH_EXIT_UNREACHABLE = 9,   /* hotpatchd cannot be reached on the bus */
        HOTPATCH_EXIT_DRIFT = 10,        /* audit: kernel, records and store do not agree */
        HOTPATCH_EXIT_NO = 11,           /* is-current, needs-reboot, policy check: no */
};

/**
 * struct HotpatchError - one row of the table
 * @name: D-Bus error name
 * @error: positive errno that sd-bus maps the name to
 * @exit: exit code of hotpatchctl
 * @remedy: what a person can do about it, one sentence
 */
typedef struct HotpatchError {
        const char *name;
        int error;
        enum hotpatchctl_exit exit;
        const char *remedy;
} HotpatchError;

extern const HotpatchError hotpatch_errors[];
extern const size_t n_hotpatch_errors;

int hotpatch_errors_register(void);
const HotpatchError *hotpatch_error_find(const char *name);
