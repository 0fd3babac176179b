// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * What drivers do that can run programs (XDP): the usual packet, before the kernel makes anything of it.
 * All others, and what is dropped, go on to the filters.
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
	if (now->clamped && packet.protocol == IPPROTO_TCP) {
		const __u8 *flags = (const __u8 *)(ip + 1) + TCP_FLAGS_AT;

		if ((void *)(flags + 1) > (void *)(long)xdp->data_end || *flags & TCP_SYN)
			return XDP_PASS;
	}
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
