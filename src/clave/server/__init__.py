"""`clave serve`: verdicts over HTTP."""
