/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOTPATCH_RUNTIME_H
#define HOTPATCH_RUNTIME_H

/* Between the files of the runtime and the generated table; not for authors. */

#include <hotpatch/hotpatch.h>

#include <linux/kobject.h>

/* struct hotpatch_self_test - the author's; without one both are NULL */
struct hotpatch_self_test {
	const char *name;
	int (*run)(void);
};

/* From the table. */
extern struct klp_patch hotpatch_patch;
extern const struct hotpatch_self_test hotpatch_self_test;

/* For the table. */
int hotpatch_veto(const char *what, const char *function, int err);

int hotpatch_complaint(const char *did, const char *what, const char *function,
		       int err);

/* See reload.c. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0) && defined(CONFIG_X86_64)
#define HOTPATCH_CLEARS_RELOCATIONS
void hotpatch_clear_relocations(struct klp_object *object);
#else
static inline void hotpatch_clear_relocations(struct klp_object *object)
{
}
#endif

bool hotpatch_have_tripwires(void);
int hotpatch_tripwires_start(struct kobject *folder);
void hotpatch_tripwires_stop(void);
int hotpatch_tripwires_test(void);
void hotpatch_tripwires_forget_tested(void);

int hotpatch_self_test_first(void);
int hotpatch_self_test_start(struct kobject *folder);
void hotpatch_self_test_stop(struct kobject *folder);
bool hotpatch_self_test_is_repeatable(void);
bool hotpatch_in_self_test(void);

#endif /* HOTPATCH_RUNTIME_H */
