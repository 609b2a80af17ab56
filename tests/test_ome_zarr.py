"""OME-Zarr metadata: right meaning, or an error that names document and cause."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_seespot._ome_units import MICROMETRES
from napari_seespot._ome_zarr import next_keys, parse_pyramid
from napari_seespot._requests import Answer
from napari_seespot.errors import ImageError

URI = "/data/channel_488.zarr"


def zarray(shape, **changes):
    document = {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": [min(n, 128) for n in shape],
        "dtype": "<u2",
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "compressor": None,
        "dimension_separator": "/",
    }
    return document | changes


def array_json(shape, **changes):
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "uint16",
    }
    return document | changes


def scale(*numbers):
    return {"type": "scale", "scale": list(numbers)}


def translation(*numbers):
    return {"type": "translation", "translation": list(numbers)}


def axis(name, unit="micrometer"):
    if name == "t":
        return {"name": "t", "type": "time", "unit": "second"}
    if name == "c":
        return {"name": "c", "type": "channel"}
    return {"name": name, "type": "space", "unit": unit}


def multiscale(*transformations, axes="zyx", unit="micrometer", **more):
    datasets = [
        {"path": str(level), "coordinateTransformations": list(steps)}
        for level, steps in enumerate(transformations)
    ]
    listed = [axis(name, unit) for name in axes]
    return {"version": "0.4", "axes": listed, "datasets": datasets} | more


def answers(documents):
    found = {}
    for key, document in documents.items():
        if document is None or isinstance(document, Answer):
            found[key] = document or Answer()
        else:
            raw = document if isinstance(document, bytes) else json.dumps(document)
            found[key] = Answer(raw if isinstance(raw, bytes) else raw.encode())
    return found


def parse(attributes, *shapes, **documents):
    levels = {f"{n}/.zarray": zarray(shape) for n, shape in enumerate(shapes)}
    return parse_pyramid(URI, answers({".zattrs": attributes} | levels | documents))


def parse_one(entry, *shapes):
    return parse({"multiscales": [entry]}, *shapes)


PLAIN = multiscale([scale(1.0, 0.24, 0.24)])


# --- what it means


def test_half_voxel_translations():
    entry = multiscale(
        [scale(1.0, 0.24, 0.24)],
        [scale(2.0, 0.48, 0.48), translation(0.5, 0.12, 0.12)],
        [scale(4.0, 0.96, 0.96), translation(1.5, 0.36, 0.36)],
    )
    pyramid = parse_one(entry, (64, 192, 192), (32, 96, 96), (16, 48, 48))
    assert [level.scale for level in pyramid.levels] == [
        (1.0, 0.24, 0.24),
        (2.0, 0.48, 0.48),
        (4.0, 0.96, 0.96),
    ]
    assert [level.translate for level in pyramid.levels] == [
        (0.0, 0.0, 0.0),
        (0.5, 0.12, 0.12),
        (1.5, 0.36, 0.36),
    ]
    assert pyramid.notes == ()


def test_common_transformation_comes_after_the_levels_own():
    entry = multiscale(
        [scale(1, 1, 1), translation(1, 2, 3)],
        coordinateTransformations=[scale(2, 3, 4), translation(10, 20, 30)],
    )
    (level,) = parse_one(entry, (4, 5, 6)).levels
    assert level.scale == (2, 3, 4)
    assert level.translate == (1 * 2 + 10, 2 * 3 + 20, 3 * 4 + 30)


def test_identity_changes_nothing():
    entry = multiscale([{"type": "identity"}])
    assert parse_one(entry, (4, 5, 6)).levels[0].scale == (1, 1, 1)


@pytest.mark.parametrize("axes", ["".join(p) for p in permutations("czyx")])
def test_scale_follows_the_axes(axes):
    sizes = {"c": 1.0, "z": 2.0, "y": 3.0, "x": 5.0}
    entry = multiscale(
        [scale(*map(sizes.get, axes)), translation(*(10 * sizes[a] for a in axes))],
        axes=axes,
    )
    pyramid = parse_one(entry, (1, 1, 1, 1))
    assert pyramid.levels[0].scale == (2, 3, 5)
    assert pyramid.levels[0].translate == (20, 30, 50)
    assert "".join(a.name for a in pyramid.axes) == axes


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("micrometer", 1.0),
        ("nanometer", 1e-3),
        ("millimeter", 1e3),
        ("angstrom", 1e-4),
        ("meter", 1e6),
        ("picometer", 1e-6),
        ("inch", 25400.0),
        ("µm", 1.0),
        ("um", 1.0),
    ],
)
def test_units_become_micrometres(unit, factor):
    entry = multiscale([scale(3, 2, 1), translation(1, 0, 0)], unit=unit)
    (level,) = parse_one(entry, (4, 5, 6)).levels
    assert level.scale == pytest.approx((3 * factor, 2 * factor, factor), rel=1e-12)
    assert level.translate == pytest.approx((factor, 0, 0), rel=1e-12)


def test_every_unit_of_the_standard_is_known():
    told = """angstrom attometer centimeter decimeter exameter femtometer foot
    gigameter hectometer inch kilometer megameter meter micrometer mile millimeter
    nanometer parsec petameter picometer terameter yard yoctometer yottameter
    zeptometer zettameter"""
    assert set(told.split()) <= set(MICROMETRES)


def test_mixed_units():
    entry = multiscale([scale(1, 240, 0.24)])
    entry["axes"][1]["unit"] = "nanometer"
    assert parse_one(entry, (4, 5, 6)).levels[0].scale == (1, 0.24, 0.24)


def test_window_and_color_of_the_first_channel():
    channel = {"color": "00FF00", "window": {"start": 90, "end": 1200.0}}
    pyramid = parse(
        {"multiscales": [PLAIN], "omero": {"channels": [channel, 3]}}, (4, 5, 6)
    )
    assert pyramid.window == (90.0, 1200.0)
    assert pyramid.color == "#00ff00"


@pytest.mark.parametrize("color", ["#00ff00", "00FF00", "00ff0080", " 00ff00 "])
def test_spellings_of_a_color(color):
    omero = {"channels": [{"color": color}]}
    assert parse({"multiscales": [PLAIN], "omero": omero}, (4, 5, 6)).color == "#00ff00"


@pytest.mark.parametrize("color", ["000000", "green", "", 255, None, "0f0", "12345g"])
def test_what_is_no_color(color):
    omero = {"channels": [{"color": color}]}
    assert parse({"multiscales": [PLAIN], "omero": omero}, (4, 5, 6)).color is None


@pytest.mark.parametrize(
    "window",
    [None, {}, [1, 2], {"start": 5}, {"start": 5, "end": 5}, {"start": 9, "end": 1},
     {"start": "0", "end": 10}, {"start": 0, "end": float("nan")},
     {"start": 0, "end": float("inf")}, {"start": True, "end": 10}],
)  # fmt: skip
def test_what_is_no_window(window):
    omero = {"channels": [{"window": window}]}
    attributes = {"multiscales": [PLAIN], "omero": omero}
    assert parse(attributes, (4, 5, 6)).window is None


@pytest.mark.parametrize("omero", [[], 3, {}, {"channels": {}}, {"channels": [None]}])
def test_malformed_omero_is_noted(omero):
    pyramid = parse({"multiscales": [PLAIN], "omero": omero}, (4, 5, 6))
    assert pyramid.notes == ("omero in .zattrs holds no channel: ignored",)


def test_format_3():
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": {"version": "0.5", "multiscales": [PLAIN]}},
    }
    found = answers(
        {".zattrs": None, "zarr.json": group, "0/zarr.json": array_json((4, 5, 6))}
    )
    assert next_keys(found) == ()
    (level,) = parse_pyramid(URI, found).levels
    assert (level.key, level.shape) == ("0/zarr.json", (4, 5, 6))


def test_format_3_consolidated_needs_no_further_document():
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": {"multiscales": [PLAIN]}},
        "consolidated_metadata": {"metadata": {"0": array_json((4, 5, 6))}},
    }
    found = answers({".zattrs": None, "zarr.json": group})
    assert next_keys(found) == ()
    assert parse_pyramid(URI, found).levels[0].shape == (4, 5, 6)


# --- which documents


def test_first_round_asks_for_six_levels():
    assert next_keys({}) == (".zattrs", *(f"{n}/.zarray" for n in range(6)))


def test_a_usual_image_takes_one_round():
    found = answers(dict.fromkeys(next_keys({})))
    found |= answers(
        {".zattrs": {"multiscales": [PLAIN]}, "0/.zarray": zarray((4, 5, 6))}
    )
    assert next_keys(found) == ()


def test_unusual_names_take_a_second_round():
    entry = multiscale([scale(1, 1, 1)], [scale(2, 2, 2)])
    entry["datasets"][0]["path"] = "s0"
    entry["datasets"][1]["path"] = "deep/s1"
    found = answers({".zattrs": {"multiscales": [entry]}})
    assert next_keys(found) == ("s0/.zarray", "deep/s1/.zarray")


def test_format_3_takes_a_second_round():
    found = answers(dict.fromkeys(next_keys({})))
    keys = next_keys(found)
    assert keys == ("zarr.json", *(f"{n}/zarr.json" for n in range(6)))
    found |= answers(dict.fromkeys(keys))
    assert next_keys(found) == (".zarray",)
    assert next_keys(found | answers({".zarray": None})) == ()


def test_format_3_first_where_neighbours_have_it():
    keys = next_keys({}, format_3=True)
    assert keys == ("zarr.json", *(f"{n}/zarr.json" for n in range(6)))
    found = answers(dict.fromkeys(keys))
    assert next_keys(found, format_3=True) == next_keys({})


def test_seventh_level_is_asked_for_by_name():
    entry = multiscale(*([scale(1, 1, 1)] for _ in range(7)))
    found = answers(dict.fromkeys(next_keys({})))
    found |= answers({".zattrs": {"multiscales": [entry]}})
    assert next_keys(found) == ("6/.zarray",)


# --- defaults and their notes


def note_of(pyramid):
    (note,) = pyramid.notes
    return note


def test_missing_units_are_micrometres():
    entry = multiscale([scale(1, 2, 3)])
    for listed in entry["axes"]:
        del listed["unit"]
    pyramid = parse_one(entry, (4, 5, 6))
    assert pyramid.levels[0].scale == (1, 2, 3)
    assert note_of(pyramid) == "units are not told: taken as micrometer"


def test_unknown_unit():
    pyramid = parse_one(multiscale([scale(1, 2, 3)], unit="pixel"), (4, 5, 6))
    assert note_of(pyramid) == "unit 'pixel' is no length: taken as micrometer"


def test_longer_t_and_c_axes():
    pyramid = parse_one(
        multiscale([scale(1, 1, 1, 1, 1)], axes="tczyx"), (2, 3, 4, 5, 6)
    )
    assert pyramid.notes == (
        "axis 't' has 2 entries: the first is shown",
        "axis 'c' has 3 entries: the first is shown",
    )


def test_missing_z_axis():
    pyramid = parse_one(multiscale([scale(1, 2, 3)], axes="cyx"), (1, 5, 6))
    assert pyramid.levels[0].scale == (1.0, 2, 3)
    assert note_of(pyramid) == "there is no z axis: shown as one plane of 1 um"


def test_missing_axes_are_the_last_of_tczyx():
    entry = multiscale([scale(1, 1, 1, 2, 3)])
    del entry["axes"]
    pyramid = parse_one(entry, (1, 1, 4, 5, 6))
    assert pyramid.levels[0].scale == (1, 2, 3)
    assert "axes are not told: taken as t, c, z, y, x" in pyramid.notes


def test_axes_as_names_of_version_0_3():
    entry = multiscale([scale(1, 2, 3)]) | {"axes": ["z", "y", "x"]}
    assert parse_one(entry, (4, 5, 6)).levels[0].scale == (1, 2, 3)


def test_other_names_of_spatial_axes():
    entry = multiscale([scale(1, 2, 3)])
    for listed, name in zip(entry["axes"], ["depth", "row", "col"], strict=True):
        listed["name"] = name
    pyramid = parse_one(entry, (4, 5, 6))
    assert pyramid.levels[0].scale == (1, 2, 3)
    assert note_of(pyramid) == "axes depth, row, col taken as z, y, x"


def test_missing_transformations_are_placed_by_shape():
    entry = multiscale([], [])
    pyramid = parse_one(entry, (8, 10, 12), (8, 5, 6))
    assert pyramid.levels[1].scale == (1, 2, 2)
    assert pyramid.levels[1].translate == (0, 0.5, 0.5)
    assert "placed by their shapes" in pyramid.notes[0]


def test_second_multiscales_is_noted():
    pyramid = parse({"multiscales": [PLAIN, PLAIN]}, (4, 5, 6))
    assert note_of(pyramid) == "the first of 2 multiscales is shown"


def test_missing_coarse_level_is_left_out():
    entry = multiscale([scale(1, 1, 1)], [scale(2, 2, 2)])
    pyramid = parse_one(entry, (4, 6, 8))
    assert len(pyramid.levels) == 1
    assert note_of(pyramid) == "level '1' is named but absent: left out"


def test_levels_in_wrong_order_are_sorted():
    entry = multiscale([scale(2, 2, 2)], [scale(1, 1, 1)])
    pyramid = parse_one(entry, (4, 4, 4), (8, 8, 8))
    assert [level.path for level in pyramid.levels] == ["1", "0"]
    assert "reordered" in note_of(pyramid)


def test_factors_that_contradict_the_shapes_are_noted():
    entry = multiscale([scale(1, 1, 1)], [scale(2, 2, 2)])
    assert parse_one(entry, (9, 9, 9), (5, 4, 5)).notes == ()  # ceil and floor
    pyramid = parse_one(entry, (9, 90, 9), (5, 30, 5))
    assert note_of(pyramid).startswith("level 1: 30 voxels along y")


def test_plain_group_of_arrays():
    pyramid = parse({}, (8, 8, 8), (4, 4, 4))
    assert [level.scale for level in pyramid.levels] == [(1, 1, 1), (2, 2, 2)]
    assert pyramid.levels[1].translate == (0.5, 0.5, 0.5)
    assert "no OME metadata: levels by their names, 1 um a voxel" in pyramid.notes


@pytest.mark.parametrize(
    "documents",
    [
        {".zattrs": None, ".zarray": zarray((1, 1, 4, 5, 6))},
        {".zattrs": None, "zarr.json": array_json((1, 1, 4, 5, 6))},
    ],
)
def test_plain_array(documents):
    found = answers(documents)
    pyramid = parse_pyramid(URI, found)
    assert [a.name for a in pyramid.axes] == list("tczyx")
    assert pyramid.levels[0].path == ""


def test_plain_group_of_format_3():
    found = answers(
        {
            ".zattrs": None,
            "zarr.json": {"zarr_format": 3, "node_type": "group"},
            "0/zarr.json": array_json((4, 5, 6)),
        }
    )
    assert parse_pyramid(URI, found).levels[0].shape == (4, 5, 6)


def test_dimension_names_of_a_plain_array():
    document = array_json((4, 5, 6), dimension_names=["x", "y", "z"])
    pyramid = parse_pyramid(URI, answers({".zattrs": None, "zarr.json": document}))
    assert [a.name for a in pyramid.axes] == ["x", "y", "z"]


# --- refusals


def refusal(attributes, *shapes, **documents):
    with pytest.raises(ImageError) as caught:
        parse(attributes, *shapes, **documents)
    return str(caught.value)


def test_nothing_there_tells_what_was_tried():
    message = refusal({}, **{})
    assert message.startswith(f"{URI}: there is no such folder")
    assert "tried zarr.json, .zattrs, .zarray" in message
    assert "Expected an OME-Zarr image" in message
    assert "NAME.zarr" in message


def test_an_empty_folder_tells_what_was_tried(tmp_path):
    with pytest.raises(ImageError, match="no image metadata found"):
        parse_pyramid(str(tmp_path), answers({".zattrs": None}))


@pytest.mark.parametrize(
    ("attributes", "hint"),
    [
        ({"bioformats2raw.layout": 3}, "open the image below it, /0"),
        ({"labels": ["cells"]}, "collection of labels"),
        ({"plate": {}}, "This is a plate"),
    ],
)
def test_collections_get_a_hint(attributes, hint):
    assert hint in refusal(attributes)


def test_refused_access_is_told():
    with pytest.raises(ImageError, match=r"access was refused \(403\)") as caught:
        parse_pyramid("s3://b/x.zarr", {".zattrs": Answer(denied=True)})
    assert "credentials" in str(caught.value)


def test_refused_level_is_told():
    found = answers({".zattrs": {"multiscales": [PLAIN]}})
    found["0/.zarray"] = Answer(denied=True)
    with pytest.raises(ImageError, match=r"0/.zarray: access was refused \(403\)"):
        parse_pyramid(URI, found)


def test_unreachable_store_is_told():
    found = {".zattrs": Answer(error="connection lost")}
    with pytest.raises(ImageError, match="could not be read: connection lost"):
        parse_pyramid("http://h/x.zarr", found)


def test_absent_finest_level():
    message = refusal({"multiscales": [PLAIN]})
    assert message.startswith(f"{URI}/0/.zarray: there is no such array")


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"[]", "holds empty"),
        (b"[1]", "holds a list"),
        (b"3", "holds a number"),
    ],
)
def test_documents_that_are_no_objects(raw, found):
    message = refusal(raw, (4, 5, 6))
    assert message.startswith(f"{URI}/.zattrs: ")
    assert found in message


def changed(**changes):
    return {"multiscales": [multiscale([scale(1, 1, 1)]) | changes]}


def stepped(*steps):
    return {"multiscales": [multiscale(list(steps))]}


def with_path(path):
    dataset = {"path": path, "coordinateTransformations": [scale(1, 1, 1)]}
    return changed(datasets=[dataset])


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"multiscales": 3}, "multiscales is a number"),
        ({"multiscales": []}, "multiscales is empty"),
        ({"multiscales": [None]}, "multiscales is a list"),
        (changed(datasets=None), "datasets is missing"),
        (changed(datasets=[]), "datasets is empty"),
        (changed(datasets=["0"]), "datasets is a list"),
        (with_path("../secret"), "path is '../secret'"),
        (with_path("/etc"), "path is '/etc'"),
        (with_path(""), "path is ''"),
        (with_path(None), "path is None"),
        (with_path("http://elsewhere/0"), "path is 'http"),
        (changed(axes={}), "axes: empty"),
        (changed(axes=["y", "x"]), "axes: 2 axes"),
        (changed(axes=["z", "y", 3]), "axes hold a number"),
        (changed(axes=["z", "y", "y"]), "axes are ['z', 'y', 'y']"),
        (changed(axes=["z", "y", "c"]), "axes are ['z', 'y', 'c']"),
        (changed(axes=None, coordinateSystems=[]), "coordinateSystems"),
        (stepped(scale(1, 1)), "a scale is 2 numbers"),
        (stepped({"type": "scale"}), "a scale is missing"),
        (stepped({"type": "scale", "path": "s"}), "a scale is missing"),
        (stepped(scale(1, 1, None)), "a scale is [1, 1, None]"),
        (stepped(scale(1, 1, float("nan"))), "a scale is [1, 1, nan]"),
        (stepped(translation(1, 1, float("inf"))), "a translation is [1, 1, inf]"),
        (stepped(scale(1, 1, 10**400)), "a scale is [1, 1, 1000"),
        (stepped(scale(1, 0, 1)), "a voxel of (1.0, 0.0, 1.0) um"),
        (stepped(scale(1, -1, 1)), "a voxel of (1.0, -1.0, 1.0) um"),
        (stepped({"type": "affine"}), "type 'affine'"),
        (stepped("scale"), "type None"),
        (
            changed(coordinateTransformations={"a": 1}),
            "coordinateTransformations is an",
        ),
    ],
)
def test_metadata_that_make_no_sense(attributes, found):
    message = refusal(attributes, (4, 5, 6))
    assert message.startswith(f"{URI}/.zattrs: ")
    assert found in message
    assert "Expected " in message


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"zarr_format": 3}, "zarr_format is 3"),
        ({"shape": None}, "shape is None"),
        ({"shape": []}, "shape is []"),
        ({"shape": [4, 5.5, 6]}, "shape is [4, 5.5, 6]"),
        ({"shape": [4, True, 6]}, "shape is [4, True, 6]"),
        ({"shape": [4, -5, 6]}, "shape is [4, -5, 6]"),
        ({"shape": [4, 0, 6]}, "the array is empty: shape [4, 0, 6]"),
        ({"shape": [2**40, 2**40, 6]}, "shape is [1099511627776"),
    ],
)
def test_arrays_that_make_no_sense(changes, found):
    broken = {"0/.zarray": zarray((4, 5, 6)) | changes}
    message = refusal({"multiscales": [PLAIN]}, **broken)
    assert message.startswith(f"{URI}/0/.zarray: ")
    assert found in message


def test_format_3_group_where_an_array_should_be():
    group = {"node_type": "group", "attributes": {"ome": {"multiscales": [PLAIN]}}}
    found = answers({".zattrs": None, "zarr.json": group})
    found |= answers({"0/zarr.json": array_json((4, 5, 6), node_type="group")})
    with pytest.raises(ImageError, match="node_type is 'group'"):
        parse_pyramid(URI, found)


def test_levels_of_different_dimensions():
    entry = multiscale([scale(1, 1, 1)], [scale(2, 2, 2)])
    assert "levels have [3, 4] dimensions" in refusal(
        {"multiscales": [entry]}, (4, 5, 6), (1, 2, 2, 3)
    )


def test_six_dimensions_without_axes():
    entry = multiscale([scale(1, 1, 1)])
    del entry["axes"]
    message = refusal({"multiscales": [entry]}, (1, 1, 1, 1, 1, 1))
    assert "arrays have 6 dimensions" in message


def test_four_spatial_axes():
    entry = multiscale([scale(1, 1, 1, 1)], axes="zyx")
    entry["axes"].insert(0, {"name": "w", "type": "space"})
    assert "at most three in space" in refusal({"multiscales": [entry]}, (1, 4, 5, 6))


def test_messages_hold_no_credentials():
    uri = "https://user:secret@host/x.zarr?X-Amz-Signature=secret"
    with pytest.raises(ImageError) as caught:
        parse_pyramid(uri, {".zattrs": Answer(b"{")})
    assert "secret" not in str(caught.value)
    assert "https://host/x.zarr/.zattrs" in str(caught.value)


# --- anything else

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Return the path of every node of a document."""
    found = [path]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


WHOLE = {
    "multiscales": [
        multiscale([scale(1, 1, 1)], [scale(2, 2, 2), translation(1, 1, 1)])
    ],
    "omero": {"channels": [{"color": "00ff00", "window": {"start": 1, "end": 9}}]},
}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(WHOLE)[1:]), VALUES)
def test_any_value_anywhere_is_read_or_refused(place, value):
    broken = json.loads(json.dumps(WHOLE))
    inner = broken
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    found = answers({".zattrs": broken})
    try:
        for key in next_keys(found):
            found[key] = Answer()
        found |= answers(
            {"0/.zarray": zarray((8, 8, 8)), "1/.zarray": zarray((4, 4, 4))}
        )
        pyramid = parse_pyramid(URI, found)
    except ImageError:
        return
    assert pyramid.levels
    for level in pyramid.levels:
        assert all(0 < number < 1e12 for number in level.scale)
        assert all(abs(number) < 1e40 for number in level.translate)
