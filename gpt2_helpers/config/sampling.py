"""Options for generating texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """How texts are generated."""

    length: int = option(
        1023,
        "upper limit for a text, including its prompt; 100 tokens are about 75 words",
        label="Max length (tokens)",
        minimum=1,
        suggested_range=(10, 1023),
    )
    temperature: float = option(
        0.7,
        "0 always picks the most likely token; higher values give more varied texts",
        minimum=0.0,
        maximum=100.0,
        suggested_range=(0.0, 1.5),
    )
    top_k: int = option(
        0,
        "sample only from the k most likely tokens; 0 disables it, 40 is typical",
        label="Top-k",
        minimum=0,
        suggested_range=(0, 100),
    )
    top_p: float = option(
        0.0,
        "sample from the smallest set of tokens with total probability p; above 0 overrides top_k",
        label="Top-p",
        minimum=0.0,
        maximum=1.0,
        suggested_range=(0.0, 1.0),
    )
    nsamples: int = option(
        1,
        "how many to generate for each prompt",
        label="Number of texts",
        minimum=1,
        suggested_range=(1, 100),
    )
    batch_size: int = option(
        1,
        "texts generated in parallel; more is faster but needs more memory",
        label="Sequences per batch",
        minimum=1,
        suggested_range=(1, 50),
    )
    truncate: Sequence[str] | None = option(
        None, "end each text before the first occurrence of any of these after the prompt",
        label="Stop strings",
    )  # fmt: skip
    include_prefix: bool = option(
        True,
        "start each text with its prompt; else show only the continuation",
        label="Include prompt",
    )
    prompt_prefix: str | None = option(
        None,
        "text put before every prompt and left out of the texts",
        label="Before the prompt",
    )
    prompt_suffix: str | None = option(
        None,
        "text that ends every prompt; with it, only the continuation is shown",
        label="After the prompt",
        default_text="as the run was trained",
    )
    finish_sentence: bool = option(
        False,
        "end each text after a complete sentence, if one ends close enough to the maximum length",
        label="Finish the sentence",
    )
    seed: int | None = option(
        None,
        "fixes the random numbers, for reproducible texts",
        default_text="random",
        minimum=0,
        maximum=2**63 - 1,
    )
    min_p: float = option(
        0.0,
        "leave out tokens below this share of the top probability; 0 disables it, 0.05 is typical",
        label="Min-p",
        minimum=0.0,
        maximum=1.0,
        suggested_range=(0.0, 1.0),
        advanced=True,
    )
    typical_p: float = option(
        0.0,
        "keep tokens of near-average surprise, up to this probability; 0 disables it, 0.9 is usual",
        label="Typical-p",
        minimum=0.0,
        maximum=1.0,
        suggested_range=(0.0, 1.0),
        advanced=True,
    )
    repetition_penalty: float = option(
        1.0,
        "divides the logits of tokens in prompt and text; 1 disables it, 1.2 is typical",
        minimum=0.01,
        maximum=100.0,
        suggested_range=(1.0, 2.0),
        advanced=True,
    )
    presence_penalty: float = option(
        0.0,
        "subtracted from the logits of tokens that the text contains; 0 disables it",
        minimum=-2.0,
        maximum=2.0,
        suggested_range=(-2.0, 2.0),
        advanced=True,
    )
    frequency_penalty: float = option(
        0.0,
        "subtracted from the logit of a token each time that it occurs in the text; 0 disables it",
        minimum=-2.0,
        maximum=2.0,
        suggested_range=(-2.0, 2.0),
        advanced=True,
    )
    no_repeat_ngram_size: int = option(
        0,
        "sequences of this many tokens occur only once; 0 disables it, 3 is typical",
        label="N-gram size",
        minimum=0,
        suggested_range=(0, 10),
        advanced=True,
    )
    banned_words: Sequence[str] | None = option(
        None,
        "texts that are never generated, even inside longer words; case matters",
        advanced=True,
    )
    logit_bias: Mapping[str, float] | None = option(
        None,
        "added to the logits of a text or token id, as TEXT=NUMBER; from -100 (never) to 100",
        minimum=-100.0,
        maximum=100.0,
        advanced=True,
    )
    best_of: int = option(
        0,
        "generate this many per prompt and keep the most likely nsamples; 0 keeps all",
        label="Best of",
        minimum=0,
        suggested_range=(0, 20),
        advanced=True,
    )
    best_of_by: str = option(
        "mean",
        "what makes a text likely: the mean or the total log-probability of its tokens",
        label="Best by",
        choices=("mean", "total"),
        advanced=True,
    )
    choices: Sequence[str] | None = option(
        None, "the continuation is one of these", label="Choices", advanced=True
    )
    regex: str | None = option(
        None,
        "must match the whole continuation; needs the package llguidance",
        label="Regular expression",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regex == "":
            object.__setattr__(self, "regex", None)
        used = [name for name in ("choices", "regex", "truncate") if getattr(self, name)]
        if self.is_constrained and len(used) > 1:
            raise OptionError(
                f"set only one of choices, regex and truncate, got {' and '.join(used)}"
            )
        if 0 < self.best_of < self.nsamples:
            raise OptionError(
                f"best_of must be 0 or at least nsamples={self.nsamples}, got {self.best_of}"
            )

    @property
    def n_candidates(self) -> int:
        """Number of texts to generate for each prompt, of which `nsamples` are kept."""
        return max(self.nsamples, self.best_of)

    @property
    def is_constrained(self) -> bool:
        """Whether the continuation must match something. Then `finish_sentence` is ignored."""
        return bool(self.choices or self.regex)


# The defaults of the command line, the forms and the page; those above are gpt-2-simple's. Top-k 40
# leaves out the unlikely tokens that derail a small model. For a run that was finetuned on a table,
# the three also put `<|startoftext|>` before prompts.
PRESET = SamplingConfig(temperature=0.7, top_k=40, finish_sentence=True)
