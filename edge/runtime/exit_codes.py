"""What the program exits with, so that whoever starts it knows whether another start helps.

1 is what programs with gflags exit with for wrong flags; 70 and 75 are EX_SOFTWARE and EX_TEMPFAIL of sysexits.h.
"""

from __future__ import annotations

OK = 0
#: Flags, files, addresses or libraries that are not as they have to be: another start does not mend them.
CONFIG = 1
#: A fault of ours.
INTERNAL = 70
#: Something that another process has, or has not done yet: it may be tried again.
BUSY = 75
