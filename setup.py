"""Build recipe: the own packages, and one plugin file that must not claim Twisted's package.

All metadata is in ``pyproject.toml``.
The plugin is listed as a module, not through a ``twisted`` package, so that the wheel holds exactly one file below ``twisted/``.
"""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["voxpath", "voxpath.*"]),
    py_modules=["twisted.plugins.voxpath_plugins"],
    package_data={
        "voxpath.store": ["schema/*.sql"],
        "voxpath.app": ["phone_classes.toml"],
        "voxpath.natreactor.ebpf": ["*.c", "*.h", "*.o"],
        "voxpath.provision": ["shipped/files.toml", "shipped/*/*"],
        "voxpath": ["py.typed"],
    },
    # With the default editable mode the twistd subcommands would silently be missing.
    options={"editable_wheel": {"mode": "compat"}},
)
