"""Runs programs that use OpenAI's API against a server, in their own environment.

`python clients.py JOB` reads a JSON file with the server's `address`, a `prompt`, texts to score as
`pairs` of context and continuation, the folder of the model's `tokenizer`, and `out`, the file for
the results. It does not import this package.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


def langchain(job: dict[str, Any]) -> dict[str, Any]:
    """Texts of LangChain: at once, several prompts, and streamed."""
    from langchain_openai import OpenAI

    model = OpenAI(
        base_url=job["address"], api_key="none", model="run1", max_tokens=8, temperature=0
    )
    prompt = job["prompt"]
    return {
        "invoke": model.invoke(prompt),
        "batch": model.batch([prompt] * 12),
        "stream": "".join(model.stream(prompt)),
    }


def llm_command(job: dict[str, Any]) -> dict[str, Any]:
    """Texts of `llm`: at once and streamed."""
    folder = Path("llm").resolve()
    os.environ["LLM_USER_PATH"] = str(folder)
    folder.mkdir()
    entry = f"- model_id: ours\n  model_name: run1\n  api_base: {job['address']}\n"
    entry += "  completion: true\n"
    Path(folder, "extra-openai-models.yaml").write_text(entry, encoding="utf-8")

    import llm

    model = llm.get_model("ours")
    options: dict[str, Any] = {"max_tokens": 8, "temperature": 0}
    return {
        "text": model.prompt(job["prompt"], stream=False, key="none", **options).text(),
        "stream": "".join(model.prompt(job["prompt"], stream=True, key="none", **options)),
    }


def harness(job: dict[str, Any]) -> dict[str, Any]:
    """Log-likelihoods and texts of lm-evaluation-harness, from token ids."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    model = LocalCompletionsAPI(
        base_url=f"{job['address']}/completions",
        model="run1",
        tokenizer=job["tokenizer"],
        tokenizer_backend="huggingface",
        batch_size=3,
        max_length=32,
    )

    def instances(kind: str, arguments: list[Any]) -> list[Instance]:
        return [
            Instance(request_type=kind, doc={}, arguments=tuple(pair), idx=order)
            for order, pair in enumerate(arguments)
        ]

    until = {"until": ["."], "max_gen_toks": 8, "temperature": 0}
    return {
        "loglikelihood": model.loglikelihood(instances("loglikelihood", job["pairs"])),
        "until": model.generate_until(instances("generate_until", [[job["prompt"], until]])),
    }


def main() -> None:
    """Run all programs and write their results."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = {"langchain": langchain(job), "llm": llm_command(job), "harness": harness(job)}
    Path(job["out"]).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
