"""Crafted and damaged pickles: a message each time, and nothing of them runs.

The pickles are put together opcode by opcode, so that each differs in one point
from a table that is read.
"""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import random
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_seespot.errors import SeeSpotError, TableError, UnsafePickleError
from napari_seespot.sources._pickle_scan import check_stream
from napari_seespot.sources.pickles import PickledFrame, read_frame_columns

FOLDER = Path(__file__).parent / "data" / "pickles"

# --- an assembler ---------------------------------------------------------------


def g(module, name):
    return f"c{module}\n{name}\n".encode()


def t(text):
    raw = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def b(raw):
    return b"B" + struct.pack("<I", len(raw)) + raw


def i(number):
    raw = pickle.encode_long(number)
    return b"\x8a" + bytes([len(raw)]) + raw


def tup(*items):
    return b"(" + b"".join(items) + b"t"


def lst(*items):
    return b"](" + b"".join(items) + b"e"


def dct(**items):
    pairs = b"".join(t(key) + value for key, value in items.items())
    return b"}(" + pairs + b"u"


def call(function, *args):
    return function + tup(*args) + b"R"


def new(cls, state=b""):
    return cls + b")\x81" + (state + b"b" if state else b"")


def build(made, state):
    return made + state + b"b"


def whole(body, protocol=4):
    return b"\x80" + bytes([protocol]) + body + b"."


NONE, TRUE, FALSE, NAN = b"N", b"\x88", b"\x89", b"G" + struct.pack(">d", np.nan)
CORE = "numpy._core"
NDARRAY = g("numpy", "ndarray")
SLICE = g("builtins", "slice")
INDEX = g("pandas", "Index")


def dtype(code, order="<"):
    state = tup(i(3), t(order), NONE, NONE, NONE, i(-1), i(-1), i(0))
    return build(call(g("numpy", "dtype"), t(code), FALSE, TRUE), state)


def empty_array():
    return call(g(f"{CORE}.multiarray", "_reconstruct"), NDARRAY, tup(i(0)), b(b"b"))


def array(shape, kind, data, fortran=FALSE):
    sizes = tup(*[i(size) for size in shape])
    return build(empty_array(), tup(i(1), sizes, kind, fortran, data))


def objects(*cells, shape=None):
    return array(shape or (len(cells),), dtype("O8", "|"), lst(*cells))


def ints(*numbers, shape=None):
    raw = np.array(numbers, "<i8").tobytes()
    return array(shape or (len(numbers),), dtype("i8"), b(raw))


# The number of dimensions of a block.
TWO_D = b"K\x02"


def block(values, placement, ndim=TWO_D):
    return call(g("pandas._libs.internals", "_unpickle_block"), values, placement, ndim)


def span(start, stop, step=1):
    return call(SLICE, *[NONE if n is None else i(n) for n in (start, stop, step)])


def index(data, name=NONE, cls=INDEX):
    function = g("pandas.core.indexes.base", "_new_Index")
    return call(function, cls, dct(data=data, name=name))


def count(start, stop, step=1):
    function = g("pandas.core.indexes.base", "_new_Index")
    bounds = dct(name=NONE, start=i(start), stop=i(stop), step=i(step))
    return call(function, g("pandas", "RangeIndex"), bounds)


NUMBERS = block(ints(1, 2, 3, 4, 5, 6, shape=(2, 3)), span(0, 2))
TEXT = block(objects(t("488"), t("514"), NONE, shape=(1, 3)), span(2, 3))
LABELS = index(objects(t("x"), t("y"), t("chan")))
ROWS = count(0, 3)


def table(*blocks, columns=LABELS, rows=ROWS, **state):
    manager = call(
        g("pandas.core.internals.managers", "BlockManager"),
        tup(*blocks),
        lst(columns, rows),
    )
    return new(g("pandas", "DataFrame"), dct(_mgr=manager, **state))


def one(values, rows=ROWS, columns=("x",), placement=None):
    """Return a table of one block that fills all of these columns."""
    labels = index(objects(*[t(name) for name in columns]))
    placement = span(0, len(columns)) if placement is None else placement
    return whole(table(block(values, placement), columns=labels, rows=rows))


GOOD = whole(table(NUMBERS, TEXT))


def assert_good_is_good():
    frame = read_frame_columns(GOOD)
    assert frame.columns["x"].tolist() == [1, 2, 3]
    assert frame.columns["y"].tolist() == [4, 5, 6]
    assert frame.columns["chan"].decode().tolist() == ["488", "514", None]
    assert frame.index == range(3)


# --- what would show that something ran -----------------------------------------

WATCHED = ("os.", "subprocess.", "exec", "compile", "import", "pickle.", "ctypes.")
seen: list[str] = []
watching = False


def watch(event, args):
    if watching and event.startswith((*WATCHED, "open", "socket.", "shutil.")):
        seen.append(event)


sys.addaudithook(watch)
ran: list[object] = []


def canary(*args, **kwargs):
    ran.append(args)
    return "ran"


class Canary:
    def __init__(self, *args):
        ran.append(args)

    __setstate__ = __init__


def refused(stream):
    """Read a stream that must be refused, and see that nothing else happens."""
    global watching
    seen.clear()
    ran.clear()
    environment = dict(os.environ)
    watching = True
    try:
        read_frame_columns(stream)
    except SeeSpotError as error:
        return error
    finally:
        watching = False
        assert not seen
        assert not ran
        assert dict(os.environ) == environment
    pytest.fail("it was read")


@pytest.fixture(scope="module", autouse=True)
def everything_imported():
    """Import what reading imports, so that the watch sees only the pickle's doing."""
    path = FOLDER / "pandas31_arrow_variety_p5.pkl"
    read_frame_columns(path)
    with path.open("rb") as file:
        check_stream(file, path, plain_steps=0)


def test_the_watch_sees_what_a_pickle_runs(tmp_path):
    target = tmp_path / "ran"
    stream = whole(call(g("os", "system"), t(f"touch {target}")))
    global watching
    watching = True
    pickle.loads(stream)
    watching = False
    assert target.exists()
    assert {"pickle.find_class", "os.system"} <= set(seen)
    target.unlink()
    assert isinstance(refused(stream), UnsafePickleError)
    assert not target.exists()


def test_the_assembler_makes_a_table():
    assert_good_is_good()


# --- classes and functions that are not on the list -----------------------------

HERE = __name__
TOUCH = "open('seespot-was-here','w')"
CALLS = {
    "os.system": (t("touch seespot-was-here"),),
    "posix.system": (t("touch seespot-was-here"),),
    "nt.system": (t("echo"),),
    "os.putenv": (t("SEESPOT_RAN"), t("1")),
    "os.execv": (t("/bin/true"), lst(t("true"))),
    "subprocess.Popen": (t("true"),),
    "subprocess.check_output": (t("true"),),
    "builtins.eval": (t(TOUCH),),
    "builtins.exec": (t(TOUCH),),
    "__builtin__.eval": (t(TOUCH),),
    "__builtin__.execfile": (t("x"),),
    "builtins.compile": (t(TOUCH), t("x"), t("exec")),
    "builtins.__import__": (t("antigravity"),),
    "builtins.open": (t("seespot-was-here"), t("w")),
    "io.open": (t("seespot-was-here"), t("w")),
    "builtins.getattr": (t("x"), t("__class__")),
    "builtins.setattr": (t("x"), t("y"), i(1)),
    "builtins.map": (t("x"), t("y")),
    "builtins.type": (t("T"), tup(), dct()),
    "builtins.object": (),
    "builtins.bytes": (i(10),),
    "importlib.import_module": (t("antigravity"),),
    "operator.attrgetter": (t("system"),),
    "operator.methodcaller": (t("system"), t("true")),
    "functools.partial": (t("x"),),
    "functools.reduce": (t("x"), t("y")),
    "types.FunctionType": (t("x"),),
    "types.CodeType": (t("x"),),
    "marshal.loads": (b(b"N"),),
    "pickle.loads": (b(b"N."),),
    "_pickle.loads": (b(b"N."),),
    "shutil.rmtree": (t("seespot"),),
    "ctypes.CDLL": (t("libc.so.6"),),
    "socket.create_connection": (tup(t("127.0.0.1"), i(9)),),
    "webbrowser.open": (t("about:blank"),),
    "runpy.run_path": (t("x.py"),),
    "timeit.timeit": (t(TOUCH),),
    "code.interact": (),
    "pdb.run": (t(TOUCH),),
    "sys.exit": (i(1),),
    "_thread.interrupt_main": (),
    "copyreg._reconstructor": (g(HERE, "Canary"), g("builtins", "object"), NONE),
    "copyreg.__newobj_ex__": (g(HERE, "Canary"), tup(), dct()),
    "copyreg.add_extension": (t("os"), t("system"), i(9)),
    "copy_reg._reconstructor": (g(HERE, "Canary"), g("builtins", "object"), NONE),
    "_codecs.decode": (b(b"x"), t("latin1")),
    "codecs.encode": (t("x"), t("latin1")),
    "__main__.canary": (),
    f"{HERE}.canary": (),
    f"{HERE}.Canary": (),
    "pandas.read_pickle": (t("other.pkl"),),
    "pandas.io.pickle.read_pickle": (t("other.pkl"),),
    "pandas.io.common.get_handle": (t("seespot-was-here"), t("w")),
    "pandas.io.common.urlopen": (t("http://127.0.0.1:9/"),),
    "pandas.eval": (t("@x"),),
    "pandas.core.frame.eval": (t(TOUCH),),
    "pandas.core.frame.DataFrame.eval": (t("x"),),
    "pandas.core.computation.eval.eval": (t("x"),),
    "pandas.compat.pickle_compat.loads": (b(b"N."),),
    "pandas._libs.internals.__builtins__": (),
    "pandas.core.internals.managers.importlib": (),
    "pandas._libs.arrays.NDArrayBacked": (),
    "numpy.load": (t("other.npy"), NONE, TRUE),
    "numpy.fromfile": (t("other"),),
    "numpy.memmap": (t("seespot-was-here"), t("u1"), t("w+"), i(0), i(9)),
    "numpy.savetxt": (t("seespot-was-here"), lst()),
    "numpy.vectorize": (t("x"),),
    "numpy.f2py.compile": (t("x"),),
    "numpy.testing.runstring": (t(TOUCH), dct()),
    "numpy.testing._private.utils.runstring": (t(TOUCH), dct()),
    "numpy.core.multiarray.fromfile": (t("x"),),
    "numpy._core.multiarray._reconstruct.__call__": (),
    "numpy.dtype.__class__": (),
    "numpy.core.numeric.__builtins__": (),
    "pyarrow.lib.OSFile": (t("seespot-was-here"), t("w")),
    "pyarrow.lib.memory_map": (t("x"),),
    "pyarrow.lib.py_buffer.__class__": (),
    # Near misses of names that are on the list.
    "pandas.core.frame.dataframe": (),
    "Pandas.DataFrame": (),
    "numpy.core.multiarray.x_reconstruct": (),
    "numpy.core.multiarrayx._reconstruct": (),
    "numpy.numpy.ndarray": (),
    "pandas.DataFrame ": (),
    "pandas.DаtaFrame": (),  # noqa: RUF001  # a Cyrillic letter
    "builtins.slice\0": (),
}


def split(path):
    # The longest known module is the module; "a.b" below it is a dotted name.
    module, _, name = path.rpartition(".")
    for dotted in ("DataFrame", "_reconstruct", "py_buffer", "dtype"):
        if module.endswith("." + dotted):
            return module[: -len(dotted) - 1], f"{dotted}.{name}"
    return module, name


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("how", ["reduce", "stack_global", "newobj", "in_a_table"])
def test_unknown_names_are_refused_by_name(path, how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module, name = split(path)
    named = g(module, name)
    if how == "stack_global":
        named = t(module) + t(name) + b"\x93"
    if how == "newobj":
        stream = whole(new(named, dct(x=i(1))))
    elif how == "in_a_table":
        stream = whole(table(NUMBERS, TEXT, attrs=dct(x=call(named, *CALLS[path]))))
    else:
        stream = whole(call(named, *CALLS[path]))
    error = refused(stream)
    assert isinstance(error, UnsafePickleError)
    readable = f"{module}.{name}".encode("unicode_escape").decode()
    assert f"the pickle asks for {readable.rstrip()}." in str(error)
    assert "Nothing of the file was run" in str(error)
    assert not list(tmp_path.iterdir())


def test_nested_getattr_is_refused_at_the_first_name():
    system = call(g("builtins", "getattr"), call(g("builtins", "__import__"), t("os")))
    error = refused(whole(call(system, t("true"))))
    assert "builtins.getattr" in str(error)


def test_endless_names_are_cut_short_in_the_message():
    error = refused(whole(t("m" * 10_000) + t("n\n\x1b[2J" * 99) + b"\x93"))
    assert isinstance(error, UnsafePickleError)
    assert len(str(error)) < 500
    assert "\x1b" not in str(error)


def test_the_file_is_named(tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(whole(call(g("os", "system"), t("true"))))
    with pytest.raises(UnsafePickleError, match=r"evil\.pkl: the pickle asks for os"):
        read_frame_columns(path)


# --- opcodes ---------------------------------------------------------------------


@pytest.fixture
def extension():
    """Register an extension code as an application might, used and cached."""
    key = (HERE, "canary")
    copyreg.add_extension(*key, 77)
    copyreg._extension_cache[77] = canary
    yield 77
    copyreg.remove_extension(*key, 77)
    copyreg._extension_cache.pop(77, None)


@pytest.mark.parametrize(
    ("name", "opcode"),
    [("EXT1", b"\x82\x4d"), ("EXT2", b"\x83\x4d\0"), ("EXT4", b"\x84\x4d\0\0\0")],
)
@pytest.mark.usefixtures("extension")
def test_extension_codes(name, opcode):
    stream = whole(opcode + b")R")
    pickle.loads(stream)
    assert ran
    error = refused(stream)
    assert isinstance(error, UnsafePickleError)
    assert f"the opcode {name} at byte 2" in str(error)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("PERSID", b"Pos\n"),
        ("BINPERSID", t("os") + b"Q"),
        ("INST", b"(X\x04\0\0\0trueios\nsystem\n"),
        ("OBJ", b"(" + g("os", "system") + t("true") + b"o"),
        ("NEWOBJ_EX", g("pandas", "DataFrame") + b")}\x92"),
        ("NEXT_BUFFER", b"\x97"),
        ("READONLY_BUFFER", t("") + b"\x98"),
        ("POP", b"N0N"),
        ("POP_MARK", b"(N1N"),
        ("DUP", b"N2"),
        ("INT", b"I1\n"),
        ("LONG", b"L1L\n"),
        ("LONG4", b"\x8b\x01\0\0\0\x01"),
        ("FLOAT", b"F1\n"),
        ("STRING", b"S'x'\n"),
        ("BINSTRING", b"T\x01\0\0\0x"),
        ("SHORT_BINSTRING", b"U\x01x"),
        ("UNICODE", b"Vx\n"),
        ("GET", b"g0\n"),
        ("PUT", b"Np0\n"),
        ("LIST", b"(l"),
        ("DICT", b"(d"),
        ("EMPTY_SET", b"\x8f"),
        ("ADDITEMS", b"\x8f(N\x90"),
        ("FROZENSET", b"(N\x91"),
        ("PROTO", b"\x80\x04N"),
        ("0xff", b"\xff"),
    ],
)
def test_opcodes_that_no_table_needs(name, body):
    error = refused(whole(body))
    assert isinstance(error, UnsafePickleError)
    assert f"the opcode {name} at byte" in str(error) or name == "ADDITEMS"


# --- what a stream does to the stand-ins -------------------------------------------

FRAME = g("pandas", "DataFrame")
REBUILD = empty_array()


@pytest.mark.parametrize(
    "body",
    [
        FRAME + dct(kind=t("block")) + b"b",
        FRAME + tup(NONE, dct(kind=t("block"), __call__=SLICE)) + b"b",
        SLICE + tup(dct(a=i(1)), dct(__setstate__=SLICE)) + b"b",
        new(FRAME, tup(NONE, dct(kind=t("block"), args=tup()))),
        new(FRAME, tup(dct(_mgr=NONE), dct(__class__=SLICE))),
        new(FRAME, dct(__class__=SLICE, _mgr=NONE)),
        build(build(new(FRAME), dct(_mgr=NONE)), dct(_mgr=NONE)),
        build(REBUILD, dct(__reduce__=SLICE)),
        call(new(FRAME), t("x")),
        call(t("x"), t("x")),
        t("x") + t("y") + b"R",
        FRAME + t("not a tuple") + b"\x81",
        t("x") + b")\x81",
        new(FRAME) + b")\x81",
        lst(i(1)) + dct(append=SLICE) + b"b",
        dct(a=i(1)) + tup(NONE, dct(update=SLICE)) + b"b",
        b(b"raw") + dct(x=i(1)) + b"b",
        new(FRAME) + i(1) + b"a",
        new(FRAME) + i(1) + i(2) + b"s",
        SLICE + lst(i(1)) + b"R",
        i(3) + i(4) + b"\x93",
        tup(i(1)) + i(2) + b"a",
    ],
)
def test_attempts_on_the_stand_ins(body):
    refused(whole(body))
    try:
        # Where it is only in the way, the table beside it is right or refused.
        frame = read_frame_columns(whole(table(NUMBERS, TEXT, attrs=dct(x=body))))
    except SeeSpotError:
        pass
    else:
        assert frame.columns["x"].tolist() == [1, 2, 3]
    assert_good_is_good()
    good = FOLDER / "pandas31_arrow_mixed_p5.pkl"
    assert read_frame_columns(good).columns["z"].tolist() == list(range(0, 33, 3))


# --- nesting, memo, lengths ---------------------------------------------------------

MANY = 300_000
DEEP_TUPLE = b")" + b"\x85" * MANY
# 64 tuples, each twice in the next: hashing the last would take 2**64 steps.
DOUBLING = b")" + b"".join(b"\x94h" + bytes([k]) + b"\x86" for k in range(64))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"]" * MANY, "nests or gathers too many"),
        (b"(" * MANY, "nests or gathers too many"),
        (b"(" + b"N" * MANY + b"t", "nests or gathers too many"),
        (b"]" * 9 + b"a" * 8, "holds a list"),
        (b"]\x94h\0a", "holds a list"),
        (DEEP_TUPLE, "holds a tuple"),
        (DOUBLING, "holds a tuple"),
        (b"}" + DEEP_TUPLE + b"Ns", "a tuple as a dictionary's key"),
        (b"}" + DOUBLING + b"Ns", "a tuple as a dictionary's key"),
        (b"}(" + t("a") + b"N" + DEEP_TUPLE + b"Nu", "a tuple as a dictionary's key"),
        (b"}" + DEEP_TUPLE + b"\x94N(h\0Nu", "damaged at byte|a tuple as"),
        (b")" + b"\x94" + b"}h\0Ns", "a tuple as a dictionary's key"),
        (b"}]Ns", r"damaged \(TypeError\)"),
        (SLICE + b")R" + b"\x85" * MANY, "holds a tuple"),
        (SLICE * 60_000 + b")" + b"R\x85" * 60_000, "holds a tuple"),
        (b"Nr\xff\xff\xff\x7f", "damaged at byte 3"),
        (b"Nq\x09", "damaged at byte 3"),
        (b"h\0", "damaged at byte 2"),
        (b"j\xff\xff\xff\xff", "damaged at byte 2"),
        (b"\x94", "damaged at byte 2"),
        (b"R", "damaged at byte 2"),
        (b"t", "damaged at byte 2"),
        (b"(NN", "damaged at byte 5"),
        (b"NN", "damaged at byte 4"),
        (b"N(R", "damaged at byte 4"),
        (b"", "damaged at byte 2"),
        (b"\x8e" + struct.pack("<Q", (1 << 63) - 1), "cut off"),
        (b"\x8e" + struct.pack("<Q", 1 << 40), "cut off"),
        (b"\x96" + struct.pack("<Q", 1 << 36), "cut off"),
        (b"\x96" + struct.pack("<Q", (1 << 64) - 1), "cut off"),
        (b"\x8d" + struct.pack("<Q", 1 << 33), "cut off"),
        (b"\x95" + struct.pack("<Q", 1 << 33) + b"N", "cut off"),
        (b"B\xff\xff\xff\xff", "cut off"),
        (b"X\xff\xff\xff\xff", "cut off"),
        (b"C\xff", "cut off"),
        (b"\x8c\x09x", "cut off"),
        (b"\x8a\xff\x01", "cut off"),
        (b"cos\nsystem", "cut off|damaged"),
        (b"c" + b"x" * 5000 + b"\ny\n", "damaged at byte 2"),
        (b"X\x02\0\0\0\xff\xfe", r"damaged \(UnicodeDecodeError\)"),
    ],
)
def test_nesting_memo_and_lengths(body, message):
    assert re.search(message, str(refused(whole(body))))


def test_long_streams_are_refused_by_the_compiled_walk_too():
    body = b"]" + (b"(" + b"N" * 900 + b"e") * 400
    assert isinstance(refused(whole(body + b"Pos\n")), UnsafePickleError)
    assert isinstance(refused(whole(body + b"h\0")), TableError)


# --- arrays ---------------------------------------------------------------------------


def raw(n):
    return b(bytes(n))


def buffer(data, kind, shape, order="C", *axes):
    sizes = tup(*[i(size) for size in shape])
    function = g(f"{CORE}.numeric", "_frombuffer")
    return call(function, data, kind, sizes, t(order), *axes)


def encoded(text, codec):
    return call(g("_codecs", "encode"), t(text), t(codec))


def with_fields(code, *fields):
    return build(call(g("numpy", "dtype"), t(code), FALSE, TRUE), tup(*fields))


I8 = dtype("i8")
F8 = dtype("f8")
ARRAYS = {
    "too few bytes": array((1, 3), I8, raw(16)),
    "too many bytes": array((1, 3), I8, raw(32)),
    "no bytes": array((1, 3), I8, raw(0)),
    "bytes that divide wrongly": array((1, 3), I8, raw(23)),
    "product beyond 64 bits": array((1 << 33, 1 << 33), I8, raw(24)),
    "product that wraps to 24": array((1, (1 << 61) + 3), I8, raw(24)),
    "negative size": array((1, -3), I8, raw(24)),
    "two negative sizes": array((-1, -3), I8, raw(24)),
    "huge times zero": array((1 << 62, 0), I8, raw(0)),
    "huge times zero, allowed size": array(((1 << 40) - 1, 0), I8, raw(0)),
    "sizes of more than 255 bits": array((1, 1 << 255), I8, raw(24)),
    "size that is a bool": build(
        empty_array(), tup(i(1), tup(TRUE, i(3)), I8, FALSE, raw(24))
    ),
    "size that is text": build(
        empty_array(), tup(i(1), tup(t("1"), i(3)), I8, FALSE, raw(24))
    ),
    "shape that is a list": build(
        empty_array(), tup(i(1), lst(i(1), i(3)), I8, FALSE, raw(24))
    ),
    "no dimension": array((), I8, raw(8)),
    "three dimensions": array((1, 1, 3), I8, raw(24)),
    "sixty-five dimensions": array((1,) * 64 + (3,), I8, raw(24)),
    "one dimension": array((3,), I8, raw(24)),
    "turned": array((3, 1), I8, raw(24)),
    "objects from bytes": array((1, 3), dtype("O8", "|"), raw(24)),
    "objects from a buffer": buffer(raw(24), dtype("O8", "|"), (1, 3)),
    "objects from a bytearray": array(
        (1, 3), dtype("O8", "|"), call(g("builtins", "bytearray"), raw(24))
    ),
    "numbers from a list": array((1, 3), I8, lst(i(1), i(2), i(3))),
    "numbers from text": array((1, 3), I8, t("x" * 24)),
    "too few cells": objects(t("a"), t("b"), shape=(1, 3)),
    "too many cells": objects(*[t("a")] * 4, shape=(1, 3)),
    "cells in a tuple": array((1, 3), dtype("O8", "|"), tup(NONE, NONE, NONE)),
    "cells in their own list": array((1, 3), dtype("O8", "|"), b"]\x94(h\0h\0h\0e"),
    "a cell that is a list": objects(lst(), NONE, NONE, shape=(1, 3)),
    "a cell that is a dict": objects(dct(), NONE, NONE, shape=(1, 3)),
    "a cell that is a deep tuple": objects(
        b")" + b"\x85" * 90_000, NONE, NONE, shape=(1, 3)
    ),
    "a cell that doubles": objects(DOUBLING, NONE, NONE, shape=(1, 3)),
    "a cell that is bytes": objects(raw(3), NONE, NONE, shape=(1, 3)),
    "a cell that is a record": objects(span(0, 1), NONE, NONE, shape=(1, 3)),
    "a cell that is a class": objects(SLICE, NONE, NONE, shape=(1, 3)),
    "a cell with a lone surrogate": objects(t("\ud800"), NONE, NONE, shape=(1, 3)),
    "void": array((1, 3), dtype("V8"), raw(24)),
    "dates": array((1, 3), dtype("M8[ns]"), raw(24)),
    "fields": array((1, 3), dtype("i4,i4"), raw(24)),
    "subarray": array((1, 3), dtype("(2,)i4"), raw(24)),
    "enormous subarray": array((1, 3), dtype("(1000000,1000000)i8"), raw(24)),
    "enormous text": array((1, 3), dtype("S2147483647"), raw(24)),
    "text": array((1, 3), dtype("U2"), raw(24)),
    "complex": array((1, 3), dtype("c8"), raw(24)),
    "long double": array((1, 3), dtype("f16"), raw(48)),
    "a dtype of code": array((1, 3), dtype("__import__('os')"), raw(24)),
    "a dtype of nothing": array((1, 3), dtype(""), raw(24)),
    "a dtype with an odd order": array((1, 3), dtype("i8", "O"), raw(24)),
    "a dtype with a long order": array((1, 3), dtype("8", "<i"), raw(24)),
    "a dtype that is text": array((1, 3), t("i8"), raw(24)),
    "a dtype that is a class": array((1, 3), g("numpy", "dtype"), raw(24)),
    "a dtype without state": array(
        (1, 3), call(g("numpy", "dtype"), t("i8"), FALSE, TRUE), raw(24)
    ),
    "a dtype of a number": array(
        (1, 3), build(call(g("numpy", "dtype"), i(8)), tup(i(3), t("<"))), raw(24)
    ),
    "a dtype with a subdtype": array(
        (1, 3), with_fields("i8", i(3), t("<"), tup(I8, i(9)), NONE, NONE), raw(24)
    ),
    "a dtype with names": array(
        (1, 3),
        with_fields("i8", i(3), t("<"), NONE, tup(t("a")), dct(a=tup(I8, i(99)))),
        raw(24),
    ),
    "a dtype with a short state": array((1, 3), with_fields("i8", i(3)), raw(24)),
    "booleans beyond one": array((1, 3), dtype("b1", "|"), b(b"\0\1\2")),
    "order of memory X": buffer(raw(24), I8, (1, 3), "X"),
    "order K without axes": buffer(raw(24), I8, (1, 3), "K"),
    "order K, axes twice": buffer(raw(24), I8, (1, 3), "K", tup(i(0), i(0))),
    "order K, axes outside": buffer(raw(24), I8, (1, 3), "K", tup(i(0), i(9))),
    "order K, axes of text": buffer(raw(24), I8, (1, 3), "K", tup(t("a"), t("b"))),
    "buffer of a memoryview": buffer(
        call(g("pyarrow.lib", "py_buffer"), raw(24)), I8, (1, 3)
    ),
    "encoded as UTF-8": array((1, 3), I8, encoded("\0" * 24, "utf-8")),
    "encoded as rot13": array((1, 3), I8, encoded("\0" * 24, "rot13")),
    "encoded as bz2": array((1, 3), I8, encoded("\0" * 24, "bz2")),
    "encoded beyond latin1": array((1, 3), I8, encoded("\u4e00" * 24, "latin1")),
    "encoded number": array(
        (1, 3), I8, call(g("_codecs", "encode"), i(24), t("latin1"))
    ),
    "bytearray of a number": array(
        (1, 3), I8, call(g("builtins", "bytearray"), i(1 << 50))
    ),
    "bytearray of a bytearray": array(
        (1, 3),
        I8,
        call(g("builtins", "bytearray"), call(g("builtins", "bytearray"), raw(24))),
    ),
    "an array without state": empty_array(),
    "an array with a short state": build(empty_array(), tup(i(1), tup(i(1), i(3)))),
    "an array that is text": t("abc"),
    "an array that is a list": lst(i(1), i(2), i(3)),
    "an array that is the class": NDARRAY,
    "an array that is a dtype": I8,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_lie(name):
    error = refused(one(ARRAYS[name]))
    assert isinstance(error, TableError)


# Of one dimension is right for an index.
@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "one dimension"])
def test_arrays_that_lie_as_an_index(name):
    rows = index(ARRAYS[name])
    refused(one(array((1, 3), F8, raw(24)), rows=rows))


# --- blocks and axes ------------------------------------------------------------------

THREE = array((1, 3), F8, raw(24))
TWO_BY_THREE = array((2, 3), F8, raw(48))


def arrow_part(*fields, kind="large_string"):
    alias = call(g("pyarrow.lib", "type_for_alias"), t(kind))
    return call(g("pyarrow.lib", "_restore_array"), tup(alias, *fields))


def arrow(length, offset, offsets, text, validity=NONE, kind="large_string"):
    width = "<i8" if "large" in kind else "<i4"
    buffers = [np.array(offsets, width).tobytes(), text]
    made = [call(g("pyarrow.lib", "py_buffer"), b(part)) for part in buffers]
    return arrow_part(
        i(length), i(0), i(offset), lst(validity, *made), lst(), NONE, kind=kind
    )


def arrow_column(part):
    state = dct(_pa_array=part, _dtype=NONE)
    return new(g("pandas.arrays", "ArrowStringArray"), state)


def backed(cls, *state):
    function = g("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked")
    return build(call(function, cls, i(1), NONE), tup(*state))


CATEGORICAL = g("pandas", "Categorical")
STRINGS = g("pandas.arrays", "StringArray")
STRING_DTYPE = call(g("pandas", "StringDtype"), t("python"), NAN)


def category_dtype(categories):
    return new(g("pandas", "CategoricalDtype"), dct(categories=categories))


def codes(*numbers, code="i1"):
    data = np.array(numbers, code).tobytes()
    return array((len(numbers),), dtype(code), b(data))


def category(numbers, *labels):
    return backed(CATEGORICAL, category_dtype(index(objects(*labels))), numbers, dct())


def masked(values, mask):
    return new(g("pandas.arrays", "IntegerArray"), dct(_data=values, _mask=mask))


def mask(*flags):
    return array((len(flags),), dtype("b1", "|"), b(bytes(flags)))


RIGHT = {
    "arrow": arrow_column(arrow(3, 0, [0, 1, 1, 3], b"abc")),
    "arrow, offset": arrow_column(arrow(3, 1, [0, 1, 1, 3, 3], b"abc", kind="string")),
    "category": category(codes(0, -1, 1), t("a"), t("b")),
    "strings": backed(STRINGS, STRING_DTYPE, objects(t("a"), NAN, NONE), dct()),
    "masked": masked(ints(1, 2, 3), mask(0, 1, 0)),
}
EXTENSIONS = {
    "arrow: offsets beyond the text": arrow_column(arrow(3, 0, [0, 1, 2, 99], b"abc")),
    "arrow: offsets that go back": arrow_column(arrow(3, 0, [0, 3, 1, 3], b"abc")),
    "arrow: negative offsets": arrow_column(arrow(3, 0, [-9, 0, 1, 3], b"abc")),
    "arrow: too few offsets": arrow_column(arrow(3, 0, [0, 1, 3], b"abc")),
    "arrow: negative length": arrow_column(arrow(-3, 0, [0, 1, 2, 3], b"abc")),
    "arrow: huge length": arrow_column(arrow(1 << 62, 0, [0, 1, 2, 3], b"abc")),
    "arrow: wrapping length": arrow_column(arrow((1 << 64) + 3, 0, [0, 1, 2, 3], b"")),
    "arrow: start beyond the end": arrow_column(arrow(3, 5, [0, 1, 2, 3], b"abc")),
    "arrow: negative start": arrow_column(arrow(3, -1, [0, 1, 2, 3], b"abc")),
    "arrow: huge start": arrow_column(arrow(3, (1 << 63) - 1, [0, 1, 2, 3], b"abc")),
    "arrow: not UTF-8": arrow_column(arrow(3, 0, [0, 1, 2, 3], b"a\xffc")),
    "arrow: short validity": arrow_column(
        arrow(9, 0, [0] * 10, b"", call(g("pyarrow.lib", "py_buffer"), b(b"\1")))
    ),
    "arrow: other type": arrow_column(arrow(3, 0, [0, 1, 2, 3], b"abc", kind="int64")),
    "arrow: no buffers": arrow_column(arrow_part(i(3), i(0), i(0), lst(), lst(), NONE)),
    "arrow: buffers missing": arrow_column(
        arrow_part(i(3), i(0), i(0), lst(NONE, NONE, NONE), lst(), NONE)
    ),
    "arrow: a buffer of an address": arrow_column(
        arrow_part(i(3), i(0), i(0), lst(NONE, i(4096), i(4096)), lst(), NONE)
    ),
    "arrow: a buffer of text": arrow_column(
        arrow_part(
            i(3),
            i(0),
            i(0),
            lst(NONE, *[call(g("pyarrow.lib", "py_buffer"), t("x"))] * 2),
        )
    ),
    "arrow: short": arrow_column(arrow_part(i(3))),
    "arrow: nothing": arrow_column(NONE),
    "arrow: no chunks": arrow_column(call(g("pyarrow.lib", "chunked_array"), lst())),
    "arrow: chunks of numbers": arrow_column(
        call(g("pyarrow.lib", "chunked_array"), lst(i(1), i(2)))
    ),
    "arrow: state that is a list": new(g("pandas.arrays", "ArrowStringArray"), lst()),
    "codes beyond": category(codes(0, 1, 2), t("a"), t("b")),
    "codes below": category(codes(0, 1, -2), t("a"), t("b")),
    "codes without categories": category(codes(0, -1, -1)),
    "codes with fractions": category(codes(0, 1, 1, code="f8"), t("a"), t("b")),
    "categories missing": category(codes(0, 1, 1), t("a"), NONE),
    "categories double": category(codes(0, 1, 1), t("a"), t("a")),
    "categories without end": backed(
        CATEGORICAL, category_dtype(count(0, 1 << 40)), codes(0, 1, 1), dct()
    ),
    "categories of nothing": backed(
        CATEGORICAL, category_dtype(NONE), codes(0, 1, 1), dct()
    ),
    "categories in themselves": build(
        call(
            g("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
            CATEGORICAL,
            NONE,
            NONE,
        )
        + b"\x94",
        tup(category_dtype(index(b"h\0")), codes(0, 1, 1), dct()),
    ),
    "mask too short": masked(ints(1, 2, 3), mask(0, 1)),
    "mask of numbers": masked(ints(1, 2, 3), ints(0, 1, 0)),
    "mask missing": masked(ints(1, 2, 3), NONE),
    "masked text": masked(objects(t("a"), t("b"), t("c")), mask(0, 0, 0)),
    "strings of numbers": backed(STRINGS, STRING_DTYPE, ints(1, 2, 3), dct()),
    "strings in two dimensions": backed(
        STRINGS, STRING_DTYPE, objects(t("a"), t("b"), t("c"), shape=(1, 3)), dct()
    ),
    "strings of lists": backed(
        STRINGS, STRING_DTYPE, objects(lst(), NONE, NONE), dct()
    ),
    "backed by a slice": backed(SLICE, STRING_DTYPE, ints(1, 2, 3), dct()),
    "backed by text": backed(t("x"), STRING_DTYPE, ints(1, 2, 3), dct()),
    "backed by nothing": backed(STRINGS),
    "too short": arrow_column(arrow(2, 0, [0, 1, 1, 3], b"abc")),
    "too long": backed(STRINGS, STRING_DTYPE, objects(*[t("a")] * 4), dct()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_assembler_makes_columns_of_pandas(name):
    frame = read_frame_columns(one(RIGHT[name]))
    assert len(frame.columns["x"]) == 3


@pytest.mark.parametrize("name", EXTENSIONS)
def test_columns_of_pandas_that_lie(name):
    assert isinstance(refused(one(EXTENSIONS[name])), TableError)


BLOCKS = {
    "outside": (one(THREE, placement=span(1, 2)), "outside the columns"),
    "before": (one(THREE, placement=span(-1, 0)), "outside the columns"),
    "huge slice": (one(THREE, placement=span(0, 1 << 62)), "outside the columns"),
    "huger slice": (one(THREE, placement=span(0, 1 << 200)), "outside the columns"),
    "huge array": (
        one(array((1 << 39, 0), F8, raw(0)), placement=span(0, 1 << 39)),
        "outside the columns",
    ),
    "empty slice": (one(THREE, placement=span(0, 0)), "wrong shape"),
    "step 0": (one(THREE, placement=span(0, 1, 0)), "step 0"),
    "no start": (one(THREE, placement=span(None, 1)), "NoneType as number"),
    "no step": (one(THREE, placement=span(0, 1, None)), "NoneType as number"),
    "fractions": (
        one(THREE, placement=array((1,), F8, raw(8))),
        "no row of numbers",
    ),
    "array outside": (one(THREE, placement=ints(9)), "outside the columns"),
    "array negative": (one(THREE, placement=ints(-1)), "outside the columns"),
    "placement of text": (one(THREE, placement=t("x")), "str in place of"),
    "twice": (
        one(TWO_BY_THREE, columns=("x", "y"), placement=ints(0, 0)),
        "two blocks claim one column",
    ),
    "overlap": (whole(table(NUMBERS, TEXT, NUMBERS)), "two blocks claim one column"),
    "missing": (whole(table(NUMBERS)), "a column has no values"),
    "no blocks": (whole(table()), "a column has no values"),
    "too few rows": (one(array((1, 2), F8, raw(16))), "wrong shape"),
    "too many columns": (one(TWO_BY_THREE), "wrong shape"),
    "one array for two": (
        one(RIGHT["strings"], columns=("x", "y")),
        "one array for several columns",
    ),
    "one dimension": (
        whole(table(block(THREE, span(0, 1), ndim=i(1)))),
        "other than 2 dimensions",
    ),
    "a block that is text": (whole(table(t("x"))), "str in place of block"),
    "a block of a block": (one(NUMBERS), "in place of new array"),
    "rows without end": (
        one(THREE, rows=count(0, 1 << 62)),
        "an index without end",
    ),
    "more rows": (one(THREE, rows=count(0, 1 << 50)), "wrong shape"),
    "rows of step 0": (one(THREE, rows=count(0, 3, 0)), "an index of step 0"),
    "rows of a slice": (one(THREE, rows=span(0, 3)), "in place of new index"),
    "rows of another class": (
        one(THREE, rows=index(ints(1, 2, 3), cls=SLICE)),
        "an index of builtins.slice",
    ),
    "rows of no class": (
        one(THREE, rows=index(ints(1), cls=t("x"))),
        "an index of no class",
    ),
    "rows of nothing": (one(THREE, rows=index(NONE)), "NoneType in place of"),
    "no axes": (
        whole(
            new(
                FRAME,
                dct(
                    _mgr=call(
                        g("pandas.core.internals.managers", "BlockManager"),
                        tup(NUMBERS),
                        lst(LABELS),
                    )
                ),
            )
        ),
        "no two axes",
    ),
    "axes in a tuple": (
        whole(
            new(
                FRAME,
                dct(
                    _mgr=call(
                        g("pandas.core.internals.managers", "BlockManager"),
                        lst(NUMBERS),
                        lst(LABELS, ROWS),
                    )
                ),
            )
        ),
        "blocks are no tuple",
    ),
    "no blocks at all": (whole(new(FRAME, dct(_mgr=NONE))), "not known"),
    "blocks of themselves": (
        whole(b"cpandas\nDataFrame\n)\x81\x94}" + t("_mgr") + b"h\0sb"),
        "not known",
    ),
    "no state": (whole(new(FRAME)), "state of pandas.DataFrame"),
    "state that is a list": (whole(new(FRAME, lst())), "state of pandas.DataFrame"),
    "the class itself": (whole(FRAME), "not a DataFrame"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_tables_that_contradict_themselves(name):
    stream, message = BLOCKS[name]
    error = refused(stream)
    assert isinstance(error, TableError)
    assert message in str(error)


# --- damage ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["pandas15_unmixed_p2", "pandas22_unmixed_p4", "pandas31_arrow_unmixed_p5"]
)
def test_every_beginning_of_a_file_is_refused(name):
    content = (FOLDER / f"{name}.pkl").read_bytes()
    for end in range(len(content)):
        with pytest.raises(TableError, match=r"cut off|empty|a single byte"):
            read_frame_columns(content[:end])


def mutated(content, generator):
    content = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 4])):
        at = generator.randrange(2, len(content))
        kind = generator.randrange(6)
        if kind == 0:
            content[at] = generator.randrange(256)
        elif kind == 1:
            content[at] ^= 1 << generator.randrange(8)
        elif kind == 2:
            del content[at : at + generator.randrange(1, 9)]
        elif kind == 3:
            content[at:at] = generator.randbytes(generator.randrange(1, 9))
        elif kind == 4:
            source = generator.randrange(len(content))
            content[at : at + 8] = content[source : source + 8]
        else:
            content[at] = generator.choice(b"(.0NRbaestu)]}\x81\x85\x86\x87\x93\x94h")
    return bytes(content)


def outcome(stream, **options):
    """Return what the walk says, to compare the plain with the compiled one."""
    file = io.BytesIO(stream)
    try:
        check_stream(file, "x", **options)
    except SeeSpotError as error:
        return str(error)
    return "passed"


def test_random_damage_gives_a_message_or_a_table():
    # The nightly run sets the variable to 2000 or more.
    rounds = int(os.environ.get("NAPARI_SEESPOT_FUZZ", "300"))
    generator = random.Random(20250508)
    files = [path.read_bytes() for path in sorted(FOLDER.glob("*_p[2-5].pkl"))]
    global watching
    seen.clear()
    for _ in range(rounds):
        stream = mutated(generator.choice(files), generator)
        watching = True
        try:
            frame = read_frame_columns(stream)
        except SeeSpotError:
            pass
        else:
            assert isinstance(frame, PickledFrame)
            assert all(len(column) == frame.n_rows for column in frame.columns.values())
        finally:
            watching = False
        assert not seen
        assert outcome(stream) == outcome(stream, plain_steps=0)
    assert_good_is_good()
