"""Checks that the header of a file has the columns to look up, and says why if it does not.

A file without a header has the data of a person in its place: that is never shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exactbuyer._frames.labels import check_labels, is_made_of, looks_personal, matching_label
from exactbuyer.cli._io.sources import DELIMITERS
from exactbuyer.exceptions import ConfigError

from ._words import in_options
from .exit_codes import UsageError

if TYPE_CHECKING:
    from exactbuyer.cli._io.files import Location

_SHOWN = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}
"""Delimiters, as messages show them."""


def check_header(names: list[str], location: Location) -> None:
    """Checks the cells of a header that lacks a column to look up.

    Raises:
        UsageError: The header lacks a label.
        ConfigError: `--skip-rows` was given and the header lacks a label, or a label is several names.
    """
    kind, labels, skipped = location.kind, location.labels, location.skip_rows is not None
    if any(map(looks_personal, names)):
        raise UsageError(
            "the first record looks like a person's data, not like the names of the columns: put a record "
            "with the names of the columns before it"
        )
    for mark, shown in _SHOWN.items():
        if len(names) == 1 and mark in names[0]:
            is_usual = location.delimiter is not None and DELIMITERS.get(kind) == mark
            fix = "leave out --delimiter" if is_usual else f"pass --delimiter {shown}"
            raise UsageError(f"the input has only one column, with {shown} in its name: {fix}")
    what, check = ("rows", "--sheet") if kind == "xlsx" else ("lines", "--delimiter")
    also = f"; also check {check}" if sum(map(bool, names)) == 1 else ""
    if_lower = f"If there are {what} above the names of the columns, pass --skip-rows N{also}"
    is_several = any(is_made_of(label, names) for label in labels)
    if not name_columns(names) and not is_several:
        raise UsageError(
            "the record with the names of the columns lacks one of --by. It is not shown, because it may be "
            "a person's data: correct --by, or put a record with the names of the columns before it. "
            f"{'Also check --skip-rows' if skipped else if_lower}"
        )
    try:
        check_labels([*names], [matching_label(names, label) for label in labels])
    except ConfigError as error:
        if skipped or is_several:
            raise
        raise UsageError(f"{in_options(error.message)}. {if_lower}") from None


def name_columns(cells: list[str]) -> bool:
    """Whether these cells are surely names of columns: at least half of them consist of the usual words.

    Nothing else tells `City` from `London`. One cell may be a person's data by chance, such as `Email` where
    people note how to reach somebody.
    """
    filled = [cell for cell in cells if cell.strip()]
    usual = sum(map(_is_usual, filled))
    return 0 < len(filled) <= 2 * usual


def _is_usual(cell: str) -> bool:
    # E-Mail, phone_number, firstName, Company (HQ).
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell)
    words = {word for word in re.split(r"[\W\d_]+", spaced.casefold()) if word}
    return not words.isdisjoint(_NOUNS) and words <= _NOUNS | _OTHERS


_USUAL_NOUNS = """
address age category cell city comment comments company contact country created customer date department
description domain email employee employer facebook firstname fullname gender github id identifier industry
key language lastname lead linkedin location mail mobile name note notes number occupation organisation
organization owner person phone position postcode price profile reason region remarks result results role
score sector source stage state status street surname tag tags tel telephone timestamp title twitter type
updated url user username uuid value website year zip zipcode adresse datum firma geschlecht kommentar
kontakt kunde land mailadresse nachname nummer ort plz postleitzahl quelle stadt strasse telefon
telefonnummer titel unternehmen vorname courriel entreprise nom pays poste prénom société téléphone ville
apellido apellidos cargo ciudad correo dirección empresa nombre país provincia teléfono azienda città
cognome indirizzo nome paese ruolo telefono cidade endereço sobrenome telefone achternaam adres bedrijf naam
plaats telefoonnummer voornaam
"""
_USUAL_OTHERS = """
a billing business code current direct e first for full given home hq in job last line main middle new no nr
of office or other personal postal primary private profil secondary work
"""
_NOUNS = frozenset(_USUAL_NOUNS.split())
"""What names of columns consist of, in some languages."""
_OTHERS = frozenset(_USUAL_OTHERS.split())
"""Words that stand beside them."""
