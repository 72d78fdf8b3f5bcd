"""How well two gradients agree: figures for the whole vector and for each parameter block."""
