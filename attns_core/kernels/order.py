"""The order of statements: each value shortly before it is used, so that few are alive at once, yet not at once."""

import re
from collections.abc import Sequence
from heapq import heappop, heappush

from attns_core.kernels.source import Statement

SPACE = 4
"""Statements between one and the first that uses its value: about what an operation takes, at one per cycle."""

_NAME = re.compile(r"[A-Za-z_]\w*")


def ordered(statements: Sequence[Statement]) -> list[Statement]:
    """Single assignments reordered; what writes to arrays comes with what it needs before it.

    Where a name is assigned twice, as splittings do with their halves, or there is a loop, the order has a
    meaning and stays.
    """
    plain = [statement for statement in statements if isinstance(statement, str)]
    targets = [_target(statement) for statement in plain]
    names = [target for target in targets if "[" not in target]
    if len(plain) < len(statements) or len(set(names)) < len(names):
        return list(statements)
    return [*spaced(depth_first(plain))]


def depth_first(statements: Sequence[str]) -> list[str]:
    """What writes to arrays in its order, each with what it needs before it, and nothing else.

    In systems whose components depend on few others, the stages then follow each other component by
    component, and registers hold what passes from one to the next.
    """
    needs = _needs(statements)
    done: set[int] = set()
    order: list[str] = []
    for root, statement in enumerate(statements):
        if "[" not in _target(statement):
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
                order.append(statements[i])
    return order


def spaced(statements: Sequence[str]) -> list[str]:
    """The same order as far as :data:`SPACE` allows: of the statements whose values are due, the first.

    A processor looks some hundred instructions ahead. In a depth-first order these are a few chains of
    operations, each waiting for the one before; they have to be interwoven to occupy it.
    """
    needs = _needs(statements)
    users: list[list[int]] = [[] for _ in statements]
    for i, needed in enumerate(needs):
        for j in needed:
            users[j].append(i)
    missing = [len(needed) for needed in needs]
    due = [0] * len(statements)
    ready = [i for i, count in enumerate(missing) if count == 0]
    waiting: list[tuple[int, int]] = []
    order: list[str] = []
    now = 0
    while ready or waiting:
        now = now if ready else max(now, waiting[0][0])
        while waiting and waiting[0][0] <= now:
            heappush(ready, heappop(waiting)[1])
        i = heappop(ready)
        order.append(statements[i])
        now += 1
        # What is read from an array is there when it is asked for.
        after = now if "[" in statements[i].partition(" = ")[2] else now + SPACE
        for user in users[i]:
            missing[user] -= 1
            due[user] = max(due[user], after)
            if missing[user] == 0:
                heappush(waiting, (due[user], user))
    return order


def _target(statement: str) -> str:
    return statement.partition(" = ")[0]


def _needs(statements: Sequence[str]) -> list[list[int]]:
    """Indices of the statements whose values each one uses."""
    where = {_target(statement): i for i, statement in enumerate(statements) if "[" not in _target(statement)}
    values = [statement.partition(" = ")[2] for statement in statements]
    return [[where[name] for name in dict.fromkeys(_NAME.findall(value)) if name in where] for value in values]
