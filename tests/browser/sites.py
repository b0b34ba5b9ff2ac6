"""The databases that the pages are looked at with, and the server that shows them."""

import os
import pathlib
import sqlite3
import subprocess
import threading

TOKEN = "a token of the tests"

# Many more than a page shows.
MANY = 100_000

# What a signer may write into a certificate: markup, a script, an end of a script, an attribute, characters that change the
# direction of the text or the terminal, a line break.
HOSTILE = (
    "https://github.com/harbor-ml-example/falcon/</title></script><script>hostile()</script>"
    "<img src=x onerror=hostile()><svg onload=hostile()>\"' onmouseover='hostile()' autofocus onfocus='hostile()' "
    "\u202e\u2066\u200b\u2028\u0085\u009b\u0007\\\r\nX-Evil: 1 javascript:hostile()"
)


class Site:
    """A database with its configuration, and a process that serves it."""

    def __init__(self, program, directory):
        self.program, self.directory = program, pathlib.Path(directory)
        self.process = None
        self.address = None

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments, "--config", self.directory / "modelwatch.toml"],
                              capture_output=True, text=True, timeout=600, env=environment())

    def database(self, *statements):
        db = sqlite3.connect(self.directory / "modelwatch.db")
        for statement in statements:
            db.execute(*statement)
        db.commit()
        db.close()

    def serve(self):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--config", self.directory / "modelwatch.toml"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())
        for line in self.process.stderr:
            if "listening on http://" in line:
                self.address = "http://" + line.split("listening on http://")[1].split()[0]
                break
        else:
            raise SystemExit(f"{self.program} serve has ended")
        # A full pipe would stop the server.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def findings(self):
        """One finding of each verdict and state, by its id."""
        db = sqlite3.connect(self.directory / "modelwatch.db")
        rows = db.execute("SELECT verdict, state, lower(hex(min(id))) FROM finding GROUP BY 1, 2").fetchall()
        db.close()
        return {f"{verdict}-{state}": number for verdict, state, number in rows}


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("MODELWATCH_")}


def demo(program, directory):
    """What `modelwatch demo` leaves."""
    subprocess.run([program, "demo", "--keep", directory], check=True, capture_output=True, env=environment())
    return Site(program, directory)


def hostile(program, directory):
    """Many findings, hostile names wherever a name can be, something wrong everywhere, and a form for people."""
    site = demo(program, directory)
    (site.directory / "token").write_text(TOKEN)
    watches = "".join(
        f'\n[[watch]]\nname = "watch {number} {"x" * 60}"\nsan = "https://github.com/harbor-ml-example/{number}"\n'
        for number in range(60)
    )
    unread = ('\n[[log]]\nname = "unread"\ntype = "rekor-v2"\nurl = "absent"\norigin = "absent.example"\n'
              'public_key = "key.pub.pem"\nstart = "beginning"\n')
    with open(site.directory / "modelwatch.toml", "a", encoding="utf-8") as file:
        file.write(f'{watches}{unread}\n[web]\ntoken_file = "token"\nactions = true\n')
    # The log that cannot be read is a finding about health, and each watch has entries that it was not compared with.
    site.run("monitor", "--once")
    site.run("findings", "ack", site.findings()["untrusted-chain-open"], "--reason", HOSTILE, "--author", "tests")

    db = sqlite3.connect(site.directory / "modelwatch.db")
    columns = [row[1] for row in db.execute("PRAGMA table_info(finding)")]
    copied = [column for column in columns if column not in ("number", "id", "entry_index")]
    first = db.execute(f"SELECT {', '.join(copied)} FROM finding WHERE state = 'open' AND health = 0 LIMIT 1").fetchone()
    db.executemany(
        f"INSERT INTO finding (id, entry_index, {', '.join(copied)}) VALUES (?, ?{', ?' * len(copied)})",
        (((1_000_000 + n).to_bytes(16, "big"), 1_000_000 + n, *first) for n in range(MANY)),
    )
    db.execute("UPDATE signer SET san = json_array(json_object('type', 'uri', 'value', ?1)), issuer = ?1", (HOSTILE,))
    db.execute("UPDATE signer SET extensions = (SELECT json_group_object(key, ?1) FROM json_each(extensions))", (HOSTILE,))
    db.execute("UPDATE finding SET summary = ?1, digest = ?1, kind = ?1", (HOSTILE,))
    db.execute("UPDATE tree SET error_kind = 'malformed', error_message = ?1", (HOSTILE,))
    db.commit()
    db.close()
    return site

