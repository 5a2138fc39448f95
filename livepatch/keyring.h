/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Does the kernel have the key that a module was signed with? */

#include "livepatch/kernel.h"
#include "livepatch/modsig.h"

int kernel_has_signer(const Kernel *k, const ModuleSignature *s, const char **ret_ring) _must_check_
                _nonnull_(1, 2, 3);
int kernel_trusted_keys(const Kernel *k, char **ret) _must_check_ _nonnull_(1, 2);
