"""Runs the steps of action.yml as a runner would, against a release that is made up here."""

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
STEPS = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
NAME = "modelwatch-0.2.0-x86_64-unknown-linux-gnu"

# Prints its arguments, and text that a log could contain.
PROGRAM = """#!/bin/sh
printf '<%s>' "$@" >> "$FAKE/called"
echo '::add-path::/tmp'
exit "$(cat "$FAKE/code")"
"""


class Action(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = Path(self.directory.name)
        (self.path / "code").write_text("0")
        (self.path / "output").write_text("")
        # curl is replaced: it copies the file of the release.
        (self.path / "bin").mkdir()
        curl = self.path / "bin/curl"
        curl.write_text(
            '#!/bin/sh\necho "$@" > "$FAKE/asked"\n'
            'while [ "$1" != --output ]; do shift; done\ncp "$FAKE/archive.tar.gz" "$2"\n'
        )
        curl.chmod(0o755)
        self.archive(f"{NAME}/modelwatch")

    def archive(self, name):
        with tarfile.open(self.path / "archive.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(PROGRAM), 0o755
            archive.addfile(member, io.BytesIO(PROGRAM.encode()))

    def step(self, index, **inputs):
        environment = {
            "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}",
            "FAKE": str(self.path),
            "RUNNER_TEMP": str(self.path / "temp"),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "GITHUB_OUTPUT": str(self.path / "output"),
            **inputs,
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[index]["run"]]
        return subprocess.run(command, env=environment, cwd=self.path, capture_output=True, text=True)

    def install(self, **inputs):
        digest = hashlib.sha256((self.path / "archive.tar.gz").read_bytes()).hexdigest()
        given = {"REPOSITORY": "modelwatch/modelwatch", "VERSION": "0.2.0", "SHA256": digest}
        return self.step(0, **{**given, **inputs})

    def outputs(self):
        lines = (self.path / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_a_released_archive_is_installed_by_its_digest(self):
        done = self.install()
        self.assertEqual(done.returncode, 0, done.stderr)
        asked = (self.path / "asked").read_text()
        self.assertIn(f"https://github.com/modelwatch/modelwatch/releases/download/v0.2.0/{NAME}.tar.gz", asked)
        self.assertTrue(Path(self.outputs()["program"]).is_file())

    def test_another_archive_is_refused_before_it_is_unpacked(self):
        done = self.install(SHA256="0" * 64)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(any(self.path.glob("temp/*/modelwatch")))
        self.assertFalse((self.path / "called").exists())
        self.assertNotIn("program", self.outputs())

    def test_inputs_that_could_name_something_else_are_refused(self):
        for wrong in [
            {"VERSION": "0.2.0/../x"},
            {"VERSION": ""},
            {"SHA256": "0" * 63},
            {"SHA256": ""},
            {"REPOSITORY": "a/b/c"},
            {"REPOSITORY": "a b/c"},
            {"RUNNER_OS": "Windows"},
        ]:
            done = self.install(**wrong)
            self.assertEqual(done.returncode, 2, wrong)
            self.assertFalse((self.path / "asked").exists(), wrong)

    def test_each_line_is_one_argument_and_the_exit_code_is_that_of_the_command(self):
        self.install()
        program = self.outputs()["program"]
        for command, words in [
            ("sign", "<sign>"),
            ("verify", "<verify>"),
            ("watch", "<monitor><--once>"),
        ]:
            for code in "03":
                (self.path / "called").unlink(missing_ok=True)
                (self.path / "code").write_text(code)
                arguments = "a model\n--signature\n$(touch injected)\n"
                done = self.step(1, PROGRAM=program, COMMAND=command, ARGUMENTS=arguments)
                self.assertEqual(str(done.returncode), code, done.stderr)
                self.assertEqual(self.outputs()["code"], code)
                called = (self.path / "called").read_text()
                self.assertEqual(called, f"{words}<a model><--signature><$(touch injected)>")
        self.assertFalse((self.path / "injected").exists())

    def test_output_of_the_command_is_no_command_to_the_runner(self):
        self.install()
        done = self.step(1, PROGRAM=self.outputs()["program"], COMMAND="watch", ARGUMENTS="")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], "^::stop-commands::[0-9a-f]{32}$")
        self.assertEqual(lines[-1], f"::{lines[0].rsplit(':', 1)[1]}::")

    def test_another_command_is_refused(self):
        done = self.step(1, PROGRAM="/bin/true", COMMAND="findings", ARGUMENTS="")
        self.assertEqual(done.returncode, 2)


unittest.main()
