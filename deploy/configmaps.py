"""Writes the files of the ConfigMap NAME among manifests on standard input into DIRECTORY: configmaps.py NAME DIRECTORY.

Only what Helm writes is read: one document a `---`, file contents as literal blocks under `data:`.
"""

import pathlib
import re
import sys
import textwrap


def files(document: str) -> dict[str, str]:
    data = document.partition("\ndata:\n")[2]
    blocks = re.split(r"^  ([\w.-]+): \|\n", data, flags=re.MULTILINE)[1:]
    return {name: textwrap.dedent(text) for name, text in zip(blocks[::2], blocks[1::2])}


def main(name: str, directory: str) -> None:
    documents = re.split(r"^---\n", sys.stdin.read(), flags=re.MULTILINE)
    wanted = [one for one in documents if "\nkind: ConfigMap\n" in one and f"\n  name: {name}\n" in one]
    found = {path: text for document in wanted for path, text in files(document).items()}
    if not found:
        sys.exit(f"no ConfigMap {name} with files among {len(documents)} documents")
    pathlib.Path(directory).mkdir()
    for path, text in found.items():
        pathlib.Path(directory, path).write_text(text)


main(*sys.argv[1:])
