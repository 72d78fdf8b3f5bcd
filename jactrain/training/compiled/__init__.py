"""The JAX engine: rules traced into compiled programs. Only this package imports JAX."""
