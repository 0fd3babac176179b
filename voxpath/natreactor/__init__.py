"""The NAT reactor component: one interface, and its back ends."""
