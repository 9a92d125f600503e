"""Estimators whose HTML, in a notebook, links their page of the docs."""

import os


class Documented:
    """Goes before ``BaseEstimator``: scikit-learn's diagram then links to where the docs are served.

    That is the address in ``HEADSTART_DOCS``, of what ``make site`` builds; without one there is no
    link.

    Examples
    --------
    >>> os.environ["HEADSTART_DOCS"] = "https://docs.example/headstart/"
    >>> Documented()._get_doc_link()
    'https://docs.example/headstart/docs/api/#headstart.Documented'
    >>> del os.environ["HEADSTART_DOCS"]
    """

    def _get_doc_link(self) -> str:
        address = os.environ.get("HEADSTART_DOCS", "").rstrip("/")
        return f"{address}/docs/api/#headstart.{type(self).__name__}" if address else ""
