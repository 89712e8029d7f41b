"""What a frozen backbone sees in each radiograph, computed once."""
