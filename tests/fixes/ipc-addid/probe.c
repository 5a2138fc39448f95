/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two message queues are asked for the last index there is: the second must not get one behind it. As
 * root, with no other message queues. */
#include "../probe.h"

#include <sys/ipc.h>
#include <sys/msg.h>

static int queue_at(const char *index) {
        int f = need("msg_next_id", open("/proc/sys/kernel/msg_next_id", O_WRONLY));

        need("msg_next_id", write(f, index, strlen(index)));
        close(f);
        return msgget(IPC_PRIVATE, 0600);
}

int main(void) {
        int first = need("msgget", queue_at("32767")), second = queue_at("32767");

        answer("second queue", second);
        if (second >= 0)
                msgctl(second, IPC_RMID, NULL);
        msgctl(first, IPC_RMID, NULL);
        return 0;
}
