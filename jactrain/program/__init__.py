"""Recorded programs: a function of arrays as a flat list of NumPy calls into buffers made beforehand.

Small networks spend most of a step between NumPy's calls: finding the layer's rule, slicing parameters,
allocating results. `record` runs a function once on stand-ins for its arrays, which note every call. Played
back, views are there already, results go into buffers that later results reuse, and nothing else is left.

What may be recorded is what the rules of layers promise: no branch on an array's values, no write into an
array, no state. A function that breaks the first two, or calls what is not known here, is refused with
UnrecordableError, which says what it did.
"""

from jactrain.program.program import Program, record, record_on

__all__ = ["Program", "record", "record_on"]
