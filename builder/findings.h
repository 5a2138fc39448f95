/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hotpatch-build will not do and why, and what its user should know. All are collected, so that an
 * author sees every reason at once. */

#include "util/base.h"

/** enum Rule - hotpatch-build(1), "REFUSALS", has each; rule_name() is what --json says */
typedef enum Rule {
        RULE_NO_CHANGE,          /* the fix changes no code that this kernel has */
        RULE_NOT_BUILT,          /* a file that the configuration does not build */
        RULE_BUILD_FILES,        /* Makefiles, Kconfig, assembly, linker scripts, generated sources */
        RULE_FIX_OFFSET,         /* a hunk was found at another line: only ever a remark */
        RULE_TOO_MANY_OBJECTS,   /* a header that too many objects include */
        RULE_NOT_MATCHED,        /* the image has other code than was compiled here */
        RULE_AMBIGUOUS_SYMBOL,   /* which of several symbols of a name is meant cannot be told */
        RULE_MISSING_SYMBOL,     /* the image does not have what the new code refers to */
        RULE_NO_FTRACE_SITE,     /* a function that ftrace cannot redirect */
        RULE_INIT_CODE,          /* code that has already run and is gone */
        RULE_ALWAYS_ON_STACK,    /* schedule() and kin */
        RULE_DATA_LAYOUT,        /* a structure, union or enumeration changed */
        RULE_DATA_VALUE,         /* initial value of existing data changed */
        RULE_DATA_REMOVED,       /* data that exists would be another object */
        RULE_EXPORT_CHANGED,     /* an exported symbol came, went, or changed its type */
        RULE_STATIC_KEY,         /* a static key of a module, or a new one */
        RULE_TRACEPOINT,         /* a new tracepoint */
        RULE_MODULE_INTERFACE,   /* module parameters, device tables, initcalls, system calls … */
        RULE_INDIRECT_CALL,      /* address of a function that cannot be called indirectly (IBT) */
        RULE_LATE_SYMBOL,        /* a module's symbol where the kernel needs it before that module is there */
        RULE_UNSUPPORTED,        /* an object construct that the builder does not know: never guessed */
        _RULE_MAX,
} Rule;

/**
 * struct Finding - one reason or remark; all strings owned, optional unless said
 * @subject: the function, data or type
 * @file: of the source tree
 * @text: one sentence, never NULL
 */
typedef struct Finding {
        Rule rule;
        bool refused; /* else only a remark */
        char *object;
        char *file;
        char *subject;
        char *text;
} Finding;

typedef struct Findings {
        Finding *items;
        size_t n;
        /* Set by who works on an object, for those that are added from then on; not owned. */
        const char *object;
        const char *file;
} Findings;

void findings_done(Findings *f);
int findings_refuse(Findings *f, Rule rule, const char *subject, const char *format, ...) _must_check_
                _nonnull_(1, 4) _printf_(4, 5);
int findings_remark(Findings *f, Rule rule, const char *subject, const char *format, ...) _must_check_
                _nonnull_(1, 4) _printf_(4, 5);
size_t findings_refusals(const Findings *f) _nonnull_(1);
const char *rule_name(Rule rule);
const char *rule_advice(Rule rule);
