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
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The layout of the maps: voxpath/natreactor/ebpf/layout.py has the same numbers. */

#define SIDES 2
#define PORTS 65536
#define MOST_PREFIXES 64
#define MOST_LINKS 32
#define MOST_PUBLICS 8 /* public addresses of one phone */
#define MOST_OFFENDERS 1024
#define MOST_PINHOLES 131072 /* and trusted peers */

#define NOBODY 0
#define SERVICE 0xF0000000 /* a port of the gateway itself; below it a cell is a phone, and the size of its block above that */
#define PHONE 0x0FFFFFFF

#define IS_OUTSIDE 1
#define NATIVE 2 /* sends what an XDP program redirects to it */

/* Indices of `drops`, in the order of voxpath.natreactor.ebpf.layout.REASONS; SENT is none. */
enum reason {
	UNKNOWN_PHONE,
	SPOOFED_PORT,
	UNLEASED_PORT,
	BOGON,
	UNKNOWN_PROTOCOL,
	ICMP,
	FRAGMENT,
	TTL_EXPIRED,
	TRUNCATED,
	STRANGER,
	BAD_OPTIONS,
	REASONS,
	SENT,
};

struct prefix {
	__be32 network;
	__be32 mask;
};

struct link {
	__u32 ifindex;
	__u16 flags;
	__u8 mac[ETH_ALEN];
};

struct state {
	__u32 layout;
	__u32 live; /* the side that packets read: the one word that changes a table in use */
	__u64 generation[SIDES];
	__u32 punt[2]; /* the mark for packets from inside and from outside that the slow path gets; 0: there is none */
	__u32 aware; /* only peers with a pinhole reach a phone from outside */
	__u32 prefixes;
	__u32 links;
	__u32 unused;
	struct prefix prefix[MOST_PREFIXES];
	struct link link[MOST_LINKS];
};

struct public {
	__be32 address;
	__u32 unused;
	__u32 cell[SIDES][PORTS];
};

struct phone {
	__be32 address;
	__u32 unused;
	__u16 public[SIDES][MOST_PUBLICS]; /* one more than its index in `publics`; 0 ends the list */
};

struct pinhole {
	__be32 public;
	__be32 peer;
	__u32 port;
};

struct traffic {
	__u64 out_packets;
	__u64 out_octets;
	__u64 in_packets;
	__u64 in_octets;
	__u64 spoofed; /* packets that it sent from ports that are not its own */
	__u64 strange; /* packets of strangers for it */
};

struct offender {
	__be32 address;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct public);
} publics SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __be32);
	__type(value, __u32); /* its index in `publics` */
} public_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct phone);
} phones SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __be32);
	__type(value, __u32); /* its index in `phones` */
} phone_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST_PINHOLES);
	__type(key, struct pinhole); /* one without public address and port: a peer that reaches every phone */
	__type(value, __u32); /* a bit for each side on which it is open */
} pinholes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32); /* the index in `phones` */
	__type(value, struct traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOST_OFFENDERS);
	__type(key, struct offender);
	__type(value, __u64);
} offenders SEC(".maps");

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

#define FRAGMENT_BITS bpf_htons(0x3FFF)
#define DONT_FRAGMENT bpf_htons(0x4000)
#define SHORTEST_HEADER 20
#define MOST_OPTIONS 40
#define PROTOCOL_UDP_LENGTH 8
#define PROTOCOL_TCP_LENGTH 20
#define PROTOCOL_SCTP_LENGTH 12

static __always_inline int dropped(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&drops, &reason);

	if (count)
		(*count)++;
	return TC_ACT_SHOT;
}

static __always_inline void offence(__be32 address, __u32 port)
{
	struct offender who = { address, port };
	__u64 one = 1, *count = bpf_map_lookup_elem(&offenders, &who);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&offenders, &who, &one, BPF_ANY);
}

static __always_inline bool is_inside(const struct state *now, __be32 address)
{
	for (__u32 n = 0; n < MOST_PREFIXES && n < now->prefixes; n++)
		if ((address & now->prefix[n].mask) == now->prefix[n].network)
			return true;
	return false;
}

static __always_inline bool is_unicast(__be32 address)
{
	__u32 first = bpf_ntohl(address) >> 24;

	return first > 0 && first < 0xE0 && first != 0x7F;
}

static __always_inline struct public *public_at(__be32 address)
{
	__u32 *index = bpf_map_lookup_elem(&public_of, &address);

	return index ? bpf_map_lookup_elem(&publics, index) : NULL;
}

static __always_inline const struct link *link_of(const struct state *now, __u32 ifindex)
{
	for (__u32 n = 0; n < MOST_LINKS && n < now->links; n++)
		if (now->link[n].ifindex == ifindex)
			return &now->link[n];
	return NULL;
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

/* Inbound: who holds the port that it was sent to. */
static __always_inline __u32 find_receiver(__u32 cell, struct change *change)
{
	__u32 index = cell & PHONE;
	const struct phone *phone = bpf_map_lookup_elem(&phones, &index);

	if (cell == NOBODY || !phone)
		return UNLEASED_PORT;
	change->destination = phone->address;
	change->receiver = index;
	return SENT;
}

/* Outbound: the public address at which the sender holds its source port; that it is found is the check of the port. */
static __always_inline __u32 find_sender(__u32 live, const struct packet *packet, struct change *change)
{
	__u32 *known = bpf_map_lookup_elem(&phone_of, &packet->source), index;
	const struct phone *phone;

	if (!known)
		return UNKNOWN_PHONE;
	index = *known;
	phone = bpf_map_lookup_elem(&phones, &index);
	if (!phone || !phone->public[live][0])
		return UNKNOWN_PHONE;
	for (__u32 n = 0; n < MOST_PUBLICS; n++) {
		__u32 number = phone->public[live][n] - 1;
		const struct public *public;

		if (number == (__u32)-1)
			break;
		public = bpf_map_lookup_elem(&publics, &number);
		if (public && (public->cell[live][packet->source_port] & PHONE) == index) {
			change->source = public->address;
			change->sender = index;
			return SENT;
		}
	}
	change->sender = index;
	return SPOOFED_PORT;
}

/* Whether a peer may send to a leased port now; another phone of ours counts by its public address. */
static __always_inline bool is_admitted(const struct state *now, __u32 live, __be32 public, __u16 port, __be32 peer)
{
	struct pinhole trusted = { 0, peer, 0 }, asked = { public, peer, port };
	const __u32 *open;

	if (!now->aware)
		return true;
	open = bpf_map_lookup_elem(&pinholes, &asked);
	return (open && *open >> live & 1) || bpf_map_lookup_elem(&pinholes, &trusted);
}

static __always_inline void count_spoofed(__u32 phone)
{
	struct traffic *counted = bpf_map_lookup_elem(&traffic, &phone);

	if (counted)
		counted->spoofed++;
}

static __always_inline void count_strange(__u32 phone)
{
	struct traffic *counted = bpf_map_lookup_elem(&traffic, &phone);

	if (counted)
		counted->strange++;
}

static __always_inline void count_traffic(const struct change *change, __u32 octets)
{
	struct traffic *counted;

	if (change->sender) {
		counted = bpf_map_lookup_elem(&traffic, &change->sender);
		if (counted) {
			counted->out_packets++;
			counted->out_octets += octets;
		}
	}
	if (change->receiver) {
		counted = bpf_map_lookup_elem(&traffic, &change->receiver);
		if (counted) {
			counted->in_packets++;
			counted->in_octets += octets;
		}
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

/* The tc entry points. `l2` is the length of the link's own header: that of Ethernet, or nothing, as on a tunnel. */

#define MOST_HEADERS (MOST_OPTIONS + SHORTEST_HEADER + PROTOCOL_TCP_LENGTH)

/* Read the headers; false: the kernel itself refuses this packet, so it may have it. */
static __always_inline bool read_packet(struct __sk_buff *skb, __u32 l2, struct packet *packet)
{
	__u32 options[MOST_OPTIONS / 4] = {}, seen = 0;
	const struct iphdr *ip;
	__u32 sum, length;

	if ((void *)(long)skb->data + l2 + sizeof(*ip) > (void *)(long)skb->data_end) {
		length = skb->len < l2 + MOST_HEADERS ? skb->len : l2 + MOST_HEADERS;
		if (bpf_skb_pull_data(skb, length))
			return false;
	}
	ip = (void *)(long)skb->data + l2;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return false;
	read_header(packet, ip);
	if (ip->version != 4 || packet->header < SHORTEST_HEADER || packet->octets < packet->header ||
	    skb->len < l2 + packet->octets)
		return false;
	sum = sum_of_header(ip);
	if (packet->header > SHORTEST_HEADER) {
		length = packet->header - SHORTEST_HEADER;
		if (length > MOST_OPTIONS || bpf_skb_load_bytes(skb, l2 + SHORTEST_HEADER, options, length))
			return false;
		for (__u32 n = 0; n < MOST_OPTIONS / 4; n++) {
			sum = folded((__u64)sum + options[n]);
			seen |= options[n];
		}
		/* Filling alone: an end of the options is 0, no operation is 1. */
		packet->has_options = seen & 0xFEFEFEFE;
	}
	return folded_word(sum) == 0xFFFF;
}

static __always_inline bool read_ports(struct __sk_buff *skb, __u32 l2, struct packet *packet)
{
	__be16 port[2];

	if (bpf_skb_load_bytes(skb, l2 + packet->header, port, sizeof(port)))
		return false;
	packet->source_port = bpf_ntohs(port[0]);
	packet->destination_port = bpf_ntohs(port[1]);
	return true;
}

/*
 * Hand a packet to the slow path, by a mark that the routing goes by: so the kernel itself refuses what is too long for the other
 * side, and in the sender's form of the packet. Without a slow path it is dropped for the reason why it cannot be carried here.
 */
static __always_inline int punt(const struct state *now, struct __sk_buff *skb, bool outbound, __u32 reason)
{
	__u32 mark = now->punt[outbound ? 0 : 1];

	if (!mark)
		return dropped(reason);
	skb->mark |= mark;
	return TC_ACT_UNSPEC;
}

/* The kernel tells the sender, in whose form the packet still is; what it would deliver to itself instead ends here. */
static __always_inline int expired(struct __sk_buff *skb, const struct packet *packet)
{
	struct bpf_fib_lookup fib;
	long routed = route(skb, &fib, packet, packet->destination, skb->ingress_ifindex, 0);
	int ended = dropped(TTL_EXPIRED);

	return routed == BPF_FIB_LKUP_RET_NOT_FWDED ? ended : TC_ACT_UNSPEC;
}

/* How a queue behind has to treat it, as the kernel's own forwarding would say: by the old four bits of the TOS. */
static __always_inline __u32 priority_of(__u8 tos)
{
	switch ((tos & 0x18) >> 3) {
	case 1:
		return 2;
	case 2:
		return 6;
	case 3:
		return 4;
	default:
		return 0;
	}
}

static __always_inline int send(struct __sk_buff *skb, __u32 l2, const struct packet *packet, const struct change *change,
				const struct bpf_fib_lookup *fib)
{
	__u32 changes = difference(packet, change), at = l2 + packet->header;
	struct bpf_redir_neigh hop = {};
	struct iphdr *ip;

	if (skb->len > l2 + packet->octets && bpf_skb_change_tail(skb, l2 + packet->octets, 0))
		return dropped(TRUNCATED);
	/* The helper knows what a device has left undone of the checksum. One that is missing stays so, but TCP has no such. */
	if (packet->protocol == IPPROTO_UDP) {
		if (bpf_l4_csum_replace(skb, at + 6, 0, changes, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0))
			return dropped(TRUNCATED);
	} else if (packet->protocol == IPPROTO_TCP) {
		if (bpf_l4_csum_replace(skb, at + 16, 0, changes, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE))
			return dropped(TRUNCATED);
	}
	ip = (void *)(long)skb->data + l2;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return dropped(TRUNCATED);
	rewrite(ip, change, changes);
	if (l2 == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return dropped(TRUNCATED);
	count_traffic(change, packet->octets);
	skb->priority = priority_of(packet->tos);
	/* The kernel finds the neighbour, and asks for it where it must: an address out of the route alone would grow stale. */
	hop.nh_family = fib->family;
	__builtin_memcpy(hop.ipv6_nh, fib->ipv6_dst, sizeof(hop.ipv6_nh));
	return bpf_redirect_neigh(fib->ifindex, &hop, sizeof(hop), 0);
}

/* The next link is too narrow. */
static __always_inline int too_big(const struct state *now, struct __sk_buff *skb, __u32 l2, bool outbound, bool hairpin)
{
	const struct iphdr *ip = (void *)(long)skb->data + l2;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return dropped(FRAGMENT);
	/* The kernel tells the phone, which sees its own packet in the error. */
	if (outbound && !hairpin && ip->frag_off & DONT_FRAGMENT)
		return TC_ACT_UNSPEC;
	return punt(now, skb, outbound, FRAGMENT);
}

/* A packet that crosses the gateway, and whose addresses may. */
static __always_inline int carry(struct __sk_buff *skb, const struct state *now, __u32 l2, struct packet *packet, bool outbound,
				 const struct public *public, struct bpf_fib_lookup *fib, long routed)
{
	struct change change = { packet->source, packet->destination, 0, 0 };
	__u32 needed, reason, live = now->live & 1, cell;

	if (packet->ttl <= 1)
		return expired(skb, packet);
	if (packet->has_options)
		return punt(now, skb, outbound, BAD_OPTIONS);
	if (packet->fragment)
		return punt(now, skb, outbound, FRAGMENT);
	if (packet->protocol == IPPROTO_ICMP)
		return punt(now, skb, outbound, ICMP);
	needed = transport_length(packet->protocol);
	if (!needed)
		return dropped(UNKNOWN_PROTOCOL);
	if (packet->octets - packet->header < needed || !read_ports(skb, l2, packet))
		return dropped(TRUNCATED);
	if (public) {
		cell = public->cell[live][packet->destination_port];
		if (cell == SERVICE) {
			routed = route(skb, fib, packet, packet->destination, skb->ingress_ifindex, 0);
			return routed == BPF_FIB_LKUP_RET_NOT_FWDED ? TC_ACT_UNSPEC : dropped(UNLEASED_PORT);
		}
		reason = find_receiver(cell, &change);
		if (reason != SENT)
			return dropped(reason);
	}
	if (outbound) {
		reason = find_sender(live, packet, &change);
		if (reason == SPOOFED_PORT)
			count_spoofed(change.sender);
		if (reason != SENT) {
			offence(packet->source, packet->source_port);
			return dropped(reason);
		}
	}
	if (public && !is_admitted(now, live, packet->destination, packet->destination_port, change.source)) {
		count_strange(change.receiver);
		return dropped(STRANGER);
	}
	if (public)
		/* The length of what a device has put together says nothing: its own segments count. */
		routed = route(skb, fib, packet, change.destination, skb->ingress_ifindex, skb->gso_segs > 1 ? 0 : packet->octets);
	if (routed == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return too_big(now, skb, l2, outbound, public != NULL);
	if (!is_routed(routed))
		return dropped(UNLEASED_PORT);
	return send(skb, l2, packet, &change, fib);
}

static __always_inline bool is_ip(const struct __sk_buff *skb)
{
	/* A frame with a tag belongs to another link, whose own program sees it. */
	return skb->protocol == bpf_htons(ETH_P_IP) && !skb->vlan_present;
}

static __always_inline int from_inside(struct __sk_buff *skb, __u32 l2)
{
	const struct state *now;
	const struct public *public;
	const struct link *link;
	struct bpf_fib_lookup fib;
	struct packet packet;
	long routed = 0;
	__u32 zero = 0;

	now = bpf_map_lookup_elem(&state, &zero);
	if (!now || !is_ip(skb) || skb->pkt_type != PACKET_HOST || !read_packet(skb, l2, &packet))
		return TC_ACT_UNSPEC;
	public = public_at(packet.destination);
	if (!public) {
		if (!is_unicast(packet.destination) || is_inside(now, packet.destination))
			return TC_ACT_UNSPEC;
		routed = route(skb, &fib, &packet, packet.destination, skb->ingress_ifindex, skb->gso_segs > 1 ? 0 : packet.octets);
		if (!is_routed(routed))
			return TC_ACT_UNSPEC;
		link = link_of(now, fib.ifindex);
		if (!link || !(link->flags & IS_OUTSIDE))
			return TC_ACT_UNSPEC;
	}
	if (!is_inside(now, packet.source))
		return dropped(BOGON);
	return carry(skb, now, l2, &packet, true, public, &fib, routed);
}

static __always_inline int from_outside(struct __sk_buff *skb, __u32 l2)
{
	const struct state *now;
	const struct public *public;
	struct bpf_fib_lookup fib;
	struct packet packet;
	__u32 zero = 0;

	now = bpf_map_lookup_elem(&state, &zero);
	if (!now || !is_ip(skb) || skb->pkt_type != PACKET_HOST || !read_packet(skb, l2, &packet))
		return TC_ACT_UNSPEC;
	if (is_inside(now, packet.source) || is_inside(now, packet.destination) ||
	    bpf_map_lookup_elem(&public_of, &packet.source))
		return dropped(BOGON);
	public = public_at(packet.destination);
	if (!public)
		return TC_ACT_UNSPEC;
	if (!is_unicast(packet.source))
		return dropped(BOGON);
	return carry(skb, now, l2, &packet, false, public, &fib, 0);
}

/* The last look at what leaves: the gateway's own packets, and what the stack forwarded. */
static __always_inline int guard(struct __sk_buff *skb, __u32 l2)
{
	struct iphdr ip;
	struct {
		__u8 type;
		__u8 rest[7];
		struct iphdr about;
	} error;
	const struct state *now;
	__u32 zero = 0;

	now = bpf_map_lookup_elem(&state, &zero);
	if (!now || skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, l2, &ip, sizeof(ip)))
		return dropped(TRUNCATED);
	if (is_inside(now, ip.daddr))
		return dropped(BOGON);
	if (is_inside(now, ip.saddr))
		return dropped(UNKNOWN_PHONE);
	if (ip.protocol != IPPROTO_ICMP || bpf_skb_load_bytes(skb, l2 + ip.ihl * 4, &error, sizeof(error)))
		return TC_ACT_UNSPEC;
	/* The kernel's error about a packet that was translated already would tell the outside an inside address. */
	if ((error.type == 3 || error.type == 11 || error.type == 12) &&
	    (is_inside(now, error.about.saddr) || is_inside(now, error.about.daddr)))
		return dropped(ICMP);
	return TC_ACT_UNSPEC;
}

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

/*
 * The XDP entry points, on devices that run them in their drivers: the usual packet, before the kernel makes anything of it.
 * All others, and what is dropped, go on to the tc entry points.
 */

#define FRESHEN 1023 /* of so many and one packets one goes the longer way, where the kernel asks after its neighbours */

static __always_inline bool is_same_mac(const __u8 *one, const __u8 *other)
{
	const __u16 *a = (const __u16 *)one, *b = (const __u16 *)other;

	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

static __always_inline bool is_usual(const struct state *now, const struct xdp_md *xdp, const struct ethhdr *ethernet,
				     const struct iphdr *ip, struct packet *packet)
{
	const struct link *link = link_of(now, xdp->ingress_ifindex);
	__u32 needed;

	if (!link || !is_same_mac(ethernet->h_dest, link->mac) || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->version != 4 || ip->ihl != 5)
		return false;
	read_header(packet, ip);
	needed = transport_length(packet->protocol);
	/* A short frame is filled up at its end, which has to be cut. */
	return needed && !packet->fragment && packet->ttl > 1 && packet->octets >= SHORTEST_HEADER + needed &&
	       xdp->data_end - xdp->data == ETH_HLEN + packet->octets && folded_word(sum_of_header(ip)) == 0xFFFF;
}

static __always_inline bool find_outbound(const struct state *now, const struct packet *packet, struct change *change)
{
	if (public_at(packet->destination) || !is_unicast(packet->destination) || is_inside(now, packet->destination))
		return false;
	return find_sender(now->live & 1, packet, change) == SENT;
}

static __always_inline bool find_inbound(const struct state *now, const struct packet *packet, struct change *change)
{
	const struct public *public = public_at(packet->destination);
	__u32 live = now->live & 1, cell;

	if (!public || !is_unicast(packet->source) || is_inside(now, packet->source) ||
	    bpf_map_lookup_elem(&public_of, &packet->source))
		return false;
	cell = public->cell[live][packet->destination_port];
	return cell != SERVICE && find_receiver(cell, change) == SENT &&
	       is_admitted(now, live, packet->destination, packet->destination_port, packet->source);
}

static __always_inline bool rewrite_transport(struct xdp_md *xdp, __u8 protocol, __u32 changes)
{
	__u32 at = protocol == IPPROTO_TCP ? 16 : 6;
	__u16 *checksum = (void *)(long)xdp->data + ETH_HLEN + SHORTEST_HEADER + at;

	if (protocol == IPPROTO_SCTP)
		return true;
	if ((void *)(checksum + 1) > (void *)(long)xdp->data_end)
		return false;
	if (protocol == IPPROTO_UDP && !*checksum)
		return true;
	*checksum = adjusted(*checksum, changes);
	if (!*checksum)
		*checksum = 0xFFFF;
	return true;
}

static __always_inline int quick(struct xdp_md *xdp, bool outbound)
{
	struct ethhdr *ethernet = (void *)(long)xdp->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	__be16 *port = (void *)(ip + 1);
	const struct state *now;
	const struct link *link;
	struct bpf_fib_lookup fib;
	struct packet packet;
	struct change change;
	__u32 zero = 0, changes;

	now = bpf_map_lookup_elem(&state, &zero);
	if (!now || (void *)(port + 2) > (void *)(long)xdp->data_end || !is_usual(now, xdp, ethernet, ip, &packet) ||
	    !(bpf_get_prandom_u32() & FRESHEN))
		return XDP_PASS;
	packet.source_port = bpf_ntohs(port[0]);
	packet.destination_port = bpf_ntohs(port[1]);
	change = (struct change){ packet.source, packet.destination, 0, 0 };
	if (!(outbound ? find_outbound(now, &packet, &change) : find_inbound(now, &packet, &change)) ||
	    route(xdp, &fib, &packet, change.destination, xdp->ingress_ifindex, packet.octets) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;
	link = link_of(now, fib.ifindex);
	if (!link || !(link->flags & NATIVE) || (outbound && !(link->flags & IS_OUTSIDE)))
		return XDP_PASS;
	changes = difference(&packet, &change);
	if (!rewrite_transport(xdp, packet.protocol, changes))
		return XDP_PASS;
	rewrite(ip, &change, changes);
	__builtin_memcpy(ethernet->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, fib.smac, ETH_ALEN);
	count_traffic(&change, packet.octets);
	return bpf_redirect(fib.ifindex, 0);
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
