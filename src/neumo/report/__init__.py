"""A study's results as figures on a page."""
