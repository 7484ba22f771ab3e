"""Tables of sample results."""

from __future__ import annotations

import json

import pytest

import table
from benchmark_fakes import cells_of, paired, rounds, sample_results
from workloads import GPT_2_SIMPLE, OURS, OURS_FP32, WORKLOADS


def test_a_cell_has_ratio_target_median_and_range() -> None:
    cells = cells_of(table.comparison(sample_results()), "generate-1")
    assert cells[1] == "80 (50 to 100)"  # 100 tokens in 1.25 s
    assert cells[2] == "**4.00x**, target 4 met<br>20 (12.5 to 25)"


def test_the_best_variant_counts() -> None:
    cells = cells_of(table.comparison(sample_results()), "generate-1")
    assert cells[3] == "**1.60x**, target 2 missed<br>50 (50 to 50) bf16"


def test_the_best_variant_has_the_lowest_paired_ratio() -> None:
    results = sample_results()
    known = results["workloads"]["generate-1"]
    known["transformers fp32"] = paired(rounds(1.0), rounds(0.8))  # on a faster day
    cells = cells_of(table.comparison(results), "generate-1")
    assert cells[3].startswith("**1.25x**")
    known["transformers fp32"] = paired(rounds(1.0), rounds(0.4))
    assert cells_of(table.comparison(results), "generate-1")[3].startswith("**1.60x**")


def test_less_memory_is_better() -> None:
    cells = cells_of(table.comparison(sample_results()), "memory")
    assert cells[1:3] == ["2", "**2.25x**, target 2.2 met<br>4.5"]


def test_a_cell_shows_a_failure() -> None:
    generating = cells_of(table.comparison(sample_results()), "generate-1")
    assert generating[4] == "failed: ended by SIGKILL"
    assert generating[5] == "not measured"
    cold = cells_of(table.comparison(sample_results()), "cold-start")
    assert cold[1:3] == ["failed: ended with exit code 1", "9"]


def test_a_cell_without_a_target_is_empty() -> None:
    assert cells_of(table.comparison(sample_results()), "memory")[5:] == ["", "", ""]


def test_training_is_compared_by_seconds_per_step() -> None:
    (workload,) = [workload for workload in WORKLOADS if workload.name == "finetune-1"]
    assert table.median_value(workload, rounds(6.0, units=2)) == 3.0
    assert table.ratio(workload, ours=2.0, theirs=5.0) == 2.5


def test_the_summary_counts_targets_and_names_missed_ones() -> None:
    text = table.summary(sample_results())
    known = ("generate-1", "memory", "cold-start")
    targets = sum(len(workload.targets) for workload in WORKLOADS if workload.name in known)
    missed = "Missed: generate-1 against transformers (1.60x of 2)."
    assert text.startswith(
        f"2 of {targets} targets met. {missed} Without a figure: generate-1 against "
    )
    assert "generate-1 against KerasHub; generate-1 against CTranslate2 fp32; " in text
    assert "cold-start against gpt-2-simple" in text  # ours failed there
    assert text.endswith(
        f" Not measured: {', '.join(w.name for w in WORKLOADS if w.name not in known)}."
    )


def test_the_results_page_has_variants_machine_and_versions() -> None:
    page = table.results_page(sample_results())
    assert "- transformers fp32: 10 tokens/s, 1 round, ours 8.00x as good" in page
    assert "- KerasHub fp32: failed: ended by SIGKILL" in page
    assert "a machine, 2026-11-27" in page
    assert "\n- torch 2.13.0\n" in page


def test_releases_of_some_workloads_name_them() -> None:
    results = sample_results()
    results["workloads"]["memory"][GPT_2_SIMPLE]["versions"] = {"torch": "2.14.0"}
    page = table.results_page(results)
    assert "\n- torch 2.13.0\n- torch 2.14.0 (memory)\n" in page


def test_fp32_is_on_the_second_line_of_our_cell() -> None:
    results = sample_results()
    results["workloads"]["generate-1"][OURS_FP32] = paired(rounds(2.0), rounds(1.0))
    assert cells_of(table.comparison(results), "generate-1")[1] == "80 (50 to 100)<br>50 fp32"


def test_tokenizing_shows_the_number_of_ids_and_notes() -> None:
    results = sample_results()
    results["workloads"] = {"tokenize": {OURS: paired(rounds(1.0, units=1234), [])}}
    theirs = {**paired(rounds(2.0), rounds(1.0)), "note": "produces 9 ids instead of 10"}
    results["workloads"]["tokenize"]["KerasHub fp32"] = theirs
    cells = cells_of(table.comparison(results), "tokenize")
    assert cells[0].endswith("cold, 1,234 ids, s")
    assert cells[4] == "**2.00x**, target 2 met<br>2, produces 9 ids instead of 10"


def test_mean_lengths_are_listed() -> None:
    results = sample_results()
    timed = [{**round, "tokens_per_text": 19.04} for round in rounds(10.0, 10.0, units=200)]
    results["workloads"] = {"texts": {OURS: paired(timed, [])}}
    assert f"- {OURS}: 20 (20 to 20) texts/s, 2 rounds, 19.0 tokens per text" in table.results_page(
        results
    )


def test_ratios_have_no_targets() -> None:
    cells = cells_of(table.ratios(sample_results()), "generate-1")
    assert cells[1:] == ["4.00x", "1.60x", "", "", "", ""]


def test_a_table_is_replaced_between_its_marks() -> None:
    first, last = table.RATIOS
    before = f"# Title\n\n{first}\nold\n{last}\n\nMore\n"
    after = table.replace_between(before, table.RATIOS, "new")
    assert after == f"# Title\n\n{first}\nnew\n{last}\n\nMore\n"
    assert table.replace_between(after, table.RATIOS, "new") == after
    with pytest.raises(SystemExit, match="no place for the table"):
        table.replace_between("# Title\n", table.RATIOS, "new")


def test_readme_and_docs_show_the_present_results() -> None:
    results = json.loads((table.HERE / "results.json").read_text(encoding="utf-8"))
    for path, marks, shown in (
        (table.README, table.RATIOS, table.ratios(results)),
        (table.DOCS, table.RESULTS, table.comparison(results)),
    ):
        text = path.read_text(encoding="utf-8")
        assert table.replace_between(text, marks, shown) == text, f"run {table.__file__} --readme"
