/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The headlines of the kernel's reports, as exact forms.
 *
 * Why exact: the kernel also begins lines with names that anybody may choose, at most 15 bytes long, and goes on
 * with words of its own: a process ("NAME[1]: segfault at", "NAME invoked oom-killer:", "NAME: page allocation
 * failure:"), or a network interface in a namespace of an ordinary user ("NAME: received packet on"). Whoever
 * calls a program or a bridge "BUG" must not have patches taken out. So a form is here only if no name with such
 * words behind it can look like it: it has fixed words beyond the 15th byte, or fixed words where the name would
 * have ended, or it says how the line ends. Places for free text in a form take as little as the kernel puts there. A
 * file's or a cgroup's name may stand far behind, and is out of reach of these forms as well.
 *
 * The level is a second witness: what reports are made of has level 4 (warning) or worse in the kernel's source,
 * and most of what is said about a process is 6. Only the line of die() is printed with the default level, which is a
 * matter of configuration.
 *
 * What is not here is no sign by the log. It may still be one by the taint, by units or by checks.
 */

#include "livepatch/headline.h"

/* include/linux/kern_levels.h */
#define LEVEL_WARNING 4U
/* include/linux/sched.h: TASK_COMM_LEN, without the NUL */
#define COMM_MAX 15U

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

typedef struct Class {
        char letter;
        const char *set; /* NULL: see takes() */
        size_t max;
} Class;

static const Class classes[] = {
        { 'u', DIGITS, 20 },
        { 'x', DIGITS "abcdef", 16 },
        { 't', UPPER " ", 64 },           /* letters of taint, print_tainted() */
        { 'l', UPPER DIGITS "_#-", 64 },  /* state of a lock, type of a stack: HARDIRQ-READ */
        { 'k', LOWER "_-", 64 },          /* kind of something: use-after-free, rcu_preempt */
        { 'f', LOWER DIGITS "_()", 64 },  /* function: smp_processor_id() */
        { 's', LOWER UPPER DIGITS "_.:-", 64 }, /* slab cache */
        { 'c', NULL, COMM_MAX },          /* name of a process: anything but ": ", for that is how the kernel goes on
                                           * behind one */
        { 'w', NULL, 128 },               /* a word: no blank */
};

/* In 6.1 and 6.12; the classes above after '%'. */
static const struct {
        const char *form; /* of the beginning of the line */
        KernelSignKind kind;
} headlines[] = {
        /* kernel/panic.c; the second and third form are those of newer kernels */
        { "WARNING: CPU: %u PID: %u at %w", KERNEL_SIGN_WARNING },
        { "WARNING: %w:%u at %w, CPU#%u: ", KERNEL_SIGN_WARNING },
        { "WARNING: %w:%u at %w [%w], CPU#%u: ", KERNEL_SIGN_WARNING },
        { "Kernel panic - not syncing", KERNEL_SIGN_PANIC },
        /* lib/refcount.c; a WARN() follows */
        { "refcount_t: saturated; leaking memory", KERNEL_SIGN_WARNING },
        { "refcount_t: addition on 0; use-after-free", KERNEL_SIGN_WARNING },
        { "refcount_t: underflow; use-after-free", KERNEL_SIGN_WARNING },
        { "refcount_t: decrement hit 0; leaking memory", KERNEL_SIGN_WARNING },
        /* lib/list_debug.c; a BUG() or WARN() follows */
        { "list_add corruption", KERNEL_SIGN_WARNING },
        { "list_del corruption", KERNEL_SIGN_WARNING },
        { "list_add double add", KERNEL_SIGN_WARNING },
        /* arch/x86 */
        { "Unpatched return thunk in use", KERNEL_SIGN_WARNING },
        { "unchecked MSR access error: ", KERNEL_SIGN_WARNING },
        { "WARNING: stack going in the wrong direction? at ", KERNEL_SIGN_WARNING },
        { "WARNING: stack recursion on stack type ", KERNEL_SIGN_WARNING },
        { "WARNING: can't access registers at ", KERNEL_SIGN_WARNING },
        { "WARNING: kernel stack regs at ", KERNEL_SIGN_WARNING },
        { "WARNING: kernel stack frame pointer at ", KERNEL_SIGN_WARNING },
        /* lib/ubsan.c */
        { "UBSAN: %k in %w:%u:%u$", KERNEL_SIGN_WARNING },
        /* kernel/locking/lockdep.c */
        { "WARNING: possible circular locking dependency detected", KERNEL_SIGN_WARNING },
        { "WARNING: possible recursive locking detected", KERNEL_SIGN_WARNING },
        { "WARNING: possible irq lock inversion dependency detected", KERNEL_SIGN_WARNING },
        { "WARNING: %l-safe -> %l-unsafe lock order detected", KERNEL_SIGN_WARNING },
        { "WARNING: inconsistent lock state", KERNEL_SIGN_WARNING },
        { "WARNING: bad unlock balance detected!", KERNEL_SIGN_WARNING },
        { "WARNING: bad contention detected!", KERNEL_SIGN_WARNING },
        { "WARNING: held lock freed!", KERNEL_SIGN_WARNING },
        { "WARNING: Nested lock was not taken", KERNEL_SIGN_WARNING },
        { "WARNING: lock held when returning to user space!", KERNEL_SIGN_WARNING },
        { "WARNING: suspicious RCU usage", KERNEL_SIGN_WARNING },
        { "INFO: trying to register non-static key", KERNEL_SIGN_WARNING },
        /* kernel/rcu */
        { "rcu: INFO: %k detected stalls on ", KERNEL_SIGN_STALL },
        { "rcu: INFO: %k detected expedited stalls on ", KERNEL_SIGN_STALL },
        { "rcu: INFO: %k self-detected stall on CPU", KERNEL_SIGN_STALL },
        { "INFO: rcu_%k detected stalls on ", KERNEL_SIGN_STALL },
        { "INFO: rcu_%k detected expedited stalls on ", KERNEL_SIGN_STALL },
        { "INFO: rcu_%k self-detected stall on CPU", KERNEL_SIGN_STALL },
        /* kernel/hung_task.c */
        { "INFO: task %c:%u blocked for more than %u seconds", KERNEL_SIGN_HUNG },
        { "INFO: task %c:%u blocked in I/O wait for more than %u seconds", KERNEL_SIGN_HUNG },
        /* kernel/watchdog.c, kernel/watchdog_hld.c, kernel/workqueue.c */
        { "watchdog: BUG: soft lockup - CPU#%u stuck for ", KERNEL_SIGN_LOCKUP },
        { "watchdog: CPU%u: Watchdog detected hard LOCKUP on cpu ", KERNEL_SIGN_LOCKUP },
        { "watchdog: Watchdog detected hard LOCKUP on cpu ", KERNEL_SIGN_LOCKUP },
        { "NMI watchdog: Watchdog detected hard LOCKUP on cpu ", KERNEL_SIGN_LOCKUP },
        { "BUG: workqueue lockup - pool ", KERNEL_SIGN_LOCKUP },
        /* arch/x86/mm/fault.c, and its like on others */
        { "BUG: kernel NULL pointer dereference, address: ", KERNEL_SIGN_BUG },
        { "BUG: unable to handle page fault for address: ", KERNEL_SIGN_BUG },
        { "BUG: Kernel NULL pointer dereference ", KERNEL_SIGN_BUG },
        { "BUG: Unable to handle kernel ", KERNEL_SIGN_BUG },
        { "Unable to handle kernel ", KERNEL_SIGN_BUG },
        { "kernel tried to execute ", KERNEL_SIGN_OOPS },
        { "unable to execute userspace code ", KERNEL_SIGN_OOPS },
        /* kernel/sched/core.c, lib/smp_processor_id.c, lib/locking */
        { "BUG: scheduling while atomic: %c/%u/0x%x", KERNEL_SIGN_BUG },
        { "BUG: sleeping function called from invalid context at ", KERNEL_SIGN_BUG },
        { "BUG: using %f in preemptible [%x] code: ", KERNEL_SIGN_BUG },
        { "BUG: spinlock bad magic on CPU#", KERNEL_SIGN_BUG },
        { "BUG: spinlock recursion on CPU#", KERNEL_SIGN_BUG },
        { "BUG: spinlock lockup suspected on CPU#", KERNEL_SIGN_BUG },
        { "BUG: spinlock already unlocked on CPU#", KERNEL_SIGN_BUG },
        { "BUG: spinlock wrong CPU on CPU#", KERNEL_SIGN_BUG },
        { "BUG: spinlock wrong owner on CPU#", KERNEL_SIGN_BUG },
        /* mm, fs/dcache.c */
        { "BUG: Bad page state in process ", KERNEL_SIGN_BUG },
        { "BUG: Bad page cache in process ", KERNEL_SIGN_BUG },
        { "BUG: Bad page map in process ", KERNEL_SIGN_BUG },
        { "BUG: Bad rss-counter state mm:", KERNEL_SIGN_BUG },
        { "BUG: non-zero pgtables_bytes on freeing mm: ", KERNEL_SIGN_BUG },
        { "BUG: Dentry %x{i=", KERNEL_SIGN_BUG },
        { "BUG: KASAN: %k in ", KERNEL_SIGN_BUG },
        { "BUG: KASAN: %k on address ", KERNEL_SIGN_BUG },
        { "BUG: KFENCE: out-of-bounds ", KERNEL_SIGN_BUG },
        { "BUG: KFENCE: use-after-free ", KERNEL_SIGN_BUG },
        { "BUG: KFENCE: memory corruption in ", KERNEL_SIGN_BUG },
        { "BUG: KFENCE: invalid ", KERNEL_SIGN_BUG },
        { "BUG %s (Not tainted): ", KERNEL_SIGN_BUG },
        { "BUG %s (Tainted: %t): ", KERNEL_SIGN_BUG },
        { "usercopy: Kernel memory exposure attempt detected from ", KERNEL_SIGN_BUG },
        { "usercopy: Kernel memory overwrite attempt detected to ", KERNEL_SIGN_BUG },
        /* lib/bug.c, include/asm-generic/bug.h, arch/x86/kernel/{dumpstack,traps}.c, kernel/exit.c */
        { "kernel BUG at %w:%u!", KERNEL_SIGN_BUG },
        { "kernel BUG at %w [verbose debug info unavailable]", KERNEL_SIGN_BUG },
        { "BUG: failure at %w:%u/", KERNEL_SIGN_BUG },
        { "BUG: %l stack guard page was hit at ", KERNEL_SIGN_BUG },
        { "PANIC: double fault", KERNEL_SIGN_OOPS },
        { "traps: PANIC: double fault", KERNEL_SIGN_OOPS },
        { "Fixing recursive fault but reboot is needed!", KERNEL_SIGN_OOPS },
};

/* die() in arch/x86/kernel/dumpstack.c: "divide error: 0000 [#1] PREEMPT SMP", from 6.9 on with "Oops: " before it;
 * what arch/x86/kernel/traps.c and arch/x86/mm/fault.c call it with. */
static const char *const exceptions[] = {
        "Oops: %x [#%u]",
        "general protection fault: %x [#%u]",
        "general protection fault, probably for non-canonical address 0x%x: %x [#%u]",
        "general protection fault, maybe for address 0x%x: %x [#%u]",
        "invalid opcode: %x [#%u]",
        "divide error: %x [#%u]",
        "int3: %x [#%u]",
        "debug: %x [#%u]",
        "bounds: %x [#%u]",
        "stack segment: %x [#%u]",
        "segment not present: %x [#%u]",
        "invalid TSS: %x [#%u]",
        "alignment check: %x [#%u]",
        "coprocessor segment overrun: %x [#%u]",
        "fpu exception: %x [#%u]",
        "simd exception: %x [#%u]",
        "double fault: %x [#%u]",
        "control protection fault: %x [#%u]",
        "Bad pagetable: %x [#%u]",
        "kernel stack overflow (page fault): %x [#%u]",
        "stack guard page: %x [#%u]",
        "jump to NULL: %x [#%u]",
        /* arm64, powerpc, s390 */
        "Internal error: Oops: %x [#%u]",
        "Internal error: Oops - BUG: %x [#%u]",
        "Oops: Kernel access of bad area, sig: %u [#%u]",
        "Oops: Exception in kernel mode, sig: %u [#%u]",
        "Oops: %x ilc:%u [#%u]",
        "illegal operation: %x ilc:%u [#%u]",
        "monitor event: %x ilc:%u [#%u]",
};

static bool takes(const Class *c, const char *text) {
        if (!*text)
                return false;
        if (c->set)
                return strchr(c->set, *text);
        return c->letter == 'c' ? !startswith(text, ": ") : *text != ' ';
}

static const Class *class_of(char letter) {
        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                if (classes[i].letter == letter)
                        return &classes[i];
        return NULL;
}

/**
 * kernel_line_matches() - does a text begin like this?
 * @form: literal, but for '%' and a class, see above; '$' at its end: the whole text
 * @text: a record of the kernel log, or a part of one
 */
bool kernel_line_matches(const char *form, const char *text) {
        const Class *c;
        size_t n = 0;

        for (; *form && *form != '%'; form++, text++) {
                if (form[0] == '$' && !form[1])
                        return !*text;
                if (*form != *text)
                        return false;
        }
        if (!*form)
                return true;
        c = class_of(form[1]);
        if (!c)
                return false;
        while (n < c->max && takes(c, text + n))
                n++;
        /* As many as fit, or fewer. Limits are small, and no form has more than two words. */
        for (; n > 0; n--)
                if (kernel_line_matches(form + 2, text + n))
                        return true;
        return false;
}

/* Behind the number stands nothing, or how the kernel was built: "PREEMPT SMP NOPTI". */
static bool matches_exception(const char *form, const char *text) {
        const char *number = strstr(text, " [#"), *rest;

        if (!number || !kernel_line_matches(form, text))
                return false;
        rest = number + strcspn(number, "]") + 1;
        return !rest[strspn(rest, UPPER "_ ")];
}

static bool is_die(const char *text) {
        const char *inner = startswith(text, "Oops: ");

        for (size_t i = 0; i < ELEMENTSOF(exceptions); i++)
                if (matches_exception(exceptions[i], text) || (inner && matches_exception(exceptions[i], inner)))
                        return true;
        return false;
}

/** kernel_headline_form() - the form at place @i; NULL behind the last. For those who look for a short one. */
const char *kernel_headline_form(size_t i) {
        return i < ELEMENTSOF(headlines) ? headlines[i].form : NULL;
}

/**
 * kernel_headline_find() - is this record the headline of a report?
 * @record: of the kernel's own facility
 * @ret: what kind of report; written only when it is one
 */
bool kernel_headline_find(const KernelRecord *record, KernelSignKind *ret) {
        for (size_t i = 0; record->level <= LEVEL_WARNING && i < ELEMENTSOF(headlines); i++) {
                if (!kernel_line_matches(headlines[i].form, record->text))
                        continue;
                *ret = headlines[i].kind;
                return true;
        }
        if (!is_die(record->text))
                return false;
        *ret = KERNEL_SIGN_OOPS;
        return true;
}
