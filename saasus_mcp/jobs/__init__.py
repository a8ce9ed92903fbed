"""Jobs: many calls in one, planned, approved once, and run as durable workflows. Every inner call goes through the pipeline."""
