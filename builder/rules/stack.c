/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Functions that are on some stack whenever livepatch looks.
 *
 * A sleeping task takes part in a transition when no changed function is on its stack
 * (kernel/livepatch/transition.c, klp_check_stack()). User tasks can be woken and leave the kernel; a
 * kernel thread never leaves its main loop, every task that sleeps does so in __schedule(), and who
 * looks is on a stack of his own. A change to one of these never ends its transition.
 *
 * The table has the core of the kernel. Main loops elsewhere, in drivers and file systems, are told by
 * what they do: they are handed to whatever starts threads, and ask whether they should stop.
 */

#include "builder/rules/internal.h"

#define SLEEPS "every task that sleeps has it on its stack"
#define STARTS "every kernel thread has it on its stack"
#define THREAD "a kernel thread of the core never leaves it"
#define WORKER "the worker that carries out the transition runs in it"
#define LOOKS  "it runs while the transition looks at stacks"
#define IDLE   "an idle processor never leaves it"

/* A `*` at the end: and whatever follows. */
static const struct {
        const char *name;
        const char *reason;
} rows[] = {
        /* kernel/sched/core.c: down to the switch, in order */
        { "schedule", SLEEPS },
        { "__schedule", SLEEPS },
        { "__schedule_loop", SLEEPS },
        { "context_switch", SLEEPS },
        { "__switch_to", SLEEPS },
        { "__switch_to_asm", SLEEPS },
        { "schedule_idle", IDLE },
        { "preempt_schedule*", "every task that was preempted has it on its stack" },
        { "__preempt_schedule*", "every task that was preempted has it on its stack" },
        { "preempt_schedule_irq", "every task that was preempted has it on its stack" },
        { "schedule_timeout", "kernel threads sleep in it, one after the other" },
        { "schedule_timeout_*", "kernel threads sleep in it, one after the other" },
        { "schedule_preempt_disabled", SLEEPS },
        { "schedule_hrtimeout_range_clock", "tasks sleep in it, one after the other" },
        { "do_syscall_64", "every task that sleeps in a system call has it on its stack" },
        { "x64_sys_call", "every task that sleeps in a system call has it on its stack" },

        /* kernel/sched/idle.c */
        { "do_idle", IDLE },
        { "cpu_startup_entry", IDLE },
        { "cpuidle_idle_call", IDLE },
        { "default_idle_call", IDLE },
        { "default_idle", IDLE },
        { "arch_cpu_idle", IDLE },
        { "cpuidle_enter*", IDLE },
        { "start_secondary", IDLE },
        { "rest_init", IDLE },
        { "start_kernel", IDLE },

        /* arch/x86/entry, kernel/kthread.c: below every thread */
        { "ret_from_fork", STARTS },
        { "ret_from_fork_asm", STARTS },
        { "kthread", STARTS },
        { "kernel_init", "the first task began in it" },
        { "kthreadd", THREAD },
        { "kthread_worker_fn", THREAD },
        { "smpboot_thread_fn", THREAD },
        { "rescuer_thread", THREAD },
        { "worker_thread", WORKER },
        { "process_one_work", WORKER },
        { "process_scheduled_works", WORKER },

        /* kernel/rcu */
        { "rcu_gp_kthread", THREAD },
        { "rcu_gp_fqs_loop", THREAD },
        { "rcu_gp_init", "no grace period, and so no transition, ends while it is on a stack" },
        { "rcu_tasks_kthread", THREAD },
        { "rcu_tasks_one_gp", THREAD },
        { "rcu_nocb_gp_kthread", THREAD },
        { "rcu_nocb_cb_kthread", THREAD },
        { "rcu_nocb_gp_wait", THREAD },
        { "rcu_nocb_cb_wait", THREAD },
        { "rcu_boost_kthread", THREAD },

        /* mm/, kernel/ and drivers/base: threads that every machine has */
        { "kswapd", THREAD },
        { "kswapd_try_to_sleep", THREAD },
        { "kcompactd", THREAD },
        { "khugepaged", THREAD },
        { "khugepaged_wait_work", THREAD },
        { "ksm_scan_thread", THREAD },
        { "oom_reaper", THREAD },
        { "kauditd_thread", THREAD },
        { "watchdog", THREAD }, /* kernel/hung_task.c */
        { "psi_poll_worker", THREAD },
        { "psi_rtpoll_worker", THREAD },
        { "devtmpfsd", THREAD },
        { "devtmpfs_work_loop", THREAD },
        { "irq_thread", THREAD },
        { "irq_wait_for_interrupt", THREAD },
        { "irq_thread_fn", "interrupt threads come back to it again and again" },

        /* What looks; kernel/livepatch, kernel/stacktrace.c, arch/x86/kernel/unwind_orc.c and stacktrace.c */
        { "klp_*", LOOKS },
        { "stack_trace_save_tsk_reliable", LOOKS },
        { "arch_stack_walk_reliable", LOOKS },
        { "unwind_next_frame", LOOKS },
        { "__unwind_start", LOOKS },
        { "unwind_get_return_address", LOOKS },
        { "get_stack_info", LOOKS },

        /* What every redirection goes through: it would run itself (arch/x86/kernel/ftrace.c,
         * kernel/trace/ftrace.c) */
        { "ftrace_caller", "every redirection runs through it" },
        { "ftrace_regs_caller", "every redirection runs through it" },
        { "ftrace_ops_assist_func", "every redirection runs through it" },
        { "ftrace_ops_list_func", "every redirection runs through it" },
        { "arch_ftrace_ops_list_func", "every redirection runs through it" },
        { "text_poke*", "redirections are written with it" },
        { "poke_int3_handler", "redirections are written with it" },
};

/**
 * stack_reason() - is that one of the functions that are always on a stack?
 * @function: its name
 *
 * Return: why, in words, or NULL.
 */
const char *stack_reason(const char *function) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                size_t n = strlen(rows[i].name);

                if (rows[i].name[n - 1] == '*' ? strncmp(rows[i].name, function, n - 1) == 0 :
                                                 streq(rows[i].name, function))
                        return rows[i].reason;
        }
        return NULL;
}

static bool calls_one_of(const Object *o, uint32_t function, const char *const *names, size_t n_names) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, function, &n);

        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < n_names; k++)
                        if (streq(o->symbols[r[i].symbol].name, names[k]))
                                return true;
        return false;
}

/* Does @user hold the address of @function, to give it away? */
static bool takes_address(const Object *o, uint32_t user, uint32_t function) {
        const ObjectSection *s = symbol_section(o, user);
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, user, &n);

        for (size_t i = 0; i < n; i++)
                if (r[i].symbol == function && !object_field_is_branch(s, r + i))
                        return true;
        return false;
}

/**
 * kthread_main_loop() - does a kernel thread live in that function?
 * @o: the object before the fix
 *
 * Return: true when a function of the object that starts threads takes its address, and it asks itself
 * whether it should stop or park.
 */
bool kthread_main_loop(const Object *o, uint32_t function) {
        static const char *const asks[] = {
                "kthread_should_stop", "kthread_should_park", "kthread_freezable_should_stop",
                "kthread_should_stop_or_park",
        };
        static const char *const starts[] = {
                "kthread_create_on_node", "kthread_create_on_cpu", "kthread_run_on_cpu", "kernel_thread",
                "kthread_create_worker", "vhost_task_create",
        };

        if (!calls_one_of(o, function, asks, ELEMENTSOF(asks)))
                return false;
        for (uint32_t i = 1; i < o->n_symbols; i++)
                if (object_symbol_is_function(o, i) && takes_address(o, i, function) &&
                                calls_one_of(o, i, starts, ELEMENTSOF(starts)))
                        return true;
        return false;
}
