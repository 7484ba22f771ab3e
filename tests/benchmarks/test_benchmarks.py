"""The benchmarks' own machinery, with a peer that does what a test tells it. No real peer runs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bench_weights
import compare
import table
import turns
from gpt2_helpers import config
from gpt2_helpers.config import ModelConfig
from peer_process import PeerError, PeerProcess
from peers import ours
from same_weights import other_weights
from works import (
    CTRANSLATE2,
    CTRANSLATE2_INT8,
    GPT_2_SIMPLE,
    KERAS_HUB,
    LIKELIEST,
    OURS,
    OURS_FP32,
    PEERS,
    TRANSFORMERS,
    WORKS,
    Work,
)

BENCHMARKS = Path(compare.__file__).parent
SPEED = Work("speed", "write a lot", "generate", "tokens/s", {TRANSFORMERS: 2.0, KERAS_HUB: 3.0})

# The real worker, with a module more than it knows of.
FAKE = f"""
import os, subprocess, sys, time, types
sys.path.insert(0, {str(BENCHMARKS)!r})
import worker

def prepare(work, folder, told):
    print("libraries print much")
    if told == "not installed":
        import no_such_package
    if told == "ends":
        sys.exit(5)
    runs = []
    def run():
        print("also while they run")
        runs.append(told)
        if told == "fails" and len(runs) > 1:
            raise ValueError("no such shape\\na hint for all")
        if told == "crashes" and len(runs) > 1:
            os.abort()
        if told == "hangs" and len(runs) > 1:
            child = subprocess.Popen(["sleep", "1000"])
            open(folder / "child", "w").write(str(child.pid))
            time.sleep(1000)
        if told == "writes":
            return "what it writes"
        if told.startswith("lengths"):
            return [int(length) for length in told.split()[1:]]
        return (3, 0.5) if told == "has a clock" else len(runs)
    return run

sys.modules["peers.fake"] = types.ModuleType("peers.fake")
sys.modules["peers.fake"].prepare = prepare
worker.VARIANTS["fake"] = ("fake", sys.argv.pop())
worker.main()
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., PeerProcess]:
    """Starts the fake peer at a work, told what to do."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE, encoding="utf-8")

    def start(told: str, longest: float = 60, work: str = "generate-1") -> PeerProcess:
        command = [sys.executable, str(script), "fake", work, str(tmp_path), told]
        return PeerProcess(command, tmp_path / "log", longest)

    return start


# --- A peer's process


def test_a_peer_warms_up_and_then_runs_when_told(
    start: Callable[..., PeerProcess], tmp_path: Path
) -> None:
    process = start("works")
    assert process.seconds_to_ready > 0
    first, second = process.run(), process.run()
    process.close()
    assert (first["units"], second["units"]) == (2, 3)  # the first run warmed up
    assert 0 <= first["seconds"] < 60
    assert 0 < first["peak"] < 1
    assert "libraries print much" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_cold_peer_does_not_warm_up(start: Callable[..., PeerProcess]) -> None:
    process = start("works", work="tokenize")
    assert process.run()["units"] == 1
    process.close()


def test_a_peer_may_take_its_own_time(start: Callable[..., PeerProcess]) -> None:
    process = start("has a clock")
    answer = process.run()
    process.close()
    assert (answer["units"], answer["seconds"]) == (3, 0.5)


def test_texts_are_counted_by_their_lengths(start: Callable[..., PeerProcess]) -> None:
    process = start("lengths 3 40 17", work="texts")
    answer = process.run()
    process.close()
    assert (answer["units"], answer["tokens a text"]) == (3, 20.0)


def test_what_is_written_is_told_without_warming_up(start: Callable[..., PeerProcess]) -> None:
    process = start("writes", work=LIKELIEST.name)
    answer = process.run()
    process.close()
    assert (answer["units"], answer["text"]) == (1, "what it writes")


@pytest.mark.parametrize("lengths", ["0 0 0", "1 2 3", "100 100 100"])
def test_texts_that_end_too_early_or_never_do_not_count(
    start: Callable[..., PeerProcess], lengths: str
) -> None:
    process = start(f"lengths {lengths}", work="texts")
    with pytest.raises(PeerError, match=r"tokens in the mean, where 20 are right$"):
        process.run()
    process.close()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("not installed", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("ends", "SystemExit: 5"),
    ],
)
def test_a_peer_that_cannot_start_says_why(
    start: Callable[..., PeerProcess], told: str, message: str
) -> None:
    with pytest.raises(PeerError, match=message):
        start(told)


@pytest.mark.parametrize(
    ("told", "message"),
    [("fails", "^ValueError: no such shape$"), ("crashes", "^ended by SIGABRT$")],
)
def test_a_peer_that_fails_in_a_round_says_why(
    start: Callable[..., PeerProcess], told: str, message: str
) -> None:
    process = start(told)
    with pytest.raises(PeerError, match=message):
        process.run()
    with pytest.raises(PeerError):
        process.run()
    process.close()


def test_a_peer_that_hangs_is_ended_with_all_that_it_started(
    start: Callable[..., PeerProcess], tmp_path: Path
) -> None:
    process = start("hangs")
    process.longest = 1.0
    with pytest.raises(PeerError, match="^took over 1 s$"):
        process.run()
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)  # it is there
    process.close()
    for _ in range(500):  # until the system has buried it
        if not _runs(child):
            break
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_peer_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match=r"^took over 0\.2 s$"):
        PeerProcess([sys.executable, "-c", "input()"], tmp_path / "log", longest=0.2)


def test_memory_that_runs_out_is_named(tmp_path: Path) -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(PeerError, match="^ended by SIGKILL, as when memory runs out$"):
        PeerProcess([sys.executable, "-c", script], tmp_path / "log", longest=60)


# --- Turns


class Scripted(PeerProcess):
    """A peer that takes the seconds it is given, one a round, and keeps a diary."""

    def __init__(self, name: str, seconds: list[float | BaseException], diary: list[str]) -> None:
        self.name, self.seconds, self.diary = name, iter(seconds), diary
        self.units, self.seconds_to_ready = 10, 7.0
        diary.append(f"{name} starts")

    def run(self) -> dict[str, Any]:
        self.diary.append(self.name)
        seconds = next(self.seconds)
        if isinstance(seconds, BaseException):
            raise seconds
        return {"units": self.units, "seconds": seconds, "peak": 1.0}

    def close(self) -> None:
        self.diary.append(f"{self.name} ends")


def measured(
    work: Work, rounds: int, **seconds: list[float | BaseException]
) -> tuple[dict[str, Any], list[str]]:
    """What `compare.measure` makes of ours and of peers with such rounds, and what happened."""
    diary: list[str] = []
    names = {"ours": OURS, "fp32": "transformers fp32", "bf16": "transformers bf16"}
    scripts = {names[name]: values for name, values in seconds.items()}
    found = turns.measure(
        work, list(scripts), rounds, lambda name: Scripted(name, scripts[name], diary)
    )
    return found, diary


def test_variants_take_turns() -> None:
    found, diary = measured(SPEED, 3, ours=[1.0] * 3, fp32=[2.0] * 3)
    assert [line for line in diary if not line.endswith(("starts", "ends"))] == [
        *[OURS, "transformers fp32"] * 3
    ]
    assert diary[-2:] == [f"{OURS} ends", "transformers fp32 ends"]
    assert found["transformers fp32"]["beside"] == found[OURS]["rounds"]
    assert len(found[OURS]["rounds"]) == 3


def test_a_peer_that_fails_leaves_the_others_their_rounds() -> None:
    found, diary = measured(
        SPEED, 3, ours=[1.0] * 3, fp32=[2.0, PeerError("no more")], bf16=[2.0] * 3
    )
    assert found["transformers fp32"]["error"] == "no more"
    counts = {name: len(values["rounds"]) for name, values in found.items()}
    assert counts == {OURS: 3, "transformers fp32": 1, "transformers bf16": 3}
    turns = {name: len(values["beside"]) for name, values in found.items() if name != OURS}
    assert turns == {"transformers fp32": 1, "transformers bf16": 3}
    assert diary.count("transformers fp32 ends") == 1


def test_a_variant_far_behind_its_sister_runs_once() -> None:
    found, _ = measured(SPEED, 3, ours=[1.0] * 3, fp32=[3.0] * 3, bf16=[6.5] * 3)
    assert len(found["transformers bf16"]["rounds"]) == 1
    assert found["transformers bf16"]["stopped"] == (
        "over 2 times as slow as transformers fp32: one round only"
    )
    found, _ = measured(SPEED, 3, ours=[1.0] * 3, fp32=[3.0] * 3, bf16=[5.5] * 3)
    assert len(found["transformers bf16"]["rounds"]) == 3


def test_a_variant_far_behind_a_later_sister_runs_once_too() -> None:
    found, diary = measured(SPEED, 3, ours=[1.0] * 3, fp32=[6.5] * 3, bf16=[3.0] * 3)
    assert len(found["transformers fp32"]["rounds"]) == 1
    assert len(found["transformers bf16"]["rounds"]) == 3
    assert diary.count("transformers fp32 ends") == 1


def test_large_processes_take_turns_two_at_a_time() -> None:
    work = Work("train", "train", "finetune", "s a step", {TRANSFORMERS: 2.0})
    seconds: list[float | BaseException] = [1.0, 2.0]
    found, diary = measured(work, 2, ours=seconds, fp32=seconds, bf16=seconds)
    assert diary.index("transformers fp32 ends") < diary.index("transformers bf16 starts")
    assert len(found[OURS]["rounds"]) == 4
    assert all(len(found[name]["beside"]) == 2 for name in found if name != OURS)


def test_a_cold_start_is_a_new_process_each_time() -> None:
    work = Work("cold", "cold", "cold start", "s", {TRANSFORMERS: 2.0})
    found, diary = measured(work, 2, ours=[], fp32=[])
    assert diary == [
        *[f"{OURS} starts", f"{OURS} ends", "transformers fp32 starts", "transformers fp32 ends"]
        * 2
    ]
    assert [result["seconds"] for result in found[OURS]["rounds"]] == [7.0, 7.0]


def test_who_makes_other_ids_of_a_text_is_remarked_upon() -> None:
    work = Work("cut", "cut", "tokenize", "s", {TRANSFORMERS: 2.0})

    def start(name: str) -> PeerProcess:
        process = Scripted(name, [1.0], [])
        process.units = 9 if name.endswith("bf16") else 10
        return process

    found = turns.measure(work, [OURS, "transformers fp32", "transformers bf16"], 1, start)
    assert all(len(each["rounds"]) == 1 for each in found.values())
    remarks = {name: each["remark"] for name, each in found.items() if "remark" in each}
    assert remarks == {"transformers bf16": "makes 9 ids of it, where 10 are right"}
    assert table.lines_of(work, found)[-1].endswith(", makes 9 ids of it, where 10 are right")


# --- The same weights


def test_who_writes_other_likeliest_tokens_is_not_compared() -> None:
    texts = {
        OURS_FP32: "some\ufffd words",
        GPT_2_SIMPLE: " some words",  # others show blanks and halves of letters otherwise
        "transformers fp32": "somewords",
        "KerasHub fp32": "other words",
        CTRANSLATE2: "no words",
    }
    ended = []

    class Writer(Scripted):
        def run(self) -> dict[str, Any]:
            return {"units": 1, "text": texts[self.name]}

        def close(self) -> None:
            ended.append(self.name)

    found = other_weights(PEERS, lambda name: Writer(name, [], []))
    assert list(found) == [KERAS_HUB, CTRANSLATE2, CTRANSLATE2_INT8]
    assert found[KERAS_HUB] == "writes 'otherwords' where 'somewords' is right: other weights"
    assert ended == list(texts)


def test_who_cannot_show_its_weights_is_not_compared() -> None:
    class Failing(Scripted):
        def run(self) -> dict[str, Any]:
            if self.name != OURS_FP32:
                raise PeerError("not installed")
            return {"units": 1, "text": "words"}

    found = other_weights(PEERS, lambda name: Failing(name, [], []))
    assert found == dict.fromkeys(PEERS, "not installed")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what `bench_weights.make` makes, of a small shape, and its text."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "text").write_text("It was a fine day.", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(config.SIZES, "124M", ModelConfig(n_embd=8, n_head=1, n_layer=1))
        bench_weights.make(folder, folder / "no vocabulary", folder / "text")
        yield folder


def test_weights_are_made_again_only_for_another_text(weights: Path) -> None:
    def make() -> int:
        bench_weights.make(weights, weights / "no vocabulary", weights / "text")
        return (weights / "124M" / "model.ckpt.index").stat().st_mtime_ns

    converted = weights / "124M-ctranslate2"
    converted.mkdir()
    before = make()
    assert make() == before
    assert converted.exists()
    (weights / "text").write_text("It rained.", encoding="utf-8")
    assert make() != before
    assert (weights / "124M" / "text.txt").read_text(encoding="utf-8") == "It rained."
    assert not converted.exists()  # who converted it made it of the others


@pytest.mark.parametrize("work", [*WORKS, LIKELIEST], ids=lambda work: work.name)
def test_ours_does_every_work(
    work: Work, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = weights / ("124M-ends" if work.kind == "texts" else "124M")
    done = ours.prepare(work, folder, "float32")()
    if isinstance(done, tuple):
        assert done[0] == (2 if work.kind == "memory" else 1)
        assert done[1] > 0
    elif work.kind == "texts":
        assert 10 < sum(done) / len(done) < 40
    elif work.kind == "likeliest":
        assert isinstance(done, str)
    elif work.kind == "tokenize":
        text = (folder / "text.txt").read_text(encoding="utf-8")
        assert 0 < done <= len(text)
    else:
        assert 0 < done <= work.batch * work.length


def test_ctrl_c_ends_every_process() -> None:
    diary: list[str] = []
    scripts: dict[str, list[float | BaseException]] = {
        OURS: [1.0, 1.0],
        "transformers fp32": [2.0, KeyboardInterrupt()],
    }
    with pytest.raises(KeyboardInterrupt):
        turns.measure(SPEED, list(scripts), 2, lambda name: Scripted(name, scripts[name], diary))
    assert {f"{name} ends" for name in scripts} <= set(diary)


def test_a_peer_is_compared_with_its_best_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "cpu_has_bfloat16", lambda: True)
    by_name = {work.name: work for work in WORKS}
    everyone = compare.variants_for(by_name["generate-1"])
    assert everyone[:2] == [OURS, OURS_FP32]
    assert {"transformers bf16", "KerasHub bf16", "CTranslate2 int8"} <= set(everyone)
    assert sum(name.endswith("compiled") for name in everyone) == 1
    assert compare.variants_for(by_name["generate-1"], [KERAS_HUB])[2:] == [
        "KerasHub fp32",
        "KerasHub bf16",
    ]
    cold = compare.variants_for(by_name["cold-start"])
    assert not [name for name in cold if name.endswith("compiled")]
    assert "transformers bf16 compiled" in compare.variants_for(by_name["memory"])
    assert compare.variants_for(by_name["tokenize"]).count("transformers fp32") == 1
    assert not [name for name in compare.variants_for(by_name["tokenize"]) if "bf16" in name]


@pytest.mark.parametrize(("has_bfloat16", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_peers_train_in_what_the_processor_is_good_at(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, wanted: str
) -> None:
    monkeypatch.setattr(compare, "cpu_has_bfloat16", lambda: has_bfloat16)
    (work,) = [work for work in WORKS if work.name == "finetune-1"]
    assert compare.variants_for(work) == [
        OURS,
        "gpt-2-simple",
        f"transformers {wanted}",
        f"transformers {wanted} compiled",
        f"KerasHub {wanted}",
    ]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_every_peer_of_a_work_has_a_variant(work: Work) -> None:
    variants = compare.variants_for(work)
    assert variants[0] == OURS
    for peer in work.targets:
        assert peer in PEERS
        assert any(table.is_of(variant, peer) for variant in variants)


# --- The table


def rounds(*seconds: float, units: float = 100, peak: float = 1.0) -> list[dict[str, float]]:
    return [{"units": units, "seconds": value, "peak": peak} for value in seconds]


def against(theirs: list[dict[str, float]], ours: list[dict[str, float]]) -> dict[str, Any]:
    about = {"machine": "an abacus", "date": "2026-11-27", "versions": {"torch": "2.13.0"}}
    return {"rounds": theirs, "beside": ours, **about}


def made_up() -> dict[str, Any]:
    """Results of three works: aims met and missed, and peers that failed."""
    fast, slow = rounds(1.0, 2.0, 1.25), rounds(5.0, 4.0, 8.0)
    lost = {**against([], fast), "error": "ended by SIGKILL"}
    return {
        "works": {
            "generate-1": {
                OURS: against(fast, []),
                "gpt-2-simple": against(slow, fast),
                "transformers fp32": against(rounds(10.0), fast),
                "transformers bf16": against(rounds(2.0, 2.0, 2.0), fast),
                "KerasHub fp32": lost,
            },
            "memory": {
                OURS: against(rounds(1, peak=2.0), []),
                "gpt-2-simple": against(rounds(1, peak=4.5), rounds(1, peak=2.0)),
            },
            "cold-start": {
                OURS: {**against([], []), "error": "ended with exit code 1"},
                "gpt-2-simple": against(rounds(9.0), []),
            },
        },
    }


def cells_of(text: str, work: str) -> list[str]:
    """The cells of a work's row."""
    shown = next(each.shown for each in WORKS if each.name == work)
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {shown}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_shows_ratio_aim_median_and_spread() -> None:
    cells = cells_of(table.compared(made_up()), "generate-1")
    assert cells[1] == "80 (50 to 100)"  # 100 tokens in 1.25 s
    assert cells[2] == "**4.00x**, target 4 met<br>20 (12.5 to 25)"


def test_of_a_peer_the_best_variant_counts() -> None:
    cells = cells_of(table.compared(made_up()), "generate-1")
    assert cells[3] == "**1.60x**, target 2 missed<br>50 (50 to 50) bf16"


def test_the_best_variant_is_the_one_that_ours_is_least_ahead_of() -> None:
    results = made_up()
    known = results["works"]["generate-1"]
    known["transformers fp32"] = against(rounds(1.0), rounds(0.8))  # on a faster day
    cells = cells_of(table.compared(results), "generate-1")
    assert cells[3].startswith("**1.25x**")
    known["transformers fp32"] = against(rounds(1.0), rounds(0.4))
    assert cells_of(table.compared(results), "generate-1")[3].startswith("**1.60x**")


def test_less_memory_is_better() -> None:
    cells = cells_of(table.compared(made_up()), "memory")
    assert cells[1:3] == ["2", "**2.25x**, target 2.2 met<br>4.5"]


def test_a_failure_stands_in_its_cell() -> None:
    generating = cells_of(table.compared(made_up()), "generate-1")
    assert generating[4] == "failed: ended by SIGKILL"
    assert generating[5] == "not measured"
    cold = cells_of(table.compared(made_up()), "cold-start")
    assert cold[1:3] == ["failed: ended with exit code 1", "9"]


def test_a_work_without_an_aim_for_a_peer_leaves_its_cell_empty() -> None:
    assert cells_of(table.compared(made_up()), "memory")[5:] == ["", ""]


def test_seconds_a_step_are_compared_where_training_is() -> None:
    (work,) = [work for work in WORKS if work.name == "finetune-1"]
    assert table.value_of(work, rounds(6.0, units=2)) == 3.0
    assert table.ratio(work, ours=2.0, theirs=5.0) == 2.5


def test_the_summary_counts_aims_and_names_those_missed() -> None:
    text = table.summary(made_up())
    known = ("generate-1", "memory", "cold-start")
    aims = sum(len(work.targets) for work in WORKS if work.name in known)
    missed = "Missed: generate-1 against transformers (1.60x of 2)."
    assert text.startswith(
        f"2 of {aims} targets met. {missed} Without a figure: generate-1 against "
    )
    assert "generate-1 against KerasHub; generate-1 against CTranslate2 fp32; " in text
    assert "cold-start against gpt-2-simple" in text  # ours failed there
    assert text.endswith(
        f" Not measured: {', '.join(w.name for w in WORKS if w.name not in known)}."
    )


def test_the_whole_page_has_every_variant_the_machine_and_the_versions() -> None:
    page = table.whole(made_up())
    assert "- transformers fp32: 10 tokens/s, 1 round, ours 8.00x as good" in page
    assert "- KerasHub fp32: failed: ended by SIGKILL" in page
    assert "an abacus, 2026-11-27" in page
    assert "\n- torch 2.13.0\n" in page


def test_releases_that_are_not_those_of_all_works_say_of_which() -> None:
    results = made_up()
    results["works"]["memory"][GPT_2_SIMPLE]["versions"] = {"torch": "2.14.0"}
    page = table.whole(results)
    assert "\n- torch 2.13.0\n- torch 2.14.0 (memory)\n" in page


def test_ours_in_32_bits_stands_below_ours_as_it_comes() -> None:
    results = made_up()
    results["works"]["generate-1"][OURS_FP32] = against(rounds(2.0), rounds(1.0))
    assert cells_of(table.compared(results), "generate-1")[1] == "80 (50 to 100)<br>50 fp32"


def test_a_text_is_told_by_its_ids_and_others_are_remarked_upon() -> None:
    results = made_up()
    results["works"] = {"tokenize": {OURS: against(rounds(1.0, units=1234), [])}}
    theirs = {**against(rounds(2.0), rounds(1.0)), "remark": "makes 9 ids of it"}
    results["works"]["tokenize"]["KerasHub fp32"] = theirs
    cells = cells_of(table.compared(results), "tokenize")
    assert cells[0].endswith("cold, 1,234 ids, s")
    assert cells[4] == "**2.00x**, target 2 met<br>2, makes 9 ids of it"


def test_how_long_texts_were_stands_beside_their_speed() -> None:
    results = made_up()
    timed = [{**round, "tokens a text": 19.04} for round in rounds(10.0, 10.0, units=200)]
    results["works"] = {"texts": {OURS: against(timed, [])}}
    assert f"- {OURS}: 20 (20 to 20) texts/s, 2 rounds, 19.0 tokens a text" in table.whole(results)


def test_the_ratios_are_shown_without_targets() -> None:
    cells = cells_of(table.ratios(made_up()), "generate-1")
    assert cells[1:] == ["4.00x", "1.60x", "", "", ""]


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
        (table.DOCS, table.RESULTS, table.compared(results)),
    ):
        text = path.read_text(encoding="utf-8")
        assert table.replace_between(text, marks, shown) == text, f"run {table.__file__} --readme"


# --- The whole run


@pytest.fixture
def run_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs compare.py with a stand-in for measuring; returns its exit code and the results."""
    monkeypatch.setattr(compare, "prepare", lambda _: None)
    monkeypatch.setattr(compare, "versions", lambda *_: {"Python": "3"})
    monkeypatch.setattr(compare, "other_weights", lambda *_: {})
    # What SIGTERM does to this process is not to be changed.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    out = tmp_path / "out" / "results.json"

    def run(measure: Callable[..., Any], *arguments: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(compare, "measure", measure)
        options = ["--peers-python", sys.executable, "--folder", str(tmp_path), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["compare.py", *options, *arguments])
        code = compare.main()
        return code, json.loads(out.read_text(encoding="utf-8"))["works"]

    return run


def quick_measure(work: Work, variants: list[str], count: int, start: Any) -> dict[str, Any]:
    ours = rounds(*[1.0] * count)
    return {name: {"rounds": ours, "beside": [] if name == OURS else ours} for name in variants}


def test_results_keep_what_was_measured_before(
    run_compare: Callable[..., tuple[int, dict[str, Any]]], tmp_path: Path
) -> None:
    code, first = run_compare(quick_measure, "--works", "generate-1", "--rounds", "2")
    assert code == 0
    assert len(first["generate-1"][OURS]["rounds"]) == 2
    _, both = run_compare(quick_measure, "--works", "top-p-1", "--peers", "transformers")
    assert both["generate-1"] == first["generate-1"]
    assert len(both["top-p-1"][OURS]["rounds"]) == 5
    page = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert "## generate-1" in page
    assert "## top-p-1" in page


def test_ctrl_c_keeps_the_works_that_are_finished(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    def interrupted(work: Work, *others: Any) -> dict[str, Any]:
        if work.name == "generate-20":
            raise KeyboardInterrupt
        return quick_measure(work, *others)

    code, works = run_compare(interrupted)
    assert code == 130
    assert list(works) == ["generate-1"]


def test_a_quick_run_takes_the_short_works_alone(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    _, works = run_compare(quick_measure, "--quick")
    assert list(works) == [work.name for work in WORKS if work.short]
    assert all(len(found[OURS]["rounds"]) == 2 for found in works.values())


def test_who_has_other_weights_has_failed_in_every_work(
    run_compare: Callable[..., tuple[int, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "other_weights", lambda *_: {KERAS_HUB: "other weights"})
    _, works = run_compare(quick_measure, "--works", "generate-1")
    assert works["generate-1"]["KerasHub fp32"]["error"] == "other weights"
    assert works["generate-1"]["KerasHub fp32"]["rounds"] == []
    assert works["generate-1"]["transformers fp32"]["rounds"]


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(SystemExit, match=r"python does not run:\nno such library"):
        compare.versions(str(broken), [])


def test_peers_that_are_not_installed_are_asked_for(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    with pytest.raises(SystemExit, match=r"nowhere/python is missing: `make bench` installs"):
        run_compare(quick_measure, "--peers-python", "nowhere/python")
