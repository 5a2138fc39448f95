/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lines of kernel/livepatch/core.c and transition.c. They are for people and may change with any
 * kernel: a line that is not known says only that something changed, and whoever reads it looks at
 * sysfs again. So a kernel with other words costs the record of an event, never a wrong state.
 *
 * The caller takes lines of the kernel itself only (facility 0); /dev/kmsg does not let others write
 * with that.
 */

#include "livepatch/kernel.h"
#include "livepatch/klp-message.h"

#define PREFIX "livepatch: "

/* "%P" and "%M" stand for the quoted names of the patch and of the module. */
static const struct {
        const char *format;
        KlpEvent event;
} lines[] = {
        { "applying patch %P to loading module %M", KLP_APPLIED },                 /* klp_module_coming() */
        { "reverting patch %P on unloading module %M", KLP_REVERTED },             /* klp_cleanup_module_patches_limited() */
        { "patch %P failed for module %M, refusing to load module ", KLP_REFUSED }, /* klp_module_coming() */
};

/* Takes 'NAME' off the text. */
static bool take_name(const char **text, char ret[HOTPATCH_MODULE_NAME_MAX + 1]) {
        const char *end = **text == '\'' ? strchr(*text + 1, '\'') : NULL;
        size_t l;

        if (!end)
                return false;
        l = (size_t) (end - *text) - 1;
        if (l > HOTPATCH_MODULE_NAME_MAX)
                return false;
        memcpy(ret, *text + 1, l);
        ret[l] = 0;
        *text = end + 1;
        return kernel_module_name_valid(ret);
}

static bool line_matches(const char *format, const char *text, KlpMessage *ret) {
        for (; *format; format++)
                if (format[0] == '%' && format[1] == 'P') {
                        if (!take_name(&text, ret->patch))
                                return false;
                        format++;
                } else if (format[0] == '%' && format[1] == 'M') {
                        if (!take_name(&text, ret->module))
                                return false;
                        format++;
                } else if (*text++ != *format)
                        return false;
        return true;
}

/**
 * klp_message_parse() - what a line of the kernel log says about livepatches
 * @text: without its time
 *
 * Return: 1, or 0 when it is not a line of livepatch.
 */
int klp_message_parse(const char *text, KlpMessage *ret) {
        const char *rest = startswith(text, PREFIX);

        if (!rest)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                KlpMessage m = { .event = lines[i].event };

                if (line_matches(lines[i].format, rest, &m)) {
                        *ret = m;
                        return 1;
                }
        }
        *ret = (KlpMessage) { .event = KLP_CHANGED };
        return 1;
}
