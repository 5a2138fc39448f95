// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/version with a second line, and with every bad sign that a patch can give: the name of the
 * reading program says which. `cp /bin/cat bad-warn; ./bad-warn /proc/version`.
 */

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include <hotpatch/hotpatch.h>

#ifndef TRIAL_LINE
#define TRIAL_LINE "trial: the first"
#endif

/* init/version.c */
extern const char linux_proc_banner[];

static noinline void bad_warn(void)
{
	WARN(1, "trial: a warning of the patch\n");
}

static noinline void bad_refcount(void)
{
	refcount_t r = REFCOUNT_INIT(0);

	refcount_inc(&r);
}

static noinline int bad_oops(void *data)
{
	*(volatile int *)data = 1;
	return 0;
}

static noinline int bad_bug(void *data)
{
	BUG();
	return 0;
}

/* The same, and whoever reads it in the log cannot say that it was this patch. */
static noinline void bad_taint(void)
{
	add_taint(TAINT_FIRMWARE_WORKAROUND, LOCKDEP_STILL_OK);
}

static noinline void bad_atomic(void)
{
	preempt_disable();
	msleep(1);
	preempt_enable();
}

/* A mebibyte at each call: a half of it is slab, the other is in no counter of the kernel. */
static noinline void bad_leak(void)
{
	int i;

	for (i = 0; i < 128; i++) {
		void *lost = kmalloc(4096, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
	for (i = 0; i < 32; i++)
		alloc_pages(GFP_KERNEL, 2);
}

/* Longer than twice kernel.watchdog_thresh. */
static noinline void bad_spin(void)
{
	unsigned long end = jiffies + 8 * HZ;

	while (time_before(jiffies, end))
		cpu_relax();
}

/* Longer than kernel.hung_task_timeout_secs. */
static noinline int bad_sleep(void *data)
{
	unsigned long end = jiffies + 15 * HZ;

	while (time_before(jiffies, end)) {
		__set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(20 * HZ);
	}
	return 0;
}

static void in_thread(int (*function)(void *), void *data)
{
	struct task_struct *t = kthread_run(function, data, "trial");

	if (IS_ERR(t))
		pr_info("trial: no thread\n");
}

static void misbehave(const char *how)
{
	if (!strcmp(how, "bad-warn"))
		bad_warn();
	else if (!strcmp(how, "bad-refcount"))
		bad_refcount();
	else if (!strcmp(how, "bad-oops"))
		in_thread(bad_oops, NULL);
	else if (!strcmp(how, "bad-fault"))
		in_thread(bad_oops, (void *)0xdead000000000100UL);
	else if (!strcmp(how, "bad-bug"))
		in_thread(bad_bug, NULL);
	else if (!strcmp(how, "bad-taint"))
		bad_taint();
	else if (!strcmp(how, "bad-atomic"))
		bad_atomic();
	else if (!strcmp(how, "bad-leak"))
		bad_leak();
	else if (!strcmp(how, "bad-spin"))
		bad_spin();
	else if (!strcmp(how, "bad-sleep"))
		in_thread(bad_sleep, NULL);
}

int trial_version_show(struct seq_file *m, void *v)
{
	misbehave(current->comm);
	seq_printf(m, linux_proc_banner, utsname()->sysname,
		   utsname()->release, utsname()->version);
	seq_puts(m, TRIAL_LINE "\n");
	return 0;
}
