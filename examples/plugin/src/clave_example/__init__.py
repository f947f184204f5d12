"""A plug-in for CLAVE: see README.md."""

from pathlib import Path

COURTESY = Path(__file__).parent / "courtesy.yaml"
"""A value system by the path of its YAML file."""
