"""From elements to values: they are what their classes would have made of the same fields, only sooner."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields
from typing import Any

import pytest

from openami.shared.contract.enterprise.codec import decode, encode
from openami.shared.contract.enterprise.decode import maker
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.model import Message
from openami.shared.contract.enterprise.shapes import shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Base):
    second: str | None = None
    third: tuple[int, ...] = ()
    fourth: list[int] = field(default_factory=list)


def test_what_is_made_is_what_the_class_makes() -> None:
    made = maker(Derived)({"first": 1, "third": (2, 3)})
    assert type(made) is Derived
    assert made == Derived(first=1, third=(2, 3))
    assert repr(made) == repr(Derived(first=1, third=(2, 3)))
    assert pickle.loads(pickle.dumps(made)) == made


def test_what_is_made_cannot_be_changed() -> None:
    made = maker(Derived)({"first": 1})
    for name in ("first", "second"):
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(made, name)
    assert not hasattr(made, "__dict__")


def test_each_gets_a_default_of_its_own() -> None:
    make = maker(Derived)
    make({"first": 1}).fourth.append(7)
    assert make({"first": 1}).fourth == []


@pytest.mark.parametrize("values", [{}, {"second": "x"}, {"first": 1, "odd": 2}])
def test_missing_and_unknown_fields_are_told_as_by_the_class(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Derived(**values)
    with pytest.raises(TypeError):
        maker(Derived)(values)


def test_a_class_with_checks_of_its_own_is_not_for_it() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        one: int

        def __post_init__(self) -> None:
            assert self.one

    with pytest.raises(AssertionError):
        maker(Checked)


@pytest.mark.parametrize("root", sorted(shapes().roots))
def test_every_message_is_of_its_exact_classes_and_hashable(root: str) -> None:
    message = decode(encode(example(root)))
    assert message == example(root)
    assert hash(message) == hash(example(root))
    for part in parts(message):
        assert part == type(part)(**{one.name: getattr(part, one.name) for one in fields(part)})
    assert asdict(message) == asdict(example(root))


def parts(value: Any) -> list[Any]:
    """A value of a generated class and all that are in it."""
    if isinstance(value, tuple):
        return [found for one in value for found in parts(one)]
    if not hasattr(value, "__dataclass_fields__"):
        return []
    assert type(value).__module__.startswith(Message.__module__.rpartition(".")[0])
    return [value, *(found for one in fields(value) for found in parts(getattr(value, one.name)))]
