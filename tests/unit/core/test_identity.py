import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.identity import Frozen, Identity, canonical, fingerprint, folder_digest

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_fingerprint_is_stable_and_ignores_key_order(value):
    def reversed_keys(v):
        if isinstance(v, dict):
            return {key: reversed_keys(v[key]) for key in reversed(v)}
        return [reversed_keys(item) for item in v] if isinstance(v, list) else v

    assert fingerprint(value) == fingerprint(reversed_keys(value))


@pytest.mark.parametrize("value", [{1, 2}, object(), Path("a"), {1: 2}, b"bytes", lambda: 0])
def test_a_value_without_a_canonical_form_raises(value):
    with pytest.raises(TypeError):
        fingerprint(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf]])
def test_numbers_that_are_none_raise(value):
    with pytest.raises(ValueError, match="canonical"):
        canonical(value)


def test_a_key_covers_stage_version_config_and_inputs():
    class Config(Frozen):
        rate: float = 0.1

    base = Identity.of("anneal", 1, Config(), {"base": "d1"})
    others = [
        Identity.of("pack", 1, Config(), {"base": "d1"}),
        Identity.of("anneal", 2, Config(), {"base": "d1"}),
        Identity.of("anneal", 1, Config(rate=0.2), {"base": "d1"}),
        Identity.of("anneal", 1, Config(), {"base": "d2"}),
        Identity.of("anneal", 1, Config(), {"other": "d1"}),
    ]
    assert len({identity.key for identity in [base, *others]}) == 6
    assert Identity.model_validate_json(base.model_dump_json()).key == base.key


def test_a_folder_is_its_files_by_name_and_content(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / ".hidden").write_text("2")
    first = folder_digest(tmp_path)
    (tmp_path / ".hidden").write_text("3")
    assert folder_digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_digest(tmp_path) != first
