"""From a YAML file to validated options, and from those to live objects."""
