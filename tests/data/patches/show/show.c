// SPDX-License-Identifier: GPL-2.0-only
/* For as many patches as one likes: the text of any file of /proc that a function of this form makes. */

#include <linux/seq_file.h>

#include <hotpatch/hotpatch.h>

int show_text(struct seq_file *m, void *v)
{
	seq_puts(m, "shown by a patch\n");
	return 0;
}
