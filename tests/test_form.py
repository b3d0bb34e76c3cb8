"""Names of prompt forms: what they mean, and which are none."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from evalsuite.records import PromptForm, Sweep


@pytest.mark.parametrize(
    ("name", "wording", "chat", "rotation"),
    [
        ("native", "native", False, 0),
        ("chat", "native", True, 0),
        ("native+chat", "native", True, 0),
        ("english", "english", False, 0),
        ("english+chat", "english", True, 0),
        ("native-2", "native-2", False, 0),
        ("native-3+chat~2", "native-3", True, 2),
        ("chat~3", "native", True, 3),
        ("native~11", "native", False, 11),
        ("described", "described", False, 0),
        ("english-names+chat", "english-names", True, 0),
    ],
)
def test_a_name_says_wording_chat_and_rotation(name, wording, chat, rotation):
    form = PromptForm(name)
    assert (form.wording, form.chat, form.rotation) == (wording, chat, rotation)
    assert PromptForm.make(wording, chat=chat, rotation=rotation) == form
    assert form.unturned == PromptForm.make(wording, chat=chat)
    assert TypeAdapter(PromptForm).validate_json(TypeAdapter(PromptForm).dump_json(form)) == form


@pytest.mark.parametrize(
    "name", ["", "native-1", "nativechat", "+chat", "english-2", "native~0", "chat+english", "Native"]
)
def test_what_is_no_form_is_refused(name):
    with pytest.raises(ValueError, match="no prompt form"):
        PromptForm(name)


def test_two_names_of_one_form_are_equal():
    assert PromptForm("native+chat") == PromptForm.CHAT == "chat"


def test_a_sweep_says_which_form_is_wrong():
    with pytest.raises(ValidationError, match="no prompt form 'nativ'"):
        Sweep.model_validate(
            {"name": "x", "models": ["m"], "tasks": ["labels"], "languages": ["en"], "prompt_forms": ["nativ"]}
        )
    with pytest.raises(ValidationError, match="named twice"):
        Sweep.model_validate(
            {
                "name": "x",
                "models": ["m"],
                "tasks": ["labels"],
                "languages": ["en"],
                "prompt_forms": ["chat", "native+chat"],
            }
        )


def test_forms_are_ranked_plain_first_and_native_first():
    names = ["chat", "native~1", "native-3", "english", "native", "native-2"]
    ranked = sorted(map(PromptForm, names), key=lambda form: form.rank)
    assert ranked == ["native", "native~1", "english", "native-2", "native-3", "chat"]
