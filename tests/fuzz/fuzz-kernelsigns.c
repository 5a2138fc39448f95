/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What /dev/kmsg says: root may write there, and devices and programs choose parts of the text. */

#include "livepatch/kernelsigns.h"
#include "tests/fuzz/fuzz.h"

static void check(KernelSign *s) {
        _cleanup_free_ char *text = NULL;

        if (!*s->text || s->kind >= _KERNEL_SIGN_KIND_MAX || s->n_frames > HOTPATCH_KERNEL_SIGN_NAMES)
                abort();
        for (const char *p = s->text; *p; p++)
                if (*p < ' ' || *p > '~')
                        abort();
        for (size_t i = 0; i < s->n_frames; i++) {
                const KernelFrame *f = &s->frames[i];

                if (!*f->function || (f->module && !kernel_sign_names_module(s, f->module)) ||
                    !kernel_sign_names_function(s, f->module ?: "vmlinux", f->function))
                        abort();
        }
        if (kernel_sign_describe(s, &text) < 0)
                abort();
        kernel_sign_done(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(kernel_signs_done) KernelSigns signs = {};
        _cleanup_free_ char *copy = malloc(size + 1);
        char *p = copy;
        KernelRecord record;
        KernelSign sign = {};

        if (!copy)
                abort();
        memcpy(copy, data, size);
        copy[size] = 0;
        while (kernel_record_next(&p, &record) > 0)
                if (kernel_signs_feed(&signs, &record, &sign) > 0)
                        check(&sign);
        if (kernel_signs_flush(&signs, &sign) > 0)
                check(&sign);
        if (kernel_signs_pending(&signs))
                abort();
        return 0;
}
