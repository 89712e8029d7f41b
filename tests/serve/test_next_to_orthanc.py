"""docs/next_to_orthanc.py beside a real Orthanc where there is one, and one that answers as it does."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pydicom
import pytest

from neumo.classifier.classifier import Classifier
from tests.serve.test_running import serving

SCRIPT = Path(__file__).parents[2] / "docs" / "next_to_orthanc.py"
TOKEN = "as-long-as-a-token-must-be"


@contextmanager
def real_orthanc(folder: Path) -> Iterator[str]:
    """The address of an empty one, which answers this machine alone."""
    if not (program := shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")):
        pytest.skip("needs Orthanc, which is not on this machine (apt-get install orthanc)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [],
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
    }
    (folder / "storage").mkdir()
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log) as process,
    ):
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def another(_: Path) -> Iterator[str]:
    """The address of one that holds files in memory and tells of each in several changes."""
    files: dict[str, bytes] = {}
    changes: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            path = f"/instances/{len(files)}"
            files[path] = self.rfile.read(int(self.headers["Content-Length"]))
            for kind in ("NewInstance", "NewSeries", "NewStudy"):
                changes.append({"ChangeType": kind, "Path": path, "Seq": len(changes) + 1})
            self.tell({})

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            instance, _, what = url.path.rpartition("/")
            if url.path == "/changes":
                since = int(parse_qs(url.query)["since"][0])
                some = changes[since : since + 4]  # fewer than are asked for, to have several pages
                last = some[-1]["Seq"] if some else len(changes)
                self.tell({"Changes": some, "Done": last == len(changes), "Last": last})
            elif what == "file":
                self.send(files[instance], "application/dicom")
            else:
                header = pydicom.dcmread(io.BytesIO(files[instance]))
                self.tell({element.keyword: str(element.value) for element in header if element.keyword})

        def tell(self, what: Any) -> None:
            self.send(json.dumps(what).encode(), "application/json")

        def send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("kind", [real_orthanc, another])
def test_what_arrives_is_scored_once(
    kind: Callable[[Path], Any], saved: Path, classifier: Classifier, dicom_folder: Path, tmp_path: Path
) -> None:
    original = pydicom.dcmread(dicom_folder / "dx_1024_implicit_little_endian.dcm")
    out = tmp_path / "scores.jsonl"

    def put(orthanc: str, number: int, **elements: str) -> Path:
        one = copy.deepcopy(original)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        one.PatientName, one.AccessionNumber = "Doe^Jane", f"A{number}"
        for name, value in elements.items():
            setattr(one, name, value)
        one.PixelData = bytes(number * 70_000) + one.PixelData[number * 70_000 :]
        one.save_as(file := tmp_path / f"{number}.dcm")
        assert httpx2.post(f"{orthanc}/instances", content=file.read_bytes()).status_code == 200
        return file

    def score(orthanc: str, neumo: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), str(out), "--orthanc", orthanc, "--neumo", neumo.rstrip("/")]
        environment = {**os.environ, "NEUMO_TOKEN": token}
        return subprocess.run(
            [*command, "--once"], env=environment, capture_output=True, text=True, timeout=60
        )

    def rows() -> list[dict[str, Any]]:
        return [json.loads(line) for line in out.read_text().splitlines()]

    with (
        kind(tmp_path) as orthanc,
        serving(saved, "--max-file-mb", "2", NEUMO_TOKEN=TOKEN) as server,
    ):
        files = [put(orthanc, number) for number in range(3)]
        put(orthanc, 3, Modality="MR")
        refused = score(orthanc, server.url, token="another-that-is-as-long")
        assert (refused.returncode, out.read_text()) == (1, "")
        assert refused.stderr.endswith("answers 401, Unauthorized\n")
        assert score(orthanc, server.url).returncode == 0
        assert [row["SOPInstanceUID"] for row in rows()] == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
        assert [row["AccessionNumber"] for row in rows()] == ["A0", "A1", "A2"]
        expected = [classifier.predict(file) for file in files]
        assert len({one.probability for one in expected}) == 3
        for row, one in zip(rows(), expected, strict=True):
            assert row["probability"] == pytest.approx(one.probability, abs=1e-6)
            assert (row["decision"], row["warnings"]) == (one.decision, list(one.warnings))
            assert "not a medical device" in row["notice"]

        before = out.read_bytes()
        assert score(orthanc, server.url).returncode == 0
        assert out.read_bytes() == before
        out.write_bytes(before[:-20])  # killed while it wrote the third
        put(orthanc, 4)
        put(orthanc, 5, ImageComments="x" * 2_000_000)
        assert score(orthanc, server.url).returncode == 0
        assert out.read_bytes().startswith(before)
        *_, fourth, large = rows()
        assert [row["AccessionNumber"] for row in rows()] == ["A0", "A1", "A2", "A4", "A5"]
        assert "probability" in fourth
        assert large["error"] == "larger than the server takes"

        written = out.read_text()
        out.write_text(json.dumps({"change": 10_000}) + "\n")
        assert "is its database a new one?" in score(orthanc, server.url).stderr
        said = server.stop()
    assert "Doe" not in written + said
    assert "1.2.3." not in said
