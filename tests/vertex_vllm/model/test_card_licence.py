"""Licences that a deployment allows: refused with the licence that was found, and where."""

import pytest

from vertex_vllm.errors import PlanError
from vertex_vllm.model.card_licence import NO_LICENCE, CardLicence, check_licence

MODEL = "org/model@" + "c" * 40


@pytest.mark.parametrize(
    ("licence", "allow"),
    [
        (NO_LICENCE, []),
        (CardLicence(("llama3.1",)), []),
        (CardLicence(("apache-2.0",)), ["Apache-2.0", "MIT"]),
        (CardLicence(("other",), "some-terms"), ["some-terms"]),
        (CardLicence(("other",)), ["other"]),
        (CardLicence(("apache-2.0", "mit")), ["mit", "apache-2.0"]),
    ],
)
def test_a_listed_licence_is_allowed_in_whatever_case(licence: CardLicence, allow: list[str]) -> None:
    check_licence(MODEL, licence, allow)


@pytest.mark.parametrize(
    ("licence", "allow", "where", "words"),
    [
        (NO_LICENCE, ["mit"], "license", "no licence of the model is known"),
        (
            CardLicence(("llama3.1",)),
            ["mit"],
            "license",
            "licence is llama3.1, and licences.allow lists mit",
        ),
        (CardLicence(("other",), "some-terms", "LICENSE"), ["other"], "license_name", "is some-terms (LICENSE), and"),
        (CardLicence(("apache-2.0", "gemma")), ["apache-2.0"], "license", "the model's licence is gemma, and"),
    ],
)
def test_any_other_is_refused_with_the_place_that_names_it(
    licence: CardLicence, allow: list[str], where: str, words: str
) -> None:
    with pytest.raises(PlanError) as refused:
        check_licence(MODEL, licence, allow)
    assert refused.value.where == f"{MODEL}: README.md: {where}"
    assert words in refused.value.message
    assert refused.value.exit_code == 2
