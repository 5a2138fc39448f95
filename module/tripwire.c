// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tripwires: count, tell, stay out of the way.
 *
 * A hit may come from any context and as often as an attacker likes, so it does
 * two things only: it increments a counter, and if no report is under way it
 * queues an irq_work. That is safe with any lock held, the run queue's too,
 * where waking a worker directly would not be. The irq_work schedules the
 * report, not earlier than a second after the last one; the report, in process
 * context, writes the log and wakes those who poll.
 *
 * The places are found through a section of pointers. `ld -r` makes no __start_
 * and __stop_ symbols, so the section's ends are arrays of no elements, one in
 * the first object of the link (tripwire-begin.c) and one in the last
 * (tripwire-end.c). Pointers and not the structures themselves, because
 * compilers pad large static objects.
 *
 * The chain can be tested from end to end: a hit of a place that belongs to
 * nobody must become a report.
 *
 * What this does not do: keep counts over an unload, or tell who it was.
 */

#define pr_fmt(fmt) "hotpatch: " KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "runtime.h"

#define REPORT_INTERVAL HZ
#define MESSAGE_INTERVAL (60 * HZ)
/* " COUNT\n" with the largest count */
#define COUNT_MAX 22
/* A work item that waits longer is a lockup to kernel/workqueue.c, too. */
#define TEST_TIMEOUT (30 * HZ)

extern struct hotpatch_tripwire_site *const hotpatch_tripwires_begin[];
extern struct hotpatch_tripwire_site *const hotpatch_tripwires_end[];

#define for_each_site(p)                                                       \
	for (p = hotpatch_tripwires_begin; p < hotpatch_tripwires_end; p++)

static void kick_report(struct irq_work *work);
static void report(struct work_struct *work);

static struct irq_work kick = IRQ_WORK_INIT(kick_report);
static DECLARE_DELAYED_WORK(report_work, report);
static atomic_t report_pending;
static unsigned long next_report;

static unsigned long reports;
static DECLARE_WAIT_QUEUE_HEAD(reported);
static struct hotpatch_tripwire_site probe;

static struct kernfs_node *file;

/*
 * hotpatch_tripwire_hit() - behind hotpatch_tripwire(), which documents it
 * @site: place that was reached
 */
void hotpatch_tripwire_hit(struct hotpatch_tripwire_site *site)
{
	if (hotpatch_in_self_test()) {
		atomic_long_inc(&site->tested);
		return;
	}
	atomic_long_inc(&site->count);
	/* Pairs with atomic_xchg() in report(): either it sees the count, or we
	 * see that it is over.
	 */
	smp_mb__after_atomic();
	/* Read first: a flood must not bounce the cache line of the flag. */
	if (!atomic_read(&report_pending) && !atomic_xchg(&report_pending, 1))
		irq_work_queue(&kick);
}

static void kick_report(struct irq_work *work)
{
	unsigned long now = jiffies;
	unsigned long due = READ_ONCE(next_report);

	schedule_delayed_work(&report_work,
			      time_before(now, due) ? due - now : 0);
}

/* The place that stands for all of its name: the first one. */
static bool is_first_of_name(struct hotpatch_tripwire_site *const *p)
{
	struct hotpatch_tripwire_site *const *q;

	for (q = hotpatch_tripwires_begin; q < p; q++)
		if (!strcmp((*q)->name, (*p)->name))
			return false;
	return true;
}

static unsigned long count_of_name(const char *name)
{
	struct hotpatch_tripwire_site *const *p;
	unsigned long sum = 0;

	for_each_site(p)
		if (!strcmp((*p)->name, name))
			sum += atomic_long_read(&(*p)->count);
	return sum;
}

static void report_name(struct hotpatch_tripwire_site *site)
{
	unsigned long count = count_of_name(site->name);

	if (count == site->reported)
		return;
	if (site->reported && time_before(jiffies, site->next_message))
		return;
	pr_warn("tripwire %s: the repaired hole was tried, %lu times since the last message, %lu in all\n",
		site->name, count - site->reported, count);
	site->reported = count;
	site->next_message = jiffies + MESSAGE_INTERVAL;
}

static void report(struct work_struct *work)
{
	struct hotpatch_tripwire_site *const *p;

	WRITE_ONCE(next_report, jiffies + REPORT_INTERVAL);
	/* A hit from here on asks for the next report; earlier ones are in this. */
	atomic_xchg(&report_pending, 0);
	for_each_site(p)
		if (is_first_of_name(p))
			report_name(*p);
	sysfs_notify_dirent(file);
	WRITE_ONCE(reports, reports + 1);
	wake_up_all(&reported);
}

/**
 * hotpatch_self_test_hits() - see <hotpatch/hotpatch.h>
 */
unsigned long hotpatch_self_test_hits(const char *name)
{
	struct hotpatch_tripwire_site *const *p;
	unsigned long sum = 0;

	for_each_site(p)
		if (!strcmp((*p)->name, name))
			sum += atomic_long_read(&(*p)->tested);
	return sum;
}

/* hotpatch_tripwires_forget_tested() - a self-test begins */
void hotpatch_tripwires_forget_tested(void)
{
	struct hotpatch_tripwire_site *const *p;

	for_each_site(p)
		atomic_long_set(&(*p)->tested, 0);
}

/**
 * hotpatch_tripwires_test() - does a hit still become a report?
 *
 * Who polls the file is woken, and finds the counts as they were.
 *
 * Context: process; sleeps, up to half a minute.
 * Return: 0 (also without tripwires), -EIO when the hit was not counted,
 * -ETIMEDOUT when no report came, or -ERESTARTSYS when the caller was killed.
 */
int hotpatch_tripwires_test(void)
{
	unsigned long before = READ_ONCE(reports);
	long count, left;

	if (!file)
		return 0;
	count = atomic_long_read(&probe.count);
	hotpatch_tripwire_hit(&probe);
	if (atomic_long_read(&probe.count) != count + 1) {
		pr_err("tripwires do not count\n");
		return -EIO;
	}
	left = wait_event_killable_timeout(
		reported, READ_ONCE(reports) != before, TEST_TIMEOUT);
	if (left < 0)
		return left;
	if (left == 0) {
		pr_err("tripwires do not report\n");
		return -ETIMEDOUT;
	}
	return 0;
}

static ssize_t tripwires_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct hotpatch_tripwire_site *const *p;
	int len = 0;

	for_each_site(p)
		if (is_first_of_name(p))
			len += sysfs_emit_at(buf, len, "%s %lu\n", (*p)->name,
					     count_of_name((*p)->name));
	return len;
}

/* Root only: who tries the hole need not be told that he was seen. */
static struct kobj_attribute tripwires_attribute =
	__ATTR(tripwires, 0400, tripwires_show, NULL);

/* What the file can hold and its readers can parse; the length of a name is
 * checked by the macro. The size is that of the longest text; 0: no tripwires.
 */
static int __init check_names(size_t *ret_size)
{
	struct hotpatch_tripwire_site *const *p;
	size_t size = 0;
	const char *c;

	for_each_site(p) {
		for (c = (*p)->name; *c; c++) {
			if (!isascii(*c) || !isgraph(*c)) {
				pr_err("tripwire '%s': blanks and control characters are not for names\n",
				       (*p)->name);
				return -EINVAL;
			}
		}
		if (is_first_of_name(p))
			size += strlen((*p)->name) + COUNT_MAX;
	}
	if (size > PAGE_SIZE) {
		pr_err("too many tripwires\n");
		return -E2BIG;
	}
	*ret_size = size;
	return 0;
}

/* hotpatch_have_tripwires() - or is there nothing to count? */
bool hotpatch_have_tripwires(void)
{
	struct hotpatch_tripwire_site *const *p;

	/* Not "begin != end": the compiler knows that of two arrays. */
	for_each_site(p)
		return true;
	return false;
}

/**
 * hotpatch_tripwires_start() - make /sys/module/NAME/hotpatch/tripwires
 * @folder: the folder
 *
 * A patch without tripwires has no such file, so that nobody waits on it.
 *
 * Return: 0 or a negative errno; hotpatch_tripwires_stop() in any case.
 */
int __init hotpatch_tripwires_start(struct kobject *folder)
{
	size_t size;
	int err;

	err = check_names(&size);
	if (err || size == 0)
		return err;
	next_report = jiffies;
	err = sysfs_create_file(folder, &tripwires_attribute.attr);
	if (err)
		return err;
	file = sysfs_get_dirent(folder->sd, "tripwires");
	return file ? 0 : -ENOENT;
}

/**
 * hotpatch_tripwires_stop() - wait for the last report
 *
 * The file goes with its folder. No replacement may run any more.
 */
void hotpatch_tripwires_stop(void)
{
	irq_work_sync(&kick);
	cancel_delayed_work_sync(&report_work);
	sysfs_put(file);
	file = NULL;
}
