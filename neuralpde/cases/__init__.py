"""Case files: a study written as TOML, run into a folder."""

from neuralpde.cases._build import Run, Study, build_study, load_study
from neuralpde.cases._exports import export_saved, probe_saved
from neuralpde.cases._memory import out_of_memory
from neuralpde.cases._open import open_run, run_files, saved_case
from neuralpde.cases._outcome import Outcome
from neuralpde.cases._pictures import draw_saved
from neuralpde.cases._run import StudyResult, run_case
from neuralpde.cases._user_code import blame

__all__ = [
    "Outcome",
    "Run",
    "Study",
    "StudyResult",
    "blame",
    "build_study",
    "draw_saved",
    "export_saved",
    "load_study",
    "open_run",
    "out_of_memory",
    "probe_saved",
    "run_case",
    "run_files",
    "saved_case",
]
