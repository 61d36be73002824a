"""One process of the Procfile, in place of this one: `python -m parking.start web`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from honcho.environ import parse_procfile

PROCFILE = Path(__file__).resolve().parent.parent / "Procfile"


def main(arguments: list[str]) -> int:
    commands = parse_procfile(PROCFILE.read_text()).processes
    if len(arguments) != 1 or arguments[0] not in commands:
        print(f"Name one of: {', '.join(commands)}", file=sys.stderr)  # noqa: T201  it is a program
        return 2
    os.chdir(PROCFILE.parent)
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join([here, os.environ.get("PATH", "")])
    # exec: signals reach the process itself, not a shell in front of it.
    command = ["/bin/sh", "-c", f"exec {commands[arguments[0]]}"]
    os.execve(command[0], command, {**os.environ, "PATH": path})  # noqa: S606  our own Procfile


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
