"""What was skipped for want of a GPU or a browser is counted, however the tests are run."""

import inspect
import shutil
import subprocess
import sys

import pytest
from house_rules import ROOT


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_summary_counts_skipped_gpu_tests(tmp_path, workers):
    for name in ("conftest.py", "browser.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    test = """
        import os
        import pytest

        @pytest.mark.gpu
        @pytest.mark.parametrize("case", range(3))
        def test_on_a_gpu(case):
            pytest.skip("pretend there is none")

        def test_gpu():
            assert os.environ["OPENBLAS_NUM_THREADS"]

        @pytest.mark.browser
        def test_in_a_browser():
            pytest.skip("pretend there is none")

        def test_other():
            pytest.skip("not a GPU test")
    """
    (tmp_path / "test_a.py").write_text(inspect.cleandoc(test))
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir"]
    done = subprocess.run(
        [*command, str(tmp_path), "-p", "no:cacheprovider", *workers, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GPU tests skipped: 3" in done.stdout
    assert "browser tests skipped: 1" in done.stdout
    assert "not a GPU test" in done.stdout
