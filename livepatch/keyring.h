/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Does the kernel have the key that a module was signed with? */

#include "livepatch/kernel.h"
#include "livepatch/modsig.h"

/* What a message says about where the kernel looked: the rings of mod_verify_sig(), kernel/module/signing.c. */
#define KERNEL_MODULE_RINGS ".builtin_trusted_keys, .secondary_trusted_keys, .machine and .platform"

int kernel_has_signer(const Kernel *k, const ModuleSignature *s, const char **ret_ring) _must_check_
                _nonnull_(1, 2, 3);
