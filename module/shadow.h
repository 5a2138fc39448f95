/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOTPATCH_SHADOW_H
#define HOTPATCH_SHADOW_H

/*
 * Shadow variables with a type: data that belongs to an object of the kernel
 * whose structure cannot grow. The kernel's klp_shadow_*() keep them in a hash
 * by (object, id) and know nothing of types; these wrappers do.
 *
 * The kernel does not free a shadow variable when its object dies. Replace the
 * function that frees the object as well, and call NAME_free() there. Free what
 * is left in post_unpatch with NAME_free_all(), never in module_exit.
 */

#include <linux/livepatch.h>
#include <linux/slab.h>

/**
 * DEFINE_HOTPATCH_SHADOW() - typed access to one kind of shadow variable
 * @name: prefix of the functions made
 * @type: type of the variable; new ones are zeroed
 * @id: number that is unique among all livepatches on the machine, 64 bits. A
 *	cumulative successor takes the variables over by using the same number and
 *	type.
 *
 * Makes:
 *
 * ``type *name_get(void *obj)``
 *	the variable of @obj, or NULL. Any context.
 * ``type *name_get_or_alloc(void *obj, gfp_t gfp)``
 *	the variable of @obj, made when there is none; NULL without memory. Of two
 *	callers at once both get the same one. Context: as @gfp.
 * ``void name_free(void *obj)``
 *	frees that of @obj, if any. Any context; readers must be done with it.
 * ``void name_free_all(void)``
 *	frees those of all objects. Process context.
 */
#define DEFINE_HOTPATCH_SHADOW(name, type, id)                                 \
	static inline __maybe_unused type *name##_get(void *obj)               \
	{                                                                      \
		return klp_shadow_get(obj, (id));                              \
	}                                                                      \
                                                                               \
	static inline __maybe_unused type *name##_get_or_alloc(void *obj,      \
							       gfp_t gfp)      \
	{                                                                      \
		return klp_shadow_get_or_alloc(obj, (id), sizeof(type), gfp,   \
					       NULL, NULL);                    \
	}                                                                      \
                                                                               \
	static inline __maybe_unused void name##_free(void *obj)               \
	{                                                                      \
		klp_shadow_free(obj, (id), NULL);                              \
	}                                                                      \
                                                                               \
	static inline __maybe_unused void name##_free_all(void)                \
	{                                                                      \
		klp_shadow_free_all((id), NULL);                               \
	}

#endif /* HOTPATCH_SHADOW_H */
