// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redirection runtime: what every patch module does around its table.
 *
 * The table (struct klp_patch with objects and functions, and the ELF note that
 * names the bundle) is plain constant data in the kernel's own structures, made
 * by hotpatch-module(1) from patch.json, so that tools can read it in the file.
 * What is left for this file is order: everything that can fail without
 * touching the kernel comes first, klp_enable_patch() comes last. When it has
 * returned 0 the transition has begun, and there is no way back but the sysfs
 * attribute "enabled".
 *
 * module_exit runs only after the patch was disabled and no task is in a
 * replacement any more: livepatch holds a reference on the module until then.
 */

#define pr_fmt(fmt) "hotpatch: " KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/init.h>

#include "runtime.h"

/**
 * hotpatch_veto() - look at the answer of an author's function that may refuse
 * @what: kind of the function, for the log
 * @function: its name, for the log
 * @err: its answer
 *
 * The line in the log is what hotpatchd shows when the insertion fails; the
 * errno alone could have come from anywhere.
 *
 * Return: 0, or @err as a negative errno; -EINVAL when it is none.
 */
int hotpatch_veto(const char *what, const char *function, int err)
{
	if (!err)
		return 0;
	if (!IS_ERR_VALUE((long)err))
		err = -EINVAL;
	pr_err("%s '%s' refused the patch: error %d\n", what, function, err);
	return err;
}

static int __init hotpatch_init(void)
{
	int err;

	/* First: the self-test may run into a tripwire. */
	err = hotpatch_tripwires_start();
	if (err)
		return err;
	err = hotpatch_self_test();
	if (!err)
		err = klp_enable_patch(&hotpatch_patch);
	if (err)
		hotpatch_tripwires_stop();
	return err;
}

static void __exit hotpatch_exit(void)
{
	hotpatch_tripwires_stop();
}

module_init(hotpatch_init);
module_exit(hotpatch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
