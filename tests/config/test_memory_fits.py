"""Whether a training fits into memory is told before it starts, and modes are bounded so that it does."""

import pathlib

import pytest

from jactrain import available, load_config
from jactrain.available import Available, available_memory
from jactrain.config import memory
from jactrain.config.build import build, check
from jactrain.config.resolved import resolved
from jactrain.errors import ConfigurationError
from jactrain.runs.run import run

TEXT = """
name: wide
data: {source: {moons: {examples: 200}}, validation: 0.25}
network: [{linear: {units: 256}}, tanh, {linear: {units: 256}}, tanh, {linear: {}}]
loss: cross_entropy
mode: forward
optimizer: sgd
training: {epochs: 1, batch_size: 100}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text(TEXT)
    return load_config(path)


@pytest.fixture
def there(monkeypatch):
    """Return a function that sets how many bytes are available."""
    return lambda size: monkeypatch.setattr(
        memory, "available_memory", lambda: None if size is None else Available(size, "in this test")
    )


def needed(config, there):
    """Return the bytes that the training is predicted to take, and those of its gradient."""
    there(None)
    blueprint = check(config, to_train=True)
    need = memory._need(config, blueprint.objective, blueprint.outline, [(config.mode, 100)])
    return need.total, need.gradient


def test_what_fits_is_left_as_it_is(config, there):
    total, _ = needed(config, there)
    for size in (None, total):
        there(size)
        assert check(config, to_train=True).mode == config.mode


def test_a_mode_is_bounded_so_that_the_training_fits_and_the_run_says_so(config, there, tmp_path):
    total, gradient = needed(config, there)
    there(total - gradient // 3)
    experiment = build(config, to_train=True)
    assert experiment.mode.memory == gradient - gradient // 3
    assert "is bounded to memory" in experiment.notes[-1]
    plan = experiment.mode.prepare(experiment.objective, 100, experiment.dtype)
    assert plan.peak_bytes <= experiment.mode.memory
    folder = run(config, tmp_path / "runs").folder
    kept = load_config(folder / "config.resolved.yaml")
    assert kept.mode == experiment.mode
    assert resolved(kept)["mode"]["forward"]["memory"]


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_what_cannot_fit_is_refused_with_figures_and_ways_out(config, there, tmp_path, share):
    total, gradient = needed(config, there)
    there(int((total - gradient) * share))
    with pytest.raises(ConfigurationError) as caught:
        run(config, tmp_path / "runs")
    said = str(caught.value)
    assert "training.batch_size" in said
    for part in (
        "of memory (data",
        "a gradient",
        "are available in this test",
        "batch_size below 100",
        "smaller",
    ):
        assert part in said
    assert not (tmp_path / "runs").exists()


def test_the_least_of_machine_container_and_process_counts(monkeypatch, tmp_path):
    def lines(files):
        monkeypatch.setattr(available, "_PROC", tmp_path / "proc")
        monkeypatch.setattr(available, "_CGROUP", tmp_path / "cgroup")
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    lines({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 1000 kB\n"})
    assert available_memory() == (1_024_000, "on this machine")
    lines(
        {
            "proc/self/cgroup": "0::/job\n",
            "cgroup/job/memory.max": "900000\n",
            "cgroup/job/memory.current": "500000\n",
            "cgroup/job/memory.stat": "anon 1\ninactive_file 100000\n",
        }
    )
    assert available_memory() == (500_000, "within this container's limit")
    lines({"cgroup/job/memory.max": "max\n"})
    assert available_memory() == (1_024_000, "on this machine")
    lines(
        {
            "proc/self/cgroup": "4:memory:/old\n",
            "cgroup/memory/old/memory.limit_in_bytes": "300000\n",
            "cgroup/memory/old/memory.usage_in_bytes": "400000\n",
            "cgroup/memory/old/memory.stat": "total_inactive_file 1000\n",
        }
    )
    assert available_memory() == (0, "within this container's limit")


def test_a_limit_on_the_address_space_counts(monkeypatch):
    import resource

    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (used + 10_000_000, resource.RLIM_INFINITY))
    found = available_memory()
    assert found.whose == "within this process's limit (ulimit -v)"
    assert 0 <= found.size <= 10_000_000
