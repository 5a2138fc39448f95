// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch that works, for a while: PANIC_AFTER seconds after it was loaded it panics. With PANIC_EARLY it
 * panics at once, but only if the machine has started less than so many seconds ago: what works when it is
 * applied and not when it is restored.
 */

#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include <hotpatch/hotpatch.h>

#ifndef PANIC_AFTER
#define PANIC_AFTER 0
#endif
#ifndef PANIC_EARLY
#define PANIC_EARLY 0
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

int __init panic_self_test(void)
{
	if (ktime_get_boottime_seconds() < PANIC_EARLY)
		panic("hp_panic: too early");
	if (PANIC_AFTER > 0)
		schedule_delayed_work(&bomb, PANIC_AFTER * HZ);
	return 0;
}
