"""Tables and charts of the jobs that report."""
