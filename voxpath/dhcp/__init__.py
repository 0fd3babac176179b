"""DHCP (RFC 2131, 2132): codec, lease machine, the server's decisions, and the client of a phone."""
