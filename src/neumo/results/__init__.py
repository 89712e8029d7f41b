"""What runs found: written down, read back, summed up over seeds, compared."""
