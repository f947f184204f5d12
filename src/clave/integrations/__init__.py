"""Clave inside other tools, one file each; docs/integrations.md shows them at work. Nothing here is imported unless a tool asks for it."""
