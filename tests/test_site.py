"""Tests of the documentation's site: its links, its pages, the tutorial; slow: built, run, and looked at."""

import doctest
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import jaxteach
from docs.site import stage
from tests.commands import ROOT
from tests.reporting.browser import browse, needs_chromium
from tests.test_docs import make_shims

NOTEBOOK = json.loads((ROOT / stage.NOTEBOOK).read_text(encoding="utf-8"))
# What documents may hold; a browser passes over what it does not know, such as <task>.
TAGS = set(
    "a article aside b body br button code dd details div dl dt em figure footer form h1 h2 h3 h4 h5 h6 head "
    "header hr html i img input label li link main meta nav ol p path pre script span strong style sub "
    "summary sup svg table tbody td th thead title tr ul".split()
)


@pytest.mark.parametrize(
    ("page", "written", "shown"),
    [
        ("README.md", "[a](docs/results.md#x) [b](CHANGELOG.md)", "[a](results.md#x) [b](changelog.md)"),
        ("docs/tasks.md", "![a](images/report.png)", "![a](images/report.png)"),
        ("docs/tasks.md", "[a](../README.md) [b](#x)", "[a](index.md) [b](#x)"),
        ("docs/tasks.md", "see [two\nwords](../experiments)", "see two\nwords"),
        ("docs/tasks.md", "[a](../src/jaxteach/run.py)", "[a](files/src/jaxteach/run.py)"),
        ("docs/tasks.md", "[a](tutorial.ipynb)", "[a](tutorial.md)"),
        ("docs/tutorial.ipynb", "[a](tutorial.ipynb)", "[a](tutorial.ipynb)"),
        ("teacher_cache/README.md", "[a](../docs/teachers.md)", "[a](teachers.md)"),
        ("docs/tasks.md", "[a](nowhere.md) [b](https://x.org)", "[a](nowhere.md) [b](https://x.org)"),
        ("docs/tasks.md", "```bash test\nls\n```", "```bash\nls\n```"),
        ("docs/tasks.md", "```python a.py\n1\n```", '```python title="a.py"\n1\n```'),
    ],
)
def test_links_lead_to_where_things_are_on_the_site(page, written, shown):
    assert stage.relinked(written, page) == shown


def test_the_examples_of_its_docstrings():
    failed, attempted = doctest.testmod(stage)
    assert attempted and not failed


def test_every_page_is_in_the_navigation_once():
    nav = re.findall(r"(?m)^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = [stage.site_path(page) for page in stage.pages()]
    assert sorted(nav) == sorted(pages)


def test_every_public_name_is_in_the_reference():
    named = re.findall(r"(?m)^::: jaxteach\.(\S+)$", (ROOT / "docs/api.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(jaxteach.__all__)


def test_the_notebook_is_kept_without_what_it_prints():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert cells and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_what_cells_show_is_on_the_page():
    def cell(**output):
        return {"cell_type": "code", "source": ["1 +\n", "1"], "outputs": [output]}

    drawn = cell(data={"image/png": "AAAA", "text/plain": "<Image>"})
    told = cell(output_type="stream", name="stdout", text="\x1b[2K 9 %\r100 %\r\ndone\n")
    text, pictures = stage.as_page({"cells": [{"cell_type": "markdown", "source": "# A"}, drawn, told]})
    assert pictures == {"images/tutorial_0.png": b"\0\0\0"}
    assert text.startswith("# A\n\n```python\n1 +\n1\n```\n\n![")
    assert text.endswith("\n\n```text\n100 %\ndone\n```\n")
    with pytest.raises(RuntimeError, match="the tutorial fails: error: no such run"):
        stage.as_page({"cells": [cell(text="error: no such run folder: runs/x\n")]})


@pytest.mark.parametrize("page", stage.pages())
def test_pages_write_nothing_that_browsers_pass_over(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"(?ms)^ *```.*?^ *```$|`[^`]*`|^    .*?$", "", text)
    assert {tag.lower() for tag in re.findall(r"(?<!\\)<([a-zA-Z]\w*)", prose)} <= TAGS


# ---- built ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, its tutorial run with the budgets of tests."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    config = folder / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config.write_text(text.replace("build/pages", "pages").replace("[src]", f"[{ROOT / 'src'}]"))
    stage.main(folder / "pages", make_shims(folder / "bin") / "python")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CI": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "build/site"


@pytest.mark.slow
def test_the_tutorial_shows_what_it_did(site):
    page = (site / "tutorial.html").read_text(encoding="utf-8")
    assert page.count("student: IQM success") == 2 and "Agent sees" in page and "array([" in page
    assert len(re.findall(r'src="images/tutorial_\d\.(?:png|gif)"', page)) == 2
    assert re.search(r"href=.two_runs\.html", page) and (site / "two_runs.html").stat().st_size > 100_000
    assert (site / "tutorial.ipynb").read_bytes() == (ROOT / stage.NOTEBOOK).read_bytes()


@pytest.mark.slow
def test_pages_hold_nothing_but_html(site):
    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag in TAGS, f"{page.name}: <{tag}>"

        def handle_data(self, data):
            assert "```" not in data and "\n::: " not in data, f"{page.name}: {data[:80]}"

    for page in site.glob("*.html"):
        if page.name != "two_runs.html":  # has scripts of its own, and tests
            Reader().feed(page.read_text(encoding="utf-8"))


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", ["index", "tutorial", "api"])
def test_pages_fit_and_have_no_faults(site, name, width):
    seen = browse(site / f"{name}.html", "seen.title = one('h1').innerText;", width)
    assert seen["title"]
    assert (seen["faults"], seen["width"], seen["overflow"]) == ([], width, 0)
