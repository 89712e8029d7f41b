"""The heads on top of the frozen backbone."""
