"""The options of all ``twistd`` commands: they only say where the configuration is."""

from twisted.python import usage


class Options(usage.Options):
    """Everything else stands in the configuration file."""

    optParameters = (("config", "c", "", "The configuration file; without one the loopback set starts (see etc/voxpath.toml)."),)

    optFlags = (("check", None, "Check the configuration, say what is wrong or off, and exit."),)


class PhoneOptions(Options):
    """What is said of phones on the command line, too."""

    optFlags = (("shim", None, "Set up a shim for other programs in this network namespace, as phone.shim = true does."),)
