"""Identity: domains, projects, users, groups, roles and who holds them, the catalog, and tokens. Secrets arrive here hashed."""
