// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
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
	__u32 clamped; /* what announces TCP segments goes to the slow path, which limits them */
	__be32 pool_public; /* of the ordinary NAPT, which the slow path carries; 0: there is none */
	__u32 pool_first;
	__u32 pool_last;
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
