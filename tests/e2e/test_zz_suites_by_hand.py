import json, time, os
from pathlib import Path
import pytest
from vertex_vllm.evaluation.evaluate import *
from vertex_vllm.evaluation.suites.suite import part_of
from vertex_vllm.evaluation.suites.suite_files import load_suite
from vertex_vllm.evaluation.result import to_json, quality
from vertex_vllm.evaluation.report import render

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.vllm]
OUT = Path("/tmp/helpers/suites_out")
OUT.mkdir(exist_ok=True)


def test_calibrate(served_text):
    s = part_of(load_suite("text"), [1, 2])
    t = time.time()
    e = evaluate_endpoint(Subject(served_text.endpoint, True, "calib"), Thresholds(), Asking(s))
    (OUT / "calib.json").write_text(to_json(e))
    (OUT / "calib.html").write_text(render(e))
    print("SECONDS", time.time() - t)
    q = quality(e)
    for r in q["by_level"] + q["by_category"]:
        print(r)
    for name in ("text-small",):
        e = evaluate_endpoint(Subject(served_text.endpoint, True, "calib"), Thresholds(), Asking(load_suite(name)))
        print(name, quality(e)["share"])
