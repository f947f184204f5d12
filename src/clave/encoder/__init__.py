"""Sentence encoders: encoder.py loads them, bert_graph.py writes them as ONNX, batching.py runs them beside the event loop."""

from clave.encoder.batching import BatchingEncoder
from clave.encoder.encoder import Encoder, encoder_place, load_encoder
from clave.settings import DEFAULT_ENCODER

__all__ = ["DEFAULT_ENCODER", "BatchingEncoder", "Encoder", "encoder_place", "load_encoder"]
