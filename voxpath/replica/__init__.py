"""A standby server: the same leases, blocks and files on a second host, over mutually authenticated TLS (DHC-19, TFT-7, RED-3)."""
