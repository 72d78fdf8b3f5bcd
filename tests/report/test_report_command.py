"""`jactrain report`, as a shell would call it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_records import comparison
from sweep_records import write_search, write_sweep

from jactrain.cli import report

PROGRAM = (
    "from jactrain.cli import app, report\n"
    "if report not in app.__dict__.values():\n"
    "    app.app.command(report.NAME)(report.command)\n"
    "app.main()"
)


def call(*arguments: object, folder: Path) -> Any:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "report", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_one_run_gets_its_page_into_its_folder(run: Path, tmp_path: Path) -> None:
    done = call(run, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{run / 'report.html'}\n"
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_several_runs_get_one_page_here_and_what_is_damaged_is_told(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    one, other = make_run("20260101T000000Z-a-0001"), make_run("20260101T000000Z-b-0002")
    (other / "meta.json").unlink()
    done = call(one, other, "nowhere", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "report.html\n"
    assert "note: left out: there is no folder nowhere" in done.stderr
    assert "there is no file meta.json" in done.stderr
    assert "2 runs side by side" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["", "comparison.json"])
def test_a_comparison_is_rendered_again_from_its_record(tmp_path: Path, name: str) -> None:
    (tmp_path / "c").mkdir()
    small = comparison() | {"training": None, "scaling": None}
    (tmp_path / "c" / "comparison.json").write_text(json.dumps(small))
    done = call(tmp_path / "c" / name, "--figures", "drawn", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [*found] == ["out", "figures", "unreadable", "notes"]
    assert found["out"] == str(tmp_path / "c" / "report.html")
    assert len(found["figures"]) == 10
    assert all((tmp_path / path).stat().st_size for path in found["figures"])
    assert found["unreadable"] == []


def test_unreadable_runs_are_data_too(run: Path, tmp_path: Path) -> None:
    done = call(run, "nowhere", "--out", tmp_path / "page.html", "--json", folder=tmp_path)
    found = json.loads(done.stdout)
    assert found["out"] == str(tmp_path / "page.html")
    assert [one["run"] for one in found["unreadable"]] == ["nowhere"]
    assert "there is no folder nowhere" in found["unreadable"][0]["reason"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "comparison.json is not JSON: Expecting property name"),
        ('{"kind": "check"}', "comparison.json: expected a record of kind 'comparison', not 'check'"),
        (
            '{"kind": "comparison", "schema_version": 9}',
            "comparison.json: this comparison has schema_version 9",
        ),
        ('{"kind": "comparison", "schema_version": 1, "name": "a", "modes": 3}', "modes: input should be"),
    ],
)
def test_a_bad_comparison_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "comparison.json").write_text(text)
    done = call("comparison.json", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: comparison.json")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_to_read_or_no_place_to_write_ends_in_a_message(run: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("nowhere",), "there is no folder nowhere"),
        ((run, "--out", tmp_path / "no" / "page.html"), "there is no folder"),
        ((run, "--out", tmp_path), "is a folder; give the name of a file"),
        ((run, "--figures", run / "meta.json"), "the folder .* cannot be made"),
    ):
        done = call(*arguments, folder=tmp_path)
        assert done.returncode == 2
        assert re.search(message, done.stderr), done.stderr
        assert "Traceback" not in done.stderr


def test_comparisons_among_several_runs_are_left_out_with_the_reason(run: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "comparison.json").write_text(json.dumps(comparison()))
    (tmp_path / "empty").mkdir()
    (run / "agreement.jsonl").write_text("")
    done = call("c", run, "empty", "c/comparison.json", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [one["run"] for one in found["unreadable"]] == ["c", "empty", "c/comparison.json"]
    assert "c is a comparison, which has a page of its own; give it alone" in found["unreadable"][0]["reason"]
    assert "nor comparison.json" in found["unreadable"][1]["reason"]
    assert found["notes"] == [
        {"run": str(run), "note": "agreement.jsonl is empty, though the configuration asks for agreement"}
    ]
    only = call("c", "empty", folder=tmp_path)
    assert only.returncode == 2
    assert "c is a comparison" in only.stderr


@pytest.mark.parametrize("name", ["", "cells.json"])
def test_a_sweep_gets_its_page_into_its_folder(tmp_path: Path, name: str) -> None:
    folder = write_sweep(
        tmp_path / "s", [({"mode": "reverse"}, [(0.5, 0.6)]), ({"mode": "mixed"}, [(0.4, 0.7)])]
    )
    (folder / "setting0-seed0" / "meta.json").write_text("{")
    done = call("s" if not name else f"s/{name}", "--figures", "drawn", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [*found] == ["out", "figures", "unreadable", "notes"]
    assert found["out"] == str(Path("s") / "report.html")
    assert [one["run"] for one in found["unreadable"]] == [str(Path("s") / "setting0-seed0")]
    assert "meta.json is not JSON" in found["unreadable"][0]["reason"]
    assert found["notes"] == []
    assert len(found["figures"]) >= 8
    assert all((tmp_path / path).stat().st_size for path in found["figures"])
    assert "<title>Sweep: toy</title>" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_sweep_tells_what_it_could_not_read_and_goes_on(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "s")
    (folder / "trial-0001" / "meta.json").unlink()
    (folder / "experiment.yaml").unlink()
    done = call("s", "--out", "page.html", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "page.html\n")
    assert "note: left out: there is no file meta.json" in done.stderr
    assert "note: s: there is no file experiment.yaml" in done.stderr


def test_a_sweep_has_a_page_of_its_own(run: Path, tmp_path: Path) -> None:
    write_search(tmp_path / "s")
    done = call("s", run, "--json", folder=tmp_path)
    assert done.returncode == 0
    assert (
        "s is a sweep, which has a page of its own; give it alone"
        in json.loads(done.stdout)["unreadable"][0]["reason"]
    )
    (tmp_path / "s" / "cells.json").write_text("{")
    done = call("s", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: s/cells.json is not JSON")
    assert "Traceback" not in done.stderr


def test_a_configuration_is_to_be_run_first(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\n")
    done = call("x.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: x.yaml is a configuration; run it first: jactrain run x.yaml\n"


def test_the_command_shows_an_example() -> None:
    assert "Example: jactrain report runs/" in (report.command.__doc__ or "")
