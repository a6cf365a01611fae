from pathlib import Path

import mobisdk.errors
from mobisdk.errors import MobiError


def test_message_says_what_value_allowed_and_next_step_in_that_order() -> None:
    error = MobiError("alpha is wrong", got=-1, allowed="0 < alpha ≤ 2", hint="Try 0.5")
    assert str(error) == "alpha is wrong, got -1; allowed: 0 < alpha ≤ 2. Try 0.5"


def test_message_when_value_is_none_then_says_so() -> None:
    assert str(MobiError("alpha is wrong", got=None)) == "alpha is wrong, got None"


def test_message_when_value_is_hostile_then_stays_one_short_line() -> None:
    text = str(MobiError("wrong", got="\x1b[31m\n" * 1000))
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 300


def test_tree_at_the_top_of_the_file_is_the_real_one() -> None:
    lines = (mobisdk.errors.__doc__ or "").splitlines()
    drawn = {line.split()[1] for line in lines if "─" in line}
    assert drawn == {cls.__name__ for cls in MobiError.__subclasses__()}
    assert Path(mobisdk.errors.__file__).read_text(encoding="utf-8").count("(MobiError)") == len(drawn)
