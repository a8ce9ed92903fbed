"""The settings of a SaaS as a document that is exported, compared and applied."""
