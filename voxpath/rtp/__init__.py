"""RTP (RFC 3550): packets, statistics, and G.711 audio."""
