// SPDX-License-Identifier: GPL-2.0-only
/* A livepatch as other people write it: no runtime of ours, no note, no table but the kernel's. */

#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int handwritten_loadavg_show(struct seq_file *m, void *v)
{
	seq_puts(m, "handwritten\n");
	return 0;
}

static struct klp_func functions[] = {
	{
		.old_name = "loadavg_proc_show",
		.new_func = handwritten_loadavg_show,
	},
	{}
};

static struct klp_object objects[] = {
	{
		.funcs = functions,
	},
	{}
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
};

static int __init handwritten_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit handwritten_exit(void)
{
}

module_init(handwritten_init);
module_exit(handwritten_exit);
MODULE_DESCRIPTION("A livepatch written by hand");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
