"""A package, so that no other package named `tests` that a dependency brings along stands in its place."""
