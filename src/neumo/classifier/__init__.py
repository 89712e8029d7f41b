"""The saved classifier, and what it says of radiographs."""
