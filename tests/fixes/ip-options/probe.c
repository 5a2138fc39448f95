/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loose source routing asked for by a user without privileges. As root, who becomes nobody. */
#include "../probe.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

int main(void) {
        /* One hop and the padding, RFC 791, 3.1. */
        static const unsigned char option[] = { IPOPT_LSRR, 7, 4, 127, 0, 0, 1, IPOPT_END };
        int s;

        need("setgid", setgid(65534));
        need("setuid", setuid(65534));
        s = need("socket", socket(AF_INET, SOCK_DGRAM, 0));
        answer("LSRR", setsockopt(s, IPPROTO_IP, IP_OPTIONS, option, sizeof(option)));
        return 0;
}
