/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two things about a task that holds a transition up are for CAP_SYS_ADMIN only: its kernel stack, and
 * to have the kernel say in its log why it does not let the task change over. hotpatchd does not have
 * that right and does not get it for this; it starts this program, which does nothing else.
 *
 * The answer is a file that hotpatchd finds as soon as it is there (stacks need no waiting):
 *
 *   { "debug": "on", "tasks": [ { "tid": 301, "stack": [ "hp_wait [hp_test]", "vfs_read" ] } ] }
 *
 * "debug" is "on", or why the kernel says nothing. What it says goes to the kernel log, which hotpatchd
 * reads itself. The kernel tries every task once a second (kernel/livepatch/transition.c), so dynamic debug
 * is on for a little longer than that and for one function only.
 *
 * It must never stay on because of us. A mark is left in the runtime directory before it is switched on and
 * taken away after it was switched off; the unit runs `hotpatch-blockers --off` whenever this program ends,
 * also when it was killed, and each run begins with it. What somebody else had switched on is not touched.
 *
 * Names in the answer are cut down to the letters of symbols, so that nothing needs quoting.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "blockers/reader.h"
#include "livepatch/blockers.h"
#include "livepatch/state.h"
#include "util/file.h"
#include "util/strv.h"

/* Documentation/admin-guide/dynamic-debug-howto.rst */
#define CONTROL "proc/dynamic_debug/control"
#define FUNCTION "klp_try_switch_task"
/* 6.12 of Debian lists 5 500 places in 600 KiB. */
#define CONTROL_MAX ((size_t) 16 * 1024 * 1024)

/* --- dynamic debug --- */

/* "kernel/livepatch/transition.c:441 [livepatch]klp_try_switch_task =p "…"". Returns 1 when each of its places
 * is on, 0 when not, -ENOENT when the kernel has none. */
static int debug_is_on(const Kernel *k) {
        _cleanup_free_ char *text = NULL;
        bool found = false;
        char *rest, *line;
        void *data;
        int r;

        r = file_read_at(kernel_root_fd(k), CONTROL, CONTROL_MAX, &data, NULL);
        if (r < 0)
                return r;
        text = data;
        for (rest = text; (line = strsep(&rest, "\n"));) {
                char *flags = strstr(line, "]" FUNCTION " =");

                if (!flags)
                        continue;
                found = true;
                flags += strlen("]" FUNCTION " =");
                if (!memchr(flags, 'p', strcspn(flags, " ")))
                        return 0;
        }
        return found ? 1 : -ENOENT;
}

static int debug_write(const Kernel *k, const char *query) {
        _cleanup_close_ int fd =
                openat(kernel_root_fd(k), CONTROL, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

        return fd < 0 ? -errno : file_write_all(fd, query, strlen(query));
}

/* Returns 1 when we have switched it on, 0 when it was on. */
static int debug_on(const Kernel *k, int run_fd) {
        int r;

        r = debug_is_on(k);
        if (r != 0)
                return r < 0 ? r : 0;
        r = file_replace_at(run_fd, BLOCKERS_DEBUG_MARK, "", 0, 0600);
        if (r < 0)
                return r;
        r = debug_write(k, "func " FUNCTION " +p");
        if (r < 0) {
                (void) unlinkat(run_fd, BLOCKERS_DEBUG_MARK, 0);
                return r;
        }
        return 1;
}

/**
 * reader_debug_off() - switch off what a run has switched on and not off again
 * @run_fd: the runtime directory
 *
 * Return: 0 (also when there was nothing to do) or a negative errno; the mark stays then.
 */
int reader_debug_off(const Kernel *k, int run_fd) {
        int r;

        if (faccessat(run_fd, BLOCKERS_DEBUG_MARK, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        r = debug_write(k, "func " FUNCTION " -p");
        if (r < 0 && r != -ENOENT)
                return r;
        return unlinkat(run_fd, BLOCKERS_DEBUG_MARK, 0) < 0 ? -errno : 0;
}

/* --- the answer --- */

static void print_name(FILE *f, const char *name) {
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$[]- ";

        fputc('"', f);
        for (; *name; name++)
                fputc(strchr(allowed, *name) ? *name : '?', f);
        fputc('"', f);
}

static void print_task(FILE *f, const Blocker *b) {
        fprintf(f, "{\"tid\":%" PRIu32 ",\"stack\":[", b->tid);
        for (char **frame = b->stack; *frame; frame++) {
                fputs(frame == b->stack ? "" : ",", f);
                print_name(f, *frame);
        }
        fputs("]}", f);
}

static int write_answer(int run_fd, const Blockers *b, const char *debug) {
        _cleanup_free_ char *text = NULL;
        bool first = true;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fputs("{\"debug\":", f);
        print_name(f, debug);
        fputs(",\"tasks\":[", f);
        for (size_t i = 0; i < b->n; i++) {
                if (!b->items[i].stack)
                        continue;
                fputs(first ? "" : ",", f);
                print_task(f, &b->items[i]);
                first = false;
        }
        fputs("]}\n", f);
        if (fclose(f) != 0)
                return -ENOMEM;
        return file_replace_at(run_fd, BLOCKERS_RESULT, text, size, 0600);
}

/* Which way does the transition that runs go? Returns 1 for patching, 0 for unpatching, -ENOENT for none. */
static int direction(const Kernel *k) {
        _cleanup_free_ char *module = NULL;
        LivepatchState state;
        int r;

        r = livepatch_transition_running(k, &module);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        r = livepatch_state(k, module, &state);
        return r < 0 ? r : state == LIVEPATCH_PATCHING;
}

static const char *debug_word(int r) {
        switch (r) {
        case 0:
        case 1:
                return "on";
        case -ENOENT:
                return "the kernel has no dynamic debug";
        case -EPERM:
        case -EACCES:
                return "the kernel does not allow it";
        default:
                return "it cannot be switched on";
        }
}

static void listen(uint64_t usec) {
        struct timespec left = { (time_t) (usec / USEC_PER_SEC), (long) (usec % USEC_PER_SEC * 1000) };

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

/**
 * reader_run() - write down what holds the running transition up, and let the kernel tell its reasons
 * @run_fd: the runtime directory of hotpatchd
 * @listen_usec: how long the kernel's messages stay on
 *
 * Without a transition the answer has no tasks.
 *
 * Return: 0 or a negative errno.
 */
int reader_run(const Kernel *k, int run_fd, uint64_t listen_usec) {
        _cleanup_(blockers_done) Blockers b = {};
        int debug, patched, r;

        r = reader_debug_off(k, run_fd);
        if (r < 0)
                return r;
        patched = direction(k);
        if (patched == -ENOENT)
                return write_answer(run_fd, &b, "no transition");
        if (patched < 0)
                return patched;
        debug = debug_on(k, run_fd);
        r = blockers_read(k, patched, &b);
        if (r >= 0)
                r = blockers_read_stacks(k, &b);
        if (r >= 0)
                r = write_answer(run_fd, &b, debug_word(debug));
        if (r >= 0 && debug >= 0)
                listen(listen_usec);
        if (debug > 0) {
                int q = reader_debug_off(k, run_fd);
                if (r >= 0)
                        r = q;
        }
        return r < 0 ? r : 0;
}
