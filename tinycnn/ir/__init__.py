"""What a network is. NumPy only: knows no operator, no kernel and no file format."""

from tinycnn.ir.graph import Action, Graph, Node, Operator
from tinycnn.ir.spec import TensorSpec, computed
from tinycnn.ir.text import text
from tinycnn.ir.verify import verify

__all__ = ["Action", "Graph", "Node", "Operator", "TensorSpec", "computed", "text", "verify"]
