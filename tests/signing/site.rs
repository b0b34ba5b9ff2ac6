//! A place to run the program in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The program in its own directory, without a configuration.
pub struct Site(TempDir);

/// What would change whose token is used, or open a browser.
const ELSEWHERE: [&str; 13] = [
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "BROWSER",
    "BUILDKITE",
    "CIRCLECI",
    "DISPLAY",
    "GCE_METADATA_HOST",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "GOOGLE_SERVICE_ACCOUNT_NAME",
    "SIGSTORE_ID_TOKEN",
    "WAYLAND_DISPLAY",
    "WSL_DISTRO_NAME",
];

impl Site {
    /// With the recorded cases of the reference implementation in it: keys and models for every test.
    pub fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let packed = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/signing/cases.tar.gz"
        );
        let unpacked = Command::new("tar")
            .args(["--strip-components=1", "-xzf", packed, "-C"])
            .arg(site.root())
            .status()
            .unwrap();
        assert!(unpacked.success());
        site
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        command
            .current_dir(self.root())
            .env_remove("MODELWATCH_CONFIG")
            .env("XDG_CACHE_HOME", self.at("cache"))
            .env("SOFTHSM2_CONF", self.at("softhsm2.conf"));
        // Where the tests run may be a job of a platform, or a desktop.
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command
    }

    /// Runs a line of words without quotes.
    pub fn run(&self, line: &str) -> Printed {
        self.command()
            .args(line.split_whitespace())
            .output()
            .unwrap()
            .into()
    }

    /// Runs a line of the shell; `$P` is the program.
    pub fn shell(&self, line: &str) -> Printed {
        self.sh(line).output().unwrap().into()
    }

    pub fn sh(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.root())
            .env("P", env!("CARGO_BIN_EXE_modelwatch"));
        command
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }
}

/// The output of a run, and its exit code.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Printed {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Printed {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
