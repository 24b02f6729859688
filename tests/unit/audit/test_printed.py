import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.audit.printed import read_printed
from tasks.core.errors import DataError

HEAD = "table,dataset,benchmark,score,delta\n"


def read(tmp_path, text, name="table.csv"):
    (tmp_path / name).write_text(text)
    return read_printed(tmp_path / name)


def test_numbers_are_kept_in_units_of_the_last_place_and_zeros_that_were_dropped_are_put_back(tmp_path):
    found = read(tmp_path, HEAD + "3,Web,MATH,50.5,−1.25\nA,Web,MATH,50,+0.5\n")
    assert [(row.dataset, row.score, row.delta, row.baseline.units) for row in found.rows] == [
        ("T3 Web", 5050, -125, 5175),
        ("A Web", 5000, 50, 4950),
    ]
    assert found.units == 100 and found.points(5175) == 51.75


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from("AB"), st.sampled_from("xyz")), st.integers(0, 3), min_size=1))
def test_each_column_has_the_places_that_it_is_printed_with(tmp_path_factory, columns):
    lines = [
        f"{table},{dataset},{benchmark},{50:.{places}f},{1:.{places if dataset == 'first' else 0}f}\n"
        for (table, benchmark), places in columns.items()
        for dataset in ("first", "second")
    ]
    found = read(tmp_path_factory.mktemp("printed"), HEAD + "".join(lines))
    assert found.units == 10 ** max(columns.values())
    for row in found.rows:
        assert found.units // row.step == 10 ** columns[row.dataset[0], row.benchmark]
        assert (found.points(row.score), found.points(row.delta)) == (50, 1)


def test_dashes_and_nothing_are_missing(tmp_path):
    found = read(tmp_path, HEAD + "3,a,MATH,50,1\n3,b,MATH,–,–\n3,c,MATH,,\n3,d,MATH,50,-\n")
    assert (len(found.rows), found.missing) == (1, 3)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("3,a,MATH,fifty,1", "score is 'fifty', no number"),
        ("3,a,MATH,50,1.2.3", "delta is '1.2.3', no number"),
        ("3,a,MATH,nan,1", "score is 'nan', no number"),
        ("3,a,MATH,1e2,1", "score is '1e2', no number"),
        ("3,a,MATH,101,1", "score is '101', not from 0 to 100"),
        ("3,a,MATH,-1,1", "score is '-1', not from 0 to 100"),
        ("3,a,MATH,50,-101", "delta is '-101', not from -100 to 100"),
        ("3,,MATH,50,1", "dataset is empty"),
        ("3,first,MATH,50,1", r"T3 first on MATH a second time; the first is at .*table.csv:2"),
        ("3,a,MATH,50", "header has 5"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line_and_a_remedy(tmp_path, row, said):
    with pytest.raises(DataError, match=f"table.csv:3: .*{said}") as caught:
        read(tmp_path, HEAD + "3,first,MATH,50,1\n" + row + "\n")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("table,dataset,score\n3,a,50\n", "t.csv", "no column benchmark, delta; there is table, dataset, score"),
        (HEAD, "t.csv", "no rows"),
        ("", "t.csv", "no rows"),
        (HEAD + "3,a,MATH,–,–\n", "t.csv", "no row has both"),
        (HEAD, "t.xlsx", "not a .csv file"),
        (HEAD.replace("delta", "score"), "t.csv", "two columns are called 'score'"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path, text, name, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, text, name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_printed(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_printed(tmp_path / f"{'long' * 100}.csv")


def test_a_name_that_is_not_utf8_is_named_with_its_line(tmp_path):
    (tmp_path / "t.csv").write_bytes(HEAD.encode() + "3,Café,MATH,50,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t.csv:2: dataset is 'Caf.udce9', not UTF-8"):
        read_printed(tmp_path / "t.csv")


def test_a_table_in_another_encoding_is_said_to_be(tmp_path):
    (tmp_path / "t.csv").write_bytes((HEAD + "3,a,MATH,50,1\n").encode("utf-16"))
    with pytest.raises(DataError, match="first line is not UTF-8"):
        read_printed(tmp_path / "t.csv")
