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

/* /sys/module/NAME/hotpatch */
static struct kobject *folder;

/**
 * hotpatch_complaint() - look at the answer of an author's function
 * @did: what it did when it is not 0, for the log
 * @what: kind of the function, for the log
 * @function: its name, for the log
 * @err: its answer
 *
 * The line in the log is what hotpatchd shows; the errno alone could have come
 * from anywhere.
 *
 * Return: 0, or @err as a negative errno; -EINVAL when it is none.
 */
int hotpatch_complaint(const char *did, const char *what, const char *function,
		       int err)
{
	if (!err)
		return 0;
	if (!IS_ERR_VALUE((long)err))
		err = -EINVAL;
	pr_err("%s '%s' %s: error %d\n", what, function, did, err);
	return err;
}

/* hotpatch_veto() - hotpatch_complaint() of a function that may refuse */
int hotpatch_veto(const char *what, const char *function, int err)
{
	return hotpatch_complaint("refused the patch", what, function, err);
}

static void drop_folder(void)
{
	if (!folder)
		return;
	hotpatch_self_test_stop(folder);
	hotpatch_tripwires_stop();
	kobject_put(folder);
	folder = NULL;
}

/* A patch with nothing to look at has none, so that nobody waits on it. */
static int __init make_folder(void)
{
	int err;

	if (!hotpatch_have_tripwires() && !hotpatch_self_test_is_repeatable())
		return 0;
	folder = kobject_create_and_add("hotpatch", &THIS_MODULE->mkobj.kobj);
	if (!folder)
		return -ENOMEM;
	err = hotpatch_tripwires_start(folder);
	if (!err)
		err = hotpatch_self_test_start(folder);
	if (err)
		drop_folder();
	return err;
}

static int __init hotpatch_init(void)
{
	int err;

	/* Hits of this one are no alarm, so nothing has to be there yet. */
	err = hotpatch_self_test_first();
	if (!err)
		err = make_folder();
	if (err)
		return err;
	err = klp_enable_patch(&hotpatch_patch);
	if (err)
		drop_folder();
	return err;
}

static void __exit hotpatch_exit(void)
{
	drop_folder();
}

module_init(hotpatch_init);
module_exit(hotpatch_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
