"""Session descriptions (RFC 4566), as MEGACO and SIP need them."""
