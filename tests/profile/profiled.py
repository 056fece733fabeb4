"""The profile of a graph."""

from tests.runtime.sessions import session
from tinycnn.ir import Graph, TensorSpec
from tinycnn.profile.measure import Profile, Run, profile


def profiled(graph: Graph, threads: int = 1, runs: int = 3) -> tuple[Profile, Run]:
    return profile(lambda: session(graph, threads), {}, runs)


def nothing() -> Graph:
    """A network that hands on its input."""
    return Graph({"x": TensorSpec.f32(2, 3)}, ("x",), (), {})
