/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/checks.h"

static const char *const names[_CHECK_MAX] = {
        [CHECK_POLICY] = "policy",
        [CHECK_LIVEPATCH] = "livepatch",
        [CHECK_STACK_TRACES] = "stack-traces",
        [CHECK_ARCHITECTURE] = "architecture",
        [CHECK_FTRACE] = "ftrace",
        [CHECK_MEMORY] = "memory",
        [CHECK_SECURE_BOOT] = "secure-boot",
        [CHECK_LOCKDOWN] = "lockdown",
        [CHECK_MODULE_SIGNATURES] = "module-signatures",
        [CHECK_TPM2] = "tpm2",
        [CHECK_VIRTUALIZATION] = "virtualization",
        [CHECK_ENROLMENT] = "enrolment",
        [CHECK_BASELINE] = "baseline",
};

/** eligibility_check_to_string() - the word of a check; NULL if there is no such check */
const char *eligibility_check_to_string(EligibilityCheck check) {
        return check < _CHECK_MAX ? names[check] : NULL;
}
