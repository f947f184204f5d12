"""Value systems: the model, and the built-in ones as YAML under systems/."""

from clave.values.system import Group, Value, ValueSystem, builtin_ids

__all__ = ["Group", "Value", "ValueSystem", "builtin_ids"]
