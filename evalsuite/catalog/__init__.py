"""Languages, tasks and models as validated, hashed objects; where their data comes from."""
