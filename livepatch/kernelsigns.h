/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reports of the kernel about itself (warnings, oopses, stalls) out of the records of its log. */

#include "livepatch/klog-record.h"
#include "util/limits.h"

/* By weight: a report that is two of them is the later one. */
typedef enum KernelSignKind {
        KERNEL_SIGN_WARNING, /* WARN(), refcount, lockdep: it goes on */
        KERNEL_SIGN_STALL,   /* RCU waits for a processor or task */
        KERNEL_SIGN_HUNG,    /* a task has not moved for minutes */
        KERNEL_SIGN_LOCKUP,  /* a processor does not schedule */
        KERNEL_SIGN_BUG,     /* BUG:, a broken promise of the kernel's */
        KERNEL_SIGN_OOPS,    /* an exception in the kernel: a task died */
        KERNEL_SIGN_PANIC,
        _KERNEL_SIGN_KIND_MAX,
} KernelSignKind;

/** struct KernelFrame - "function+0x12/0x34 [module]" */
typedef struct KernelFrame {
        char *function;
        char *module; /* NULL: in the kernel's image */
} KernelFrame;

/**
 * struct KernelSign - one report
 * @kind: what it is
 * @text: the line that says so, printable
 * @detail: the author's own words of a WARN(); empty when there are none
 * @sequence: number of its first record
 * @frames: where it happened, then who called that; guesses of the kernel ("? name") are left out
 */
typedef struct KernelSign {
        KernelSignKind kind;
        char text[HOTPATCH_KERNEL_LOG_LINE_MAX + 1];
        char detail[HOTPATCH_KERNEL_LOG_LINE_MAX + 1];
        uint64_t sequence;
        KernelFrame *frames;
        size_t n_frames;
} KernelSign;

void kernel_sign_done(KernelSign *s) _nonnull_(1);
int kernel_sign_describe(const KernelSign *s, char **ret) _must_check_ _nonnull_(1, 2);
bool kernel_sign_names_module(const KernelSign *s, const char *module) _nonnull_(1, 2);
bool kernel_sign_names_function(const KernelSign *s, const char *object, const char *function)
        _nonnull_(1, 2, 3);

/** struct KernelSigns - what collects the lines of a report until it is complete */
typedef struct KernelSigns {
        KernelSign sign;
        uint64_t last_usec; /* of the latest record in it */
        unsigned lines;     /* 0: no report is open */
        bool has_headline;
        bool has_body;
        bool in_trace;
} KernelSigns;

void kernel_signs_done(KernelSigns *s) _nonnull_(1);
int kernel_signs_feed(KernelSigns *s, const KernelRecord *record, KernelSign *ret)
        _must_check_ _nonnull_(1, 2, 3);
int kernel_signs_flush(KernelSigns *s, KernelSign *ret) _must_check_ _nonnull_(1, 2);
bool kernel_signs_pending(const KernelSigns *s) _nonnull_(1);
