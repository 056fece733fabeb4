"""Finds the Gaussian error linear units that exporters of older opsets spell out."""

from tinycnn.ir import Graph, Node
from tinycnn.ops.add import Add
from tinycnn.ops.erf import Erf
from tinycnn.ops.gelu import Gelu
from tinycnn.ops.mul import Mul
from tinycnn.passes.recognise_swish import close, divisor, number, write
from tinycnn.passes.rewriter import Rewriter

DEPTH = 2  # products within the last one


def recognise_gelu(graph: Graph) -> Graph:
    """x times half of 1 + erf(x / sqrt(2)) is one function of x.

    Before
        a = Div(x, 1.4142135)
        b = Erf(a)
        c = Add(b, 1)
        d = Mul(x, c)
        y = Mul(d, 0.5)
    After
        y = Gelu(x)

    The three factors in any order, if nothing else reads what lies between. Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        if not recognise(edit, node):
            edit.keep(node)
    return edit.finish()


def recognise(edit: Rewriter, node: Node) -> bool:
    if not is_product(node):
        return False
    values, products = factors(edit, node, DEPTH)
    if len(values) != 3:
        return False
    for gate in values:
        found = gate_of(edit, gate)
        if found is None:
            continue
        x, nodes = found
        others = [value for value in values if value != gate]
        for a, half in (others, others[::-1]):
            if a == x and (factor := number(edit, half)) is not None and close(factor, 0.5):
                write(edit, node, Gelu(), x, *products, *nodes)
                return True
    return False


def is_product(node: Node) -> bool:
    return isinstance(node.op, Mul) and node.op.activation is None


def factors(edit: Rewriter, product: Node, depth: int) -> tuple[list[str], list[Node]]:
    """What is multiplied, and the products within the outer one."""
    values: list[str] = []
    products: list[Node] = []
    for name in map(edit.name, product.inputs):
        inner = edit.sole(name)
        if inner is None or not depth or not is_product(inner):
            values.append(name)
            continue
        more, nodes = factors(edit, inner, depth - 1)
        values += more
        products += [inner, *nodes]
    return values, products


def gate_of(edit: Rewriter, value: str) -> tuple[str, list[Node]] | None:
    """x and the nodes of 1 + erf(x / sqrt(2))."""
    add = edit.sole(value)
    if add is None or not isinstance(add.op, Add) or add.op.activation is not None:
        return None
    for e, one in (add.inputs, add.inputs[::-1]):
        erf, offset = edit.sole(e), number(edit, one)
        if erf is None or offset != 1 or not isinstance(erf.op, Erf):
            continue
        scaled = edit.sole(erf.inputs[0])
        found = divisor(edit, scaled) if scaled is not None else None
        if scaled is not None and found is not None and close(found[1], 2**0.5):
            return edit.name(found[0]), [add, erf, scaled]
    return None
