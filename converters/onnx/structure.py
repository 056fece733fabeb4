"""The order of a graph's nodes, and what makes an order impossible."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from tinycnn.errors import ModelFormatError


def label(node: NodeProto) -> str:
    """How a node is named to people: by its name, or by its first output."""
    return node.name or next((output for output in node.output if output), "?")


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def inner_tensors(node: NodeProto) -> Iterator[TensorProto]:
    """All tensors in a node's subgraphs."""
    for graph in subgraphs(node):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for inner in graph.node:
            for attribute in inner.attribute:
                yield from (attribute.t, attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
                yield from attribute.tensors
            yield from inner_tensors(inner)


def captured(node: NodeProto) -> list[str]:
    """The values from around the node that its subgraphs read, each once, in order of first use."""
    return list(dict.fromkeys(name for graph in subgraphs(node) for name in free(graph)))


def free(graph: GraphProto) -> Iterator[str]:
    """Values that a graph reads and does not define."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {sparse.values.name for sparse in graph.sparse_initializer}
    own |= {output for node in graph.node for output in node.output}
    for node in graph.node:
        yield from (name for name in (*node.input, *captured(node)) if name and name not in own)
    yield from (value.name for value in graph.output if value.name and value.name not in own)


def ordered(nodes: Sequence[NodeProto], known: Collection[str], where: str) -> list[NodeProto]:
    """The nodes so that each comes after those that it reads; those that are in order stay as they are.

    known  values from outside: inputs, initialisers, values of an enclosing graph
    Raises ModelFormatError for a value that two nodes define, that nothing defines, or that depends on itself.
    """
    makers: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for output in node.output:
            if output and (output in known or makers.setdefault(output, i) != i):
                second = f"{node.op_type} {label(node)!r}"
                raise ModelFormatError(f"{where} defines {output!r} twice, the second by {second}")
    waiting, readers = [0] * len(nodes), [list[int]() for _ in nodes]
    for i, node in enumerate(nodes):
        needs = {name for name in (*node.input, *captured(node)) if name and name not in known}
        for name in sorted(needs):
            if name not in makers:
                raise ModelFormatError(
                    f"{node.op_type} {label(node)!r} reads {name!r}, which nothing in {where} defines"
                )
            readers[makers[name]].append(i)
            waiting[i] += 1
    if all(makers[name] < i for i, node in enumerate(nodes) for name in reads(node, makers)):
        return list(nodes)
    ready, order = deque(i for i, count in enumerate(waiting) if not count), []
    while ready:
        i = ready.popleft()
        order.append(i)
        for reader in readers[i]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(order) < len(nodes):
        stuck = next(node for i, node in enumerate(nodes) if waiting[i])
        raise ModelFormatError(f"{where} has a cycle through {stuck.op_type} {label(stuck)!r}")
    return [nodes[i] for i in order]


def reads(node: NodeProto, makers: Collection[str]) -> Iterable[str]:
    return (name for name in (*node.input, *captured(node)) if name in makers and name)
