"""The order of statements: each value shortly before it is used, so that few are alive at once."""

import re
from collections.abc import Sequence

from attns_core.kernels.source import Statement

_NAME = re.compile(r"[A-Za-z_]\w*")


def depth_first(statements: Sequence[Statement]) -> list[Statement]:
    """Single assignments reordered: what writes to arrays stays in order, each with what it needs before it.

    In systems whose components depend on few others, the stages then follow each other component by
    component, and registers hold what passes from one to the next. Where a name is assigned twice, as
    splittings do with their halves, or there is a loop, the order has a meaning and stays.
    """
    plain = [statement for statement in statements if isinstance(statement, str)]
    if len(plain) < len(statements):
        return list(statements)
    split = [statement.partition(" = ") for statement in plain]
    names = [target for target, _, _ in split if "[" not in target]
    if len(set(names)) < len(names):
        return list(statements)
    where = {target: i for i, (target, _, _) in enumerate(split) if "[" not in target}
    needs = [[where[name] for name in _NAME.findall(value) if name in where] for _, _, value in split]
    done: set[int] = set()
    ordered: list[Statement] = []
    for root, (target, _, _) in enumerate(split):
        if "[" not in target:
            continue
        stack = [root]
        while stack:
            i = stack[-1]
            waiting = next((j for j in needs[i] if j not in done), None)
            if waiting is not None:
                stack.append(waiting)
                continue
            stack.pop()
            if i not in done:
                done.add(i)
                ordered.append(statements[i])
    return ordered
