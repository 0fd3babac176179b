// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Packets of many phones, made in the kernel: they reach the gateway as if a network card had received them, which costs far less
 * than a program that sends them, so that the gateway's own time shows.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define INSIDE 0x0A010101 /* 10.1.1.1, and of each /24 250 addresses */
#define OUTSIDE 0xCB007101 /* 203.0.113.1, and so on: one for each thousand phones */
#define PEER 0xC6336409 /* 198.51.100.9 */
#define PEER_PORT 40000
#define FIRST_PORT 1536

struct order {
	__u32 phones;
	__u32 block;
	__u32 ports; /* of each block that send and receive: a power of two */
	__u32 inward;
	__u32 ifindex;
	__u32 ip_sum; /* of what is the same in all headers */
	__u32 udp_sum;
	__u8 mac[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct order);
} orders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sent SEC(".maps");

static __always_inline __be16 checksum(__u32 sum)
{
	sum = (sum & 0xFFFF) + (sum >> 16);
	sum = (sum & 0xFFFF) + (sum >> 16);
	return bpf_htons(~sum & 0xFFFF);
}

/* A frame comes again when it has been dropped, so all is written that the gateway may have changed. */
SEC("xdp")
int generate(struct xdp_md *xdp)
{
	struct ethhdr *ethernet = (void *)(long)xdp->data;
	__u8 *ip = (void *)(ethernet + 1);
	__be16 *udp = (void *)(ip + 20);
	__u32 zero = 0, phone, port, source, destination, sum;
	const struct order *order;
	__u64 *count, number;

	order = bpf_map_lookup_elem(&orders, &zero);
	count = bpf_map_lookup_elem(&sent, &zero);
	if (!order || !count || !order->phones || (void *)(udp + 4) > (void *)(long)xdp->data_end)
		return XDP_DROP;
	number = (*count)++;
	phone = number % order->phones;
	port = FIRST_PORT + phone % 1000 * order->block + (number / order->phones & (order->ports - 1));
	source = INSIDE + (phone / 250 << 8) + phone % 250;
	destination = PEER;
	if (order->inward) {
		source = PEER;
		destination = order->inward == 1 ? OUTSIDE + phone / 1000 : INSIDE + (phone / 250 << 8) + phone % 250;
	}
	__builtin_memcpy(ethernet->h_dest, order->mac, ETH_ALEN);
	ip[8] = 64;
	*(__be32 *)(ip + 12) = bpf_htonl(source);
	*(__be32 *)(ip + 16) = bpf_htonl(destination);
	sum = (source >> 16) + (source & 0xFFFF) + (destination >> 16) + (destination & 0xFFFF);
	*(__be16 *)(ip + 10) = checksum(order->ip_sum + sum);
	udp[0] = bpf_htons(order->inward ? PEER_PORT : port);
	udp[1] = bpf_htons(order->inward ? port : PEER_PORT);
	udp[3] = checksum(order->udp_sum + sum + port + PEER_PORT);
	return bpf_redirect(order->ifindex, 0);
}

/* What has arrived costs nothing more. */
SEC("xdp")
int absorb(struct xdp_md *xdp)
{
	return XDP_DROP;
}

char terms[] SEC("license") = "GPL";
