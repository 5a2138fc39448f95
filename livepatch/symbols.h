/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Functions of the running kernel: are they there, how often, can they be redirected. One pass
 * over /proc/kallsyms and over tracefs for all queries together.
 */

#include "livepatch/kernel.h"

/* A handler's name for a sentence; longer ones are cut. */
#define SYMBOL_OWNER_SIZE 128

/**
 * struct SymbolFacts - what is known about one function
 * @object, @name: the question; owned by the caller
 * @matches: number of symbols of that name in that object
 * @object_loaded: `vmlinux`, or the module is loaded; otherwise the rest is unknown
 * @traceable: in available_filter_functions, so ftrace can redirect it
 * @busy: an IPMODIFY user has it already (livepatch itself not counted)
 * @livepatched: a livepatch redirects it now
 * @owner: the handler of the IPMODIFY user, as the kernel names it, "HANDLER" or "HANDLER [MODULE]"; empty
 *   when it is not @busy, or when the kernel does not tell, as with several users of one function
 */
typedef struct SymbolFacts {
        const char *object;
        const char *name;
        unsigned matches;
        bool object_loaded;
        bool traceable;
        bool busy;
        bool livepatched;
        char owner[SYMBOL_OWNER_SIZE];
} SymbolFacts;

int symbols_look_up(const Kernel *k, SymbolFacts *facts, size_t n_facts) _must_check_
                _nonnull_(1, 2);
