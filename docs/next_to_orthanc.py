"""Score what arrives in Orthanc by ``neumo serve``: a line of JSON per radiograph, none of it a diagnosis.

    export NEUMO_TOKEN=... ORTHANC_USER=name:password    # where they ask for one
    python next_to_orthanc.py scores.jsonl --orthanc http://127.0.0.1:8042 --neumo http://127.0.0.1:8000

Needs Python alone. Asks Orthanc for what is new, and waits for more until it is stopped (``--once``: until
all is scored). The same command goes on after the last whole line of the file. Nothing is written into
Orthanc.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

MODALITIES = ("CR", "DX", "RG")
GONE, TOO_LARGE, FULL, STOPPING = 404, 413, 429, 503


def ask(url: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    """The answer to a request, of JSON if it is; a server that is full or not there is asked again."""
    while True:
        wait = 5
        try:
            with urlopen(Request(url, body, headers), timeout=90) as answer:
                read = answer.read()
                return json.loads(read) if answer.headers.get_content_subtype() == "json" else read
        except HTTPError as error:
            if error.code not in (FULL, STOPPING):
                raise
            why, wait = f"answers {error.code}", int(error.headers.get("Retry-After", wait))
        except (OSError, http.client.HTTPException) as error:
            why = f"does not answer ({error})"
        print(f"{url.split('/')[2]} {why}; asked again in {wait} s", file=sys.stderr)
        time.sleep(wait)


def arrived(orthanc: str, user: dict[str, str], since: int, once: bool) -> Iterator[dict[str, Any]]:
    """Every change after this number, in order."""
    while True:
        told = ask(f"{orthanc}/changes?since={since}&limit=100", user)
        if told["Last"] < since:
            sys.exit(f"Orthanc's last change is {told['Last']}, before {since}: is its database a new one?")
        yield from told["Changes"]
        since = told["Last"]
        if told["Done"] and once:
            return
        time.sleep(0 if told["Changes"] else 2)


def scored(instance: str, neumo: str, user: dict[str, str], token: dict[str, str]) -> dict[str, Any] | None:
    """What is known of an instance; None of one that is no radiograph, or was deleted since."""
    try:
        header = ask(f"{instance}/simplified-tags", user)
        if header.get("Modality") not in MODALITIES:
            return None
        file = ask(f"{instance}/file", user)
    except HTTPError as error:
        if error.code != GONE:
            raise
        return None
    found = {name: header.get(name) for name in ("SOPInstanceUID", "AccessionNumber")}
    try:
        answer = ask(f"{neumo}/api/predict", {"Content-Type": "application/dicom", **token}, file)
    except HTTPError as error:
        if error.code != TOO_LARGE:
            raise
        return {**found, "error": "larger than the server takes"}
    (prediction,) = answer["predictions"]
    return {**found, **prediction, **{name: answer[name] for name in ("threshold", "classifier", "notice")}}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--orthanc", default="http://127.0.0.1:8042")
    parser.add_argument("--neumo", default="http://127.0.0.1:8000")
    parser.add_argument("--once", action="store_true")
    given = parser.parse_args()
    secret, orthanc = os.environ.get("NEUMO_TOKEN"), os.environ.get("ORTHANC_USER")
    token = {"Authorization": f"Bearer {secret}"} if secret else {}
    user = {"Authorization": f"Basic {base64.b64encode(orthanc.encode()).decode()}"} if orthanc else {}

    given.out.touch()
    with given.out.open("r+b") as out:
        lines = out.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # cut off when this was killed
            out.truncate(sum(map(len, lines[:-1])))
            lines.pop()
        since = json.loads(lines[-1])["change"] if lines else 0
        out.seek(0, os.SEEK_END)
        try:
            for change in arrived(given.orthanc, user, since, given.once):
                if change["ChangeType"] != "NewInstance":
                    continue
                if found := scored(given.orthanc + change["Path"], given.neumo, user, token):
                    out.write(json.dumps({"change": change["Seq"], **found}).encode() + b"\n")
                    out.flush()
        except HTTPError as error:
            sys.exit(f"{error.url.split('/')[2]} answers {error.code}, {error.reason}")
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
