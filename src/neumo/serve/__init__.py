"""A classifier as a web page with an API."""
