"""MEGACO/H.248 (RFC 3525), text encoding: codec, transactions, digit maps, and the media gateway controller."""
