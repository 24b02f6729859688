"""Files in order become one order, whatever their sizes and however few rows of each are held."""

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.generate.merge import merged


@settings(max_examples=40, deadline=None)
@given(owners=st.lists(st.integers(0, 4), max_size=60), rows=st.integers(1, 9))
def test_rows_come_in_the_order_of_their_positions(tmp_path_factory, owners, rows):
    folder, paths = tmp_path_factory.mktemp("merge"), []
    for owner in sorted(set(owners)):
        mine = [position for position, by in enumerate(owners) if by == owner]
        table = pa.table({"position": mine, "text": [str(position) for position in mine]})
        pq.write_table(table, folder / f"{owner}.parquet", row_group_size=4)
        paths.append(folder / f"{owner}.parquet")
    tables = list(merged(paths, rows))
    assert [row for table in tables for row in table.to_pylist()] == [
        {"position": position, "text": str(position)} for position in range(len(owners))
    ]
    assert all(table.num_rows <= rows * len(paths) for table in tables)
