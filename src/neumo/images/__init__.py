"""The pixels of one radiograph."""
