// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* A packet: what is read of it, its checksums, and where the kernel would send it. */

/* What is read of a packet. Ports are numbers; all else is as it came. */
struct packet {
	__be32 source;
	__be32 destination;
	__u16 source_port;
	__u16 destination_port;
	__u16 octets; /* the IP total length */
	__u16 header; /* octets of the IP header */
	__be16 fragment;
	__u8 tos;
	__u8 ttl;
	__u8 protocol;
	bool has_options; /* that say anything */
};

/* What becomes of it. */
struct change {
	__be32 source;
	__be32 destination;
	__u32 sender; /* indices in `phones`; 0: that address stays */
	__u32 receiver;
};

#define VLAN_NUMBER 0x0FFF
#define FRAGMENT_BITS bpf_htons(0x3FFF)
#define DONT_FRAGMENT bpf_htons(0x4000)
#define SHORTEST_HEADER 20
#define MOST_OPTIONS 40
#define PROTOCOL_UDP_LENGTH 8
#define PROTOCOL_TCP_LENGTH 20
#define PROTOCOL_SCTP_LENGTH 12
#define TCP_WORDS_AT 12
#define TCP_FLAGS_AT 13
#define TCP_SYN 2

static __always_inline bool is_unicast(__be32 address)
{
	__u32 first = bpf_ntohl(address) >> 24;

	return first > 0 && first < 0xE0 && first != 0x7F;
}

/* Nobody's address (RFC 1122 section 3.2.1.3, RFC 1112 section 4), which the kernel would take for anybody's. */
static __always_inline bool is_nowhere(__be32 address)
{
	__u32 number = bpf_ntohl(address);

	return (number && number < 0x01000000) || (number >= 0xF0000000 && number != 0xFFFFFFFF);
}

/* Octets of a transport's header that every packet has; 0: it is none that is carried here. */
static __always_inline __u32 transport_length(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return PROTOCOL_UDP_LENGTH;
	case IPPROTO_TCP:
		return PROTOCOL_TCP_LENGTH;
	case IPPROTO_SCTP:
		return PROTOCOL_SCTP_LENGTH;
	default:
		return 0;
	}
}

/* Checksums: RFC 1624 equation 3, on words as they stand in memory, since the order of octets does not matter to the sum. */

static __always_inline __u32 folded(__u64 sum)
{
	sum = (sum & 0xFFFFFFFF) + (sum >> 32);
	sum = (sum & 0xFFFFFFFF) + (sum >> 32);
	return sum;
}

static __always_inline __u16 folded_word(__u32 sum)
{
	sum = (sum & 0xFFFF) + (sum >> 16);
	sum = (sum & 0xFFFF) + (sum >> 16);
	return sum;
}

/* What the exchange of addresses adds to a complemented checksum. */
static __always_inline __u32 difference(const struct packet *packet, const struct change *change)
{
	return folded((__u64)(__u32)~packet->source + change->source + (__u32)~packet->destination + change->destination);
}

static __always_inline __u16 adjusted(__u16 checksum, __u32 difference)
{
	return ~folded_word((__u32)(__u16)~checksum + folded_word(difference));
}

/* One hop further: the octet of the TTL is the first of its word. */
static __always_inline void rewrite(struct iphdr *ip, const struct change *change, __u32 difference)
{
	ip->saddr = change->source;
	ip->daddr = change->destination;
	ip->ttl--;
	ip->check = adjusted(ip->check, folded((__u64)difference + bpf_htons(0xFEFF)));
}

static __always_inline __u32 sum_of_header(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;

	return folded((__u64)word[0] + word[1] + word[2] + word[3] + word[4]);
}

/* The fixed part of the IP header. */
static __always_inline void read_header(struct packet *packet, const struct iphdr *ip)
{
	packet->source = ip->saddr;
	packet->destination = ip->daddr;
	packet->octets = bpf_ntohs(ip->tot_len);
	packet->header = ip->ihl * 4;
	packet->fragment = ip->frag_off & FRAGMENT_BITS;
	packet->tos = ip->tos;
	packet->ttl = ip->ttl;
	packet->protocol = ip->protocol;
	packet->has_options = false;
}

static __always_inline long route(void *context, struct bpf_fib_lookup *fib, const struct packet *packet, __be32 destination,
				  __u32 ifindex, __u16 octets)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->family = 2; /* AF_INET */
	fib->l4_protocol = packet->protocol;
	fib->tos = packet->tos;
	fib->tot_len = octets;
	fib->ifindex = ifindex;
	fib->ipv4_src = packet->source;
	fib->ipv4_dst = destination;
	return bpf_fib_lookup(context, fib, sizeof(*fib), 0);
}

static __always_inline bool is_routed(long routed)
{
	return routed == BPF_FIB_LKUP_RET_SUCCESS || routed == BPF_FIB_LKUP_RET_NO_NEIGH || routed == BPF_FIB_LKUP_RET_FRAG_NEEDED;
}
