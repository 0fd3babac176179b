// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The fast path of the NAPPT in the kernel: whole UDP, TCP and SCTP packets, translated where they arrive and sent on at once.
 *
 * It says of each packet what voxpath.nappt says, octet by octet, and drops by default.
 * ICMP, fragments and IP options that say anything go to the slow path, a process that the routing leads them to.
 * What is none of the NAT's business goes up the stack as if this were not here: local traffic, broadcasts, and headers that the
 * kernel itself refuses.
 * A guard at the way out drops whatever would show an inside address to the outside.
 *
 * Every look-up is of constant time.
 * What the process writes changes nothing until it turns `live`: every cell has two sides, and packets read the live one, so a
 * change of any size becomes visible by one store.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "packet.h"
#include "table.h"
#include "filter.h"
#include "native.h"

SEC("tc")
int inside_ethernet(struct __sk_buff *skb)
{
	return from_inside(skb, ETH_HLEN);
}

SEC("tc")
int inside_plain(struct __sk_buff *skb)
{
	return from_inside(skb, 0);
}

SEC("tc")
int outside_ethernet(struct __sk_buff *skb)
{
	return from_outside(skb, ETH_HLEN);
}

SEC("tc")
int outside_plain(struct __sk_buff *skb)
{
	return from_outside(skb, 0);
}

SEC("tc")
int leaving_ethernet(struct __sk_buff *skb)
{
	return guard(skb, ETH_HLEN);
}

SEC("tc")
int leaving_plain(struct __sk_buff *skb)
{
	return guard(skb, 0);
}

SEC("xdp")
int inside_native(struct xdp_md *xdp)
{
	return quick(xdp, true);
}

SEC("xdp")
int outside_native(struct xdp_md *xdp)
{
	return quick(xdp, false);
}

char terms[] SEC("license") = "GPL";
