"""Laws about what a run of a method, a search or a loss leaves behind it."""

from __future__ import annotations

from collections.abc import Iterator

from .component import ComponentLaws
from .law import law, require
from .method_run import MethodRun


class LeftBehindLaws(ComponentLaws):
    """What must be as before once a run is over."""

    def runs(self) -> Iterator[MethodRun]:
        """The runs that are looked at."""
        raise NotImplementedError

    @law("Restore what you set (try ... finally), draw from context.generator, and replace no function of others; "
         "building an nn.Linear draws, too: put it into torch.random.fork_rng()")
    def test_nothing_global_is_changed(self) -> None:
        for run in self.runs():
            require(not run.changed, "; ".join(run.changed[:5]))

    @law("Remove hooks (handle.remove() in a finally block), switch quantizers on again, end in evaluation mode")
    def test_the_model_is_left_as_others_need_it(self) -> None:
        for run in self.runs():
            require(not run.left, f"{'; '.join(run.left[:5])} was left")

    @law("Change context.model and nothing else; take a copy (copy.deepcopy) of what you want to change")
    def test_the_full_precision_model_and_the_teacher_are_unchanged(self) -> None:
        for run in self.runs():
            require(not run.harmed, "; ".join(run.harmed))

    @law("Keep files in harness.cache_folder(NAME) or in a temporary folder, and notes in context.notes")
    def test_nothing_is_written_outside_of_its_folders(self) -> None:
        """A write that Python sees is refused where it happens; this is what compiled code has left."""
        for run in self.runs():
            require(not run.written, f"{', '.join(run.written[:5])} was left in the working folder")
