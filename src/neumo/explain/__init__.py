"""Where in a radiograph a classifier's probability comes from."""
