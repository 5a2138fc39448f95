// SPDX-License-Identifier: GPL-2.0-only
/* Replacements that show what they see; callbacks and self-test that can be told to refuse. */

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/moduleparam.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>

#include <hotpatch/hotpatch.h>
#include <hotpatch/shadow.h>

#include "probe.h"

static int self_test;
module_param(self_test, int, 0);
static int pre_patch;
module_param(pre_patch, int, 0);

struct reads {
	unsigned long zeroed;
	unsigned long n;
};

DEFINE_HOTPATCH_SHADOW(reads, struct reads, 0x686f747061746368UL)

int probe_version_show(struct seq_file *m, void *v)
{
	struct reads *r = reads_get(&init_task);

	seq_printf(m, "probe: shadow %s\n", r ? "found" : "missing");
	r = reads_get_or_alloc(&init_task, GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	seq_printf(m, "probe: read %lu, zero %lu\n", ++r->n, r->zeroed);
	hotpatch_tripwire("TEST-HIT");
	probe_second_site(m);
	if (r->n > 1000000)
		hotpatch_tripwire("TEST-NEVER");
	return 0;
}

int probe_pgctrl_show(struct seq_file *m, void *v)
{
	reads_free(&init_task);
	seq_puts(m, "probe: shadow freed\n");
	return 0;
}

int __init probe_self_test(void)
{
	return self_test;
}

static const char *object_name(struct klp_object *object)
{
	return object->name ? object->name : "vmlinux";
}

int probe_pre_patch(struct klp_object *object)
{
	pr_info("probe: pre_patch %s\n", object_name(object));
	return pre_patch;
}

void probe_post_patch(struct klp_object *object)
{
	pr_info("probe: post_patch %s\n", object_name(object));
}

void probe_pre_unpatch(struct klp_object *object)
{
	pr_info("probe: pre_unpatch %s\n", object_name(object));
}

void probe_post_unpatch(struct klp_object *object)
{
	pr_info("probe: post_unpatch %s\n", object_name(object));
	if (!object->name)
		reads_free_all();
}
