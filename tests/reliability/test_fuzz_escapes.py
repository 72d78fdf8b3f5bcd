"""Nothing that a terminal acts on is printed, whatever the names in files are."""

import json

import pytest
from damage import X, archived, contents, npy, with_facts
from fuzzing import FOLDER, SEEDS

pytestmark = pytest.mark.usefixtures("apart")


def test_no_command_prints_what_a_terminal_acts_on(checkpoint, tmp_path, monkeypatch, capsys):
    """Names in files and members in archives are anybody's text."""
    from jactrain.cli import main

    def told(*arguments):
        monkeypatch.setattr("sys.argv", ["jactrain", *map(str, arguments)])
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr()
        return printed.out + printed.err

    red = "\x1bc"  # resets a terminal; unlike colours, typer leaves it even in a pipe
    table = (FOLDER / "houses.csv").read_text()
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area"))
    text = SEEDS["csv.yaml"].replace("epochs: 300", "epochs: 1")
    (tmp_path / "a.yaml").write_text(text)
    printed = {"run": told("run", tmp_path / "a.yaml", "--runs", tmp_path / "runs")}
    (run,) = (tmp_path / "runs").iterdir()
    (tmp_path / "b.csv").write_text(f"{red}x,rooms,age\n1,2,3\n")
    printed["predict csv"] = told("predict", run, "--input", tmp_path / "b.csv")
    (tmp_path / "b.npz").write_bytes(archived([(f"{red}.npy", npy(X))]))
    printed["predict npz"] = told("predict", run, "--input", tmp_path / "b.npz")
    (tmp_path / "houses.csv").write_text(table.replace("price", f"{red}price"))
    printed["evaluate header"] = told("evaluate", run)
    printed["resume header"] = told("resume", run, "--set", "training.epochs=2")
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area").replace("\n5", f"\n{red}5", 1))
    printed["evaluate cell"] = told("evaluate", run)
    printed["report"] = told("report", run)
    members = contents(checkpoint)
    for path in run.rglob("step-*.npz"):
        path.write_bytes(archived({**members, f"{red}.npy": npy(X)}.items()))
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area"))
    printed["resume checkpoint"] = told("resume", run, "--set", "training.epochs=3")
    for path in run.rglob("step-*.npz"):
        path.write_bytes(with_facts(members, json.dumps({"format": red}).encode()))
    printed["resume format"] = told("resume", run, "--set", "training.epochs=3")
    found = {name: text[:300] for name, text in printed.items() if "\x1b" in text}
    assert not found
    assert all(printed.values())
