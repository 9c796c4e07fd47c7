"""Flags that steer the command line itself."""

from __future__ import annotations

from edge.flags.registry import define_bool, define_list, define_string

_TOPIC = "cli"

define_list("flagfile", (), "Read flags from these files, at this place of the command line.", topic=_TOPIC)
define_string(
    "save_flagfile",
    "",
    "File that /api/save_flags writes: the values that were set while the server ran. It is read at this place of the "
    "command line, if it is there. Empty: nothing can be saved.",
    topic=_TOPIC,
)
define_list("fromenv", (), "Take these flags from the environment variables FLAGS_<name>.", topic=_TOPIC)
define_list("tryfromenv", (), "As fromenv; a variable that is not set is no error.", topic=_TOPIC)
define_list("undefok", (), "Ignore these names on the command line when no such flag exists.", topic=_TOPIC)
define_bool(
    "strict_flagfile",
    False,
    "Treat an unknown line of a flagfile as an error; by default it is one warning.",
    topic=_TOPIC,
)
define_bool(
    "check",
    False,
    "Validate flags, files, addresses and certificates, print each finding as place: message, bind nothing and exit "
    "with 0 when the server would start and 1 when it would not; also -t.",
    topic=_TOPIC,
)
define_bool("version", False, "Print the version and exit.", topic=_TOPIC)
define_bool("help", False, "Print the flags that this version acts on, by topic, and exit.", topic=_TOPIC)
define_bool("helpfull", False, "Print all flags, by topic, and exit.", topic=_TOPIC)
define_bool("helpshort", False, "Print the most needed flags and exit; also -h and -?.", topic=_TOPIC)
define_string("helpon", "", "Print the flags of this topic and exit.", topic=_TOPIC)
define_string("helpmatch", "", "Print the flags whose name or topic contains this text and exit.", topic=_TOPIC)
define_bool("helppackage", False, "Print all flags and exit; here the same as helpfull.", topic=_TOPIC)
define_bool("helpxml", False, "Print all flags as XML and exit.", topic=_TOPIC)
define_string(
    "completion",
    "",
    "Print a completion script for this shell and exit.",
    topic=_TOPIC,
    choices=("", "bash", "zsh"),
)
