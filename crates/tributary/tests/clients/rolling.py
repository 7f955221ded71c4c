"""Drives a group through one of its workers with client libraries for Python, while the other workers are replaced.

    rolling.py http://HOST:PORT CONNECTOR END

Until the file END is there. What only reads has to succeed every time; what changes something may be answered by 409 or
500 while no leader is known, and has to succeed when it is sent again. Ends with 0, or says which call went wrong.
"""

import pathlib
import sys
import time

from click.testing import CliRunner
from kafka_connect.cli import cli as kc
from kafkaconnect.cli import main as kafkaconnect

URL, NAME, END = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
PATIENCE = 60


def run(group, *arguments):
    return CliRunner().invoke(group, list(arguments))


def reads(group, *arguments):
    result = run(group, *arguments)
    if result.exit_code != 0:
        raise SystemExit(f"{group.name} {' '.join(arguments)}: {result.output} {result.exception!r}")
    return result.output


def changes(group, *arguments):
    end = time.monotonic() + PATIENCE
    again = 0
    while (result := run(group, *arguments)).exit_code != 0:
        if time.monotonic() > end:
            raise SystemExit(f"{group.name} {' '.join(arguments)}: {result.output} {result.exception!r}")
        again += 1
        time.sleep(0.2)
    return again


rounds = repeated = 0
while not END.exists():
    if NAME not in reads(kc, "-u", URL, "list"):
        raise SystemExit(f"{NAME} is not in the list")
    reads(kc, "-u", URL, "status", NAME)
    reads(kafkaconnect, "-c", URL, "status", NAME)
    repeated += changes(kc, "-u", URL, "pause", NAME)
    repeated += changes(kafkaconnect, "-c", URL, "resume", NAME)
    repeated += changes(kc, "-u", URL, "restart", NAME)
    rounds += 1
print(f"{rounds} rounds, {repeated} requests were sent again")
