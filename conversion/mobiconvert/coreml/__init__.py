"""The only room, beside the MIL evaluator, that imports coremltools: `lowering` writes an .mlpackage."""
