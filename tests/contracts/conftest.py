"""JAX in float64 for the modules that ask for it, and for no other test of the process."""

import jax
import pytest


@pytest.fixture
def jax64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)
