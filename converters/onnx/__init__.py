"""ONNX: reader -> importer (lifts, fallback) -> Graph -> writer."""
