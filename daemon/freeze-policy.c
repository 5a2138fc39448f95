/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which units may be frozen so that a transition ends.
 *
 * Frozen is a unit for some milliseconds, see freezer.c. Even so some are left alone: those that thawing
 * needs (systemd, the bus), those that everybody waits for (journal, audit, polkit, names of users), those that
 * serve the root file system's device, the way in for a person who has to repair something, and whole
 * logins, in one of which hotpatchctl waits for us. Slices are never frozen: only services and scopes.
 *
 * The list is built in, because a configuration file that lost it would be found out on the day it
 * is needed. FreezeExclude= of hotpatchd.conf(5) adds to it.
 */

#include <fnmatch.h>

#include "daemon/freeze-policy.h"

static const char *const never[] = {
        "init.scope",
        "hotpatch*.service",
        "dbus.service",
        "dbus-broker.service",
        "systemd-*.service",
        "polkit.service",
        "auditd.service",
        "nscd.service",
        "nslcd.service",
        "sssd*.service",
        "winbind.service",
        "iscsid.service",
        "multipathd.service",
        "mdmon@*.service",
        "dm-event.service",
        "ssh.service",
        "ssh@*.service",
        "sshd.service",
        "sshd@*.service",
        "getty@*.service",
        "serial-getty@*.service",
        "rescue.service",
        "emergency.service",
        "user@*.service",
        "session-*.scope",
};

/**
 * freeze_is_allowed() - may this unit be frozen for a moment?
 * @unit: its name
 * @exclude: globs of the configuration; may be NULL
 */
bool freeze_is_allowed(const char *unit, char *const *exclude) {
        if (!endswith(unit, ".service") && !endswith(unit, ".scope"))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(never); i++)
                if (fnmatch(never[i], unit, 0) == 0)
                        return false;
        for (; exclude && *exclude; exclude++)
                if (fnmatch(*exclude, unit, 0) == 0)
                        return false;
        return true;
}
