// SPDX-License-Identifier: GPL-2.0-only
/* A self-test that walks into the tripwire of its own patch, and that can be told to fail, or to hang. */

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <hotpatch/hotpatch.h>

static unsigned int fail_after;
module_param(fail_after, uint, 0600);
MODULE_PARM_DESC(fail_after, "fail from so many seconds after the insertion on; 0: never");
static bool hang;
module_param(hang, bool, 0600);
static unsigned int runs;
module_param(runs, uint, 0400);

static unsigned long inserted;

static noinline int check(const char *comm)
{
	if (!strcmp(comm, "intruder")) {
		hotpatch_tripwire("TEST-SELF");
		return -EACCES;
	}
	return 0;
}

int self_test_version_show(struct seq_file *m, void *v)
{
	if (check(current->comm))
		return -EACCES;
	seq_puts(m, "self-test: not for everybody\n");
	return 0;
}

int well(void)
{
	if (!runs++)
		inserted = jiffies;
	while (READ_ONCE(hang))
		msleep(100);
	if (check("intruder") != -EACCES ||
	    hotpatch_self_test_hits("TEST-SELF") != 1 || check("cat"))
		return -EBADMSG;
	if (fail_after && time_after_eq(jiffies, inserted + fail_after * HZ))
		return -EIO;
	return 0;
}
