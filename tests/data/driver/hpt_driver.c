// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that a patch may patch: /proc/hpt_driver says "old", its start
 * fails when it is told to, and its update (VERSION 2) has renamed the function.
 */

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#ifndef VERSION
#define VERSION 1
#endif
#if VERSION == 1
#define answer hpt_driver_show
#else
#define answer hpt_driver_show_renamed
#endif

static bool fail;
module_param(fail, bool, 0444);

static noinline int answer(struct seq_file *m, void *v)
{
	seq_printf(m, "old answer of version %d\n", VERSION);
	return 0;
}

static int __init hpt_driver_init(void)
{
	if (fail)
		return -ENODEV;
	return proc_create_single("hpt_driver", 0444, NULL, answer) ? 0 : -ENOMEM;
}

static void __exit hpt_driver_exit(void)
{
	remove_proc_entry("hpt_driver", NULL);
}

module_init(hpt_driver_init);
module_exit(hpt_driver_exit);
MODULE_DESCRIPTION("A driver to be patched");
MODULE_LICENSE("GPL");
