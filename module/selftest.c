// SPDX-License-Identifier: GPL-2.0-only
/*
 * The self-test: at the insertion, and again whenever somebody asks.
 *
 * The author's self_test() decides whether the patch goes in; that was it, as
 * long as it could run only once. While a patch is on trial, a self-test that
 * begins to fail is the best sign there is: the author's own word. So a write of
 * "1" to /sys/module/NAME/hotpatch/self_test runs it again, in the context of
 * who writes, and fails with its errno. Before it the tripwires are tested: does
 * a hit still become a report?
 *
 * A self-test may call the replacements with what an attacker would, and so run
 * into tripwires. Those hits are counted apart: they are no alarm, and the
 * self-test can ask for them (hotpatch_self_test_hits()). They are told from
 * others by the task; an interrupt of that task is not the self-test.
 *
 * An author who marks the function __init has it run at the insertion only.
 */

#define pr_fmt(fmt) "hotpatch: " KBUILD_MODNAME ": " fmt

#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "runtime.h"

static DEFINE_MUTEX(running);
static struct task_struct *tester;
static bool repeatable;
static bool has_file;

/* hotpatch_in_self_test() - is this the self-test, and not an interrupt of it? */
bool hotpatch_in_self_test(void)
{
	return in_task() && READ_ONCE(tester) == current;
}

static int run(int (*function)(void))
{
	int err;

	hotpatch_tripwires_forget_tested();
	WRITE_ONCE(tester, current);
	err = function();
	WRITE_ONCE(tester, NULL);
	return err;
}

static ssize_t self_test_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t count)
{
	int err;

	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	/* One that hangs keeps the module, not everybody who unloads one. */
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = mutex_lock_interruptible(&running);
	if (!err) {
		err = hotpatch_tripwires_test();
		if (!err && repeatable)
			err = hotpatch_complaint("failed", "self-test",
						 hotpatch_self_test.name,
						 run(hotpatch_self_test.run));
		mutex_unlock(&running);
	}
	/* This code stays until the file is removed, which waits for us. */
	module_put(THIS_MODULE);
	return err ? err : count;
}

static struct kobj_attribute self_test_attribute =
	__ATTR(self_test, 0200, NULL, self_test_store);

/**
 * hotpatch_self_test_first() - ask the author whether the patch may go in
 *
 * Return: 0, or a negative errno.
 */
int __init hotpatch_self_test_first(void)
{
	if (!hotpatch_self_test.run)
		return 0;
	repeatable = !within_module_init((unsigned long)hotpatch_self_test.run,
					 THIS_MODULE);
	return hotpatch_complaint("refused the patch", "self-test",
				  hotpatch_self_test.name,
				  run(hotpatch_self_test.run));
}

/**
 * hotpatch_self_test_start() - make the file, when there is something to test
 * @folder: /sys/module/NAME/hotpatch
 *
 * Return: 0 or a negative errno.
 */
int __init hotpatch_self_test_start(struct kobject *folder)
{
	int err = sysfs_create_file(folder, &self_test_attribute.attr);

	has_file = !err;
	return err;
}

/**
 * hotpatch_self_test_stop() - remove the file; waits for a test that runs
 * @folder: as above
 */
void hotpatch_self_test_stop(struct kobject *folder)
{
	if (has_file)
		sysfs_remove_file(folder, &self_test_attribute.attr);
	has_file = false;
}

/* hotpatch_self_test_is_repeatable() - after hotpatch_self_test_first() */
bool hotpatch_self_test_is_repeatable(void)
{
	return repeatable;
}
