"""The NAT back end in the kernel that is a program of its own: eBPF at the two sides of the gateway.

``nat.bpf.c`` is the program, with the headers beside it, ``nat.bpf.o`` what ``make ebpf`` makes of it.
"""
