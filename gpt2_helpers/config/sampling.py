"""Options for generating texts."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """How texts are generated."""

    length: int = option(
        1023,
        "where a text ends at the latest, with its prompt; 100 tokens are about 75 words",
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
    truncate: str | None = option(
        None, "stop each text at the first occurrence of this string after the prompt",
        label="Stop string",
    )  # fmt: skip
    include_prefix: bool = option(
        True, "start each text with it; else show only the continuation", label="Include prompt"
    )
    prompt_prefix: str | None = option(
        None,
        "text put before every prompt and left out of the texts",
        label="Before the prompt",
    )
    prompt_suffix: str | None = option(
        None,
        "text put after every prompt; with it, only the continuation is shown",
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


# What the command line, the forms and the page start from. Top-k 40 leaves out the unlikely tokens
# that make a small model's texts break off. The defaults above are those of gpt-2-simple.
# They also put `<|startoftext|>` before prompts for a run that was finetuned on a table.
PRESET = SamplingConfig(temperature=0.7, top_k=40, finish_sentence=True)
