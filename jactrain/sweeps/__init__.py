"""Sweeps: many trainings from one file, on this machine or a cluster, that survive what a run survives."""
