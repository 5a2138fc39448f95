/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What livepatch says in the kernel log. */

#include "util/base.h"
#include "util/limits.h"

typedef enum KlpEvent {
        KLP_CHANGED,   /* a livepatch comes, goes or has arrived */
        KLP_APPLIED,   /* @patch took effect on @module, which is being loaded */
        KLP_REVERTED,  /* @patch left @module, which is being unloaded or whose init failed */
        KLP_REFUSED,   /* @module is not loaded because @patch does not fit it */
} KlpEvent;

/** struct KlpMessage - @patch is the name of the patch's module; "" where the kernel names none */
typedef struct KlpMessage {
        KlpEvent event;
        char patch[HOTPATCH_MODULE_NAME_MAX + 1];
        char module[HOTPATCH_MODULE_NAME_MAX + 1];
} KlpMessage;

int klp_message_parse(const char *text, KlpMessage *ret) _must_check_ _nonnull_(1, 2);
