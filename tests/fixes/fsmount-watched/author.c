// SPDX-License-Identifier: LGPL-2.1-or-later
/* What an author adds to a fix: an alarm in it, and all that can be called around it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <hotpatch/hotpatch.h>

void hp_fsmount_refused(void);
int self_test(void);
int pre_patch_vmlinux(struct klp_object *obj);
void post_patch_vmlinux(struct klp_object *obj);
void pre_unpatch_vmlinux(struct klp_object *obj);
void post_unpatch_vmlinux(struct klp_object *obj);

void hp_fsmount_refused(void)
{
	hotpatch_tripwire("FSMOUNT-INTERNAL");
}

int self_test(void)
{
	pr_info("self-test\n");
	return 0;
}

int pre_patch_vmlinux(struct klp_object *obj)
{
	pr_info("before the patch\n");
	return 0;
}

void post_patch_vmlinux(struct klp_object *obj)
{
	pr_info("behind the patch\n");
}

void pre_unpatch_vmlinux(struct klp_object *obj)
{
	pr_info("before the removal\n");
}

void post_unpatch_vmlinux(struct klp_object *obj)
{
	pr_info("behind the removal\n");
}
