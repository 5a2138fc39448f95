// SPDX-License-Identifier: GPL-2.0-only
/* /proc/version with a second line. */

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include <hotpatch/hotpatch.h>

/* init/version.c; not exported, so found through a klp relocation. */
extern const char linux_proc_banner[];

int hp_version_proc_show(struct seq_file *m, void *v)
{
	/* Stands for the branch of a real fix that refuses an attack. Try it:
	 * cp /bin/cat intruder; ./intruder /proc/version
	 */
	if (!strcmp(current->comm, "intruder"))
		hotpatch_tripwire("EXAMPLE-1");

	seq_printf(m, linux_proc_banner, utsname()->sysname,
		   utsname()->release, utsname()->version);
	seq_puts(m, "hotpatch: the second line is new\n");
	return 0;
}

/* Is the format what seq_printf() above gives arguments for? */
int __init hp_version_self_test(void)
{
	const char *c;
	int n = 0;

	for (c = linux_proc_banner; *c; c++)
		if (c[0] == '%')
			n += c[1] == 's' ? 1 : 4;
	return n == 3 ? 0 : -ENODEV;
}
