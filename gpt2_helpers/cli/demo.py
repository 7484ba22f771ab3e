"""`make demo`: finetune the bundled model on data/titles.csv and generate new titles."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gpt2_helpers.config import BUNDLED_MODEL, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.system.tensorflow_setup import load_tensorflow

TITLES = Path(__file__).parents[2] / "data" / "titles.csv"
FOLDER = Path("demo")
NEW_TITLES = 10
FINETUNE = FinetuneConfig(
    # Dropout: without it, most of the ten titles are copies after this many steps.
    steps=280,
    dropout=0.1,
    batch_size=4,
    accumulate_gradients=1,
    learning_rate=0.003,
    lr_schedule="cosine",
    warmup_steps=10,
    eval_every=40,
    seed=1,
)
RUN = RunConfig(
    model_name=BUNDLED_MODEL,
    run_name="titles",
    checkpoint_dir=str(FOLDER / "checkpoint"),
    restore_from="fresh",
    overwrite=True,
    sample_every=0,
    validation_split=0.05,
)


def main(steps: int = FINETUNE.steps) -> int:
    """Finetune, plot the loss and print new titles; returns the exit code."""
    if not TITLES.is_file():
        raise Gpt2Error(f"{TITLES} is missing: the demo runs from a clone of the project")
    load_tensorflow()  # first, to hide its start-up messages
    from gpt2_helpers.console import print_line, show_finetuning
    from gpt2_helpers.evaluation.loss_plot import plot_loss
    from gpt2_helpers.session import Session

    session = Session()
    warmup_steps = min(FINETUNE.warmup_steps, steps)
    finetune = dataclasses.replace(FINETUNE, steps=steps, warmup_steps=warmup_steps)
    run = session.finetune(TITLES, finetune, RUN)
    show_finetuning(run, print_every=40)
    if run.interrupted:
        return 130
    plot_loss(RUN.run_name, FOLDER / "checkpoint", FOLDER / "loss.png")
    print_line(f"loss curve: {FOLDER / 'loss.png'}\n")

    options = SamplingConfig(
        length=60,
        temperature=0.8,
        top_p=0.95,
        nsamples=NEW_TITLES,
        batch_size=NEW_TITLES,
        prompt_prefix=session.prompt_prefix,
        seed=1,
    )
    titles = [" ".join(title.text.split()) for title in session.generate("", options)]
    known = {_plain(title) for title in read_column(TITLES, ReadReport())}
    new = sum(_plain(title) not in known for title in titles)
    print_line("\n".join(f"  {title}" for title in titles))
    print_line(f"\n{new} of these {NEW_TITLES} titles are not in {TITLES.name}.")
    print_line(
        f"For more: .venv/bin/gpt2-helpers generate --run-name {RUN.run_name} "
        f"--checkpoint-dir {RUN.checkpoint_dir} --nsamples 20 --length 60"
    )
    print_line(
        "Next: .venv/bin/gpt2-helpers finetune YOUR_FILE.txt --model-name tiny, or a notebook."
    )
    return 0


def _plain(title: str) -> str:
    """A title in lower case with single spaces, for comparison."""
    return " ".join(title.lower().split())


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Gpt2Error as error:
        raise SystemExit(f"{error}") from None
