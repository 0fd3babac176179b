"""TFTP (RFC 1350, 2347, 2348, 2349): codec, transfers, the server's decisions, and the client of a phone."""
