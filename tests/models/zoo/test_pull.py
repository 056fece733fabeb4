"""Downloads from a server that is slow, breaks off, lies or is not there: the right file or none, and one error."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.models.zoo.server import Server, serving
from tinycnn import knobs
from tinycnn.cli import main
from tinycnn.errors import DownloadError, OptionError
from tinycnn.models import Preprocess, card, zoo
from tinycnn.models.zoo import Entry, File
from tinycnn.models.zoo.pull import ABANDONED_S, Pulled, pull

MODEL = card("lenet5").path
CONTENT = MODEL.read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "tiny-7.onnx"
DIGITS = Preprocess((28, 28), "grey", fit="digit")
KNOBS = (knobs.MODELS, knobs.ZOO, knobs.MIRROR, knobs.OFFLINE)


def entry(sha256: str | None = SHA256, size: int | None = len(CONTENT)) -> Entry:
    file = File(f"tiny/model/{NAME}", "image 1x1x28x28", DIGITS, size, sha256)
    return Entry("tiny", "a tiny network", "MIT", tuple("0123456789"), 0.9, None, "https://zoo.example/tiny", (file,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where networks are pulled to; not there yet."""
    for knob in KNOBS:
        monkeypatch.delenv(knob.name, raising=False)
    monkeypatch.setenv(knobs.MODELS.name, str(tmp_path / "cache" / "models"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def mirror(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the server behave in one of its ways."""
    return lambda way: monkeypatch.setenv(knobs.MIRROR.name, f"{server.address}/{way}")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def failure(**options: Any) -> str:
    with pytest.raises(DownloadError) as caught:
        pull(entry(**options), retries=1, timeout_s=5)
    assert "tiny" in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("way", ["whole", "slow", "once_half", "once_busy"])
def test_a_network_is_pulled_whole(way: str, mirror: Callable[[str], None], folder: Path) -> None:
    mirror(way)
    seen: list[tuple[int, int | None]] = []
    result = pull(entry(), progress=lambda done, total: seen.append((done, total)))
    assert result == Pulled("tiny", folder / NAME, "pulled", SHA256, known=True)
    assert result.path.read_bytes() == CONTENT
    assert files(folder) == [NAME]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_what_is_there_is_not_pulled_again(mirror: Callable[[str], None], server: Server, folder: Path) -> None:
    mirror("whole")
    pull(entry())
    assert pull(entry()).state == "there already"
    assert len(server.requests) == 1
    (folder / NAME).write_bytes(CONTENT[:-1])
    assert pull(entry()).state == "pulled"
    assert (folder / NAME).read_bytes() == CONTENT


def test_the_folder_is_the_users_alone(mirror: Callable[[str], None], folder: Path) -> None:
    mirror("whole")
    pull(entry())
    assert [path.stat().st_mode & 0o077 for path in (folder.parent, folder, folder / NAME)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("way", "reasons"),
    [
        ("half", ["IncompleteRead"]),
        ("other", ["SHA-256", hashlib.sha256(CONTENT[::-1]).hexdigest(), SHA256]),
        ("endless", [f"more than the {len(CONTENT):,} bytes"]),
        ("absent", ["no such file", f"/absent/tiny/model/{NAME}", f"/absent/{NAME}"]),
        ("refused", ["403"]),
        ("page", ["SHA-256"]),
    ],
)
def test_a_server_that_fails(way: str, reasons: list[str], mirror: Callable[[str], None], folder: Path) -> None:
    mirror(way)
    message = failure()
    assert all(reason in message for reason in reasons), message
    assert files(folder) == []


def test_a_server_that_falls_silent(mirror: Callable[[str], None], folder: Path) -> None:
    mirror("stalled")
    with pytest.raises(DownloadError, match="timed out"):
        pull(entry(), retries=0, timeout_s=0.1)
    assert files(folder) == []


def test_a_refusal_and_an_absence_are_not_asked_for_again(mirror: Callable[[str], None], server: Server) -> None:
    mirror("refused")
    failure()
    assert len(server.requests) == 1
    mirror("absent")
    failure()
    assert server.requests[1:] == [f"/absent/tiny/model/{NAME}", f"/absent/{NAME}"]


def test_nobody_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(CONTENT) as gone:
        address = gone.address
    monkeypatch.setenv(knobs.MIRROR.name, address)
    message = failure()
    assert "refused" in message.lower() and knobs.MIRROR.name in message and str(folder) in message
    assert files(folder) == []


def test_offline(mirror: Callable[[str], None], server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror("whole")
    monkeypatch.setenv(knobs.OFFLINE.name, "1")
    message = failure()
    assert knobs.OFFLINE.name in message and NAME in message and str(folder) in message
    monkeypatch.delenv(knobs.MIRROR.name)
    assert "huggingface.co" in failure()
    assert server.requests == [] and files(folder) == []
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(CONTENT)
    assert pull(entry()).state == "there already"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
@pytest.mark.parametrize("place", [NAME, f"tiny/model/{NAME}"])
def test_a_folder_as_mirror(
    form: str, place: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "a mirror" / place
    copy.parent.mkdir(parents=True)
    monkeypatch.setenv(
        knobs.MIRROR.name, form.format(str(tmp_path / "a mirror").replace(" ", "%20" if "file" in form else " "))
    )
    monkeypatch.setenv(knobs.OFFLINE.name, "yes")
    assert "no such file" in failure()
    copy.write_bytes(CONTENT[:-1])
    assert "SHA-256" in failure()
    copy.write_bytes(CONTENT)
    assert pull(entry()).path.read_bytes() == CONTENT
    assert files(folder) == [NAME]


def test_an_unknown_sha256_is_pinned(mirror: Callable[[str], None], folder: Path) -> None:
    mirror("whole")
    unpublished = entry(sha256=None, size=None)
    first = pull(unpublished)
    assert (first.sha256, first.known, first.pinned) == (SHA256, False, True)
    assert (folder / f"{NAME}.sha256").read_text() == f"{SHA256}  {NAME}\n"
    again = pull(unpublished)
    assert (again.state, again.known, again.pinned) == ("there already", False, False)
    (folder / NAME).unlink()
    mirror("other")
    assert "SHA-256" in failure(sha256=None, size=None)
    mirror("whole")
    assert pull(unpublished).state == "pulled"
    assert files(folder) == [NAME, f"{NAME}.sha256"]


@pytest.mark.parametrize("way", ["page", "pointer"])
def test_a_text_is_not_pinned_as_a_model(way: str, mirror: Callable[[str], None], folder: Path) -> None:
    mirror(way)
    assert "text" in failure(sha256=None, size=None)
    assert files(folder) == []


def test_what_a_killed_process_left_is_cleared(mirror: Callable[[str], None], folder: Path) -> None:
    mirror("whole")
    folder.mkdir(parents=True)
    for name, age_s in (("tmpold", 2 * ABANDONED_S), ("tmpnew", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    pull(entry())
    assert files(folder) == [NAME, "tmpnew"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(knobs.MODELS.name, str(tmp_path / "file" / "models"))
    with pytest.raises(DownloadError, match=knobs.MODELS.name):
        pull(entry())


# Python takes no interrupt where it is started with interrupts ignored, as a job in the background is.
PROGRAM = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tinycnn.models import Preprocess, pull
from tinycnn.models.zoo import Entry, File
file = File("tiny/model/{NAME}", "image 1x1x28x28", Preprocess((28, 28), "grey"), {len(CONTENT)}, "{SHA256}")
print(pull(Entry("tiny", "", "MIT", (), None, None, "", (file,))).sha256)
"""


def start(mirror: str, home: Path) -> "subprocess.Popen[str]":
    """A process of its own that pulls from the mirror; not in the checkout, where it would miss models."""
    environment = {**os.environ, knobs.MIRROR.name: mirror}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=pipe, stderr=pipe, text=True, cwd=home, env=environment
    )


def test_two_processes_at_once(server: Server, folder: Path, tmp_path: Path) -> None:
    processes = [start(f"{server.address}/together", tmp_path) for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert outputs == [(f"{SHA256}\n", "")] * 2
    assert len(server.requests) == 2
    assert files(folder) == [NAME]
    assert (folder / NAME).read_bytes() == CONTENT


def test_an_interrupted_download_leaves_nothing(server: Server, folder: Path, tmp_path: Path) -> None:
    process = start(f"{server.address}/stalled", tmp_path)
    assert server.halfway.wait(60)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert "KeyboardInterrupt" in errors
    assert files(folder) == []


def test_a_folder_of_ones_own_comes_first(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv(knobs.ZOO.name, str(own))
    with pytest.raises(OptionError, match=f"{knobs.ZOO.name}.*no such folder"):
        entry().find()
    own.mkdir()
    with pytest.raises(OptionError, match="`tinycnn pull tiny` first"):
        entry().found()
    (own / NAME).write_bytes(CONTENT[:100])
    result = pull(entry())
    assert (result.path, result.state, result.known) == (own / NAME, "found", False)
    assert entry().found()[1] == own / NAME


# The command.


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of one known network and one whose SHA-256 is not."""
    table = {"network": "a network", "licence": "MIT", "labels": "digits", "readme": "tiny/README.md", "top1": 0.9}
    file = {"path": f"tiny/model/{NAME}", "input": "image 1x1x28x28", "preprocess": "digits"}
    networks = {
        "tiny": table | {"files": [file | {"bytes": len(CONTENT), "sha256": SHA256}]},
        "unpublished": table | {"files": [file | {"path": "unpublished.onnx"}]},
    }
    recipes = {"digits": {"size": [28, 28], "colour": "grey", "fit": "digit", "scale": 1 / 255, "invert": "auto"}}
    whole = {"addresses": ["https://zoo.example/{path}"], "readmes": "https://zoo.example/"}
    monkeypatch.setattr(zoo, "registry", lambda: whole | {"preprocess": recipes, "networks": networks})


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.usefixtures("registry")
def test_pull_and_classify(mirror: Callable[[str], None], server: Server, folder: Path) -> None:
    picture = Path(MODEL).parent / "samples" / "digit_7.png"
    before = invoke("classify", picture, "--model", "tiny")
    assert before.exit_code == 2 and "`tinycnn pull tiny` first" in before.stderr
    assert server.requests == []
    mirror("whole")
    done = invoke("pull", "tiny", "unpublished")
    assert done.exit_code == 0
    known, pinned = done.stdout.splitlines()
    assert SHA256 in known and "as the registry has it" in known and str(folder / NAME) in known
    assert SHA256 in pinned and "published nowhere: pinned now" in pinned
    told = json.loads(invoke("pull", "unpublished", "--json").stdout)
    assert told == [
        {
            "name": "unpublished",
            "path": str(folder / "unpublished.onnx"),
            "state": "there already",
            "sha256": SHA256,
            "known": False,
            "pinned": False,
        }
    ]
    after = json.loads(invoke("classify", picture, "--model", "tiny", "--json").stdout)
    assert after[str(picture)][0]["label"] == "7"


@pytest.mark.usefixtures("registry")
def test_the_list_shows_what_is_here(mirror: Callable[[str], None]) -> None:
    mirror("whole")
    invoke("pull", "tiny")
    rows = json.loads(invoke("pull", "--list", "--json").stdout)
    assert [(row["name"], bool(row["path"])) for row in rows] == [("tiny", True), ("unpublished", False)]
    assert "yes" in next(line for line in invoke("pull", "--list").stdout.splitlines() if "tiny" in line)


def test_nothing_else_opens_a_connection(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection is opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    picture = Path(MODEL).parent / "samples" / "digit_7.png"
    assert invoke("classify", picture, "--model", "lenet5").exit_code == 0
    assert invoke("features", picture, "--model", "lenet5", "--layer", "fc1", "-o", tmp_path / "f.npz").exit_code == 0
    assert invoke("show", "lenet5", picture, "--layer", "conv1", "-o", tmp_path / "m.png").exit_code == 0
    assert invoke("pull", "--list").exit_code == 0
    assert "`tinycnn pull resnet50` first" in invoke("classify", picture, "--model", "resnet50").stderr
    with pytest.raises(AssertionError, match="a connection is opened"):
        invoke("pull", "resnet50")


def test_names_that_cannot_be_pulled(folder: Path) -> None:
    assert invoke("pull").exit_code == 2
    done = invoke("pull", "squeezenet1.1", "resnet51", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"] == "OptionError"
    assert "resnet50" in done.stderr and "resnet18" in done.stderr
    assert files(folder) == []
