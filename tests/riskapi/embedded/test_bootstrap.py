"""The decisions of the bootstrap; the downloads themselves are tried on a fresh machine."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from riskapi.embedded import bootstrap
from riskapi.embedded.bootstrap import Environment, exclusive, pinned_requirement, uv_options

LOCK = """\
first==1.0 \\
    --hash=sha256:aaaa
    # via uv
uv==0.9.1 \\
    --hash=sha256:bbbb \\
    --hash=sha256:cccc
uvicorn==2.0 \\
    --hash=sha256:dddd
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "requirements.txt").write_text(LOCK)
    built = Environment(tmp_path / ".venv", tmp_path, "requirements.txt")
    built.python.parent.mkdir(parents=True)
    built.python.touch()
    return built


def stamp(environment: Environment, **changes: str) -> None:
    content = {
        "base": bootstrap._base(),
        "folder": str(environment.folder),
        "requirements.txt": environment._digest("requirements.txt"),
    }
    (environment.folder / bootstrap.STAMP).write_text(json.dumps(content | changes))


def test_linked_environment_is_the_one_it_leads_to(
    environment: Environment, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / ".venv").symlink_to(environment.folder)
    assert bootstrap.environment_folder(other) == environment.folder.resolve()


def test_environment_without_stamp_is_not_ready(environment: Environment) -> None:
    assert not environment.is_ready()


def test_stamped_environment_is_ready(environment: Environment) -> None:
    stamp(environment)
    assert environment.is_ready()


@pytest.mark.parametrize(
    "changes",
    [{"base": "3.9 elsewhere"}, {"folder": "before/it/moved"}, {"requirements.txt": "other"}],
    ids=["other Python", "moved", "other packages"],
)
def test_environment_built_otherwise_is_not_ready(
    environment: Environment, changes: dict[str, str]
) -> None:
    stamp(environment, **changes)
    assert not environment.is_ready()


def test_changed_lock_makes_the_environment_stale(environment: Environment) -> None:
    stamp(environment)
    (environment.root / "requirements.txt").write_text(LOCK + "more==1.0\n")
    assert not environment.is_ready()


def test_half_written_stamp_counts_as_none(environment: Environment) -> None:
    stamp(environment)
    path = environment.folder / bootstrap.STAMP
    path.write_text(path.read_text()[:20])
    assert not environment.is_ready()


def test_installer_is_pinned_with_all_its_hashes_and_nothing_else() -> None:
    assert pinned_requirement(LOCK, "uv") == (
        "uv==0.9.1 \\\n    --hash=sha256:bbbb \\\n    --hash=sha256:cccc\n"
    )


def test_real_locks_pin_the_installer() -> None:
    for name in (bootstrap.RUNTIME, bootstrap.TESTING):
        lock = (bootstrap.ROOT / name).read_text()
        assert pinned_requirement(lock, "uv").count("--hash=sha256:") > 1


def test_testing_lock_agrees_with_the_runtime_lock() -> None:
    pins = [
        {
            line.split(" ", 1)[0]
            for line in (bootstrap.ROOT / name).read_text().splitlines()
            if "==" in line and not line.startswith((" ", "#"))
        }
        for name in (bootstrap.RUNTIME, bootstrap.TESTING)
    ]
    assert pins[0] <= pins[1]


def test_settings_of_pip_reach_uv() -> None:
    options = uv_options({"index-url": "I", "extra-index-url": "A B", "find-links": "F"})
    assert options[2:] == [
        *("--index-url", "I"),
        *("--extra-index-url", "A", "--extra-index-url", "B"),
        *("--find-links", "F"),
    ]


def hold(path: Path, ready: str, seconds: float) -> None:
    with exclusive(path):
        Path(ready).touch()
        time.sleep(seconds)


def test_second_builder_waits_for_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = tmp_path / "ready"
    context = multiprocessing.get_context("spawn")
    first = context.Process(target=hold, args=(tmp_path / "lock", str(ready), 0.5))
    first.start()
    while not ready.exists():
        time.sleep(0.02)
    began = time.monotonic()
    with exclusive(tmp_path / "lock"):
        waited = time.monotonic() - began
    first.join()
    assert waited > 0.2
    assert "waiting" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_checkout_builds_in_the_cache(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not bootstrap.environment_folder(tmp_path).is_relative_to(tmp_path)


def test_entry_point_is_readable_to_an_old_python() -> None:
    source = (bootstrap.ROOT / "manage.py").read_text()
    tree = ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr | ast.AnnAssign) for node in ast.walk(tree))


def test_bootstrap_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(bootstrap.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
