"""Public data sets that neumo knows as they unpack, one file each."""
