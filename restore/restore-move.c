/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A patch that was applied under another kernel, and whose bundle serves this one as well: it goes on being
 * wanted, here. Its record names the kernel, the module and what the module says about itself, and is written
 * anew, before anything is loaded: whoever finds the module in the kernel finds the record that belongs to it.
 *
 * Should the other kernel run again, the same happens the other way round.
 */

#include "daemon/admit.h"
#include "dbus/errors.h"
#include "restore/restore-internal.h"
#include "util/file.h"
#include "util/strv.h"

/** restore_is_elsewhere() - was the candidate applied under another kernel than the one that runs? */
bool restore_is_elsewhere(const Restore *r, const Candidate *c) {
        return !streq(c->record->release, r->identity.release);
}

static int read_payload(int fd, Payload *ret) {
        _cleanup_free_ char *text = NULL;
        off_t size = lseek(fd, 0, SEEK_END);
        int k;

        if (size < 0)
                return -errno;
        text = malloc((size_t) size + 1);
        if (!text)
                return -ENOMEM;
        k = file_pread_all(fd, text, (size_t) size, 0);
        return k < 0 ? k : payload_parse(text, (size_t) size, ret);
}

static int fill_record(const Restore *r, const Candidate *c, int payload_fd, AdmittedRecord *ret) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_(payload_done) Payload payload = { 0 };
        int k = read_payload(payload_fd, &payload);

        if (k >= 0)
                k = admit_record(c->verified, &r->identity, c->record->admitted_usec, &record);
        if (k >= 0)
                k = strv_copy(payload.states, &record.states);
        if (k < 0)
                return k;
        record.module_build_id = TAKE_PTR(payload.build_id);
        record.applied_usec = c->record->applied_usec;
        record.order = c->record->order;
        *ret = record;
        record = (AdmittedRecord) { 0 };
        return 0;
}

/**
 * restore_move_here() - make the record of a verified candidate that of the running kernel, for which its bundle has a
 * target
 * @payload_fd: what the module of that target says about itself
 * @error: StateUnwritable; then it must not be loaded
 *
 * Return: 0 or a negative errno.
 */
int restore_move_here(Restore *r, Candidate *c, int payload_fd, sd_bus_error *error) {
        AdmittedRecord record = { 0 };
        int k = fill_record(r, c, payload_fd, &record);

        if (k >= 0)
                k = store_admitted_commit(r->store, -EBADF, &record, error);
        if (k < 0) {
                admitted_record_done(&record);
                return k;
        }
        admitted_record_done(c->record);
        *c->record = record;
        return 0;
}
