"""Unpickle into records: what was asked for is written down, nothing is done.

``find_class`` never returns a class or function of pandas, numpy or Python, only
a stand-in made for this one load. Calling a stand-in, or making an instance of
it, keeps the arguments; giving it a state keeps the state. `_pickle_rebuild`
reads these records and builds the arrays itself.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, ClassVar

from napari_seespot.errors import UnsafePickleError

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Record", "load_records"]


def _spread(names: dict[str, str]) -> dict[tuple[str, str], str]:
    return {
        (module, name): kind
        for line, kind in names.items()
        for module, name in [line.rsplit(" ", 1)]
    }


# "module name" exactly as pickles ask for it: the kind of record that it becomes.
# pandas 3 names its public modules, pandas 1 and 2 the private ones; numpy 2
# renamed core to _core; protocol 2 says __builtin__.
_KINDS = _spread(
    {
        "pandas DataFrame": "frame",
        "pandas.core.frame DataFrame": "frame",
        "pandas Series": "series",
        "pandas.core.series Series": "series",
        "pandas.core.internals.managers BlockManager": "blocks",
        "pandas.core.internals.managers SingleBlockManager": "one block",
        "pandas._libs.internals _unpickle_block": "block",
        "pandas.core.indexes.base _new_Index": "new index",
        "pandas Index": "index",
        "pandas.core.indexes.base Index": "index",
        "pandas.core.indexes.numeric Int64Index": "index",
        "pandas.core.indexes.numeric UInt64Index": "index",
        "pandas.core.indexes.numeric Float64Index": "index",
        "pandas RangeIndex": "range index",
        "pandas.core.indexes.range RangeIndex": "range index",
        "pandas._libs.arrays __pyx_unpickle_NDArrayBacked": "backed",
        "pandas.arrays StringArray": "string array",
        "pandas.core.arrays.string_ StringArray": "string array",
        "pandas.core.arrays.string_ StringArrayNumpySemantics": "string array",
        "pandas.arrays ArrowStringArray": "arrow strings",
        "pandas.core.arrays.string_arrow ArrowStringArray": "arrow strings",
        "pandas.core.arrays.string_arrow ArrowStringArrayNumpySemantics": (
            "arrow strings"
        ),
        "pandas StringDtype": "extension dtype",
        "pandas.core.arrays.string_ StringDtype": "extension dtype",
        "pandas Categorical": "categorical",
        "pandas.core.arrays.categorical Categorical": "categorical",
        "pandas CategoricalDtype": "extension dtype",
        "pandas.core.dtypes.dtypes CategoricalDtype": "extension dtype",
        "pandas.arrays IntegerArray": "masked",
        "pandas.core.arrays.integer IntegerArray": "masked",
        "pandas.arrays FloatingArray": "masked",
        "pandas.core.arrays.floating FloatingArray": "masked",
        "pandas.arrays BooleanArray": "masked",
        "pandas.core.arrays.boolean BooleanArray": "masked",
        **{
            f"{module} {kind}{bits}Dtype": "extension dtype"
            for module, kinds in (
                ("pandas", ("Int", "UInt", "Float")),
                ("pandas.core.arrays.integer", ("Int", "UInt")),
                ("pandas.core.arrays.floating", ("Float",)),
            )
            for kind in kinds
            for bits in ((32, 64) if kind == "Float" else (8, 16, 32, 64))
        },
        "pandas BooleanDtype": "extension dtype",
        "pandas.core.arrays.boolean BooleanDtype": "extension dtype",
        "pandas NA": "missing",
        "pandas._libs.missing NA": "missing",
        "numpy ndarray": "array",
        "numpy dtype": "dtype",
        "numpy.core.multiarray _reconstruct": "new array",
        "numpy._core.multiarray _reconstruct": "new array",
        "numpy.core.numeric _frombuffer": "array from buffer",
        "numpy._core.numeric _frombuffer": "array from buffer",
        "numpy.core.multiarray scalar": "scalar",
        "numpy._core.multiarray scalar": "scalar",
        "pyarrow.lib _restore_array": "arrow array",
        "pyarrow.lib chunked_array": "arrow chunks",
        "pyarrow.lib type_for_alias": "arrow type",
        "pyarrow.lib py_buffer": "arrow buffer",
        "builtins slice": "slice",
        "__builtin__ slice": "slice",
        "builtins bytearray": "bytes",
        "__builtin__ bytearray": "bytes",
        "__builtin__ bytes": "bytes",
        "_codecs encode": "encoded bytes",
    }
)


class Record:
    """What a pickle asked for: the kind of thing, its arguments, its state.

    Each load makes subclasses of its own, one for each name that the pickle
    uses, so nothing that a pickle does to one outlives the load.
    """

    __slots__ = ("args", "state")
    kind: ClassVar[str] = ""
    wanted: ClassVar[str] = ""
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> Record:
        made = super().__new__(cls)
        made.args = args
        made.state = None
        return made

    def __setstate__(self, state: object) -> None:
        if self.state is not None:
            raise pickle.UnpicklingError("a second state for one object")
        self.state = state


class _RecordUnpickler(pickle.Unpickler):
    """The C unpickler with no way to reach anything but records."""

    def __init__(self, file: BinaryIO, where: object) -> None:
        super().__init__(file)
        self._where = where
        self._made: dict[tuple[str, str], type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        wanted = (module, name)
        kind = _KINDS.get(wanted)
        if kind is None:
            raise _refusal(f"the pickle asks for {module}.{name}", self._where)
        if wanted not in self._made:
            body = {"__slots__": (), "kind": kind, "wanted": f"{module}.{name}"}
            self._made[wanted] = type("Record", (Record,), body)
        return self._made[wanted]

    def persistent_load(self, pid: object) -> object:
        raise _refusal("the pickle refers to objects outside it", self._where)


def _refusal(found: str, where: object) -> UnsafePickleError:
    # A name from a file may be of any length and hold anything.
    found = found if len(found) <= 200 else f"{found[:200]}..."
    return UnsafePickleError(
        found.encode("unicode_escape").decode("ascii"),
        where=where,
        expected="only what pandas and numpy need to rebuild a table",
        hint="Nothing of the file was run; ask its author for a Parquet file",
    )


def load_records(file: BinaryIO, where: object) -> object:
    """Unpickle a stream that `_pickle_scan.check_stream` has passed.

    Parameters
    ----------
    file : binary file
        At the pickle's start.
    where : object
        The file's name, for messages.

    Returns
    -------
    object
        A `Record`, or whatever plain value the pickle holds.

    Raises
    ------
    UnsafePickleError
        If the pickle names a class or function that is not on the list.
    Exception
        Nearly any other kind, if the stream is damaged: the unpickler documents
        no list of what it raises.
    """
    return _RecordUnpickler(file, where).load()
