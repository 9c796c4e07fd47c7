"""The forms by the values of ``-hook_form``."""

from __future__ import annotations

from collections.abc import Mapping

from edge.hooks.form import Form
from edge.hooks.mediamtx import MediamtxForm
from edge.hooks.nginx import NginxForm
from edge.hooks.srs import OldSrsForm, SrsForm

FORMS: Mapping[str, Form] = {
    "srs": SrsForm(),
    "srs1": OldSrsForm(),
    "nginx": NginxForm(),
    "mediamtx": MediamtxForm(),
}
