// SPDX-License-Identifier: GPL-2.0-only
/* A kprobe with a post handler: with one, kprobes claim the right to change where a function goes on
 * (IPMODIFY), which only one user of ftrace can have. */

#include <linux/kprobes.h>
#include <linux/module.h>

static void prober_post(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = {
	.symbol_name = "uptime_proc_show",
	.post_handler = prober_post,
};

static int __init prober_init(void)
{
	return register_kprobe(&probe);
}

static void __exit prober_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(prober_init);
module_exit(prober_exit);
MODULE_DESCRIPTION("A kprobe that keeps livepatches off");
MODULE_LICENSE("GPL");
