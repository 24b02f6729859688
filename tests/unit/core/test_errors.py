import pickle

import pytest

from tasks.core import errors


@pytest.mark.parametrize(
    "kind",
    [
        errors.StudyError, errors.DataError, errors.EngineError, errors.InfrastructureError, errors.OutageError,
        errors.IntegrityError,
    ],
)  # fmt: skip
def test_an_error_survives_crossing_processes(kind):
    copy = pickle.loads(pickle.dumps(kind("what is wrong", remedy="what to do")))
    assert type(copy) is kind
    assert (copy.message, copy.remedy) == ("what is wrong", "what to do")
    assert "what to do" in str(copy)


def test_exit_codes_tell_errors_apart():
    kinds = [errors.StudyError, errors.DataError, errors.EngineError, errors.InfrastructureError, errors.IntegrityError]
    assert [kind.exit_code for kind in kinds] == [2, 3, 4, 5, 6]
    assert errors.OutageError.exit_code == errors.InfrastructureError.exit_code
