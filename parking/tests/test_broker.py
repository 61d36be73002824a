"""The queue of files: what make run uses where there is no Redis."""

from pathlib import Path

import pytest
from kombu import Connection

from parking import broker


def test_a_message_is_whole_before_it_can_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.install()
    seen = []

    def dumps(payload: object) -> str:
        seen.append(list(tmp_path.glob("*.msg")))
        return plain(payload)

    plain = broker.dumps
    monkeypatch.setattr(broker, "dumps", dumps)
    folders = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out")}
    options = {**folders, "control_folder": str(tmp_path / "control")}
    with Connection("filesystem://", transport_options=options) as connection:
        queue = connection.SimpleQueue("errands")
        queue.put({"do": "whatever is due"})
        assert seen == [[]]
        assert queue.get(timeout=1).payload == {"do": "whatever is due"}
        queue.close()
