"""Sentence encoders: encoder.py loads them, bert_graph.py writes them as ONNX, batching.py runs them beside the event loop."""

from clave.encoder.batching import BatchingEncoder
from clave.encoder.encoder import DEFAULT_ENCODER, Encoder, load_encoder

__all__ = ["DEFAULT_ENCODER", "BatchingEncoder", "Encoder", "load_encoder"]
