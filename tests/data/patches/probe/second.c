// SPDX-License-Identifier: GPL-2.0-only
/* The same tripwire as in probe.c, in another file and with interrupts off. */

#include <linux/irqflags.h>
#include <linux/seq_file.h>

#include <hotpatch/hotpatch.h>

#include "probe.h"

void probe_second_site(struct seq_file *m)
{
	unsigned long flags;

	local_irq_save(flags);
	hotpatch_tripwire("TEST-HIT");
	local_irq_restore(flags);
	seq_puts(m, "probe: second site\n");
}
