"""Lies here so that pytest puts `tests/` on the import path: every folder may `import cases`."""
