// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch that works, for a while: PANIC_AFTER seconds after it was loaded it panics. With PANIC_AT_ONCE it does so in
 * the middle of its insertion, and whoever asked for that never hears of it. With PANIC_RESTORED it
 * panics only in the hands of hotpatch-restore: what works when it is applied and not when it is restored.
 */

#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <hotpatch/hotpatch.h>

#ifndef PANIC_AFTER
#define PANIC_AFTER 0
#endif
#ifndef PANIC_AT_ONCE
#define PANIC_AT_ONCE 0
#endif
#ifndef PANIC_RESTORED
#define PANIC_RESTORED 0
#endif

static void take_down(struct work_struct *work)
{
	panic("hp_panic: as it was meant to");
}
static DECLARE_DELAYED_WORK(bomb, take_down);

int panic_execdomains_show(struct seq_file *m, void *v)
{
	seq_puts(m, "panic: not yet\n");
	return 0;
}

int panic_pre_patch(struct klp_object *object)
{
	if (PANIC_AT_ONCE)
		panic("hp_panic: at once");
	return 0;
}

int __init panic_self_test(void)
{
	/* As much of the name as TASK_COMM_LEN leaves. */
	if (PANIC_RESTORED && !strcmp(current->comm, "hotpatch-restor"))
		panic("hp_panic: restored");
	if (PANIC_AFTER > 0)
		schedule_delayed_work(&bomb, PANIC_AFTER * HZ);
	return 0;
}
