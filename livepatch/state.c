/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the kernel does with livepatches right now.
 *
 * The truth is spread over two directories: /sys/kernel/livepatch/NAME exists while the patch is
 * enabled or in transition, /sys/module/NAME while its module is in memory. Read together, with the
 * module's reference count, they give one state:
 *
 *     livepatch/NAME   enabled  transition  refcnt   state
 *     yes              1        1           1        patching
 *     yes              1        0           1        patched
 *     yes              0        1           1        unpatching
 *     no               -        -           0        inactive: may be unloaded
 *     no               -        -           1        held: on its way in or out, or pinned for
 *                                                    ever because a transition was forced
 *     no               -        -           0        held as well, if it has no exit function: the
 *                                                    kernel unloads no such module
 *     no               -        -           -        absent
 *
 * While a module's init is in klp_enable_patch(), its directory is there already with enabled=0; it
 * is on its way in, which `initstate` tells: "coming", not "live". While disabling begins, for the
 * milliseconds of the write to `enabled`, a patch looks as if it were patching; nothing tells.
 *
 * None of it is a snapshot: a directory may vanish between two reads (then the patch just became
 * disabled, and is looked at again), and the reference is dropped a moment after the directory.
 * Whoever finds `held` waits a little before calling it pinned, and asks livepatch_is_coming(): a
 * module's own init may run for minutes before it enables the patch.
 *
 * Nothing here waits. The kernel sends no event when a transition ends and poll(2) on `transition`
 * does not wake up; callers ask again by a timer.
 */

#include <fcntl.h>

#include <sys/stat.h>

#include "livepatch/identity.h"
#include "livepatch/lines.h"
#include "livepatch/state.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

#define LIVEPATCH_DIR "sys/kernel/livepatch"

static const char *const state_names[_LIVEPATCH_STATE_MAX] = {
        [LIVEPATCH_ABSENT] = "absent",
        [LIVEPATCH_INACTIVE] = "inactive",
        [LIVEPATCH_PATCHING] = "patching",
        [LIVEPATCH_PATCHED] = "patched",
        [LIVEPATCH_UNPATCHING] = "unpatching",
        [LIVEPATCH_HELD] = "held",
};

/** livepatch_state_to_string() - the word for a state, or NULL */
const char *livepatch_state_to_string(LivepatchState s) {
        return s >= 0 && s < _LIVEPATCH_STATE_MAX ? state_names[s] : NULL;
}

/* A file of a vanished kobject opens as ENOENT, or reads as ENODEV when it was open already. */
static bool vanished(int r) {
        return r == -ENOENT || r == -ENODEV || r == -ESRCH;
}

static int attribute_read(const Kernel *k, const char *prefix, const char *module, const char *file,
                char **ret) {
        _cleanup_free_ char *path = NULL;
        int r = kernel_module_path(prefix, module, file, &path);

        return r < 0 ? r : file_read_line_at(kernel_root_fd(k), path, ret);
}

/* Returns 1 and the state, or 0 when there is no livepatch directory. */
static int enabled_state(const Kernel *k, const char *module, LivepatchState *ret) {
        _cleanup_free_ char *enabled = NULL, *transition = NULL, *init = NULL;
        int r;

        r = attribute_read(k, LIVEPATCH_DIR, module, "enabled", &enabled);
        if (r >= 0)
                r = attribute_read(k, LIVEPATCH_DIR, module, "transition", &transition);
        if (r >= 0)
                r = attribute_read(k, "sys/module", module, "initstate", &init);
        if (vanished(r))
                return 0;
        if (r < 0)
                return r;
        /* enabled=0 transition=0 lasts only until the kernel has removed the directory */
        if (streq(enabled, "0"))
                *ret = streq(init, "coming") ? LIVEPATCH_PATCHING : LIVEPATCH_UNPATCHING;
        else
                *ret = streq(transition, "1") ? LIVEPATCH_PATCHING : LIVEPATCH_PATCHED;
        return 1;
}

typedef struct PermanentScan {
        const char *module;
        bool permanent;
} PermanentScan;

/* "NAME SIZE USERS [permanent], Live ADDRESS": print_unload_info() in kernel/module/ */
static void permanent_line(void *userdata, const char *line) {
        static const char word[] = "[permanent]";
        PermanentScan *scan = userdata;
        Word name = word_next(&line), users = {};

        for (int n = 0; n < 3; n++)
                users = word_next(&line);
        if (word_is(name, scan->module))
                scan->permanent = users.l > 0 && memmem(users.s, users.l, word, strlen(word));
}

/**
 * livepatch_is_permanent() - has this module no exit function? Then the kernel never unloads it.
 *
 * Nothing in sysfs tells. Who cannot read /proc/modules hears a no, and finds out by trying.
 */
bool livepatch_is_permanent(const Kernel *k, const char *module) {
        PermanentScan scan = { .module = module };

        return lines_scan(kernel_root_fd(k), "proc/modules", permanent_line, &scan) >= 0 && scan.permanent;
}

/**
 * livepatch_state() - the state of a livepatch by its module's name
 *
 * Return: 0, -EINVAL when @module is no module name, or another negative errno.
 */
int livepatch_state(const Kernel *k, const char *module, LivepatchState *ret) {
        _cleanup_free_ char *refcnt = NULL;
        LivepatchState s;
        int r;

        r = enabled_state(k, module, &s);
        if (r < 0)
                return r;
        if (r > 0) {
                *ret = s;
                return 0;
        }
        r = kernel_module_loaded(k, module);
        if (r < 0)
                return r;
        if (r == 0) {
                *ret = LIVEPATCH_ABSENT;
                return 0;
        }
        r = attribute_read(k, "sys/module", module, "refcnt", &refcnt);
        if (r < 0 && !vanished(r))
                return r;
        if (r < 0)
                *ret = LIVEPATCH_ABSENT;
        else
                *ret = streq(refcnt, "0") && !livepatch_is_permanent(k, module) ? LIVEPATCH_INACTIVE : LIVEPATCH_HELD;
        return 0;
}

/**
 * livepatch_is_coming() - whether a module is still being loaded: its init has not returned
 *
 * Return: 1, 0 (also when there is no such module), or a negative errno.
 */
int livepatch_is_coming(const Kernel *k, const char *module) {
        _cleanup_free_ char *init = NULL;
        int r = attribute_read(k, "sys/module", module, "initstate", &init);

        if (vanished(r))
                return 0;
        return r < 0 ? r : streq(init, "coming");
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/**
 * livepatch_list() - names of all livepatches that are enabled or in transition, ours or not
 * @ret: sorted, to be freed; NULL when there are none (or the kernel cannot livepatch)
 *
 * Return: 0, -E2BIG for more than HOTPATCH_LIVEPATCHES_MAX, or another negative errno.
 */
int livepatch_list(const Kernel *k, char ***ret) {
        _cleanup_closedir_ DIR *d = NULL;
        _cleanup_strv_free_ char **names = NULL;
        size_t n = 0;
        int r;

        r = directory_open_at(kernel_root_fd(k), LIVEPATCH_DIR, 0, &d);
        if (r < 0 && r != -ENOENT)
                return r;
        while (d) {
                struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e && errno)
                        return -errno;
                if (!e)
                        break;
                if (!kernel_module_name_valid(e->d_name))
                        continue;
                if (++n > HOTPATCH_LIVEPATCHES_MAX)
                        return -E2BIG;
                r = strv_extend(&names, e->d_name);
                if (r < 0)
                        return r;
        }
        if (n > 1)
                qsort(names, n, sizeof(*names), compare_strings);
        *ret = TAKE_PTR(names);
        return 0;
}

/**
 * livepatch_transition_running() - whether any livepatch is in transition; the kernel runs one at a
 * time
 * @ret_module: its module, to be freed; may be NULL; only written when there is one
 *
 * Return: 1, 0, or a negative errno.
 */
int livepatch_transition_running(const Kernel *k, char **ret_module) {
        _cleanup_strv_free_ char **names = NULL;
        int r = livepatch_list(k, &names);

        if (r < 0)
                return r;
        for (char **n = names; n && *n; n++) {
                _cleanup_free_ char *transition = NULL;

                r = attribute_read(k, LIVEPATCH_DIR, *n, "transition", &transition);
                if (r < 0 && !vanished(r))
                        return r;
                if (r < 0 || !streq(transition, "1"))
                        continue;
                if (ret_module) {
                        *ret_module = strdup(*n);
                        if (!*ret_module)
                                return -ENOMEM;
                }
                return 1;
        }
        return 0;
}

static int attribute_write(const Kernel *k, const char *module, const char *file, const char *value) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r = kernel_module_path(LIVEPATCH_DIR, module, file, &path);

        if (r < 0)
                return r;
        fd = openat(kernel_root_fd(k), path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        r = file_write_all(fd, value, strlen(value));
        return r == -ENODEV ? -ENOENT : r;
}

/**
 * livepatch_set_enabled() - start to disable a livepatch, or reverse its running transition
 *
 * false begins unpatching, or reverses patching; true only reverses unpatching. The kernel refuses
 * to enable a patch that was disabled to the end: its module has to be unloaded and loaded again.
 *
 * Return: 0 when the transition has begun, -ENOENT when there is no such livepatch, -EBUSY while
 * another one is in transition, -EINVAL when it is so already, or another negative errno.
 */
int livepatch_set_enabled(const Kernel *k, const char *module, bool enabled) {
        return attribute_write(k, module, "enabled", enabled ? "1" : "0");
}

/**
 * livepatch_force() - declare every task changed over, whatever it is doing
 *
 * What is taken out by the transition, the patch itself or those that it replaces, stays in memory until
 * the restart. The kernel keeps no trace of it that could be read.
 *
 * Return: 0, -ENOENT when there is no such livepatch, -EINVAL when it is not in transition, or another
 * negative errno.
 */
int livepatch_force(const Kernel *k, const char *module) {
        return attribute_write(k, module, "force", "1");
}

/**
 * livepatch_note() - our note in a loaded module
 * @ret: to be emptied with patch_note_done()
 *
 * Return: 0, -ENOENT when the module is not loaded or not of our making, -EBADMSG when its note is
 * malformed, or another negative errno.
 */
int livepatch_note(const Kernel *k, const char *module, PatchNote *ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *notes = NULL;
        size_t size;
        int r;

        r = kernel_module_path("sys/module", module, "notes/" HOTPATCH_NOTE_SECTION, &path);
        if (r < 0)
                return r;
        r = file_read_at(kernel_root_fd(k), path, HOTPATCH_NOTES_MAX, &notes, &size);
        return r < 0 ? r : patch_note_parse(notes, size, ret);
}

static bool is_number(const char *s) {
        return *s && !s[strspn(s, "0123456789")];
}

/* Adds the threads of one process; it may be gone, or lose threads, at any moment. */
static int count_threads(
                int proc_fd, const char *pid, const char *wanted, unsigned *done, unsigned *total) {
        _cleanup_closedir_ DIR *d = NULL;
        char path[sizeof("4294967295/patch_state")];
        struct dirent *e;
        int r;

        (void) snprintf(path, sizeof(path), "%s/task", pid);
        r = directory_open_at(proc_fd, path, 0, &d);
        if (r < 0)
                return vanished(r) ? 0 : r;
        while ((e = readdir(d))) {
                _cleanup_free_ char *state = NULL;

                if (!is_number(e->d_name) || strlen(e->d_name) > strlen("4294967295"))
                        continue;
                (void) snprintf(path, sizeof(path), "%s/patch_state", e->d_name);
                r = file_read_line_at(dirfd(d), path, &state);
                if (vanished(r))
                        continue;
                if (r < 0)
                        return r;
                (*total)++;
                /* -1: no transition, as far as this task is concerned. */
                if (streq(state, wanted) || streq(state, "-1"))
                        (*done)++;
        }
        return 0;
}

/**
 * livepatch_progress() - how far a running transition is, in threads
 * @patched: the transition's direction: true while patching, false while unpatching
 * @ret_done: threads that have arrived
 * @ret_total: all threads; idle tasks, which /proc does not show, are not counted
 *
 * Return: 0, -EACCES without the right to look at others' patch_state, or another negative errno.
 */
int livepatch_progress(const Kernel *k, bool patched, unsigned *ret_done, unsigned *ret_total) {
        _cleanup_closedir_ DIR *d = NULL;
        unsigned done = 0, total = 0;
        struct dirent *e;
        int r;

        r = directory_open_at(kernel_root_fd(k), "proc", 0, &d);
        if (r < 0)
                return r;
        while ((e = readdir(d))) {
                if (!is_number(e->d_name) || strlen(e->d_name) > strlen("4294967295"))
                        continue;
                r = count_threads(dirfd(d), e->d_name, patched ? "1" : "0", &done, &total);
                if (r < 0)
                        return r;
        }
        *ret_done = done;
        *ret_total = total;
        return 0;
}

/**
 * livepatch_tripwire_open() - a descriptor to wait on for tripwires
 *
 * The file is sysfs: read it once to the end, then poll for EPOLLPRI; EPOLLPRI and EPOLLERR also
 * come when the module is unloaded, and reading then fails.
 *
 * Return: a descriptor to be closed, -ENOENT when the module has no tripwires, or another negative
 * errno.
 */
int livepatch_tripwire_open(const Kernel *k, const char *module) {
        _cleanup_free_ char *path = NULL;
        int r = kernel_module_path("sys/module", module, "hotpatch/tripwires", &path);
        int fd;

        if (r < 0)
                return r;
        fd = openat(kernel_root_fd(k), path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        return fd < 0 ? -errno : fd;
}
