// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Look-ups in the maps, and what is counted in them. */

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
