"""Lies here so that pytest puts `tests/` on the import path: every folder may `import cases`."""

from functools import partial

import pytest

# Each program runs once, so that compiling is nearly all of its time.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@pytest.fixture
def jax64():
    """JAX in float64, for the tests that ask for it and no other of the process."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def quick_jit(jax64):
    return partial(jax64.jit, compiler_options=QUICK)


def pytest_terminal_summary(terminalreporter):
    """Tell what tests have put on record with `record_property("told", …)`, which workers could not print."""
    told = [
        value
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in report.user_properties
        if name == "told"
    ]
    for line in sorted(set(told)):
        terminalreporter.write_line(line)
