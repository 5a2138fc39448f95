/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Recognising that the kernel complains, and about whom.
 *
 * A complaint is a report of some ten lines: a headline ("WARNING: CPU: 0 PID: 1 at …"), the place (RIP),
 * and the call trace. Reports have no common frame: a WARN() and an oops are closed by "---[ end trace",
 * a hung task or a stall just stops. So a report ends with that line, with the headline of the
 * next one, or when nothing more comes, which the reader of the log must say (kernel_signs_flush()).
 *
 * Whom it names are the function of the headline of a WARNING, the RIP, and the call trace without the
 * entries with a question mark, which are old values on the stack. "Modules linked in:" names everybody
 * and means nobody. Lines with names that anybody chooses (a command's, in "CPU: … Comm:" or in the headline of a
 * hung task) are not searched for functions, and everything counts only at the beginning of a record that the
 * kernel itself has written: no program can write one (facility 0), and printk escapes newlines. Headlines and lines of
 * a report have exact forms, see headline.c: else anybody who crashes a program called "BUG: x" could have patches
 * taken out.
 *
 * Processors may write at the same time; then two reports become one that names both.
 */

#include "livepatch/headline.h"
#include "livepatch/kernelsigns.h"
#include "util/str.h"

/* Lines of one report come without a pause; a console at 9600 baud needs 100 ms for a long one. */
#define REPORT_GAP_USEC (2 * USEC_PER_SEC)

#define CUT_HERE "------------[ cut here ]------------"

static const char *const kinds[_KERNEL_SIGN_KIND_MAX] = {
        [KERNEL_SIGN_WARNING] = "warning",
        [KERNEL_SIGN_STALL] = "stall",
        [KERNEL_SIGN_HUNG] = "hung task",
        [KERNEL_SIGN_LOCKUP] = "lockup",
        [KERNEL_SIGN_BUG] = "bug",
        [KERNEL_SIGN_OOPS] = "oops",
        [KERNEL_SIGN_PANIC] = "panic",
};

/** kernel_sign_done() - free what a report owns */
void kernel_sign_done(KernelSign *s) {
        for (size_t i = 0; i < s->n_frames; i++) {
                free(s->frames[i].function);
                free(s->frames[i].module);
        }
        free(s->frames);
        *s = (KernelSign) {};
}

/** kernel_signs_done() - free what was collected */
void kernel_signs_done(KernelSigns *s) {
        kernel_sign_done(&s->sign);
        *s = (KernelSigns) {};
}

/* --- "function+0x12/0x34 [module]" --- */

#define SYMBOL_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."

static bool is_symbol_character(char c) {
        return c && strchr(SYMBOL_CHARACTERS, c);
}

static size_t hex_length(const char *s) {
        return strspn(s, "0123456789abcdef");
}

/* The word in "[module]" or "[module build-id]" behind a function, or nothing. */
static size_t module_length(const char *s) {
        size_t n;

        if (s[0] != ' ' || s[1] != '[')
                return 0;
        n = strcspn(s + 2, " ]");
        return s[2 + n] && n <= HOTPATCH_MODULE_NAME_MAX ? n : 0;
}

/* Is this the "+0x12/0x34" of a function? Then how long is it? */
static size_t offset_length(const char *s) {
        size_t n, m;

        if (!startswith(s, "+0x"))
                return 0;
        n = hex_length(s + 3);
        if (n == 0 || !startswith(s + 3 + n, "/0x"))
                return 0;
        m = hex_length(s + 6 + n);
        return m == 0 ? 0 : 6 + n + m;
}

static bool has_frame(const KernelSign *s, const char *function, size_t l, const char *module, size_t m) {
        for (size_t i = 0; i < s->n_frames; i++) {
                const KernelFrame *f = &s->frames[i];

                if (strlen(f->function) == l && memcmp(f->function, function, l) == 0 &&
                    strlen(strempty(f->module)) == m && (m == 0 || memcmp(f->module, module, m) == 0))
                        return true;
        }
        return false;
}

static int add_frame(KernelSign *s, const char *function, size_t l, const char *module, size_t m) {
        KernelFrame *grown, frame = {};

        if (l > HOTPATCH_SYMBOL_MAX || s->n_frames >= HOTPATCH_KERNEL_SIGN_NAMES ||
            has_frame(s, function, l, module, m))
                return 0;
        grown = reallocarray(s->frames, s->n_frames + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        s->frames = grown;
        frame.function = strndup(function, l);
        frame.module = m > 0 ? strndup(module, m) : NULL;
        if (!frame.function || (m > 0 && !frame.module)) {
                free(frame.function);
                free(frame.module);
                return -ENOMEM;
        }
        s->frames[s->n_frames++] = frame;
        return 0;
}

/* The first function in a line; the kernel writes one in each. */
static int take_frame(KernelSign *s, const char *line) {
        for (const char *p = strchr(line, '+'); p; p = strchr(p + 1, '+')) {
                size_t n = offset_length(p), l = 0;

                while (p - l > line && is_symbol_character(p[-1 - (ptrdiff_t) l]))
                        l++;
                if (n > 0 && l > 0)
                        return add_frame(s, p - l, l, p + n + 2, module_length(p + n));
        }
        return 0;
}

/* A line that is a function and no more, but for addresses in brackets before it (powerpc, s390). */
static int take_whole_frame(KernelSign *s, const char *line) {
        size_t l, n, m;

        while (*line == '[') {
                line += strcspn(line, "]");
                line += strspn(line, "] ");
        }
        l = strspn(line, SYMBOL_CHARACTERS);
        n = offset_length(line + l);
        if (l == 0 || n == 0)
                return 0;
        m = module_length(line + l + n);
        if (m > 0)
                n += strcspn(line + l + n, "]") + 1;
        return line[l + n + strspn(line + l + n, " ")] ? 0 : take_frame(s, line);
}

/* --- lines --- */

static void copy_text(char *to, const char *text) {
        (void) snprintf(to, HOTPATCH_KERNEL_LOG_LINE_MAX + 1, "%s", text);
}

static int take_headline(KernelSigns *s, const char *text, KernelSignKind kind) {
        if (!s->has_headline) {
                s->has_headline = true;
                copy_text(s->sign.text, text);
                s->sign.kind = kind;
        }
        if (kind > s->sign.kind)
                s->sign.kind = kind;
        return startswith(text, "WARNING: ") ? take_frame(&s->sign, text) : 0;
}

/* A line behind the headline. What begins with the name of a process ends in words about it, so it has none of
 * these forms, whatever the name. */
static int take_body(KernelSigns *s, const char *text) {
        const char *word = text + strspn(text, " ");

        if (kernel_line_matches("Call Trace:$", word) || kernel_line_matches("Call trace:$", word)) {
                s->has_body = true;
                s->in_trace = true;
                return 0;
        }
        if (kernel_line_matches("RIP: %x:%w", word)) {
                s->has_body = true;
                return take_whole_frame(&s->sign, strchr(word + strlen("RIP: "), ':') + 1);
        }
        if (*text == '(')
                return 0; /* a guess of s390's */
        if (word == text) {
                s->in_trace = false;
                s->has_body = s->has_body || kernel_line_matches("CPU: %u ", text);
                return 0;
        }
        if (!s->in_trace || *word == '?' || *word == '<')
                return 0;
        return take_whole_frame(&s->sign, word);
}

static int take_line(KernelSigns *s, const KernelRecord *record) {
        const char *text = record->text;
        KernelSignKind kind;

        if (kernel_headline_find(record, &kind))
                return take_headline(s, text, kind);
        if (!s->has_headline) {
                if (!*s->sign.detail)
                        copy_text(s->sign.detail, text);
                return 0;
        }
        return take_body(s, text);
}

/**
 * kernel_signs_pending() - is a report open that may be complete?
 *
 * Then kernel_signs_flush() is to be called when the log has been quiet for a moment.
 */
bool kernel_signs_pending(const KernelSigns *s) {
        return s->lines > 0;
}

/**
 * kernel_signs_flush() - close the report that is open
 * @ret: kernel_sign_done() it
 *
 * Return: 1 with a report, 0 when there was none.
 */
int kernel_signs_flush(KernelSigns *s, KernelSign *ret) {
        bool complete = s->lines > 0 && s->has_headline;

        if (complete) {
                *ret = s->sign;
                s->sign = (KernelSign) {};
        }
        kernel_signs_done(s);
        return complete;
}

static bool opens(const KernelRecord *record) {
        KernelSignKind kind;

        return streq(record->text, CUT_HERE) || kernel_headline_find(record, &kind);
}

static bool closes(const KernelRecord *record) {
        return kernel_line_matches("---[ end trace %x ]---$", record->text) ||
                kernel_line_matches("---[ end Kernel panic - not syncing", record->text);
}

/* Does this record belong to another report than the open one? */
static bool is_next(const KernelSigns *s, const KernelRecord *record) {
        if (s->lines >= HOTPATCH_KERNEL_SIGN_LINES)
                return true;
        if (record->usec > s->last_usec && record->usec - s->last_usec > REPORT_GAP_USEC)
                return true;
        return s->has_body && opens(record);
}

/**
 * kernel_signs_feed() - look at the next record of the kernel log
 * @s: zeroed before the first one
 * @record: records of programs are left out
 * @ret: a report that is complete; kernel_sign_done() it
 *
 * Return: 1 with a report, 0 without, -ENOMEM.
 */
int kernel_signs_feed(KernelSigns *s, const KernelRecord *record, KernelSign *ret) {
        int r = 0, k;

        if (record->facility != 0)
                return 0;
        if (s->lines > 0 && is_next(s, record))
                r = kernel_signs_flush(s, ret);
        if (s->lines == 0) {
                if (!opens(record))
                        return r;
                s->sign.sequence = record->sequence;
        }
        s->lines++;
        s->last_usec = record->usec;
        if (streq(record->text, CUT_HERE))
                return r;
        if (r == 0 && closes(record))
                return kernel_signs_flush(s, ret);
        k = take_line(s, record);
        if (k >= 0)
                return r;
        if (r > 0)
                kernel_sign_done(ret);
        return k;
}

/* --- questions --- */

/** kernel_sign_names_module() - does the report say that it happened in, or below, this module? */
bool kernel_sign_names_module(const KernelSign *s, const char *module) {
        for (size_t i = 0; i < s->n_frames; i++)
                if (streq_ptr(s->frames[i].module, module))
                        return true;
        return false;
}

/**
 * kernel_sign_names_function() - does the report say that it happened in, or below, this function?
 * @object: name of its module, or "vmlinux"
 * @function: its name; what the compiler appended (".isra.0") is part of it
 */
bool kernel_sign_names_function(const KernelSign *s, const char *object, const char *function) {
        const char *module = streq(object, "vmlinux") ? NULL : object;

        for (size_t i = 0; i < s->n_frames; i++)
                if (streq(s->frames[i].function, function) && streq_ptr(s->frames[i].module, module))
                        return true;
        return false;
}

/**
 * kernel_sign_describe() - a report in half a sentence
 * @ret: "warning in bad_warn [hp_x]: what the author said"; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int kernel_sign_describe(const KernelSign *s, char **ret) {
        const KernelFrame *f = s->n_frames > 0 ? &s->frames[0] : NULL;
        const char *text = *s->detail ? s->detail : s->text;
        char *description;

        if (str_printf(&description, "%s%s%s%s%s%s: %s", kinds[s->kind], f ? " in " : "",
                        f ? f->function : "", f && f->module ? " [" : "", f && f->module ? f->module : "",
                        f && f->module ? "]" : "", text) < 0)
                return -ENOMEM;
        *ret = description;
        return 0;
}
