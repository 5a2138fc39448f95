// SPDX-License-Identifier: GPL-2.0-only
/* /proc/net/pktgen/pgctrl with a second line. */

#include <linux/seq_file.h>

#include <hotpatch/hotpatch.h>

/* net/core/pktgen.c; static there. patch.json says which module has it. */
extern const char version[];

int hp_pgctrl_show(struct seq_file *seq, void *v)
{
	seq_puts(seq, version);
	seq_puts(seq, "hotpatch: the second line is new\n");
	return 0;
}
