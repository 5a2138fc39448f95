// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/vm/transition*.sh: functions in which tasks sit until they are told to go.
 *
 *   read /proc/hp_stall/soft     sits in hp_stall_soft(), an interruptible sleep
 *   read /proc/hp_stall/hard     sits in hp_stall_hard(), an uninterruptible sleep
 *   read /proc/hp_stall/other    as hard, in a function that no patch replaces
 *   write /proc/hp_stall/control thread, stop: a kernel thread sits in hp_stall_thread(), or ends
 *                                release, hold: let all of them go, or have them sit
 *
 * What was read is "old"; with tests/data/patches/stall in force it is "new".
 */

#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

int hp_stall_soft(void);
int hp_stall_hard(void);
int hp_stall_other(void);
int hp_stall_thread(void);

static DECLARE_WAIT_QUEUE_HEAD(hp_queue);
static bool hp_released;
static struct task_struct *hp_task;
static struct proc_dir_entry *hp_folder;

noinline int hp_stall_soft(void)
{
	return wait_event_interruptible(hp_queue, READ_ONCE(hp_released));
}

noinline int hp_stall_hard(void)
{
	wait_event(hp_queue, READ_ONCE(hp_released));
	return 0;
}

/* The barrier keeps the compiler from making one function of this and the one above. */
noinline int hp_stall_other(void)
{
	wait_event(hp_queue, READ_ONCE(hp_released));
	barrier();
	smp_mb();
	return 0;
}

noinline int hp_stall_thread(void)
{
	return wait_event_interruptible(hp_queue, READ_ONCE(hp_released) || kthread_should_stop());
}

static int hp_run(void *unused)
{
	while (!kthread_should_stop()) {
		hp_stall_thread();
		schedule_timeout_interruptible(HZ / 10);
	}
	return 0;
}

static ssize_t hp_answer(int r, char __user *buf, size_t count, loff_t *pos)
{
	const char *text = r > 0 ? "new\n" : "old\n";

	return r < 0 ? r : simple_read_from_buffer(buf, count, pos, text, strlen(text));
}

static ssize_t hp_read_soft(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return *pos ? 0 : hp_answer(hp_stall_soft(), buf, count, pos);
}

static ssize_t hp_read_hard(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return *pos ? 0 : hp_answer(hp_stall_hard(), buf, count, pos);
}

static ssize_t hp_read_other(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return *pos ? 0 : hp_answer(hp_stall_other(), buf, count, pos);
}

static ssize_t hp_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char word[16] = "";

	if (count >= sizeof(word) || copy_from_user(word, buf, count))
		return -EINVAL;
	strim(word);
	if (!strcmp(word, "thread") && !hp_task) {
		struct task_struct *task = kthread_run(hp_run, NULL, "hp_stall_thread");

		if (IS_ERR(task))
			return PTR_ERR(task);
		hp_task = task;
	} else if (!strcmp(word, "stop")) {
		if (hp_task)
			kthread_stop(hp_task);
		hp_task = NULL;
	} else if (!strcmp(word, "release") || !strcmp(word, "hold")) {
		WRITE_ONCE(hp_released, word[0] == 'r');
		wake_up_all(&hp_queue);
	} else {
		return -EINVAL;
	}
	return count;
}

static const struct proc_ops hp_soft = { .proc_read = hp_read_soft };
static const struct proc_ops hp_hard = { .proc_read = hp_read_hard };
static const struct proc_ops hp_other = { .proc_read = hp_read_other };
static const struct proc_ops hp_control = { .proc_write = hp_write };

static int __init hp_stall_init(void)
{
	hp_folder = proc_mkdir("hp_stall", NULL);
	if (!hp_folder || !proc_create("soft", 0444, hp_folder, &hp_soft) ||
	    !proc_create("hard", 0444, hp_folder, &hp_hard) ||
	    !proc_create("other", 0444, hp_folder, &hp_other) ||
	    !proc_create("control", 0200, hp_folder, &hp_control)) {
		proc_remove(hp_folder);
		return -ENOMEM;
	}
	return 0;
}

static void __exit hp_stall_exit(void)
{
	WRITE_ONCE(hp_released, true);
	if (hp_task)
		kthread_stop(hp_task);
	wake_up_all(&hp_queue);
	proc_remove(hp_folder);
}

module_init(hp_stall_init);
module_exit(hp_stall_exit);
MODULE_DESCRIPTION("Functions in which tasks sit, for tests");
MODULE_LICENSE("GPL");
