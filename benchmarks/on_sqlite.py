"""The measure that needs a process of its own: SQLite, with worker and beat. Prints it as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    import django

    django.setup()
    from benchmarks import server, stage
    from benchmarks.measures import machine

    stage.set_up()
    lots, tokens = stage.lots(20, spots=20), stage.drivers(16)
    names = ("web", "worker", "beat")
    with server.running(dict(os.environ), processes=names) as port:
        found = machine.all_processes(port, tokens, lots, seconds=float(sys.argv[1]))
    print(json.dumps([asdict(one) for one in found]))


if __name__ == "__main__":
    main()
