/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A short walk through what a kernel is there for: processes, memory, files, pipes, sockets, time and
 * signals, a little of each with the answers checked. Exits 0 if all was as it should be, else says what
 * was not. tools/corpus runs it in a guest whose kernel was patched. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 64 };

#define CHECK(condition)                                                                            \
        do {                                                                                        \
                if (!(condition)) {                                                                 \
                        printf("%s:%d: %s: %s\n", __func__, __LINE__, #condition, strerror(errno)); \
                        return false;                                                               \
                }                                                                                   \
        } while (0)

static unsigned char byte_at(size_t at) {
        return (unsigned char) (at * 131 + at / 251);
}

static void fill(unsigned char *p, size_t size) {
        for (size_t i = 0; i < size; i++)
                p[i] = byte_at(i);
}

static bool is_filled(const unsigned char *p, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (p[i] != byte_at(i))
                        return false;
        return true;
}

static void *count_up(void *p) {
        for (int i = 0; i < 10000; i++)
                __atomic_add_fetch((int *) p, 1, __ATOMIC_SEQ_CST);
        return NULL;
}

static bool processes(void) {
        int status, n = 0;
        pthread_t thread[4];

        for (int i = 0; i < 8; i++) {
                pid_t child = fork();

                CHECK(child >= 0);
                if (child == 0)
                        _exit(i);
                CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == i);
        }
        CHECK(system("/bin/true") == 0);
        for (size_t i = 0; i < 4; i++)
                CHECK(pthread_create(thread + i, NULL, count_up, &n) == 0);
        for (size_t i = 0; i < 4; i++)
                CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK(n == 40000);
        return true;
}

static bool memory(void) {
        size_t size = 16 << 20;
        unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int status;
        pid_t child;

        CHECK(p != MAP_FAILED);
        fill(p, size);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
                memset(p, 1, size); /* of its own copy */
                _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        CHECK(is_filled(p, size));
        CHECK(mprotect(p, BLOCK, PROT_READ) == 0 && madvise(p + BLOCK, BLOCK, MADV_DONTNEED) == 0);
        CHECK(p[BLOCK] == 0 && munmap(p, size) == 0);
        return true;
}

static bool file_in(const char *folder) {
        unsigned char block[BLOCK], *map;
        char path[200], other[210];
        struct stat st;
        DIR *d;
        int f;

        snprintf(path, sizeof(path), "%s/exercise.%d", folder, getpid());
        snprintf(other, sizeof(other), "%s.other", path);
        f = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        CHECK(f >= 0);
        fill(block, BLOCK);
        for (int i = 0; i < BLOCKS; i++)
                CHECK(write(f, block, BLOCK) == BLOCK);
        CHECK(fsync(f) == 0 && fstat(f, &st) == 0 && st.st_size == BLOCK * BLOCKS);
        map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, f, 0);
        CHECK(map != MAP_FAILED && is_filled(map + BLOCK * 7, BLOCK) && munmap(map, st.st_size) == 0);
        CHECK(ftruncate(f, BLOCK) == 0 && link(path, other) == 0 && rename(other, path) == 0);
        CHECK(unlink(other) == 0 || errno == ENOENT);
        CHECK(pread(f, block, BLOCK, 0) == BLOCK && is_filled(block, BLOCK));
        CHECK(close(f) == 0 && unlink(path) == 0 && stat(path, &st) < 0 && errno == ENOENT);
        CHECK((d = opendir(folder)) && readdir(d) && closedir(d) == 0);
        return true;
}

static bool files(void) {
        struct statvfs v;
        char folder[] = "/tmp/exercise-XXXXXX";

        CHECK(file_in("/var/tmp") && file_in("/dev/shm"));
        CHECK(statvfs("/", &v) == 0 && v.f_blocks > 0);
        CHECK(mkdtemp(folder) && mount("none", folder, "tmpfs", 0, NULL) == 0 && file_in(folder));
        CHECK(umount(folder) == 0 && rmdir(folder) == 0);
        return true;
}

static bool kernel_files(void) {
        static const char *const paths[] = { "/proc/self/maps", "/proc/self/status", "/proc/meminfo", "/proc/stat",
                "/proc/mounts", "/proc/net/dev", "/proc/net/tcp", "/proc/interrupts",
                "/proc/self/cgroup", "/proc/slabinfo" };
        char text[8192];

        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
                int f = open(paths[i], O_RDONLY);

                CHECK(f >= 0 && read(f, text, sizeof(text)) > 0 && close(f) == 0);
        }
        return true;
}

/* All of what one end writes arrives at the other; both are closed. */
static bool stream(int in, int out) {
        size_t size = BLOCK * BLOCKS, got = 0;
        unsigned char *buffer = malloc(size);
        int status;
        pid_t child;

        CHECK(buffer);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
                fill(buffer, size);
                for (size_t n = 0; n < size;) {
                        ssize_t k = write(in, buffer + n, size - n);

                        if (k <= 0)
                                _exit(1);
                        n += k;
                }
                _exit(0);
        }
        while (got < size) {
                ssize_t k = read(out, buffer + got, size - got);

                CHECK(k > 0);
                got += k;
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0 && is_filled(buffer, size));
        free(buffer);
        if (in != out)
                close(in);
        close(out);
        return true;
}

static bool pipes(void) {
        int p[2], s[2];

        CHECK(pipe(p) == 0 && stream(p[1], p[0]));
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && stream(s[1], s[0]));
        return true;
}

static bool network(int family, const struct sockaddr *any, socklen_t size) {
        struct sockaddr_storage name;
        socklen_t n = sizeof(name);
        int listener = socket(family, SOCK_STREAM, 0), client = socket(family, SOCK_STREAM, 0), server;
        int udp = socket(family, SOCK_DGRAM, 0);
        char text[8] = "";

        CHECK(listener >= 0 && client >= 0 && udp >= 0);
        CHECK(bind(listener, any, size) == 0 && listen(listener, 4) == 0);
        CHECK(getsockname(listener, (void *) &name, &n) == 0 && connect(client, (void *) &name, n) == 0);
        CHECK((server = accept(listener, NULL, NULL)) >= 0 && close(listener) == 0);
        CHECK(stream(client, server));
        n = sizeof(name);
        CHECK(bind(udp, any, size) == 0 && getsockname(udp, (void *) &name, &n) == 0);
        CHECK(sendto(udp, "datagram", 8, 0, (void *) &name, n) == 8 && recv(udp, text, 8, 0) == 8);
        CHECK(memcmp(text, "datagram", 8) == 0 && close(udp) == 0);
        return true;
}

static bool networks(void) {
        struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

        return network(AF_INET, (void *) &four, sizeof(four)) && network(AF_INET6, (void *) &six, sizeof(six));
}

static volatile sig_atomic_t seen;

static void on_signal(int number) {
        seen = number;
}

static bool events(void) {
        struct itimerspec soon = { .it_value.tv_nsec = 10000000 };
        struct epoll_event event = { .events = EPOLLIN };
        struct timespec before, after, nap = { .tv_nsec = 5000000 };
        int e = epoll_create1(0), t = timerfd_create(CLOCK_MONOTONIC, 0), n = eventfd(1, 0), i = inotify_init();

        CHECK(e >= 0 && t >= 0 && n >= 0 && i >= 0 && inotify_add_watch(i, "/tmp", IN_CREATE) >= 0);
        CHECK(epoll_ctl(e, EPOLL_CTL_ADD, t, &event) == 0 && timerfd_settime(t, 0, &soon, NULL) == 0);
        CHECK(epoll_wait(e, &event, 1, 10000) == 1);
        CHECK(poll(&(struct pollfd) { .fd = n, .events = POLLIN }, 1, 0) == 1);
        CHECK(signal(SIGUSR1, on_signal) != SIG_ERR && raise(SIGUSR1) == 0 && seen == SIGUSR1);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&nap, NULL) == 0);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0 && sched_yield() == 0);
        CHECK((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= nap.tv_nsec);
        close(e), close(t), close(n), close(i);
        return true;
}

int main(void) {
        alarm(120); /* what hangs is wrong too */
        return processes() && memory() && files() && kernel_files() && pipes() && networks() && events() ? 0 : 1;
}
