"""Pages for people, rendered from what was recorded: a comparison of modes, one run, several runs."""
