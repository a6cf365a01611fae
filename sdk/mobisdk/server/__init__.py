"""The lab server: bundles to phones, runs from phones."""
