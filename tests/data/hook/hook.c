// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kprobe with a post_handler: on a function's first instruction such a probe
 * is an ftrace user with IPMODIFY, as livepatch is, and the kernel allows only
 * one of them for each function.
 */

#include <linux/kprobes.h>
#include <linux/module.h>

static char *function = "loadavg_proc_show";
module_param(function, charp, 0444);

static int pre(struct kprobe *p, struct pt_regs *regs)
{
	return 0;
}

static void post(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = { .pre_handler = pre, .post_handler = post };

static int __init hook_init(void)
{
	probe.symbol_name = function;
	return register_kprobe(&probe);
}

static void __exit hook_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(hook_init);
module_exit(hook_exit);
MODULE_DESCRIPTION("Somebody else's hook");
MODULE_LICENSE("GPL");
