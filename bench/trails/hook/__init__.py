"""The folder that a recorded process finds in PYTHONPATH; it holds nothing but what Python imports at its start."""
