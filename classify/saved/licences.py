"""Licences as the Hugging Face Hub names them.

https://huggingface.co/docs/hub/repositories-licenses
"""

from __future__ import annotations

import re
from typing import TypedDict

_NAMES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc
    lgpl lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail
    openrail++ osl-3.0 pddl postgresql unknown unlicense wtfpl zlib
"""
HUB_LICENCES = frozenset(_NAMES.split())
NOT_CHOSEN = "not-chosen-yet"  # the name of the licence of a classifier whose maker named none


class LicenceFields(TypedDict, total=False):
    """What the metadata of a card says of the licence."""

    license: str
    license_name: str
    license_link: str


def licence_fields(licence: str | None) -> LicenceFields:
    """Return a licence as the Hub's metadata has it.

    Parameters
    ----------
    licence : str or None
        As given with ``--license``; None when no one has chosen.

    Returns
    -------
    dict
        ``license``; for one that the Hub does not list ``other``, with ``license_name`` and the
        place of its text, ``license_link``.

    Examples
    --------
    >>> licence_fields("Apache-2.0")
    {'license': 'apache-2.0'}
    >>> licence_fields("ACME Research 1.0")
    {'license': 'other', 'license_name': 'acme-research-1.0', 'license_link': 'LICENSE'}
    >>> licence_fields(None)
    {'license': 'other', 'license_name': 'not-chosen-yet'}
    """
    if licence is None:
        return {"license": "other", "license_name": NOT_CHOSEN}
    if licence.lower() in HUB_LICENCES:
        return {"license": licence.lower()}
    name = re.sub(r"[^a-z0-9.+]+", "-", licence.lower()).strip("-")
    return {"license": "other", "license_name": name, "license_link": "LICENSE"}
