"""Gathers the pages of the site: `python docs/site/stage.py FOLDER`, then a generator makes HTML of them.

Links in the repository's pages are as a code host wants them. Here README.md and others join those in docs/,
links to files elsewhere lead to copies, and the notebook is run and becomes a page.
"""

import base64
import os
import posixpath
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOK = "docs/tutorial.ipynb"
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "teacher_cache/README.md": "tables.md",
    NOTEBOOK: "tutorial.md",
}
"""Where pages are on the site that do not lie in docs/ as they are shown."""
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```\w+) (\S+)$", re.MULTILINE)
"""How code begins that tests run, or write into the file named."""
PICTURES = {"image/png": "png", "image/gif": "gif"}


def main(out: Path, python: Path = Path(sys.executable)) -> None:
    """Write the pages of the site, and all they show, into a folder.

    Args:
        out: the folder; what it held goes.
        python: what the tutorial's commands are run by.
    """
    shutil.rmtree(out, ignore_errors=True)
    linked = {path for page in pages() for path in targets(page) if (ROOT / path).is_file()}
    for path in sorted(linked - set(pages())):
        copy = out / site_path(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy)
    with tempfile.TemporaryDirectory() as scratch:
        notebook = run_notebook((ROOT / NOTEBOOK).read_text(encoding="utf-8"), Path(scratch), python)
        tutorial, pictures = as_page(notebook)
        for report in Path(scratch).glob("*.html"):
            shutil.copy(report, out)
    shutil.copy(ROOT / NOTEBOOK, out)
    for name, content in pictures.items():
        (out / name).write_bytes(content)
    for page in pages():
        text = tutorial if page == NOTEBOOK else (ROOT / page).read_text(encoding="utf-8")
        (out / site_path(page)).write_text(relinked(text, page), encoding="utf-8")


def pages() -> list[str]:
    """The pages of the site, by their files in the repository."""
    return [*PAGES, *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def site_path(path: str) -> str:
    """Where a file of the repository is on the site.

    >>> site_path("README.md"), site_path("docs/tasks.md"), site_path("src/x.py")
    ('index.md', 'tasks.md', 'files/src/x.py')
    """
    inside = path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"
    return PAGES.get(path, inside)


def relinked(markdown: str, page: str) -> str:
    """A page's text with its links and the beginnings of its code as the site has them.

    Args:
        markdown: the text.
        page: its file in the repository.

    Returns:
        The text. A folder is not on the site: its name alone stays. Links to what is not there stay as they
        are, for the generator to complain of.
    """

    here = site_path(page)

    def moved(link: re.Match[str]) -> str:
        text, path, anchor = link[1], within(page, link[2]), link[3] or ""
        if (ROOT / path).is_dir():
            return text
        if path == page or not (ROOT / path).is_file():
            return link[0]  # to the notebook as a file, or to nothing
        return f"[{text}]({posixpath.relpath(site_path(path), posixpath.dirname(here) or '.')}{anchor})"

    def fenced(fence: re.Match[str]) -> str:
        return fence[1] if fence[2] == "test" else f'{fence[1]} title="{fence[2]}"'

    return FENCE.sub(fenced, LINK.sub(moved, markdown))


def targets(source: str) -> Iterator[str]:
    """What a page of the repository links to, as paths in the repository."""
    for link in LINK.finditer((ROOT / source).read_text(encoding="utf-8")):
        yield within(source, link[2])


def within(source: str, target: str) -> str:
    """A link's target as a path in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def run_notebook(text: str, folder: Path, python: Path) -> Any:
    """Run a notebook's cells.

    Args:
        text: what is in its file.
        folder: where it runs, and its files go.
        python: what its commands are run by.

    Returns:
        The notebook with what each cell printed and drew.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    import nbformat
    from nbclient import NotebookClient

    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    notebook = nbformat.reads(text, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, coalesce_streams=True, resources=place)
    return client.execute(env={**os.environ, "PATH": path})


def as_page(notebook: Any) -> tuple[str, dict[str, bytes]]:
    """A notebook that was run as the text of a page, and the pictures on it by name.

    Raises:
        RuntimeError: a command failed, which fails no cell.
    """
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text", "")})
            kind = next(kind for kind in (*PICTURES, "text/html", "text/plain") if kind in data)
            if kind in PICTURES:
                name = f"images/tutorial_{len(pictures)}.{PICTURES[kind]}"
                pictures[name] = base64.b64decode(data[kind])
                parts.append(f"![what the cell shows]({name})")
            elif kind == "text/html":
                parts.append(data[kind])
            elif re.search("(?m)^error:", text := printed(data[kind])):
                raise RuntimeError(f"the tutorial fails: {text}")
            else:
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts) + "\n", pictures


def printed(text: str) -> str:
    """What a terminal would show in the end: no bars that were drawn over, no colours.

    >>> printed("50 %\\r100 %\\r\\ndone\\x1b[0m\\n")
    '100 %\\ndone'
    """
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).rstrip()
    return "\n".join(line.rstrip("\r ").rpartition("\r")[2].rstrip() for line in plain.split("\n"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
