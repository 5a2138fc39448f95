/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The form of /dev/kmsg: "PRIORITY,SEQUENCE,USEC,FLAGS[,…];TEXT\n", then lines " KEY=value\n"
 * (Documentation/ABI/testing/dev-kmsg, devkmsg_read() in kernel/printk/printk.c). The kernel gives one
 * record with each read(2); a captured log has many.
 *
 * The kernel escapes what is not printable, newlines too, so a text of somebody's choosing (a command's
 * name, a label of a file system) cannot begin a line of its own. What is no record is left out, as a
 * log is read in hope and decides nothing alone.
 */

#include "livepatch/klog-record.h"

/* LOG_FACSHIFT of syslog(3) */
#define PRIORITY_FACILITY_SHIFT 3
#define PRIORITY_LEVEL_MASK 7U

/* A decimal number and the character behind it. */
static int take_number(const char **p, char end, uint64_t *ret) {
        const char *s = *p;
        uint64_t n = 0;

        if (*s < '0' || *s > '9')
                return -EBADMSG;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(n, 10U, &n) || __builtin_add_overflow(n, (uint64_t) (*s - '0'), &n))
                        return -EBADMSG;
        if (*s != end)
                return -EBADMSG;
        *p = s + 1;
        *ret = n;
        return 0;
}

static int parse_line(char *line, KernelRecord *ret) {
        const char *p = line;
        KernelRecord record;
        uint64_t priority;
        char *text;

        text = strchr(line, ';');
        if (!text)
                return -EBADMSG;
        if (take_number(&p, ',', &priority) < 0 || priority > UINT32_MAX ||
            take_number(&p, ',', &record.sequence) < 0 || take_number(&p, ',', &record.usec) < 0)
                return -EBADMSG;
        text++;
        for (char *c = text; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
        record.level = (unsigned) priority & PRIORITY_LEVEL_MASK;
        record.facility = (unsigned) priority >> PRIORITY_FACILITY_SHIFT;
        record.text = text;
        *ret = record;
        return 0;
}

/**
 * kernel_record_next() - take the next record out of what was read
 * @p: NUL-terminated; changed in place, and moved behind the record; NULL at the end
 * @ret: points into that buffer
 *
 * Return: 1, or 0 when there is no more.
 */
int kernel_record_next(char **p, KernelRecord *ret) {
        char *line;

        while ((line = strsep(p, "\n")))
                if (*line != ' ' && parse_line(line, ret) >= 0)
                        return 1;
        return 0;
}
