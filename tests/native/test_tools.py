"""Compiled tools against their counterparts in NumPy and Python, to the last bit."""

from __future__ import annotations

import locale
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cupysim.api import from_args
from cupysim.backends.rendered import BY_NUMPY, Rendered
from cupysim.detection import digitising
from cupysim.detection.poisson import PoissonNoise
from cupysim.errors import FileFormatError
from cupysim.formats import hkl_text
from cupysim.image_statistics import image_statistics
from cupysim.maths.nr_random import RandomStream
from cupysim.native import tools
from cupysim.plan.planning import make_plan
from cupysim.quirks import NANOBRAGG
from tests.native.support import WORDS

pytestmark = pytest.mark.skipif(not tools.available(), reason="no compiled tools here")

T = TypeVar("T")

SEEDS = [1, 7, 0, -1, -12345, 2147483647, -2147483647, -2147483648, 10**12]
BOUNDARIES = [12.0, 1e6, 1.0, 0.0, -1.0]
TEXTS = 400


@contextmanager
def plain_python() -> Iterator[None]:
    """The counterparts alone."""
    with mock.patch.object(tools, "available", return_value=False):
        yield


def both(compute: Callable[[], T]) -> tuple[T, T]:
    """A result of compiled code, and of plain Python."""
    assert tools.available()
    compiled = compute()
    with plain_python():
        return compiled, compute()


def assert_same_bits(compiled: np.ndarray, plain: np.ndarray) -> None:
    assert compiled.dtype == plain.dtype
    assert compiled.shape == plain.shape
    np.testing.assert_array_equal(compiled.view(np.uint8), plain.view(np.uint8))


def some_means() -> np.ndarray:
    """Expected photons of all sizes, and next to where the method changes; runs of equal ones."""
    random = np.random.default_rng(3)
    edges = np.array(BOUNDARIES, dtype=np.float32)
    low, high = np.float32(-np.inf), np.float32(np.inf)
    parts = [
        edges, np.nextafter(edges, low), np.nextafter(edges, high),
        np.exp(random.uniform(np.log(1e-6), np.log(1e7), 3000)),
        random.uniform(0.0, 30.0, 1500), random.uniform(9e5, 1.1e6, 300),
        [-1e-30, -5.0, -1e30, 1e-45, 1e20, 3e38], np.repeat([3.0, 80.0, 5e6], 100),
        np.arange(1000.0),
    ]  # fmt: skip
    means = np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])
    return np.concatenate([means, random.permutation(means)])


@pytest.mark.parametrize("seed", SEEDS)
def test_photons(seed: int) -> None:
    means = some_means()
    compiled, plain = both(lambda: PoissonNoise(RandomStream(seed)).draw(means))
    assert_same_bits(compiled, plain)
    assert compiled.max() > 1e6


@pytest.mark.parametrize("mean", [0.0, 0.5, 11.999, 12.0, 12.001, 1e3, 1e6, 1.0001e6, 1e7])
def test_photons_of_one_mean(mean: float) -> None:
    means = np.full(5000, mean, dtype=np.float32)
    assert_same_bits(*both(lambda: PoissonNoise(RandomStream(5)).draw(means)))


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 3.0), (0.0, 12.0), (12.0, 3000.0)])
def test_photons_of_many_pixels(lowest: float, highest: float) -> None:
    """Several blocks of random numbers, and means that all differ."""
    means = np.random.default_rng(8).uniform(lowest, highest, 20_000).astype(np.float32)
    assert_same_bits(*both(lambda: PoissonNoise(RandomStream(17)).draw(means)))


def test_photons_in_parts_and_after_other_draws() -> None:
    """The state goes on: the table, the last output and the spare normal deviate."""
    means = some_means()[:601].reshape(-1, 1)

    def draw() -> np.ndarray:
        first = RandomStream(99)
        first.uniform(77)
        noise = PoissonNoise(RandomStream(-3, first.table))
        large = np.full(3, 2e6, dtype=np.float32)
        parts = [means[:100], large, means[100:], means[:0], large, np.float32([5.0])]
        return np.concatenate([noise.draw(part).reshape(-1) for part in parts])

    assert_same_bits(*both(draw))


def test_photons_of_strided_and_wider_images() -> None:
    means = some_means()[:2400].reshape(40, 60)
    for part in (means[3:, 5:], means[::2, ::3], means.T, means.astype(np.float64)):
        assert_same_bits(*both(lambda part=part: PoissonNoise(RandomStream(2)).draw(part)))


def test_photons_as_integers() -> None:
    """Limits, NaN and the serial sum, which goes on from an earlier one."""
    means = np.append(some_means(), np.float32([np.nan, 5.0, -1e30, 3e9])).reshape(-1, 1)

    def count() -> np.ndarray:
        counts, total = PoissonNoise(RandomStream(7)).count(means, 0.1, 100_000)
        assert counts.dtype == np.int32
        assert counts.min() == np.iinfo(np.int32).min
        assert counts.max() == 100_000
        assert np.isnan(total)
        known = PoissonNoise(RandomStream(7)).count(means[:-4], 0.1, 100_000)
        return np.append(counts.astype(np.float64), known[1])

    found = both(count)
    assert_same_bits(*found)
    drawn = PoissonNoise(RandomStream(7)).draw(means)[:-4]
    np.testing.assert_array_equal(found[0][:-5], np.clip(drawn, 0, 100_000).astype(int).ravel())


def random_image(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """All sizes of numbers and both signs, without NaN; and equal largest ones."""
    random = np.random.default_rng(seed)
    image = np.exp(random.uniform(-80.0, 40.0, shape)) * random.choice([-1.0, 0.0, 1.0], shape)
    image[random.random(shape) < 0.01] = image.max(initial=0.0)
    return image.astype(np.float32)


REGIONS = ["0 32 0 32", "3 9 4 11", "5 5 0 100", "31 32 31 32", "0 32 7 8", "7 8 0 32"]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", ["random", "zero", "negative", "equal", "overflows", "infinite"])
def test_statistics(region: str, kind: str) -> None:
    plan = make_plan(from_args(f"{WORDS} -roi {region}"))
    image = random_image(4, plan.shape[2:])
    image = {
        "random": image,
        "zero": np.zeros_like(image),
        "negative": -np.abs(image) - 1,
        "equal": np.full_like(image, 0.1),
        "overflows": np.float32(1e30) * np.sign(image),
        "infinite": np.where(image > 1e10, np.inf, image),
    }[kind].astype(np.float32)
    rendered = Rendered(
        image[None, None], np.ones(plan.shape[:2]), np.full(plan.shape[:2], plan.n_region), [None],
        BY_NUMPY,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        compiled, plain = both(lambda: image_statistics(plan, rendered, NANOBRAGG))
    np.testing.assert_equal(astuple(compiled), astuple(plain))


def test_statistics_of_many_rows() -> None:
    """More rows than NumPy takes at once."""
    plan = make_plan(from_args(f"{WORDS} -detpixels_x 40 -detpixels_y 700 -roi 2 33 5 690"))
    image = random_image(5, plan.shape[2:])
    rendered = Rendered(
        image[None, None], np.ones(plan.shape[:2]), np.full(plan.shape[:2], plan.n_region), [None],
        BY_NUMPY,
    )  # fmt: skip
    compiled, plain = both(lambda: image_statistics(plan, rendered, NANOBRAGG))
    assert compiled == plain


WHOLE = (slice(None), slice(None))


@pytest.mark.parametrize("scale", [1.0, 0.0, -1.0, 1e-300, 1e300, -1e300, 1.7e308, 0.37, 5e-324])
@pytest.mark.parametrize("offset", [0.0, 40.0, -40.0, 0.5, 65534.5, 1e300, -1e300, 1.7e308])
def test_scaled_integers(scale: float, offset: float) -> None:
    image = random_image(6, (300, 30))
    image[0, :8] = [0.5, 1.5, 65534.0, 65534.5, 65535.0, 65535.5, 1e30, -1e30]
    image[1, :4] = np.nextafter(np.float32([0.5, 1.5, 2.5, 65534.5]), np.float32(0))
    for region in (WHOLE, (slice(7, 290), slice(3, 20)), (slice(5, 5), slice(0, 9))):
        with np.errstate(over="ignore"):
            compiled, plain = both(
                lambda region=region: digitising.scaled(image, scale, offset, region)
            )
        assert_same_bits(compiled, plain)


def test_scaled_integers_of_every_half() -> None:
    image = (np.arange(4 * 65540, dtype=np.float32) / 4.0 - 4.0).reshape(-1, 4)
    assert_same_bits(*both(lambda: digitising.scaled(image, 1.0, 0.0, WHOLE)))


ODD_FIELDS = [
    b"+1", b"-0", b"+", b"-", b"1.", b".5", b".", b"1e5", b"1E-300", b"1e400", b"-1e400", b"1e-400",
    b"4.9e-324", b"2.2250738585072011e-308", b"1e", b"1e+", b"1e5.0", b"e5", b"0x10", b"0X1p3",
    b"1p3", b"nan", b"NaN", b"inf", b"-Infinity", b"1_000", b"1,5", b"1;", b"1d5", b"1f", b"--1",
    b"+-1", b"1-2", b"1+2", b"12345678901234567890", b"-98765432109876543210", b"9007199254740993",
    b"0.1234567890123456789012345", b"18446744073709551616", b"0.00000000000000000000000123",
    b"123456789", b"1234567890", b"000000000000000000000001", b"999999", b"1000000", b"1000001",
    b"-1000000", b"-1000001", b"1e22", b"1e23", b"1e-22", b"1e-23", b"9007199254740991e22",
    b"1e99999999999", b"1e-99999999999", b"0e99999999999", "١".encode(), "１".encode(), b"\xff",
    b"\xef\xbb\xbf1", b"#", b"#1", b"1#", b"\x00", b"1\x00", b"\x001", b"\x1f", b"\x1c", b"\x85",
    b"\xa0", b"\xc2\xa0", b"a", b"1e5e5", b"1..2", b"0", b"00", b"-.5e-5", b"5.e5", b"+.5E+05",
]  # fmt: skip

WHOLES = st.integers(-50, 50).map(lambda n: b"%d" % n)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: repr(x).encode()),
    st.floats(0.0, 1e4).map(lambda x: b"%.2f" % x),
    st.from_regex(rb"[+-]?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    WHOLES,
)
BLANKS = st.sampled_from([b" "] * 6 + [b"\t", b"   ", b"\v", b"\f", b" \r", b"\t \f"])
RARELY = st.integers(0, 30).map(lambda n: n == 0)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Mostly h k l F; at times anything else."""
    kind = draw(st.integers(0, 24))
    if kind == 0:
        return draw(st.sampled_from([b"", b" ", b"\t\r", b"# 1 2 3 4", b" #", b"\f# x\0", b"\r"]))
    if kind == 1:
        return draw(st.binary(max_size=12))
    fields = [draw(WHOLES), draw(WHOLES), draw(WHOLES), draw(NUMBERS)]
    fields = [draw(st.sampled_from(ODD_FIELDS)) if draw(RARELY) else field for field in fields]
    if draw(RARELY):
        fields = draw(st.sampled_from([fields[:3], [*fields, b"5"], [*fields, b"#"], fields[:1]]))
    text = b"".join(field + draw(BLANKS) for field in fields[:-1]) + fields[-1]
    if draw(RARELY):
        text = draw(BLANKS) + text
    return text + draw(st.sampled_from([b""] * 9 + [b"\r", b" ", b"\t\f", b"\0"]))


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Whole files."""
    text = b"\n".join(draw(st.lists(lines(), max_size=8)))
    start = draw(
        st.sampled_from([b""] * 8 + [b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b"\n", b"\xff\xfe"])
    )
    return (
        start + text + draw(st.sampled_from([b"\n"] * 5 + [b"", b"\n\n", b"\r\n", b"\0", b"\n\0"]))
    )


def read(path: Path) -> tuple[bytes, ...] | str:
    """Numbers to the last bit, or what is wrong."""
    try:
        arrays = hkl_text.read(path)
    except FileFormatError as error:
        return f"{error} ({error.line})"
    assert [array.dtype for array in arrays] == [np.int64, np.float64]
    return tuple(array.tobytes() for array in arrays)


def assert_read_alike(path: Path, text: bytes) -> tuple[bytes, ...] | str:
    path.write_bytes(text)
    compiled, plain = both(lambda: read(path))
    assert compiled == plain
    return compiled


@settings(max_examples=TEXTS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts())
def test_reading_reflections(text: bytes, tmp_path: Path) -> None:
    assert_read_alike(tmp_path / "some.hkl", text)


@pytest.mark.parametrize("field", ODD_FIELDS)
def test_reading_odd_fields(field: bytes, tmp_path: Path) -> None:
    """In each column and at each end of a file."""
    for place in range(4):
        fields = [b"1", b"-2", b"3", b"4.5"]
        fields[place] = field
        line = b" ".join(fields)
        for text in (line, line + b"\n", b"1 1 1 1\n" + line + b"\r\n\n2 2 2 2\n", line + b" \0"):
            assert_read_alike(tmp_path / "some.hkl", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1 2 3 4.5", (1, 2, 3, 4.5)),
        (b"\xef\xbb\xbf# h k l F\r\n\r\n+1\t-2\f3\v.5e1\r\n", (1, -2, 3, 5.0)),
        (b"1 2 3", "some.hkl, line 1: expected h k l F, got 3 fields (1)"),
        (b"1 2 3 4\n\n1 2 3 4 5\n", "some.hkl, line 3: expected h k l F, got 5 fields (3)"),
        (b"1 2 3 4\n1 2 x 4\n", "some.hkl, line 2: l is not an integer: 'x' (2)"),
        (b"1 2 3 1e400\n", "some.hkl, line 1: F is not a number: '1e400' (1)"),
        (b"1 2 3 4\0\n", "some.hkl, line 1: F is not a number: '4\\x00' (1)"),
        (b"1 2 3 4\0", "some.hkl, line 1: F is not a number: '4\\x00' (1)"),
        (b"1 2 3 4_5\n", "some.hkl, line 1: F is not a number: '4_5' (1)"),
        (b"1000001 2 3 4\n", "some.hkl, line 1: h is out of range: '1000001' (1)"),
        (b"", "some.hkl: no reflections; lines of h k l F are expected (None)"),
        (b"# nothing", "some.hkl: no reflections; lines of h k l F are expected (None)"),
    ],
)
def test_what_is_read(
    text: bytes,
    expected: tuple[float, ...] | str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = assert_read_alike(Path("some.hkl"), text)
    if isinstance(expected, str):
        assert found == expected
    else:
        hkl, value = np.array(expected[:3], dtype=np.int64), np.array(expected[3:])
        assert found == (hkl.tobytes(), value.tobytes())


def test_compiled_code_reads_usual_lists() -> None:
    """The tests above compare two ways, not one with itself."""
    hkl, values = tools.read_reflections(b"1 2 3 4.5\n-1 0 7 1e-30\n", 100) or (None, None)
    np.testing.assert_array_equal(hkl, [[1, 2, 3], [-1, 0, 7]])
    np.testing.assert_array_equal(values, [4.5, 1e-30])
    assert tools.read_reflections(b"1 2 3 4.5\n101 0 7 1\n", 100) is None


def test_numbers_beside_a_foreign_locale(tmp_path: Path) -> None:
    """Programs may have set a locale with a comma; files keep their point."""
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a comma here")
    try:
        (tmp_path / "some.hkl").write_text("1 2 3 1.25e-30\n")
        _, values = hkl_text.read(tmp_path / "some.hkl")
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
    assert values == [1.25e-30]
