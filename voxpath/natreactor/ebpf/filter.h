// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* What the filters of an interface do. `l2` is the length of the link's own header: that of Ethernet, or nothing, as on a tunnel. */

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

/* Octets of the longest packet that goes on the wire: of what a device has put together, those of a segment. */
static __always_inline __u16 longest(struct __sk_buff *skb, __u32 l2, const struct packet *packet)
{
	__u8 words;

	if (!skb->gso_size)
		return packet->octets;
	if (packet->protocol != IPPROTO_TCP)
		return packet->header + PROTOCOL_UDP_LENGTH + skb->gso_size;
	if (bpf_skb_load_bytes(skb, l2 + packet->header + TCP_WORDS_AT, &words, sizeof(words)))
		return packet->octets;
	return packet->header + (words >> 4) * 4 + skb->gso_size;
}

/* Where a packet goes next, and whether it is too long for that. */
static __always_inline long way(struct __sk_buff *skb, __u32 l2, struct bpf_fib_lookup *fib, const struct packet *packet,
				__be32 destination)
{
	long routed = route(skb, fib, packet, destination, skb->ingress_ifindex, longest(skb, l2, packet));

	/* Of a packet that is too long the kernel does not say where it would go. */
	if (routed == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		routed = route(skb, fib, packet, destination, skb->ingress_ifindex, 0);
		if (is_routed(routed))
			routed = BPF_FIB_LKUP_RET_FRAG_NEEDED;
	}
	return routed;
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

	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return dropped(TRUNCATED);
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

/* Whether it announces how large segments may be. */
static __always_inline bool announces(struct __sk_buff *skb, __u32 l2, const struct packet *packet)
{
	__u8 flags;

	return packet->protocol == IPPROTO_TCP &&
	       !bpf_skb_load_bytes(skb, l2 + packet->header + TCP_FLAGS_AT, &flags, sizeof(flags)) && flags & TCP_SYN;
}

/* What the ordinary NAPT can carry: the checksum of SCTP covers the port. */
static __always_inline bool is_pooled(const struct state *now, const struct packet *packet)
{
	return now->pool_public && (packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_TCP);
}

static __always_inline bool is_of_pool(const struct state *now, const struct packet *packet)
{
	return is_pooled(now, packet) && packet->destination == now->pool_public &&
	       packet->destination_port >= now->pool_first && packet->destination_port <= now->pool_last;
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
		if (reason != SENT && !outbound && now->punt[1] && is_of_pool(now, packet))
			return punt(now, skb, false, reason);
		if (reason != SENT)
			return dropped(reason);
	}
	if (outbound) {
		reason = find_sender(live, packet, &change);
		if (reason == SPOOFED_PORT && !public && now->punt[0] && is_pooled(now, packet))
			return punt(now, skb, true, reason);
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
	if (now->clamped && announces(skb, l2, packet))
		return punt(now, skb, outbound, TRUNCATED);
	if (public)
		routed = way(skb, l2, fib, packet, change.destination);
	if (routed == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return too_big(now, skb, l2, outbound, public != NULL);
	if (!is_routed(routed))
		return dropped(UNLEASED_PORT);
	return send(skb, l2, packet, &change, fib);
}

static __always_inline bool is_ip(const struct __sk_buff *skb)
{
	/* A frame with a tag belongs to another link, whose own program sees it; that of VLAN 0 tells of a priority alone. */
	return skb->protocol == bpf_htons(ETH_P_IP) && !(skb->vlan_present && skb->vlan_tci & VLAN_NUMBER);
}

/* Whether all outside links are those that we know; one that was made anew has no guard before the process sees it. */
static __always_inline bool is_guarded(struct __sk_buff *skb, const struct state *now, const struct packet *packet)
{
	struct bpf_fib_lookup fib;

	for (__u32 n = 0; n < MOST_LINKS && n < now->links; n++)
		if (now->link[n].flags & IS_OUTSIDE &&
		    route(skb, &fib, packet, packet->destination, now->link[n].ifindex, 0) == -ENODEV)
			return false;
	return true;
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
		routed = way(skb, l2, &fib, &packet, packet.destination);
		if (!is_routed(routed))
			return TC_ACT_UNSPEC;
		link = link_of(now, fib.ifindex);
		if (!link)
			return is_guarded(skb, now, &packet) ? TC_ACT_UNSPEC : dropped(UNKNOWN_PHONE);
		if (!(link->flags & IS_OUTSIDE))
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
	if (is_inside(now, ip.daddr) || is_nowhere(ip.daddr))
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
