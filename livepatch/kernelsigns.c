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
 * hung task) are not searched for functions, and all headlines count only at the beginning of a record that the
 * kernel itself has written: no program can write one (facility 0), and printk escapes newlines. What the kernel
 * begins with the name of a process, like "NAME[1]: segfault at", is no headline, whatever the name: else anybody
 * who crashes a program called "BUG: x" could have patches taken out.
 *
 * Processors may write at the same time; then two reports become one that names both.
 */

#include "livepatch/kernelsigns.h"

/* Lines of one report come without a pause; a console at 9600 baud needs 100 ms for a long one. */
#define REPORT_GAP_USEC (2 * USEC_PER_SEC)

/* include/linux/sched.h: the name of a process, with the NUL */
#define TASK_COMM_LEN 16

#define CUT_HERE "------------[ cut here ]------------"
#define END_TRACE "---[ end "

static const char *const kinds[_KERNEL_SIGN_KIND_MAX] = {
        [KERNEL_SIGN_WARNING] = "warning",
        [KERNEL_SIGN_STALL] = "stall",
        [KERNEL_SIGN_HUNG] = "hung task",
        [KERNEL_SIGN_LOCKUP] = "lockup",
        [KERNEL_SIGN_BUG] = "bug",
        [KERNEL_SIGN_OOPS] = "oops",
        [KERNEL_SIGN_PANIC] = "panic",
};

/* How reports begin, in 6.1 and 6.12: kernel/panic.c, lib/bug.c, arch/x86/kernel/{dumpstack,traps}.c,
 * arch/x86/mm/fault.c, kernel/hung_task.c, kernel/watchdog.c, kernel/rcu/tree_stall.h, lib/refcount.c,
 * lib/list_debug.c, lib/ubsan.c, mm/slub.c, mm/usercopy.c, kernel/locking/lockdep.c. */
static const struct {
        const char *begin;
        const char *also; /* must be somewhere behind it; NULL: nothing */
        KernelSignKind kind;
} headlines[] = {
        { "WARNING: ", NULL, KERNEL_SIGN_WARNING },
        { "refcount_t: ", NULL, KERNEL_SIGN_WARNING },
        { "Unpatched return thunk in use", NULL, KERNEL_SIGN_WARNING },
        { "list_add corruption", NULL, KERNEL_SIGN_WARNING },
        { "list_del corruption", NULL, KERNEL_SIGN_WARNING },
        { "list_add double add", NULL, KERNEL_SIGN_WARNING },
        { "UBSAN: ", NULL, KERNEL_SIGN_WARNING },
        { "unchecked MSR access error: ", NULL, KERNEL_SIGN_WARNING },
        { "INFO: trying to register non-static key", NULL, KERNEL_SIGN_WARNING },
        { "rcu: INFO: ", "stall", KERNEL_SIGN_STALL },
        { "INFO: rcu_", "stall", KERNEL_SIGN_STALL },
        { "INFO: task ", " blocked ", KERNEL_SIGN_HUNG },
        { "watchdog: ", "lockup", KERNEL_SIGN_LOCKUP },
        { "watchdog: ", "LOCKUP", KERNEL_SIGN_LOCKUP },
        { "NMI watchdog: ", "LOCKUP", KERNEL_SIGN_LOCKUP },
        { "BUG: workqueue lockup", NULL, KERNEL_SIGN_LOCKUP },
        { "BUG: ", NULL, KERNEL_SIGN_BUG },
        { "BUG ", NULL, KERNEL_SIGN_BUG },
        { "kernel BUG at ", NULL, KERNEL_SIGN_BUG },
        { "usercopy: Kernel memory ", "attempt", KERNEL_SIGN_BUG },
        { "Oops: ", NULL, KERNEL_SIGN_OOPS },
        { "general protection fault", NULL, KERNEL_SIGN_OOPS },
        { "kernel tried to execute ", NULL, KERNEL_SIGN_OOPS },
        { "PANIC: double fault", NULL, KERNEL_SIGN_OOPS },
        { "traps: PANIC: double fault", NULL, KERNEL_SIGN_OOPS },
        { "Fixing recursive fault", NULL, KERNEL_SIGN_OOPS },
        { "Kernel panic - not syncing", NULL, KERNEL_SIGN_PANIC },
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

/** kernel_sign_kind_to_string() - a word for people */
const char *kernel_sign_kind_to_string(KernelSignKind k) {
        return kinds[k];
}

/* --- "function+0x12/0x34 [module]" --- */

static bool is_symbol_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
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
                size_t n = offset_length(p), m, l = 0;

                while (p - l > line && is_symbol_character(p[-1 - (ptrdiff_t) l]))
                        l++;
                if (n == 0 || l == 0)
                        continue;
                m = module_length(p + n);
                return add_frame(s, p - l, l, p + n + 2, m);
        }
        return 0;
}

/* --- lines --- */

/* "divide error: 0000 [#1] PREEMPT SMP": die() in arch/x86/kernel/dumpstack.c, whatever the exception. */
static bool is_die(const char *text) {
        const char *p = strstr(text, " [#");

        if (!p || p - text < 6)
                return false;
        p -= 6;
        return p[0] == ':' && p[1] == ' ' && hex_length(p + 2) == 4 && strstr(p, "] ") && !strchr(text, '/');
}

/* "[1]" or "(1)" */
static bool is_pid(const char *s) {
        size_t n = *s == '[' || *s == '(' ? strspn(s + 1, "0123456789") : 0;

        return n > 0 && s[1 + n] == (*s == '[' ? ']' : ')');
}

/* Does the record begin with the name of a process? So do arch/x86/mm/fault.c (show_signal_msg()), mm/oom_kill.c,
 * mm/page_alloc.c (warn_alloc()) and others, mostly with its number behind the name. */
static bool is_led_by_process(const char *text) {
        static const char *const followers[] = {
                " invoked oom-killer: ", ": page allocation failure: ", ": vmalloc ",
        };

        for (size_t i = 0; text[i] && i < TASK_COMM_LEN; i++) {
                if (is_pid(text + i))
                        return true;
                for (size_t f = 0; f < ELEMENTSOF(followers); f++)
                        if (startswith(text + i, followers[f]))
                                return true;
        }
        return false;
}

/* Return: whether it is a headline. */
static bool find_headline(const char *text, KernelSignKind *ret) {
        if (is_led_by_process(text))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(headlines); i++) {
                const char *rest = startswith(text, headlines[i].begin);

                if (!rest || (headlines[i].also && !strstr(rest, headlines[i].also)))
                        continue;
                *ret = headlines[i].kind;
                return true;
        }
        if (!is_die(text))
                return false;
        *ret = KERNEL_SIGN_OOPS;
        return true;
}

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

/* A line behind the headline. */
static int take_body(KernelSigns *s, const char *text) {
        const char *word = text + strspn(text, " ");

        if (is_led_by_process(text))
                return 0;
        if (startswith(word, "Call Trace:") || startswith(word, "Call trace:")) {
                s->has_body = true;
                s->in_trace = true;
                return 0;
        }
        if (startswith(word, "RIP: ")) {
                s->has_body = true;
                return take_frame(&s->sign, word);
        }
        if (word == text) {
                s->in_trace = false;
                s->has_body = s->has_body || startswith(text, "CPU: ");
                return 0;
        }
        if (!s->in_trace || *word == '?' || *word == '<')
                return 0;
        return take_frame(&s->sign, word);
}

static int take_line(KernelSigns *s, const char *text) {
        KernelSignKind kind;

        if (find_headline(text, &kind))
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

static bool opens(const char *text) {
        KernelSignKind kind;

        return streq(text, CUT_HERE) || find_headline(text, &kind);
}

/* Does this record belong to another report than the open one? */
static bool is_next(const KernelSigns *s, const KernelRecord *record) {
        if (s->lines >= HOTPATCH_KERNEL_SIGN_LINES)
                return true;
        if (record->usec > s->last_usec && record->usec - s->last_usec > REPORT_GAP_USEC)
                return true;
        return s->has_body && opens(record->text);
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
                if (!opens(record->text))
                        return r;
                s->sign.sequence = record->sequence;
        }
        s->lines++;
        s->last_usec = record->usec;
        if (streq(record->text, CUT_HERE))
                return r;
        if (r == 0 && startswith(record->text, END_TRACE))
                return kernel_signs_flush(s, ret);
        k = take_line(s, record->text);
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

        if (asprintf(&description, "%s%s%s%s%s%s: %s", kinds[s->kind], f ? " in " : "",
                        f ? f->function : "", f && f->module ? " [" : "", f && f->module ? f->module : "",
                        f && f->module ? "]" : "", text) < 0)
                return -ENOMEM;
        *ret = description;
        return 0;
}
