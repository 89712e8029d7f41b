"""The classifier as one graph for other runtimes."""
