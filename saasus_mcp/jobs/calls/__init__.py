"""Lists of any calls: read, checked, asked about as one, and run."""
