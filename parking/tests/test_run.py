"""`make run` for real: it starts, it works, and however it is stopped no process stays."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)
PATIENCE = 90  # seconds; a machine that runs other tests beside this one is slow
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="the same on either database")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def environment(var: Path, port: int, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    own = {"VAR_DIR": str(var), "PORT": str(port), "ENV_FILE": os.devnull, "DEBUG": "true"}
    return {**kept, **own, "DATABASE_URL": f"sqlite:///{var}/run.sqlite3", **more}


def processes_of(var: Path) -> list[str]:
    """Whatever was started, directly or not, with our folder in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not is_zombie and f"VAR_DIR={var}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100])
    return found


def until(what: Callable[[], object], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.2)
    return False


def status(port: int, path: str = "/") -> int:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Ends what a failed test left running."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def start(command: list[str], var: Path, port: int, **more: str) -> subprocess.Popen[bytes]:
    with (var / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(var, port, **more),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def made_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a first start leaves it, so that not every start is a first one."""
    var = tmp_path_factory.mktemp("made")
    for command in (["setup"], ["demo", "--if-empty"]):
        manage(command, environment(var, 1))
    return var / "run.sqlite3"


def manage(command: list[str], variables: dict[str, str]) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=variables, check=True)


def check_it_serves(log: Path, port: int) -> None:
    assert until(lambda: "Ctrl-C stops everything" in log.read_text()), log.read_text()
    assert f"http://localhost:{port}/" in log.read_text()
    assert status(port) == 200
    assert status(port, "/static/site.css") == 200


def check_it_is_gone(make: subprocess.Popen[bytes], var: Path) -> None:
    assert until(lambda: not processes_of(var), 30), processes_of(var)
    make.wait(10)
    assert "Traceback" not in (var / "log").read_text()
    assert not list(ROOT.glob(f".stamp-run-{make.pid}"))


@needs_proc
@needs_make
@on_sqlite
@pytest.mark.slow
@pytest.mark.promise("S0-13")
def test_make_run_on_nothing_serves_the_demo_until_ctrl_c(
    tmp_path: Path, port: int, started: list[subprocess.Popen[bytes]]
):
    make = start(["make", "run"], tmp_path, port)
    started.append(make)

    check_it_serves(tmp_path / "log", port)
    assert len(processes_of(tmp_path)) >= 6
    os.killpg(make.pid, signal.SIGINT)

    check_it_is_gone(make, tmp_path)


def interrupt_make_alone(make: subprocess.Popen[bytes]) -> None:
    make.send_signal(signal.SIGINT)


def terminate_make_alone(make: subprocess.Popen[bytes]) -> None:
    make.send_signal(signal.SIGTERM)


def close_the_terminal(make: subprocess.Popen[bytes]) -> None:
    os.killpg(make.pid, signal.SIGHUP)


def kill_make(make: subprocess.Popen[bytes]) -> None:
    make.kill()


@needs_proc
@needs_make
@on_sqlite
@pytest.mark.slow
@pytest.mark.parametrize("stop", [interrupt_make_alone, terminate_make_alone, close_the_terminal, kill_make])
def test_however_it_is_stopped_no_process_stays(
    stop: Callable[[subprocess.Popen[bytes]], None],
    made_before: Path,
    tmp_path: Path,
    port: int,
    started: list[subprocess.Popen[bytes]],
):
    shutil.copy(made_before, tmp_path / "run.sqlite3")
    make = start(["make", "run"], tmp_path, port)
    started.append(make)
    check_it_serves(tmp_path / "log", port)

    stop(make)

    check_it_is_gone(make, tmp_path)


@needs_proc
@needs_make
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL")
@pytest.mark.slow
def test_make_run_serves_from_postgresql(
    postgres: str, tmp_path: Path, port: int, started: list[subprocess.Popen[bytes]]
):
    make = start(["make", "run"], tmp_path, port, DATABASE_URL=postgres)
    started.append(make)

    check_it_serves(tmp_path / "log", port)
    os.killpg(make.pid, signal.SIGINT)

    check_it_is_gone(make, tmp_path)


@pytest.fixture
def postgres(port: int) -> Iterator[str]:
    """The URL of an empty database beside the tests' own."""
    address = urlsplit(os.environ["DATABASE_URL"])
    name = f"test_run_{port}"
    with psycopg.connect(address.geturl(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield address._replace(path=f"/{name}").geturl()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@needs_proc
@pytest.mark.slow
def test_web_worker_and_beat_start_by_themselves_and_deliver_mail(
    tmp_path: Path, port: int, started: list[subprocess.Popen[bytes]]
):
    here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    send = "from django.core.mail import send_mail; send_mail('Hello', 'there', None, ['a@example.com'])"
    for command in (["setup"], ["shell", "-v", "0", "-c", send]):
        manage(command, environment(tmp_path, port))
    for line in (ROOT / "Procfile").read_text().splitlines():
        started.append(start(["sh", "-c", line.partition(":")[2]], tmp_path, port, **here))

    assert until(lambda: status(port))
    assert until(lambda: list((tmp_path / "mail").glob("*")))
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
    assert until(lambda: not processes_of(tmp_path), 30), processes_of(tmp_path)


@needs_proc
@pytest.mark.slow
def test_told_to_stop_before_its_processes_have_begun_it_stops_them(tmp_path: Path):
    """honcho alone dies of a signal in that moment and leaves the processes running."""
    script = (
        "import os, signal; from pathlib import Path; from parking.processes import Processes\n"
        "class Early(Processes):\n"
        "    def _start(self):\n"
        "        super()._start()\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "p = Early(lambda: None)\n"
        "p.add_all(Path(os.environ['VAR_DIR'], 'Procfile'), dict(os.environ))\n"
        "p.loop(); print('code', p.returncode)\n"
    )
    (tmp_path / "Procfile").write_text("one: sleep 60\ntwo: sleep 60\n")

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(tmp_path, 1),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "code 143" in done.stdout, done.stderr
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DATABASE_URL": "sqlite:////"}, r"The database / cannot be written .*name another in DATABASE_URL"),
        ({"VAR_DIR": "/dev/null/var"}, r"/dev/null/var"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, r"The database none cannot be written"),
        ({"PORT": "70000"}, r"Port 70000 does not exist"),
        ({"PORT": "eighty"}, r"a setting or folder is wrong: .*eighty"),
        ({"DEBUG": "false", "SECRET_KEY": "short"}, r"Set SECRET_KEY to at least 50 random characters"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    variables: dict[str, str], sentence: str, tmp_path: Path, port: int
):
    done = subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=ROOT,
        env=environment(tmp_path, port) | variables,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(sentence, done.stderr)


# --- The virtual environment ---


def venv_script(folder: Path, *locks: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("sh") or "/bin/sh", str(ROOT / "scripts" / "venv.sh"), *locks],
        cwd=folder,
        env={"PATH": path},
        capture_output=True,
        text=True,
    )


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_without_a_python_that_is_new_enough_it_says_so(tmp_path: Path):
    executable(tmp_path / "bin" / "python3", "#!/bin/sh\nexit 1\n")

    done = venv_script(tmp_path, "requirements.txt", path=str(tmp_path / "bin"))

    assert done.returncode == 1
    assert done.stderr.startswith("Parkwell needs Python 3.11 or newer")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_locked_is_installed_once_and_again_when_the_lock_changes(tmp_path: Path):
    executable(tmp_path / ".venv" / "bin" / "python", '#!/bin/sh\necho "$@" >> calls\n')
    (tmp_path / "requirements.txt").write_text("one==1\n")

    def installs() -> int:
        assert venv_script(tmp_path, "requirements.txt", path=os.environ["PATH"]).returncode == 0
        return (tmp_path / "calls").read_text().count("pip install")

    assert installs() == 1
    assert installs() == 1
    (tmp_path / "requirements.txt").write_text("one==2\n")
    assert installs() == 2


def test_an_install_that_fails_is_tried_again(tmp_path: Path):
    executable(tmp_path / ".venv" / "bin" / "python", '#!/bin/sh\n[ "$3" != install ]\n')
    (tmp_path / "requirements.txt").write_text("one==1\n")

    for _ in range(2):
        done = venv_script(tmp_path, "requirements.txt", path=os.environ["PATH"])
        assert done.returncode == 1
        assert "Installing requirements.txt failed" in done.stderr
