"""The page of a sweep: many trainings that differ in a few settings, repeated over seeds."""
