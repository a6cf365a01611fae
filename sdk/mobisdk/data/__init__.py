"""Labelled images from digits, folders or Parquet. Importing this imports no torch."""

from mobisdk.data.dataset import Dataset, ImageRef, check_every_class
from mobisdk.data.decoding import DecodedImages, decode_images
from mobisdk.data.open import open_dataset

__all__ = ["Dataset", "DecodedImages", "ImageRef", "check_every_class", "decode_images", "open_dataset"]
