"""Flags of the configuration by vhost: which files, how strictly they are read, and what is printed of them."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_list

# They say how the command line goes on, so they stand there.
_TOPIC = "cli"

define_list(
    "vhost_config",
    (),
    "Settings by vhost from these files, in the syntax of SRS's configuration; also -c FILE. Its root gives flags the "
    "values that neither the command line nor a flagfile gives. Read again by SIGHUP.",
    topic=_TOPIC,
)
define_bool(
    "lenient_vhost_config",
    False,
    "Read the end of a line inside a directive of -vhost_config as a blank, as SRS before 6 did; a warning per place.",
    topic=_TOPIC,
)
define_bool(
    "strict_vhost_config",
    False,
    "Treat what -vhost_config asks for and is not offered as an error, also where the server only does less.",
    topic=_TOPIC,
)
define_bool(
    "vhost_environment",
    False,
    "Take SRS's environment variables, such as SRS_LISTEN, without a file; also -e. With -vhost_config they are taken "
    "anyway, behind the root of the file.",
    topic=_TOPIC,
)
define_bool(
    "dump_config",
    False,
    "Print what command line, flagfiles, -vhost_config and environment come to, as a file for -vhost_config with the "
    "place of each value, and exit.",
    topic=_TOPIC,
)
