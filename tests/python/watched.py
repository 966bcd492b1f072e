"""Becomes another program, which an alarm ends if nothing else does.

    python watched.py PROGRAM ARGUMENT…

An alarm outlives `exec`, and its default action is to end the process, whatever that is waiting for.
So no program started this way outlives its test for long, even when the test itself was killed.
"""

import os
import signal
import sys

LIFETIME_SECONDS = 300

signal.alarm(LIFETIME_SECONDS)
# Whoever is started in the background by a script ignores it, and so does all that it starts.
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
