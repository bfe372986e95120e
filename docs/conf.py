"""The documentation site: `make site` serves it, `make site-check` builds it strictly."""

from __future__ import annotations

import sys
from pathlib import Path

import exactbuyer

sys.path.insert(0, str(Path(__file__).parent / "_site"))

import root_pages

project = "exactbuyer"
author = "The exactbuyer contributors"
version = release = exactbuyer.__version__
copyright = "the exactbuyer contributors, MIT or Apache-2.0"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "root_pages",
    "inline_figures",
    "long_cells",
    "llms_text",
]
exclude_patterns = ["_site", "_build"]
# Every reference to a page, a heading or a name of the package must exist.
nitpicky = True
# Names of the standard library that a docstring or a signature has without their module.
nitpick_ignore = [("py:class", name) for name in ("DataT", "Decimal", "PathLike", "datetime", "timedelta")]

# ---- pages ----
myst_heading_anchors = 4
# The tutorial is the notebook, run anew at each build: what it shows is true.
nb_execution_mode = "auto"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

# ---- the reference, from the docstrings ----
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
add_module_names = False

# ---- the look: no fonts, scripts or images from elsewhere ----
html_theme = "furo"
html_title = "exactbuyer"
html_static_path = ["_site/static"]
html_css_files = ["exactbuyer.css"]
html_copy_source = True
html_show_sphinx = False
html_theme_options = {
    # Some pages are made from files elsewhere in the repository: a link to a page's source would be wrong.
    "top_of_page_buttons": [],
    "footer_icons": [{"name": "Repository", "url": root_pages.REPOSITORY, "html": "Repository", "class": ""}],
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"
