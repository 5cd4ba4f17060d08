"""The registry: a closed list of names, lazy for what is built in, with a sentence for what is unknown."""

import sys
from collections import OrderedDict
from typing import Any

import pytest

from ganglion.base import registry
from ganglion.base.errors import GanglionError
from ganglion.base.registry import BUILT_IN, lookup, name_of, names, register, register_module

SHIPPED = [(kind, name, where) for kind, table in BUILT_IN.items() for name, where in table.items()]


@pytest.fixture(autouse=True)
def _own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own tables, and the real ones are as before after it."""
    monkeypatch.setattr(registry, "_registered", {kind: {} for kind in BUILT_IN})
    for kind in BUILT_IN:
        monkeypatch.setitem(BUILT_IN, kind, {})
    monkeypatch.setitem(BUILT_IN, "hook", {"OrderedDict": "collections:OrderedDict"})


def make(name: str = "Net", doc: str = "") -> Any:
    return type(name, (), {"__doc__": doc, "__module__": "somewhere", "__qualname__": name})


def test_registered_things_are_found_by_either_name() -> None:
    first, second = make("First"), make("Second")
    assert register("module")(first) is first
    assert register_module(second, name="other") is second
    assert names("module") == ["First", "other"]
    assert lookup("module", "First") is first
    assert lookup("module", "other") is second
    assert (name_of("module", second), name_of("layer", second)) == ("other", None)


def test_register_module_decorates_with_and_without_a_name() -> None:
    @register_module
    class Plain: ...

    @register_module(name="named")
    class Other: ...

    assert lookup("module", "Plain") is Plain
    assert lookup("module", "named") is Other


def test_a_reloaded_class_takes_the_place_of_its_former_self() -> None:
    register_module(make())
    again = register_module(make(doc="changed"))
    assert lookup("module", "Net") is again


def test_a_taken_name_is_refused_and_its_owner_named() -> None:
    register_module(make("First"), name="Net")
    with pytest.raises(
        GanglionError, match="belongs to somewhere:First: register somewhere:Net under another"
    ):
        register_module(make())
    with pytest.raises(GanglionError, match="belongs to collections:OrderedDict"):
        register("hook", "OrderedDict")(make())


def test_built_in_things_are_imported_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "layer", {"Lazy": "antigravity:fly_away"})
    assert names("layer") == ["Lazy"]
    assert "antigravity" not in sys.modules
    assert lookup("hook", "OrderedDict") is OrderedDict
    assert name_of("hook", lookup("hook", "OrderedDict")) == "OrderedDict"


@pytest.mark.parametrize(
    "name", ["os.system", "os:system", "../x", "", None, 3, ["OrderedDict"], {"module": "os"}]
)
@pytest.mark.parametrize("kind", ["hook", "module", "estimator"])
def test_no_other_name_reaches_anything(kind: str, name: Any) -> None:
    with pytest.raises(GanglionError, match="not known"):
        lookup(kind, name)


def test_unknown_names_get_the_nearest_one() -> None:
    with pytest.raises(GanglionError, match="did you mean 'OrderedDict'"):
        lookup("hook", "OrderdDict")
    with pytest.raises(GanglionError, match=r"ganglion\.register_module\(TheClass\)"):
        lookup("module", "MyNet")
    for call in (lambda: names("moduel"), lambda: lookup("moduel", "x"), lambda: register("moduel")):
        with pytest.raises(GanglionError, match="did you mean 'module'"):
            call()


@pytest.mark.parametrize("name", ["", "a b", "../x", "os.system", 3])
def test_names_are_identifiers(name: Any) -> None:
    with pytest.raises(GanglionError, match="cannot name a module"):
        register("module", name)(make())


@pytest.mark.parametrize(("kind", "name", "where"), SHIPPED)
def test_every_built_in_stands_where_the_table_says(
    kind: str, name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILT_IN, kind, {name: where})
    thing = lookup(kind, name)
    assert where == f"{thing.__module__}:{thing.__qualname__}"
