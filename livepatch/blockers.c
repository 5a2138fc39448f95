/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who holds a transition up, as far as /proc tells.
 *
 * Every thread has a patch_state (Documentation/livepatch/livepatch.rst): -1 outside of a transition,
 * 0 old code, 1 new code. Those that do not have the target's value are the blockers. Who they are
 * stands beside it: name, state and kind in `stat`, the systemd unit in `cgroup`.
 *
 * The unit is the first component of the cgroup below the slices, as sd_pid_get_unit(3) has it: what
 * the system's manager knows, also when a container or a user's own manager has units below it. A
 * kernel thread has none. A name of a thread is a stranger's text; it is made printable, and
 * the command line is not read: secrets stand there.
 *
 * Tasks come, go and change over while they are looked at; what vanishes is no blocker. The number
 * of tasks in the answer is limited, the others are counted.
 *
 * Why a task blocks is not here, see blockers-why.c.
 */

#include <fcntl.h>
#include <inttypes.h>

#include "livepatch/blockers.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/* include/linux/sched.h */
#define PF_KTHREAD UINT64_C(0x00200000)

static void blocker_done(Blocker *b) {
        free(b->unit);
        free(b->function);
        strv_free(b->stack);
}

/** blockers_done() - free what it owns */
void blockers_done(Blockers *b) {
        for (size_t i = 0; i < b->n; i++)
                blocker_done(&b->items[i]);
        free(b->items);
        *b = (Blockers) {};
}

/** blockers_find() - the blocker of a thread id, or NULL */
Blocker *blockers_find(const Blockers *b, uint32_t tid) {
        for (size_t i = 0; i < b->n; i++)
                if (b->items[i].tid == tid)
                        return &b->items[i];
        return NULL;
}

/* --- the unit --- */

static bool is_unit(const char *s, size_t l) {
        static const char *const types[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

        if (l > HOTPATCH_UNIT_NAME_MAX)
                return false;
        for (size_t i = 0; i < l; i++)
                if (s[i] <= ' ' || s[i] > '~')
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                size_t t = strlen(types[i]);
                if (l > t && memcmp(s + l - t, types[i], t) == 0)
                        return true;
        }
        return false;
}

static bool is_slice(const char *s, size_t l) {
        size_t t = strlen(".slice");

        return l > t && memcmp(s + l - t, ".slice", t) == 0;
}

static int unit_from_path(const char *path, char **ret) {
        while (*path == '/') {
                size_t l = strcspn(++path, "/\n");

                if (!is_slice(path, l)) {
                        /* systemd puts '_' before a name that the kernel could take for its own. */
                        if (l > 0 && *path == '_') {
                                path++;
                                l--;
                        }
                        if (!is_unit(path, l))
                                return -ENOENT;
                        *ret = strndup(path, l);
                        return *ret ? 0 : -ENOMEM;
                }
                path += l;
        }
        return -ENOENT;
}

/**
 * blocker_unit_from_cgroup() - the system unit in the text of /proc/PID/cgroup
 * @cgroup: lines "0::PATH" (unified hierarchy) or "N:name=systemd:PATH" (the older one, which wins)
 * @ret: to be freed
 *
 * Return: 0, -ENOENT when it is in no unit, or -ENOMEM.
 */
int blocker_unit_from_cgroup(const char *cgroup, char **ret) {
        const char *found = NULL;

        for (const char *line = cgroup; *line;) {
                const char *colon = strchr(line, ':'), *path;

                if ((path = startswith(line, "0::")))
                        found = found ?: path;
                else if (colon && (path = startswith(colon, ":name=systemd:")))
                        found = path;
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
        return found ? unit_from_path(found, ret) : -ENOENT;
}

/* --- one task --- */

static bool is_gone(int r) {
        return r == -ENOENT || r == -ESRCH || r == -ENODEV;
}

static bool is_number(const char *s) {
        return *s && !s[strspn(s, "0123456789")] && strlen(s) <= strlen("4294967295");
}

static void set_command(Blocker *b, const char *s, size_t l) {
        size_t i;

        for (i = 0; i < l && i < BLOCKER_COMMAND_MAX; i++)
                b->command[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
        b->command[i] = 0;
}

/* "pid (comm) state ppid pgrp session tty_nr tpgid flags …"; comm may hold anything, so from behind */
static int read_stat(int task_fd, Blocker *b) {
        _cleanup_free_ char *text = NULL;
        const char *open, *close;
        uint64_t flags = 0;
        void *data;
        size_t size;
        int r;

        r = file_read_at(task_fd, "stat", HOTPATCH_PROC_STAT_MAX, &data, &size);
        if (r < 0)
                return r;
        text = data;
        open = memchr(text, '(', size);
        close = memrchr(text, ')', size);
        if (!open || !close || close < open || (size_t) (close - text) + 3 > size)
                return -EBADMSG;
        set_command(b, open + 1, (size_t) (close - open - 1));
        if (sscanf(close, ") %c %*d %*d %*d %*d %*d %" SCNu64, &b->state, &flags) != 2)
                return -EBADMSG;
        b->kernel_thread = flags & PF_KTHREAD;
        return 0;
}

static int read_unit(int task_fd, Blocker *b) {
        _cleanup_free_ void *text = NULL;
        int r;

        if (b->kernel_thread)
                return 0;
        r = file_read_at(task_fd, "cgroup", HOTPATCH_PROC_CGROUP_MAX, &text, NULL);
        if (r >= 0)
                r = blocker_unit_from_cgroup(text, &b->unit);
        /* Without it the task is still named. */
        return r == -ENOMEM ? r : 0;
}

/* Returns 1 when the thread blocks, 0 when it has changed over, or -ENOENT and the like when it is gone. */
static int look_at_patch_state(int task_fd, const char *wanted) {
        _cleanup_free_ char *state = NULL;
        int r = file_read_line_at(task_fd, "patch_state", &state);

        if (r < 0)
                return r;
        /* -1: no transition, as far as this task is concerned. */
        return !streq(state, wanted) && !streq(state, "-1");
}

static int add_blocker(Blockers *b, int task_fd, const char *pid, const char *tid) {
        Blocker *grown, *new;
        int r;

        if (b->n >= HOTPATCH_BLOCKERS_MAX) {
                b->n_more++;
                return 0;
        }
        grown = reallocarray(b->items, b->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        b->items = grown;
        new = &grown[b->n];
        *new = (Blocker) {
                .pid = (uint32_t) strtoul(pid, NULL, 10),
                .tid = (uint32_t) strtoul(tid, NULL, 10),
        };
        r = read_stat(task_fd, new);
        if (r >= 0)
                r = read_unit(task_fd, new);
        if (r < 0) {
                blocker_done(new);
                return r;
        }
        b->n++;
        return 0;
}

static int look_at_task(Blockers *b, int tasks_fd, const char *pid, const char *tid, const char *wanted) {
        _cleanup_close_ int fd = openat(tasks_fd, tid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = look_at_patch_state(fd, wanted);
        if (r < 0)
                return r;
        b->total++;
        if (r > 0)
                return add_blocker(b, fd, pid, tid);
        b->done++;
        return 0;
}

static int look_at_process(Blockers *b, int proc_fd, const char *pid, const char *wanted) {
        char path[sizeof("4294967295/task")];
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        int r;

        (void) snprintf(path, sizeof(path), "%.10s/task", pid);
        r = directory_open_at(proc_fd, path, 0, &d);
        if (r < 0)
                return is_gone(r) ? 0 : r;
        while ((e = readdir(d))) {
                if (!is_number(e->d_name))
                        continue;
                r = look_at_task(b, dirfd(d), pid, e->d_name, wanted);
                if (r < 0 && !is_gone(r))
                        return r;
        }
        return 0;
}

/* By unit; what has none behind, kernel threads last. */
static int compare_blockers(const void *a, const void *b) {
        const Blocker *x = a, *y = b;
        int c;

        if (x->kernel_thread != y->kernel_thread)
                return x->kernel_thread - y->kernel_thread;
        if (!x->unit != !y->unit)
                return !x->unit - !y->unit;
        c = x->unit ? strcmp(x->unit, y->unit) : 0;
        if (c != 0)
                return c;
        return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/**
 * blockers_read() - the tasks that have not changed over
 * @patched: the transition's direction: true while patching, false while unpatching
 * @ret: blockers_done() it
 *
 * Return: 0, -EACCES without the right to look at others' patch_state, or another negative errno.
 */
int blockers_read(const Kernel *k, bool patched, Blockers *ret) {
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *e;
        int r;

        r = directory_open_at(kernel_root_fd(k), "proc", 0, &d);
        if (r < 0)
                return r;
        while ((e = readdir(d))) {
                if (!is_number(e->d_name))
                        continue;
                r = look_at_process(&b, dirfd(d), e->d_name, patched ? "1" : "0");
                if (r < 0)
                        return r;
        }
        if (b.n > 1)
                qsort(b.items, b.n, sizeof(*b.items), compare_blockers);
        *ret = b;
        b = (Blockers) {};
        return 0;
}
