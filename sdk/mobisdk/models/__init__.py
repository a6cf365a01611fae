"""The architectures, by name. Importing this imports no torch; building a network does."""

from mobisdk.models.registry import create_model, list_models

__all__ = ["create_model", "list_models"]
