"""Kinds of drawings, each from plain values: lines, bars, points, heat maps."""
