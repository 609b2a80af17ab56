"""Models that check what they are set to, and tell of each change.

One signal tells of each change, with the path of the field. A value that a dataset
cannot show is refused and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from psygnal import EmissionInfo, EventedModel, SignalInstance
from pydantic import ConfigDict, PrivateAttr, ValidationError

from napari_seespot.errors import StateError

__all__ = ["Domain", "Evented", "EventedMap"]

V = TypeVar("V")


@dataclass(frozen=True)
class Domain:
    """What a dataset lets a state choose from."""

    channels: tuple[str, ...]
    columns: tuple[str, ...]
    statuses: tuple[str, ...] = ("unchanged", "reassigned", "removed")
    rows: int | None = None

    def check(self, value: str, choices: tuple[str, ...], what: str) -> None:
        """Raise a StateError unless the value is one of the choices."""
        if value not in choices:
            raise StateError(
                f"{what} {value!r} is not in this dataset",
                expected=f"one of {', '.join(choices) or 'none: it is empty'}",
            )


class EventedMap(MutableMapping[str, V], Generic[V]):
    """A dict that checks what is put in and tells when it has changed."""

    def __init__(self) -> None:
        self._items: dict[str, V] = {}
        self.changed = SignalInstance((), name="changed")
        self.convert: Any = None

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __setitem__(self, key: str, value: V) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._items[key]
        self.changed.emit()

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)

    def update(self, *others: Any, **more: V) -> None:
        """Set several items; one change is told."""
        self._replace({**self._items, **dict(*others, **more)})

    def replace(self, items: Mapping[str, V]) -> None:
        """Put these items in the place of all; one change is told."""
        try:
            items = dict(items)
        except (TypeError, ValueError):
            raise StateError(
                f"{items!r} is no mapping", expected="a dict; {} lets all go"
            ) from None
        self._replace(items)

    def clear(self) -> None:
        """Remove all items; one change is told."""
        self._replace({})

    def _replace(self, items: dict[str, V]) -> None:
        if self.convert is not None:
            items = {key: self.convert(key, value) for key, value in items.items()}
        if items != self._items:
            self._items = items
            self.changed.emit()


class Evented(EventedModel):
    """A model that tells of each change by one signal, with the field's path."""

    model_config = ConfigDict(
        validate_assignment=True, extra="forbid", arbitrary_types_allowed=True
    )
    _changed: SignalInstance = PrivateAttr(
        default_factory=lambda: SignalInstance((str,), name="changed")
    )
    _domain: Domain | None = PrivateAttr(default=None)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _state_error(error) from None
        self.events.connect(self._tell)

    @property
    def changed(self) -> SignalInstance:
        """Emitted after a change, with the path of the field: ``"filters.ranges"``."""
        return self._changed

    def _tell(self, info: EmissionInfo) -> None:
        self._changed.emit(info.signal.name)

    def __setattr__(self, name: str, value: Any) -> None:
        current = self.__dict__.get(name)
        if isinstance(current, EventedMap) and value is not current:
            current.replace(value)
            return
        if isinstance(current, EventedModel) and value is not current:
            raise StateError(
                f"{name} cannot be replaced", expected=f"its fields set: {name}.… = …"
            )
        try:
            super().__setattr__(name, self._check(name, value))
        except ValidationError as error:
            raise _state_error(error) from None

    def _check(self, name: str, value: Any) -> Any:
        """Return the value; raise a StateError for what the dataset cannot show."""
        return value


def _state_error(error: ValidationError) -> StateError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return StateError(f"{name} cannot be {first['input']!r}", expected=first["msg"])
