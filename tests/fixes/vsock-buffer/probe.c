/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A smallest buffer size above the largest one: the buffer must not outgrow the largest. The socket
 * loads the module. */
#include "../probe.h"

#include <sys/socket.h>
#include <linux/vm_sockets.h>

int main(void) {
        int s = need("socket", socket(AF_VSOCK, SOCK_STREAM, 0));
        unsigned long long size = 1 << 20;
        socklen_t length = sizeof(size);

        need("setsockopt", setsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MIN_SIZE, &size, sizeof(size)));
        need("getsockopt", getsockopt(s, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &length));
        printf("buffer: %llu\n", size);
        return 0;
}
