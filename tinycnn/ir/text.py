"""A graph as text: for people, and for tests that compare before and after."""

import dataclasses

from tinycnn.ir.graph import Graph, Node


def attributes(op: object) -> str:
    """The fields that differ from their defaults, as `name=value, ...`."""
    if not dataclasses.is_dataclass(op):
        return ""
    shown = []
    for f in dataclasses.fields(op):
        value = getattr(op, f.name)
        default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
        if value is default or value == default:
            continue
        shown.append(f"{f.name}={value}")
    return ", ".join(shown)


def node_text(node: Node) -> str:
    inner = attributes(node.op)
    return f"{', '.join(node.outputs)} = {node.kind}{f'[{inner}]' if inner else ''}({', '.join(node.inputs)})"


def text(graph: Graph) -> str:
    """One line an input, constant, node and output; stable, so that it can be compared."""
    lines = [f"input {name}: {spec}" for name, spec in graph.inputs.items()]
    lines += [
        f"constant {name}: {a.dtype.name}[{'x'.join(map(str, a.shape)) or 'scalar'}]"
        for name, a in graph.constants.items()
    ]
    lines += [node_text(node) for node in graph.nodes]
    lines.append(f"output {', '.join(graph.outputs)}")
    return "\n".join(lines)
