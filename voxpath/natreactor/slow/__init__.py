"""The slow path: a process that translates what a kernel's fast path cannot, or all packets where there is no fast path.

It lives on when voxpath ends, so that a restart loses no packet, and is found again by the next run.
Nothing here imports Twisted: it is a plain loop over two TUN devices and a socket.
"""
