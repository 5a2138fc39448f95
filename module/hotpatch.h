/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOTPATCH_HOTPATCH_H
#define HOTPATCH_HOTPATCH_H

/*
 * What the author of a patch includes: <hotpatch/hotpatch.h>.
 *
 * A patch is a folder of patch.json and C files. patch.json names the functions
 * to replace and their replacements; hotpatch-module(1) writes the table of
 * them, links the author's files with the redirection runtime and leaves one
 * livepatch module. The author writes neither module_init() nor struct
 * klp_patch.
 *
 * Rules for a replacement:
 *  - same prototype as the original, not static, not __init, not inline;
 *  - symbols that the kernel does not export are declared `extern` and simply
 *    used. The post-link step makes klp relocations of them; patch.json names
 *    the object of those that live in a module;
 *  - a static variable of the original is not the one of the replacement: name
 *    it as an unexported symbol;
 *  - no new member in a structure of the kernel: <hotpatch/shadow.h>;
 *  - no change in what callers rely on while old and new code run side by side,
 *    for the transition takes seconds.
 */

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/version.h>

#if !IS_ENABLED(CONFIG_LIVEPATCH)
#error "this kernel is built without CONFIG_LIVEPATCH"
#endif

/* Longest name of a tripwire, without the NUL. */
#define HOTPATCH_TRIPWIRE_NAME_MAX 64

/*
 * struct hotpatch_tripwire_site - one place in the code that calls
 *	hotpatch_tripwire(); several may share a name
 * @name: as given by the author
 * @count: how often this place was reached
 * @tested: the same by the self-test that runs, or ran last
 * @reported: in the first place of a name: its total in the last message
 * @next_message: in the first place of a name: not before, in jiffies
 */
struct hotpatch_tripwire_site {
	const char *name;
	atomic_long_t count;
	atomic_long_t tested;
	unsigned long reported;
	unsigned long next_message;
};

void hotpatch_tripwire_hit(struct hotpatch_tripwire_site *site);

/**
 * hotpatch_tripwire() - say that the repaired hole was just tried
 * @literal: string literal without blanks, "CVE-2026-1234" as a rule, 1 to
 *	HOTPATCH_TRIPWIRE_NAME_MAX bytes of printable ASCII
 *
 * Belongs into the branch of a replacement in which the old code would have
 * been exploited, next to the refusal::
 *
 *	if (len > sizeof(buf)) {
 *		hotpatch_tripwire("CVE-2026-1234");
 *		return -EINVAL;
 *	}
 *
 * Hits are counted for each name in /sys/module/NAME/hotpatch/tripwires, one
 * line "NAME COUNT" each; poll(POLLPRI) on that file, once it was read, returns
 * after a hit, at most once a second. The kernel log gets one line at the first
 * hit of a name and then at most one a minute; it holds the name and the counts,
 * nothing that came from the caller.
 *
 * Context: Any in which a livepatched function can run: process, softirq,
 * hardirq, any lock held (a hit increments a counter and queues an irq_work;
 * message and notification come later from a work item). Not from NMI: there the
 * count stays right, but a livepatch must not replace functions of the NMI path
 * at all. Not after the patch was disabled, which livepatch guarantees, and not
 * from code of the author that outlives it (timers, work items): stop those in
 * post_unpatch.
 */
#define hotpatch_tripwire(literal)                                             \
	do {                                                                   \
		static struct hotpatch_tripwire_site __hotpatch_site = {       \
			.name = "" literal,                                    \
		};                                                             \
		static struct hotpatch_tripwire_site *const                    \
			__hotpatch_entry __used                                \
			__section(".hotpatch.tripwires") = &__hotpatch_site;   \
		BUILD_BUG_ON(sizeof(literal) < 2 ||                            \
			     sizeof(literal) > HOTPATCH_TRIPWIRE_NAME_MAX + 1);\
		hotpatch_tripwire_hit(&__hotpatch_site);                       \
	} while (0)

/**
 * hotpatch_self_test_hits() - how often has the self-test reached a tripwire?
 * @name: as given to hotpatch_tripwire()
 *
 * For self_test() itself: it calls its replacement with what the old code would
 * have been exploited by, and then looks whether that came to the branch with
 * the tripwire. Such hits are no alarm and are not in the counts.
 */
unsigned long hotpatch_self_test_hits(const char *name);

/*
 * The functions that patch.json may name besides replacements. All are the
 * author's, none may be static:
 *
 * int self_test(void)
 *	Runs in module_init, before the kernel is touched. Non-zero refuses the
 *	patch: insertion fails with that errno, one line in the kernel log names the
 *	function. Unexported symbols of vmlinux are usable, those of modules are not
 *	yet.
 *	Runs again, in the context of a process, as often as somebody writes "1" to
 *	/sys/module/NAME/hotpatch/self_test; the write fails with its errno then.
 *	hotpatchd does so at the begin of a trial, at intervals, and before it
 *	passes, and takes the patch out when it fails or does not answer within a
 *	minute. So it must hold before the patch is in force as well as while it is,
 *	change nothing, and depend on nothing that may be missing in a healthy
 *	machine. Marked __init, it runs at the insertion only.
 * int pre_patch(struct klp_object *obj)
 *	Before the functions of that object are redirected; for a module, each time
 *	it is loaded. Non-zero refuses the patch, or that module's loading.
 * void post_patch(struct klp_object *obj)
 *	After the transition.
 * void pre_unpatch(struct klp_object *obj), void post_unpatch(struct klp_object *obj)
 *	Before and after the way back. Not called when another patch replaces this
 *	one (atomic replace); then only the new patch's callbacks run.
 */

#endif /* HOTPATCH_HOTPATCH_H */
