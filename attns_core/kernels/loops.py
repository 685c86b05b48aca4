"""Loops that stay as they are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir


@contextmanager
def rolled(builder: Any, begin: Any, end: Any) -> Iterator[Any]:
    """A loop from ``begin`` to ``end`` that the compiler does not unroll; gives the counter.

    Kernels of large right-hand sides have more instructions in their step than the processor keeps decoded: four
    copies of a short loop cost more than they save.
    """
    head, inside, after = (builder.append_basic_block(f"rolled.{part}") for part in ("head", "in", "after"))
    before = builder.block
    builder.branch(head)
    builder.position_at_end(head)
    counter = builder.phi(begin.type)
    counter.add_incoming(begin, before)
    builder.cbranch(builder.icmp_signed("<", counter, end), inside, after)
    builder.position_at_end(inside)
    yield counter
    counter.add_incoming(builder.add(counter, begin.type(1), flags=["nsw"]), builder.block)
    keep_rolled(builder.module, builder.branch(head))
    builder.position_at_end(after)


def keep_rolled(module: Any, again: Any) -> None:
    """Say of the branch that repeats a loop that the loop is not to be unrolled."""
    wish = module.add_metadata(["llvm.loop.unroll.disable"])
    # The node of a loop begins with itself, by which it differs from those of other loops.
    node = module.add_metadata([wish, wish, ir.IntType(64)(len(module.metadata))])
    node.operands = (node, wish)
    again.set_metadata("llvm.loop", node)
