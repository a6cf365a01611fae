import pytest

from mobisdk.training.course import Course
from mobisdk.training.schedule import learning_rate_factor


def test_a_course_is_the_steps_themselves_and_asks_nothing_beyond_the_last() -> None:
    course = Course(10)

    assert [course.place(step) for step in range(11)] == [*range(10), 9]


def test_a_course_that_is_cut_short_goes_on_from_its_place_and_ends_at_the_end() -> None:
    course = Course(10)

    course.end_at(4, 7)

    # From place 4 at step 4 to place 9 at step 6, the last one.
    assert [course.place(step) for step in range(4, 8)] == [4, 6.5, 9, 9]
    again = Course(10)
    again.load_state_dict(course.state_dict())
    assert [again.place(step) for step in range(11)] == [course.place(step) for step in range(11)]


def test_a_course_cut_short_twice_never_goes_back() -> None:
    course = Course(100)
    course.end_at(10, 50)
    course.end_at(20, 25)

    places = [course.place(step) for step in range(20, 25)]

    assert places == sorted(places)
    assert places[-1] == 99


def test_exponential_falls_by_six_per_cent_every_other_epoch_of_two_hundred() -> None:
    steps = 200 * 50 + 1  # the last step is at the end of epoch 200
    factors = [learning_rate_factor("exponential", epoch * 50, steps, 0.0) for epoch in range(0, 201, 2)]

    assert factors == pytest.approx([0.94**pair for pair in range(101)])
