"""The opcodes that a pickled DataFrame is made of, and the walk along them.

The opcodes are described in Python's own ``pickletools``. The walk builds nothing:
it keeps one byte for each value on the stack and in the memo, to know which are
tuples and that none is missing.
"""

from __future__ import annotations

import pickletools
from typing import Any, TypeAlias

__all__ = [
    "CUT_OFF",
    "DAMAGED",
    "DONE",
    "FULL_MEMO",
    "MARGIN",
    "MORE",
    "NAMES",
    "REFUSED",
    "TABLE",
    "TOO_DEEP",
    "TUPLE_KEY",
    "Walked",
    "walk",
]

# The longest header: GLOBAL, with a module's and a class's name.
MARGIN = 512

# Outcome; bytes followed; depth, n_marks, n_memo; steps left.
Walked: TypeAlias = tuple[int, int, int, int, int, int]

# How the walk treats an opcode; 0 is refused.
_STEP = 1
_PAYLOAD = 2
_GET = 3
_PUT = 4
_MEMOIZE = 5
_MARK = 6
_TO_MARK = 7
_SETITEM = 8
_SETITEMS = 9
_GLOBAL = 10
_FRAME = 11
_STOP = 12

# What is known of a value on the stack; 0 is "none".
_OTHER = 1
_TUPLE = 2

# How a walk through a window ends.
MORE = 0
DONE = 1
FULL_MEMO = 2
REFUSED = 3
CUT_OFF = 4
DAMAGED = 5
TOO_DEEP = 6
TUPLE_KEY = 7

# opcode name: kind, bytes of its argument or length field, values it takes off
# the stack (above the bracket's start), and what it puts there.
# Absent on purpose: whatever needs protocol 0 or 1, extension codes, persistent
# ids, out-of-band buffers, sets, POP, DUP, NEWOBJ_EX, integers above 255 bytes.
_KNOWN = {
    "NONE": (_STEP, 0, 0, _OTHER),
    "NEWTRUE": (_STEP, 0, 0, _OTHER),
    "NEWFALSE": (_STEP, 0, 0, _OTHER),
    "BININT": (_STEP, 4, 0, _OTHER),
    "BININT1": (_STEP, 1, 0, _OTHER),
    "BININT2": (_STEP, 2, 0, _OTHER),
    "BINFLOAT": (_STEP, 8, 0, _OTHER),
    "EMPTY_LIST": (_STEP, 0, 0, _OTHER),
    "EMPTY_DICT": (_STEP, 0, 0, _OTHER),
    "EMPTY_TUPLE": (_STEP, 0, 0, _TUPLE),
    "TUPLE1": (_STEP, 0, 1, _TUPLE),
    "TUPLE2": (_STEP, 0, 2, _TUPLE),
    "TUPLE3": (_STEP, 0, 3, _TUPLE),
    "REDUCE": (_STEP, 0, 2, _OTHER),
    "NEWOBJ": (_STEP, 0, 2, _OTHER),
    "STACK_GLOBAL": (_STEP, 0, 2, _OTHER),
    "BUILD": (_STEP, 0, 2, _OTHER),
    "APPEND": (_STEP, 0, 2, _OTHER),
    "SETITEM": (_SETITEM, 0, 3, _OTHER),
    "LONG1": (_PAYLOAD, 1, 0, _OTHER),
    "SHORT_BINUNICODE": (_PAYLOAD, 1, 0, _OTHER),
    "BINUNICODE": (_PAYLOAD, 4, 0, _OTHER),
    "BINUNICODE8": (_PAYLOAD, 8, 0, _OTHER),
    "SHORT_BINBYTES": (_PAYLOAD, 1, 0, _OTHER),
    "BINBYTES": (_PAYLOAD, 4, 0, _OTHER),
    "BINBYTES8": (_PAYLOAD, 8, 0, _OTHER),
    "BYTEARRAY8": (_PAYLOAD, 8, 0, _OTHER),
    "BINGET": (_GET, 1, 0, 0),
    "LONG_BINGET": (_GET, 4, 0, 0),
    "BINPUT": (_PUT, 1, 0, 0),
    "LONG_BINPUT": (_PUT, 4, 0, 0),
    "MEMOIZE": (_MEMOIZE, 0, 0, 0),
    "MARK": (_MARK, 0, 0, 0),
    "TUPLE": (_TO_MARK, 0, 0, _TUPLE),
    "APPENDS": (_TO_MARK, 0, 1, _OTHER),
    "SETITEMS": (_SETITEMS, 0, 1, _OTHER),
    "GLOBAL": (_GLOBAL, 0, 0, _OTHER),
    "FRAME": (_FRAME, 8, 0, 0),
    "STOP": (_STOP, 0, 0, 0),
}
NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def _column(field: int) -> bytes:
    known = {code: _KNOWN.get(name) for code, name in NAMES.items()}
    return bytes(row[field] if (row := known.get(code)) else 0 for code in range(256))


# One bytes object a column; a row an opcode.
TABLE = tuple(_column(field) for field in range(4))


# One loop with everything inline: a call for each step would cost more than the
# step, and numba compiles the same text.
def walk(
    window: Any,
    length: int,
    left: int,
    kinds: Any,
    widths: Any,
    pops: Any,
    pushes: Any,
    stack: Any,
    marks: Any,
    memo: Any,
    depth: int,
    n_marks: int,
    n_memo: int,
    steps: int,
) -> Walked:
    """Follow the opcodes in one window of the file.

    Parameters
    ----------
    window, length
        Bytes of the file from here on, and how many of them are valid.
    left
        Bytes from the window's start to the file's end.
    kinds, widths, pops, pushes
        The columns of the opcode table, 256 entries each.
    stack, marks, memo, depth, n_marks, n_memo
        State of the walk; ``marks[n_marks]`` is where the open bracket begins.
    steps
        How many opcodes to follow at most.

    Returns
    -------
    tuple
        How it ended; bytes followed (up to the opcode at fault, if one is; may
        lie beyond the window); depth, n_marks, n_memo; steps left.
    """
    limit = length if length == left else length - MARGIN
    outcome = MORE
    i = 0
    while i < limit and steps > 0:
        steps -= 1
        op = window[i]
        kind = kinds[op]
        width = widths[op]
        push = pushes[op]
        base = marks[n_marks]
        after = i + 1 + width
        if kind == 0:
            outcome = REFUSED
            break
        if after > length:
            outcome = CUT_OFF
            break
        value = 0
        if kind != _STEP and width > 0:
            value += window[i + 1]
            if width > 1:
                value += window[i + 2] * 256
                value += window[i + 3] * 65536
                value += window[i + 4] * 16777216
            if width > 4:
                value += window[i + 5] * 4294967296
                # Six bytes of length are more than any disk holds.
                if window[i + 6] or window[i + 7] or window[i + 8]:
                    outcome = CUT_OFF
                    break

        if kind == _GET:
            if value >= n_memo:
                outcome = DAMAGED
                break
            push = memo[value]
        elif kind in (_PUT, _MEMOIZE):
            if kind == _MEMOIZE:
                value = n_memo
            if value > n_memo or depth <= base:
                outcome = DAMAGED
                break
            if value == len(memo):
                outcome = FULL_MEMO
                break
            memo[value] = stack[depth - 1]
            if value == n_memo:
                n_memo += 1
        elif kind == _PAYLOAD:
            after += value
            if after > left:
                outcome = CUT_OFF
                break
        elif kind == _MARK:
            n_marks += 1
            if n_marks == len(marks):
                outcome = TOO_DEEP
                break
            marks[n_marks] = depth
        elif kind in (_TO_MARK, _SETITEMS):
            if n_marks == 0:
                outcome = DAMAGED
                break
            if kind == _SETITEMS:
                for key in range(base, depth, 2):
                    if stack[key] == _TUPLE:
                        outcome = TUPLE_KEY
                if outcome == TUPLE_KEY:
                    break
            depth = base
            n_marks -= 1
            base = marks[n_marks]
        elif kind == _SETITEM:
            if depth >= 2 and stack[depth - 2] == _TUPLE:
                outcome = TUPLE_KEY
                break
        elif kind == _GLOBAL:
            newlines = 0
            while newlines < 2 and after < length and after - i < MARGIN:
                if window[after] == 10:
                    newlines += 1
                after += 1
            if newlines < 2:
                outcome = CUT_OFF if after == left else DAMAGED
                break
        elif kind == _FRAME:
            if after + value > left:
                outcome = CUT_OFF
                break
        elif kind == _STOP:
            outcome = DONE if depth == 1 and n_marks == 0 else DAMAGED
            if outcome == DONE:
                i = after
            break

        if depth - pops[op] < base:
            outcome = DAMAGED
            break
        depth -= pops[op]
        if push > 0:
            if depth == len(stack):
                outcome = TOO_DEEP
                break
            stack[depth] = push
            depth += 1
        i = after
    return outcome, i, depth, n_marks, n_memo, steps
