"""The public data sets behind ValEval, one small loader each; spec.py says what a loader is, registry.py finds them."""
