/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An event filter that ends in an operator. As root; makes its own mount of tracefs. */
#include "../probe.h"

#include <sys/mount.h>
#include <sys/stat.h>

int main(void) {
        static const char filter[] = "common_pid == 1 && !";
        char folder[] = "/tmp/probe-XXXXXX", path[100];
        long r;
        int f;

        if (!mkdtemp(folder))
                need("mkdtemp", -1);
        need("mount", mount("tracefs", folder, "tracefs", 0, NULL));
        snprintf(path, sizeof(path), "%s/events/sched/sched_switch/filter", folder);
        f = need(path, open(path, O_WRONLY));
        r = write(f, filter, strlen(filter));
        answer("filter", r);
        if (r >= 0)
                need("reset", write(f, "0", 1));
        close(f);
        umount(folder);
        rmdir(folder);
        return 0;
}
