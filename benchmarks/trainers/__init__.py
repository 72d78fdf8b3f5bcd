"""The bare training loop, once for each who offers one: all take the same steps."""
