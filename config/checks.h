/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a machine may have to be or have before it takes hotpatches: the words of Require= in hotpatchd.conf(5). */

#include "util/base.h"

/** EligibilityCheck - the rows of the table, in the order in which it is shown */
typedef enum EligibilityCheck {
        CHECK_POLICY,           /* hotpatches are allowed here */
        CHECK_LIVEPATCH,        /* the kernel can do it */
        CHECK_STACK_TRACES,     /* … and can tell when it is safe */
        CHECK_ARCHITECTURE,     /* … on a processor where that is proved, or that was opted in */
        CHECK_FTRACE,           /* function tracing is on */
        CHECK_MEMORY,
        CHECK_SECURE_BOOT,
        CHECK_LOCKDOWN,
        CHECK_MODULE_SIGNATURES,
        CHECK_TPM2,
        CHECK_VIRTUALIZATION,
        CHECK_ENROLMENT,        /* somebody is trusted to sign */
        CHECK_BASELINE,         /* the newest baseline that was due is reached */
        _CHECK_MAX,
} EligibilityCheck;

const char *eligibility_check_to_string(EligibilityCheck check);
