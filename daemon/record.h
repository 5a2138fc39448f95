/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What happened, for the journal: one record for each change of state, with a MESSAGE_ID and
 * HOTPATCH_* fields (daemon/messages.h lists them). History, never state.
 */

#include <stdarg.h>
#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct Record - one event; unset members are left out of the journal
 * @message_id: MESSAGE_ID string from daemon/messages.h
 * @priority: syslog(3) level
 * @text: MESSAGE, one sentence
 * @transaction: job number and boot, the same in all records of one job
 * @patch, @module, @digest: HOTPATCH_PATCH, HOTPATCH_MODULE, HOTPATCH_DIGEST
 * @fixes: one HOTPATCH_CVE field each
 * @finding, @object: HOTPATCH_FINDING, HOTPATCH_OBJECT
 * @units: one HOTPATCH_UNIT field each
 * @stacks: one HOTPATCH_STACK field each
 * @caller_uid: who asked; UINT32_MAX: nobody
 * @error: HOTPATCH_ERROR_NAME and HOTPATCH_ERROR_MESSAGE
 */
typedef struct Record {
        const char *message_id;
        int priority;
        const char *text;
        const char *transaction;
        const char *patch;
        const char *module;
        const char *digest;
        const char *finding;
        const char *object;
        char *const *fixes;
        char *const *units;
        char *const *stacks;
        uint32_t caller_uid;
        const sd_bus_error *error;
} Record;

int record_write(const Record *record) _nonnull_(1);
void record_say(const Record *record, const char *format, ...) _nonnull_(1, 2) _printf_(2, 3);
void record_vsay(const Record *record, const char *format, va_list ap) _nonnull_(1, 2) _printf_(2, 0);
