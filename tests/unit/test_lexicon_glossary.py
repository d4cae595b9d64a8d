"""The glossary: what is accepted, what is refused and how, and what a question names."""

from __future__ import annotations

from pathlib import Path

import pytest

from kb.errors import StoreError, UsageError
from kb.lexicon.glossary import Glossary, read_compiled, read_glossary, write_compiled
from kb.lexicon.query import GLOSSARY_FILE

SOURCE = Path(__file__).parents[2] / "corpus" / "glossary.yaml"
YAML = """
- {id: social-economy, fr: [ESS, économie sociale et solidaire], en: [SSE, social economy]}
- {id: call, fr: [AMI, appel à manifestation d'intérêt], en: [EoI], capitals: [AMI]}
- {id: gift, fr: [don], en: [donation, gift]}
- {id: member, fr: [adhérent, membre], en: [member]}
- {id: state, fr: [État membre], en: [Member State]}
- {id: ngo, fr: [ONG], en: [NGO], related: {fr: ["2020/852"], en: [association]}}
"""


def written(folder: Path, text: str) -> Path:
    """A glossary as a file."""
    path = folder / "glossary.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def glossary(tmp_path: Path) -> Glossary:
    """A small glossary."""
    return read_glossary(written(tmp_path, YAML))


def named(glossary: Glossary, text: str, language: str) -> list[str]:
    """The ids of the notions in a text."""
    return [match.notion.id for match in glossary.find(text, language)]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Que finance l'ESS ?", "fr", ["social-economy"]),
        ("que finance l'ess", "fr", ["social-economy"]),
        ("les économies sociales et solidaires", "fr", ["social-economy"]),
        ("What is the social economy?", "en", ["social-economy"]),
        ("NGOs", "en", ["ngo"]),
        ("ngos", "en", ["ngo"]),
        ("les dons des adhérents", "fr", ["gift", "member"]),
        ("ce qui donne lieu à paiement", "fr", []),
        ("aux États membres", "fr", ["state"]),
        ("Répondre à un AMI", "fr", ["call"]),
        ("répondre à un ami", "fr", []),
        ("rien de tout cela", "fr", []),
    ],
)
def test_a_question_names_notions(
    glossary: Glossary, text: str, language: str, expected: list[str]
) -> None:
    """By acronym or name, in singular or plural; a longer name covers a shorter one."""
    assert named(glossary, text, language) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Qui finance la SSE ?", "fr", ["social-economy"]),
        ("le plan pour la social economy", "fr", ["social-economy"]),
        ("le gift", "fr", []),
        ("Que font les NGO ?", "fr", ["ngo"]),
    ],
)
def test_the_other_language_is_understood_where_it_cannot_be_a_word(
    glossary: Glossary, text: str, language: str, expected: list[str]
) -> None:
    """Acronyms and names of several words; single words could be the question's own."""
    assert named(glossary, text, language) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a list"),
        ("a: b", "must be a list"),
        ("- [", "can't be read"),
        ("- just text", "entry 1: an entry needs an id"),
        ("- {fr: [a], en: [b]}", "entry 1: an entry needs an id"),
        ("- {id: Two Words, fr: [don], en: [gift]}", "an id has small letters"),
        ("- {id: x, fr: [don], en: [gift], de: [Gabe]}", r"entry 1 \(x\): unknown field de"),
        ("- {id: x, fr: [don]}", r"entry 1 \(x\): en needs at least one form"),
        ("- {id: x, fr: don, en: [gift]}", "fr must be a list of texts"),
        ("- {id: x, fr: [1901], en: [gift]}", "fr must be a list of texts"),
        ("- {id: x, fr: [don, DON], en: [gift]}", "fr has 'don' twice"),
        ("- {id: x, fr: [de la], en: [gift]}", "'de la', which is made of stop words"),
        ("- {id: x, fr: [don], en: [gift], capitals: [AMI]}", "capitals names AMI"),
        ("- {id: x, fr: [don], en: [gift], related: [legs]}", "related is"),
        ("- {id: x, fr: [don], en: [gift], related: {de: [Gabe]}}", "related is"),
        ("- {id: x, fr: [don], en: [gift], related: {fr: 5}}", "related: fr must be a list"),
        (
            "- {id: x, fr: [don], en: [gift]}\n- {id: x, fr: [legs], en: [legacy]}",
            "the id x stands twice",
        ),
    ],
)
def test_a_wrong_glossary_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, the entry and the field."""
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=message) as refused:
        read_glossary(path)
    assert str(path) in str(refused.value)


def test_a_missing_glossary_is_named(tmp_path: Path) -> None:
    """Both the source and the package's copy."""
    with pytest.raises(UsageError, match="absent"):
        read_glossary(tmp_path / "absent.yaml")
    with pytest.raises(StoreError, match="absent"):
        read_compiled(tmp_path / "absent.json")


def test_compiling_loses_nothing(tmp_path: Path, glossary: Glossary) -> None:
    """What the package reads is what was written by hand."""
    write_compiled(glossary, tmp_path / "glossary.json")
    assert read_compiled(tmp_path / "glossary.json").notions == glossary.notions


def test_the_package_has_the_glossary_of_the_corpus(tmp_path: Path) -> None:
    """After a change of corpus/glossary.yaml, `kb lexicon glossary` writes the copy again."""
    source = read_glossary(SOURCE)
    write_compiled(source, tmp_path / "glossary.json")
    assert (tmp_path / "glossary.json").read_bytes() == GLOSSARY_FILE.read_bytes()
    assert len(source.notions) >= 120


@pytest.mark.parametrize(
    ("french", "english"),
    [
        ("ESS", "SSE"),
        ("FSE+", "ESF+"),
        ("FEDER", "ERDF"),
        ("CESE", "EESC"),
        ("SIEG", "SGEI"),
        ("RGEC", "GBER"),
        ("PME", "SME"),
        ("OSBL", "NPO"),
        ("ONG", "NGO"),
        ("TVA", "VAT"),
        ("PIB", "GDP"),
        ("UE", "EU"),
        ("BEI", "EIB"),
        ("FEI", "EIF"),
        ("MIE", "CEF"),
        ("FEAMPA", "EMFAF"),
    ],
)
def test_acronyms_of_the_field_are_known_in_both_languages(french: str, english: str) -> None:
    """Each way, whatever the language of the question."""
    glossary = read_compiled(GLOSSARY_FILE)
    for asked, language, other in ((french, "fr", english), (english, "en", french)):
        target = "en" if language == "fr" else "fr"
        forms = {
            form.text
            for match in glossary.find(asked, language)
            for form in match.notion.forms[target]
        }
        assert other in forms
