/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long a service takes from exec to owning its bus name, and what it weighs when idle:
 *
 *     bench-start NAME PROGRAM [ARGUMENT]…
 *
 * Starts PROGRAM on the system bus (DBUS_SYSTEM_BUS_ADDRESS), waits for NAME, lets it idle for a
 * second, reads /proc/PID/smaps_rollup (proc(5)) and ends it. Prints
 *
 *     MILLISECONDS PSS_KIB PRIVATE_DIRTY_KIB
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "util/base.h"
#include "util/file.h"

#define START_TIMEOUT_USEC (30 * USEC_PER_SEC)

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

static int on_owner(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        uint64_t *owned = userdata;
        const char *name, *old, *new;
        int r = sd_bus_message_read(m, "sss", &name, &old, &new);

        if (r >= 0 && new[0] && *owned == 0)
                *owned = now_usec();
        return 0;
}

static int watch(sd_bus *bus, const char *name, uint64_t *owned) {
        _cleanup_free_ char *match = NULL;

        if (asprintf(&match, "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                     name) < 0)
                return -ENOMEM;
        return sd_bus_add_match(bus, NULL, match, on_owner, owned);
}

static int wait_owned(sd_bus *bus, const uint64_t *owned) {
        uint64_t deadline = now_usec() + START_TIMEOUT_USEC;

        while (*owned == 0 && now_usec() < deadline) {
                int r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, USEC_PER_SEC);
                if (r < 0)
                        return r;
        }
        return *owned ? 0 : -ETIME;
}

static int print_weight(pid_t pid) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        unsigned long pss = 0, dirty = 0;
        void *content;
        int r;

        if (asprintf(&path, "/proc/%d/smaps_rollup", pid) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, 64 * 1024, &content, NULL);
        if (r < 0)
                return r;
        text = content;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                (void) sscanf(line, "Pss: %lu kB", &pss);
                (void) sscanf(line, "Private_Dirty: %lu kB", &dirty);
        }
        printf("%lu %lu\n", pss, dirty);
        return 0;
}

static int measure(const char *name, char *argv[]) {
        uint64_t owned = 0, started;
        sd_bus *bus = NULL;
        pid_t pid;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = watch(bus, name, &owned);
        if (r < 0)
                return r;
        started = now_usec();
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                execv(argv[0], argv);
                _exit(127);
        }
        r = wait_owned(bus, &owned);
        if (r >= 0) {
                printf("%.1f ", (double) (owned - started) / 1000);
                sleep(1);
                r = print_weight(pid);
        }
        (void) kill(pid, SIGTERM);
        (void) waitpid(pid, NULL, 0);
        sd_bus_flush_close_unref(bus);
        return r;
}

int main(int argc, char *argv[]) {
        int r;

        if (argc < 3)
                return fprintf(stderr, "usage: bench-start NAME PROGRAM [ARGUMENT]...\n"), 2;
        r = measure(argv[1], argv + 2);
        if (r < 0)
                fprintf(stderr, "bench-start: %s: %s\n", argv[2], strerror(-r));
        return r < 0;
}
