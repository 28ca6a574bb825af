"""The HTTP edge: authentication, permissions, problem+json, paging, parsing and the schema."""
