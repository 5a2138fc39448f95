/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOTPATCH_RUNTIME_H
#define HOTPATCH_RUNTIME_H

/* Between the files of the runtime and the generated table; not for authors. */

#include <hotpatch/hotpatch.h>

/* From the table. */
extern struct klp_patch hotpatch_patch;
int hotpatch_self_test(void);

/* For the table. */
int hotpatch_veto(const char *what, const char *function, int err);

/* See reload.c. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0) && defined(CONFIG_X86_64)
#define HOTPATCH_CLEARS_RELOCATIONS
void hotpatch_clear_relocations(struct klp_object *object);
#else
static inline void hotpatch_clear_relocations(struct klp_object *object)
{
}
#endif

int hotpatch_tripwires_start(void);
void hotpatch_tripwires_stop(void);

#endif /* HOTPATCH_RUNTIME_H */
