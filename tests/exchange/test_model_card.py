"""The model card: metadata, training, and no paths of the author's machine."""

from __future__ import annotations

from gpt2_helpers.exchange.model_card import CardFacts, hub_name, model_card


def test_a_card_describes_the_training() -> None:
    card = model_card(
        CardFacts(
            "run1",
            "me/titles",
            base_model="124M",
            dataset="/home/me/private/ti|tles.csv",
            steps=1200,
            loss=2.5,
            parameters={"learning_rate": 1e-4, "dropout": 0.0, "seed": None, "sample_dir": "/x"},
        )
    )
    header = card.split("---\n")[1].splitlines()
    assert 'library_name: "transformers"' in header
    assert 'base_model: "openai-community/gpt2"' in header
    assert "# run1" in card
    assert "| steps | 1,200 |" in card
    assert "| loss | 2.500 nats per token |" in card
    assert "| learning_rate | 0.0001 |" in card
    assert "| dataset | ti\\|tles.csv |" in card
    assert "model='me/titles'" in card
    assert "private" not in card
    assert "validation loss" not in card
    assert "dropout" not in card


def test_a_card_without_training_has_no_table() -> None:
    card = model_card(CardFacts("mine", "mine", base_model="C:\\models\\mine\\"))
    assert "base_model:" not in card.split("---\n")[1]
    assert "| base model | mine |" in card
    assert "## Training" not in model_card(CardFacts("mine", "mine"))


def test_adapters_have_a_card_of_their_own() -> None:
    card = model_card(CardFacts("lora", "me/lora", is_adapter=True))
    assert 'library_name: "peft"' in card
    assert "AutoPeftModelForCausalLM.from_pretrained('me/lora')" in card


def test_names_on_the_hub() -> None:
    assert hub_name("345M") == "openai-community/gpt2-medium"
    assert hub_name("owner--name") == hub_name("hf://owner/name@v1") == "owner/name"
    assert hub_name("tiny") is None
