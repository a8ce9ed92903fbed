"""The kinds of job, a module each, named after its tool without `job_`. See `saasus_mcp.jobs.job_kind`."""
