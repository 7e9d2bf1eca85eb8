"""The verbs of the command line, a subject a module: each adds its parsers, and does what was asked."""
