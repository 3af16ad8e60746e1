"""The command line: stdout carries results, stderr progress, and a user's mistake gets one sentence.

Exit statuses: 0 clean, 1 findings, 2 usage, 3 what was started failed, 130 interrupted.
"""

CLEAN, FINDINGS, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class Interrupted(Exception):
    """Somebody pressed Ctrl-C; says what became of the work."""
