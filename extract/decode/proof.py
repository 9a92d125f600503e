"""The decoder proves itself at each start: two photographs must come out as they always did."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence

import PIL

from ...errors import EngineError
from .decode import decode_views

SIDE = 10

# A tall and a wide JPEG, which Pillow shrinks in different orders since its version 13; and the
# SHA-256 of their pixels at 10 x 10. Recipe 1 is defined by them.
PHOTOGRAPHS = (
    (
        base64.b85decode(
            r"|JeWF01!$>Nk#wx0RR9200961|JwjV0Axi=SW7=-SW#GUYGiko`lFVLikAP|=e7F(|NsC0|NsC0|NsC0|NsC0|Ns"
            r"C0|NsC0|NsC0|NsC0|NsC0|Nq+nLjh`Wah8LY|D&V-|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|"
            r"NsC0|NsC0|NsC0|NsC0|NsBM01*fQ001BZ0U`hb5di}c0sq7R7XSeP0RaF20000000000000310t5fV02UAd0RaF"
            r"20000000000000000TKVi02ToO0RaF200000000000000100RHS02UDe0RaF20000000000000000TKV&01N{G00"
            r"I#M5dc2`?2#JI1d!ITA*)85TC`};aOl=_T8Yu3(Wsk7jT&(+8niWoPJ|8(Ar`Tn1spgu95`enMi~r-L<EgUWHKPk"
            r"jYwoN4MIk-VP?~V3PRI~B+aczLK-zlMWWVi4P$n*YPFkDHnV88n^A7jXtkS8BWpIT4M-ZaXhub-BGimp3Rq-Tqal"
            r"&03pTMKkx0~tYLTf7jYxx>jYy<wK$MM0q%7KB|Je"
        ),
        "17a028313259225a74ae003a59bdfee8aca9e6e30e7740d9245ba5835e7b2e34",
    ),
    (
        base64.b85decode(
            r"|JeWF01!$>Nk#wx0RR9200961|JwjV0Axi=SW7=-SW#GUYGiko`lFVLikAP|=e7F(|NsC0|NsC0|NsC0|NsC0|Ns"
            r"C0|NsC0|NsC0|NsC0|NsC0|Nq+nLjh`Wah8LY|D&V-|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|"
            r"NsC0|NsC0|NsC0|NsC0|NsBM01*fPAOQda0U`hb5di}c0sq7R7XSeP0RaF200000000000003300aNT02L4c0RR9"
            r"10000000000000010RO}Q7XbkQ0RaF200000000000006300aNT02L7d0RR910000000000000000sq<n3<CiG0u"
            r"cid06zfiTGL7}Lomji4Gm2V2sE<N)+l1pI5noyP6Z`F0Z>#(RuB~ws7bMCT2RHIg((@OY_zQmEh{TR)+;SC#N<jQ"
            r")+ZoZNecx*P^2mg1wl%SwXJflkTA<j5{YSLrLiT3%uXXkrf@425L6NxLa>0SEF>x{Of6W}wV`Rq%_}Vn5{$GgtqW"
            r"phrLx52MvF}33tFIntRyzDRuC11g@T~4Of6Uc*#"
        ),
        "4d9cabf8340b9b088af78d0dd57f94ea13c7ec72f01d16187931ec4acb943730",
    ),
)


@functools.cache
def prove_decoder() -> None:
    """Decode two photographs and compare every pixel, once a process.

    Features are kept by what decoding does, not by the versions of the libraries that do it: one
    that decodes otherwise would mix two kinds of features in one cache.

    Raises
    ------
    EngineError
        If a pixel differs.
    """
    compare(PHOTOGRAPHS)


def compare(photographs: Sequence[tuple[bytes, str]]) -> None:
    """Raise an EngineError unless each photograph has the pixels of its digest."""
    for data, expected in photographs:
        pixels = decode_views(data, (SIDE, SIDE), "squash")
        if hashlib.sha256(pixels.tobytes()).hexdigest() != expected:
            raise EngineError(
                f"this machine's decoders (Pillow {PIL.__version__}) return other pixels than "
                "the features in a cache were made of: pip install 'pillow>=13' simplejpeg"
            )
