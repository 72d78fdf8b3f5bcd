"""The JAX engine: rules traced into compiled programs. Beside `arrays`, only this package imports JAX."""
