/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who else redirects functions of the running kernel: ftrace users that change where a call goes. */

#include "livepatch/kernel.h"

/** struct FunctionHook - one redirected function that is no livepatch's; strings owned */
typedef struct FunctionHook {
        char *object;   /* `vmlinux` or a module */
        char *function;
        char *handler;  /* symbol of the handler; "" when the kernel does not show it */
} FunctionHook;

int function_hooks_list(const Kernel *k, FunctionHook **ret, size_t *ret_n) _must_check_ _nonnull_(1, 2, 3);
void function_hooks_free(FunctionHook *hooks, size_t n);
