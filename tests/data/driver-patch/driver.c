// SPDX-License-Identifier: GPL-2.0-only
/* /proc/hpt_driver with another answer. */

#include <linux/seq_file.h>

#include <hotpatch/hotpatch.h>

int hp_driver_show(struct seq_file *m, void *v)
{
	seq_puts(m, "new answer\n");
	return 0;
}
