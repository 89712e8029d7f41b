"""The published study, run step by step."""
