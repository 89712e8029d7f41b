"""What a classifier's predictions are worth."""
