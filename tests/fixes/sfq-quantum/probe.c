/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queueing discipline whose quantum overflows what it is calculated with later. As root; puts it on
 * the loopback device, which loads the module, and takes it off again. */
#include "../probe.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <sys/socket.h>

struct request {
        struct nlmsghdr header;
        struct tcmsg tc;
        char attributes[256];
};

static void attribute_add(struct request *q, int type, const void *data, size_t size) {
        struct rtattr *a = (void *) ((char *) q + NLMSG_ALIGN(q->header.nlmsg_len));

        a->rta_type = type;
        a->rta_len = RTA_LENGTH(size);
        memcpy(RTA_DATA(a), data, size);
        q->header.nlmsg_len = NLMSG_ALIGN(q->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Returns: 0, or -1 with errno as the kernel answered. */
static int ask(int s, int type, int flags, uint32_t quantum) {
        struct request q = {
                .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.tc)), .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags },
                .tc = { .tcm_ifindex = need("lo", if_nametoindex("lo")), .tcm_parent = TC_H_ROOT,
                        .tcm_handle = 0x10000 },
        };
        struct tc_sfq_qopt options = { .quantum = quantum };
        struct {
                struct nlmsghdr header;
                struct nlmsgerr error;
                char rest[1024];
        } reply;

        attribute_add(&q, TCA_KIND, "sfq", sizeof("sfq"));
        attribute_add(&q, TCA_OPTIONS, &options, sizeof(options));
        need("send", send(s, &q, q.header.nlmsg_len, 0));
        need("recv", recv(s, &reply, sizeof(reply), 0));
        if (reply.header.nlmsg_type != NLMSG_ERROR)
                need("answer", (errno = EPROTO, -1));
        errno = -reply.error.error;
        return errno ? -1 : 0;
}

int main(void) {
        int s = need("socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), r;

        r = ask(s, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, 2 << 20);
        answer("quantum", r);
        if (r >= 0)
                need("remove", ask(s, RTM_DELQDISC, 0, 0));
        return 0;
}
