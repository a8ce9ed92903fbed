"""The jobs, a module each, named after its tool without `job_`: see saasus_mcp.jobs.job_kind."""
