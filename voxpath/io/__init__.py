"""Carries out the effects of the cores: datagrams, raw Ethernet replies, streams, the driver and the event bus."""
