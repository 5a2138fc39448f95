/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which records of a journal are ours: written by root, in or about one of the two units that write records.
 *
 * Anybody may write fields that look like ours, but not those that begin with an underscore. Of these _SYSTEMD_UNIT alone is not
 * enough: journald looks it up in /proc when it reads the record, and a process that has ended by then has none. So
 * OBJECT_SYSTEMD_UNIT, which our programs write themselves, is believed as well, of root only. That is what
 * journalctl --unit does. Root in another unit may lie so; root may do that in many ways.
 */

#include <stdio.h>
#include <systemd/sd-journal.h>

#include "util/base.h"
#include "util/journal-match.h"

static const char *const units[] = { "hotpatchd.service", "hotpatch-restore.service" };

static int match_units(sd_journal *journal, const char *field) {
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(units) && r >= 0; i++) {
                char match[64];

                (void) snprintf(match, sizeof(match), "%s=%s", field, units[i]);
                r = sd_journal_add_match(journal, match, 0);
        }
        return r;
}

/**
 * journal_match_ours() - see only records of hotpatchd and hotpatch-restore
 * @journal: without matches; those that are added afterwards must hold as well
 *
 * Return: 0 or a negative errno.
 */
int journal_match_ours(sd_journal *journal) {
        int r = sd_journal_add_match(journal, "_UID=0", 0);

        if (r >= 0)
                r = sd_journal_add_conjunction(journal);
        if (r >= 0)
                r = match_units(journal, "_SYSTEMD_UNIT");
        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        if (r >= 0)
                r = match_units(journal, "OBJECT_SYSTEMD_UNIT");
        return r < 0 ? r : sd_journal_add_conjunction(journal);
}
