"""Runs the steps of deploy/github-workflow.yml as a runner would, against a repository, a `gh` and a `modelwatch` that
are made up here, and checks what becomes of the database and of the issue."""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / "deploy/github-workflow.yml").read_text())
BRANCH = "refs/heads/modelwatch-state"

# Records its passes in the database, answers as in FAKE, and prints output that a hostile log could cause.
MODELWATCH = r"""#!/usr/bin/env bash
set -eu
echo "$*" >> "$FAKE/calls"
case $1 in
  monitor)
    if [ -e "$FAKE/database" ]; then echo pass >> "$(cat "$FAKE/database")"; fi
    if [ -e "$FAKE/meanwhile" ]; then bash "$FAKE/meanwhile"; fi
    echo '::set-output name=code::0'
    echo 'RESULT={"security":0,"health":0,"unread":0,"undelivered":0} said a certificate' >&2
    cat "$FAKE/stderr" >&2
    exit "$(cat "$FAKE/code")"
    ;;
  expect)
    if [ -e "$FAKE/refused" ]; then echo "error: refused" >&2; exit 1; fi
    printf '<%s>' "$@" >> "$FAKE/words"
    ;;
  findings)
    if [ "$2" = ack ]; then printf '<%s>' "$@" >> "$FAKE/words"; exit 0; fi
    cat "$FAKE/findings"
    ;;
esac
"""

# One issue in a folder; refuses to work without a token, as the real one does.
GH = r"""#!/usr/bin/env bash
set -eu
: "${GH_TOKEN:?}"
body() { while [ $# -gt 1 ]; do if [ "$1" = --body-file ]; then cp "$2" "$FAKE/issue"; fi; shift; done; }
echo "$*" >> "$FAKE/gh"
case "$1 $2" in
  "issue list") if [ -e "$FAKE/issue" ]; then echo 7; fi ;;
  "issue create" | "issue edit") body "$@" ;;
  "issue view") cat "$FAKE/issue" ;;
  "issue close") rm "$FAKE/issue" ;;
esac
"""

FINDING = {"id": "00ff", "state": "open", "severity": "critical", "verdict": "identity-unexpected", "watch": "falcon"}


class Failed(Exception):
    """The job is red."""


class Runner:
    """A repository on a host, and what a schedule runs in it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.origin = self.folder / "origin.git"
        self.fake = self.folder / "fake"
        self.home = self.folder / "home"
        tools = self.folder / "tools"
        for path in (self.fake, self.home / "modelwatch/bin", tools):
            path.mkdir(parents=True)
        self.program(self.home / "modelwatch/bin/modelwatch", MODELWATCH)
        self.program(tools / "gh", GH)
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "FAKE": str(self.fake),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
        }
        self.git("init", "--quiet", "--bare", str(self.origin))
        self.answers(0)
        (self.fake / "database").write_text("modelwatch.db")
        (self.fake / "findings").write_text("")

    @staticmethod
    def program(path, text):
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def git(self, *arguments):
        return subprocess.run(
            ["git", *arguments], check=True, capture_output=True, text=True, env=self.environment
        ).stdout.strip()

    def answers(self, code, health=0, unread=0, undelivered=0, findings=()):
        (self.fake / "code").write_text(str(code))
        result = json.dumps(
            {"security": len(findings), "health": health, "unread": unread, "undelivered": undelivered}
        )
        (self.fake / "stderr").write_text(f"some trouble\nRESULT={result}\n")
        (self.fake / "findings").write_text("".join(json.dumps(finding) + "\n" for finding in findings))

    def run(self, bootstrap=False, commit="", register="", acknowledge="", reason=""):
        """One run of the job on a machine that is as new as a runner's. Returns what its steps wrote."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        self.git("-C", str(work), "init", "--quiet")
        self.git("-C", str(work), "remote", "add", "origin", str(self.origin))
        outputs, wrote, red = {"binary": {"cache-hit": "true" if not commit else "false"}}, [], None
        for step in WORKFLOW["jobs"]["watch"]["steps"]:
            values = {
                "github.token": "token",
                "github.repository": "harbor-ml-example/watch",
                "inputs.bootstrap": "true" if bootstrap else "false",
                "inputs.register": register,
                "inputs.acknowledge": acknowledge,
                "inputs.reason": reason,
            }
            if "run" not in step or not self.wanted(step.get("if"), outputs, red):
                continue
            written = work / "outputs"
            written.write_text("")
            environment = self.environment | {key: str(value) for key, value in WORKFLOW["env"].items()}
            environment |= {"GITHUB_OUTPUT": str(written)}
            if commit:
                environment["MODELWATCH_COMMIT"] = commit
            for key, value in step.get("env", {}).items():
                environment[key] = self.expression(value, values, outputs)
            # As in the documentation of GitHub Actions for `shell: bash`.
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False,
            )
            wrote.append(done.stdout)
            if "id" in step:
                outputs[step["id"]] = dict(line.split("=", 1) for line in written.read_text().splitlines())
            if done.returncode != 0:
                red = red or f"{step['name']}: {done.stdout}"
        if red:
            raise Failed(red)
        return "".join(wrote)

    @staticmethod
    def wanted(condition, outputs, red):
        """The few conditions that the workflow uses; a new kind of condition fails here instead of being guessed."""
        if condition is None:
            return red is None
        text = re.fullmatch(r"\$\{\{ (.*) \}\}", condition)[1]
        always = "!cancelled()" in text
        text = text.replace("!cancelled()", "True").replace("&&", "and").replace("||", "or")
        text = re.sub(
            r"steps\.([a-z]+)\.outputs\.([a-z-]+)", lambda match: repr(outputs.get(match[1], {}).get(match[2], "")), text
        )
        if not re.fullmatch(r"(True|and|or|==|!=|[()]|'[^']*'|\s)+", text):
            raise ValueError(f"cannot judge {condition}")
        return (always or red is None) and eval(text)  # noqa: S307 - checked in the line above

    @staticmethod
    def expression(value, values, outputs):
        name = re.fullmatch(r"\$\{\{ ([^ ]+) \}\}", value)
        if name is None:
            return value
        step = re.fullmatch(r"steps\.([a-z]+)\.outputs\.([a-z-]+)", name[1])
        return outputs.get(step[1], {}).get(step[2], "") if step else values[name[1]]

    def kept(self):
        """The passes that the database on the branch remembers; None when there is no branch."""
        if not self.git("--git-dir", str(self.origin), "for-each-ref", BRANCH):
            return None
        archive = subprocess.run(
            ["git", "--git-dir", str(self.origin), "cat-file", "blob", f"{BRANCH}:state.tar.gz"],
            check=True, capture_output=True,
        ).stdout
        database = subprocess.run(
            ["tar", "-xzO", "modelwatch.db"], input=archive, check=True, capture_output=True
        ).stdout
        return database.decode().split().count("pass")

    def lose_the_branch(self):
        self.git("--git-dir", str(self.origin), "update-ref", "-d", BRANCH)

    def calls(self, of):
        path = self.fake / of
        return path.read_text().splitlines() if path.exists() else []


class Workflow(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.runner = Runner(folder.name)

    def red(self, reason, **arguments):
        with self.assertRaisesRegex(Failed, reason):
            self.runner.run(**arguments)

    def test_a_first_run_without_bootstrap_is_refused(self):
        self.red("is absent")
        self.assertIsNone(self.runner.kept())
        self.assertEqual(self.runner.calls("calls"), [], "no log was read")

    def test_a_bootstrap_begins_and_each_run_goes_on_from_the_last(self):
        self.runner.run(bootstrap=True)
        self.assertEqual(self.runner.calls("calls"), ["monitor --once --bootstrap"])
        for passes in (2, 3):
            self.runner.run()
            self.assertEqual(self.runner.kept(), passes)
        self.assertEqual(self.runner.calls("calls")[1:], ["monitor --once"] * 2)

    def test_a_bootstrap_never_discards_a_database(self):
        self.runner.run(bootstrap=True)
        self.runner.run(bootstrap=True)
        self.assertEqual(self.runner.kept(), 2)

    def test_the_branch_stays_one_commit(self):
        self.runner.run(bootstrap=True)
        self.runner.run()
        self.assertEqual(self.runner.git("--git-dir", str(self.runner.origin), "rev-list", "--count", BRANCH), "1")

    def test_a_lost_database_is_not_a_quiet_night(self):
        self.runner.run(bootstrap=True)
        self.runner.lose_the_branch()
        self.red("its database is lost")
        self.assertIsNone(self.runner.kept())

    def test_what_could_not_be_read_is_not_absent(self):
        self.runner.run(bootstrap=True)
        self.runner.origin.rename(self.runner.folder / "away.git")
        self.red("could not be read", bootstrap=True)
        (self.runner.folder / "away.git").rename(self.runner.origin)
        self.assertEqual(self.runner.kept(), 1)

    def test_an_empty_database_is_refused(self):
        self.runner.run(bootstrap=True)
        empty = self.runner.folder / "empty"
        empty.mkdir()
        (empty / "modelwatch.db").touch()
        archive = self.runner.folder / "state.tar.gz"
        subprocess.run(["tar", "-C", str(empty), "-czf", str(archive), "modelwatch.db"], check=True)
        git = ("--git-dir", str(self.runner.origin))
        blob = self.runner.git(*git, "hash-object", "-w", str(archive))
        tree = subprocess.run(
            ["git", *git, "mktree"], input=f"100644 blob {blob}\tstate.tar.gz\n", check=True, capture_output=True, text=True
        ).stdout.strip()
        identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        commit = self.runner.git(*git, *identity, "commit-tree", "-m", "empty", tree)
        self.runner.git(*git, "update-ref", BRANCH, commit)
        self.red("holds no database")

    def test_a_database_that_another_run_has_replaced_is_left_alone(self):
        self.runner.run(bootstrap=True)
        first = self.runner.git("--git-dir", str(self.runner.origin), "rev-parse", BRANCH)
        self.runner.run()
        second = self.runner.git("--git-dir", str(self.runner.origin), "rev-parse", BRANCH)
        (self.runner.fake / "meanwhile").write_text(
            f"git --git-dir '{self.runner.origin}' update-ref {BRANCH} {first} {second}\n"
        )
        self.red("Keep the database")
        self.assertEqual(self.runner.kept(), 1)

    def test_a_database_elsewhere_is_reported_and_not_lost_silently(self):
        (self.runner.fake / "database").write_text("elsewhere.db")
        self.red("modelwatch.db is not there", bootstrap=True)

    def test_a_write_ahead_log_goes_with_its_database(self):
        (self.runner.fake / "meanwhile").write_text("echo more > modelwatch.db-wal\n")
        self.runner.run(bootstrap=True)
        (self.runner.fake / "meanwhile").write_text("cp modelwatch.db-wal \"$FAKE/restored\"\n")
        self.runner.run()
        self.assertEqual((self.runner.fake / "restored").read_text(), "more\n")

    def test_a_finding_opens_one_issue_and_the_run_stays_green(self):
        self.runner.answers(1, findings=[FINDING])
        self.runner.run(bootstrap=True)
        self.runner.run()
        asked = [call.split()[1] for call in self.runner.calls("gh") if call.startswith("issue")]
        self.assertEqual(asked, ["list", "create", "list", "view"], "the second run has nothing new to report")
        self.assertIn('"id":"00ff"', (self.runner.fake / "issue").read_text())
        self.assertEqual(self.runner.kept(), 2)

    def test_a_further_finding_is_reported_in_the_same_issue(self):
        self.runner.answers(1, findings=[FINDING])
        self.runner.run(bootstrap=True)
        self.runner.answers(1, findings=[FINDING, FINDING | {"id": "01aa"}])
        self.runner.run()
        asked = [call.split()[1] for call in self.runner.calls("gh") if call.startswith("issue")]
        self.assertEqual(asked[2:], ["list", "view", "edit", "comment"])

    def test_an_issue_is_closed_when_nothing_is_open_and_only_then(self):
        self.runner.answers(1, findings=[FINDING])
        self.runner.run(bootstrap=True)
        self.runner.answers(3, health=1)
        self.red("could not be answered")
        self.assertTrue((self.runner.fake / "issue").exists())
        self.runner.answers(0)
        self.runner.run()
        self.assertFalse((self.runner.fake / "issue").exists())

    def test_acknowledged_findings_do_not_displace_open_ones(self):
        acked = [FINDING | {"id": f"{number:04x}", "state": "acked"} for number in range(60)]
        self.runner.answers(1, findings=[*acked, FINDING | {"id": "beef"}])
        self.runner.run(bootstrap=True)
        issue = (self.runner.fake / "issue").read_text()
        self.assertIn("has 1 open", issue)
        self.assertIn('"id":"beef"', issue)

    def test_a_flood_fits_an_issue(self):
        findings = [FINDING | {"id": f"{number:04x}", "summary": "x" * 3000} for number in range(500)]
        self.runner.answers(1, findings=findings)
        self.runner.run(bootstrap=True)
        issue = (self.runner.fake / "issue").read_text()
        self.assertIn("has 500 open", issue)
        self.assertLess(len(issue), 65536, "the most that an issue holds")

    def test_names_from_a_log_stay_inside_the_code_block(self):
        name = "a\n```\n@everyone <img src=x> \u202egpj.exe\n::error::x"
        self.runner.answers(1, findings=[FINDING | {"san": [{"type": "email", "value": name}], "summary": name}])
        self.runner.run(bootstrap=True)
        lines = (self.runner.fake / "issue").read_text().splitlines()
        hostile = [line for line in lines if "everyone" in line]
        self.assertEqual(len(hostile), 1)
        self.assertTrue(hostile[0].startswith('    {"id"'))
        self.assertTrue(hostile[0].isascii())

    def test_the_output_of_a_pass_gives_the_runner_no_commands(self):
        wrote = self.runner.run(bootstrap=True)
        stop = re.search(r"^::stop-commands::([0-9a-f]{32})$", wrote, re.MULTILINE)
        end = wrote.index(f"\n::{stop[1]}::\n")
        self.assertLess(stop.end(), wrote.index("::set-output"))
        self.assertLess(wrote.index("::set-output"), end)
        self.assertLess(wrote.index("some trouble"), end)

    def test_a_finding_does_not_hide_a_broken_watch(self):
        self.runner.answers(1, health=2, findings=[FINDING])
        self.red("the monitoring is not healthy", bootstrap=True)
        self.assertTrue((self.runner.fake / "issue").exists())
        self.assertEqual(self.runner.kept(), 1)

    def test_a_finding_does_not_hide_a_log_that_was_not_read(self):
        self.runner.answers(1, unread=1, findings=[FINDING])
        self.red("the monitoring is not healthy", bootstrap=True)

    def test_a_finding_does_not_hide_an_undelivered_alert(self):
        self.runner.answers(1, undelivered=1, findings=[FINDING])
        self.red("the monitoring is not healthy", bootstrap=True)

    def test_an_unanswered_question_is_red_and_keeps_what_was_read(self):
        self.runner.answers(3, health=1)
        self.red("could not be answered", bootstrap=True)
        self.assertEqual(self.runner.kept(), 1)

    def test_a_refused_pass_replaces_nothing(self):
        self.runner.run(bootstrap=True)
        self.runner.answers(2)
        self.red("the configuration is wrong")
        self.assertEqual(self.runner.kept(), 1)

    def test_a_killed_pass_is_red_and_keeps_what_it_committed(self):
        self.runner.answers(137)
        (self.runner.fake / "stderr").write_text("")
        self.red("exited with 137", bootstrap=True)
        self.assertEqual(self.runner.kept(), 1)

    def test_a_result_that_is_not_there_is_not_health(self):
        self.runner.answers(1, findings=[FINDING])
        (self.runner.fake / "stderr").write_text("no result\n")
        self.red("the monitoring is not healthy", bootstrap=True)

    def test_what_is_asked_for_is_registered_and_acknowledged_before_the_logs_are_read(self):
        self.runner.run(bootstrap=True)
        self.runner.run(register=" a/model.sig  b.jsonl", acknowledge="00ff 01aa", reason="it was $(me); \"I\"")
        words = "".join(self.runner.calls("words"))
        self.assertEqual(
            words,
            "<expect><add><--><a/model.sig><b.jsonl>"
            '<findings><ack><--reason><it was $(me); "I"><--><00ff><01aa>',
        )
        calls = [call.split()[0] for call in self.runner.calls("calls")[1:]]
        self.assertEqual(calls, ["expect", "findings", "monitor"])
        self.assertEqual(self.runner.kept(), 2)

    def test_a_scheduled_run_registers_and_acknowledges_nothing(self):
        self.runner.run(bootstrap=True)
        self.runner.run()
        self.assertEqual(self.runner.calls("words"), [])

    def test_a_registration_that_is_refused_is_red_and_changes_nothing(self):
        self.runner.run(bootstrap=True)
        (self.runner.fake / "refused").touch()
        self.red("Register and acknowledge", register="forged.sig")
        self.assertEqual(self.runner.calls("calls")[-1], "expect add -- forged.sig")
        self.assertEqual(self.runner.kept(), 1)

    def test_words_are_not_expanded(self):
        self.runner.run(bootstrap=True)
        self.runner.run(register="* $(id) `id` ~ --force")
        self.assertEqual("".join(self.runner.calls("words")), "<expect><add><--><*><$(id)><`id`><~><--force>")

    def test_a_commit_that_is_no_commit_is_not_built(self):
        self.red("set MODELWATCH_COMMIT", commit="main")


if __name__ == "__main__":
    unittest.main()
