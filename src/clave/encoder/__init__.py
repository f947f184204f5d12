"""Sentence encoders: encoder.py loads them, minilm.py has the default, bert.py runs others, batching.py encodes beside the event loop."""

from clave.encoder.batching import BatchingEncoder
from clave.encoder.encoder import Encoder, encoder_place, load_encoder
from clave.settings import DEFAULT_ENCODER, FULL_ENCODER

__all__ = ["DEFAULT_ENCODER", "FULL_ENCODER", "BatchingEncoder", "Encoder", "encoder_place", "load_encoder"]
