"""How far a training is in its schedule, where that can be cut short so as to end in time."""


class Course:
    """Maps a step to its place in the schedule, from 0 to `steps` - 1; one that is cut short still ends there."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._turn = (0, 0.0)
        """The step from which on the rest of the schedule is spread evenly, and its place."""
        self._last = steps - 1

    def place(self, step: int) -> float:
        """Where in the schedule `step` is; torch asks once more after the last step."""
        start, place = self._turn
        if step >= self._last or self._last <= start:
            return float(self.steps - 1) if step >= self._last else place
        return place + (step - start) / (self._last - start) * (self.steps - 1 - place)

    def end_at(self, step: int, steps: int) -> None:
        """Spread what is left of the schedule, from `step` on, so that it is through after `steps` in all."""
        self._turn = (step, self.place(step))
        self._last = steps - 1

    def state_dict(self) -> dict[str, float]:
        """Everything that `end_at` changed."""
        return {"start": self._turn[0], "place": self._turn[1], "last": self._last}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on as `state_dict` says."""
        self._turn, self._last = (int(state["start"]), state["place"]), int(state["last"])
