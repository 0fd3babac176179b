"""The ``twistd`` commands of voxpath; the modules are named as text, so that listing commands imports none of them."""

from twisted.application.service import ServiceMaker

everything = ServiceMaker("voxpath", "voxpath.app.taps.everything", "Telephony server: all roles in one process", "voxpath")
gateway = ServiceMaker("voxpath-sg", "voxpath.app.taps.gateway", "Service gateway: DHCP, TFTP, NAPPT", "voxpath-sg")
controller = ServiceMaker("voxpath-mgc", "voxpath.app.taps.controller", "Media gateway controller (MEGACO)", "voxpath-mgc")
sip = ServiceMaker("voxpath-sip", "voxpath.app.taps.sip", "SIP registrar and redirect server", "voxpath-sip")
phones = ServiceMaker("voxpath-phone", "voxpath.app.taps.phones", "Software IP phones", "voxpath-phone")
