//! As much of Markdown and of the shell as the documents use.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A document of the repository.
pub struct Page {
    /// Relative to the repository.
    pub path: PathBuf,
    pub text: String,
}

/// Every document that people are sent to.
pub fn pages() -> Vec<Page> {
    let mut pages: Vec<_> = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "deploy/README.md",
        "deploy/laptop.md",
        "deploy/cron.md",
        "deploy/systemd.md",
        "deploy/container.md",
        "deploy/github.md",
        "crates/tlog/README.md",
        "crates/model-signing/README.md",
    ]
    .map(Page::read)
    .into();
    let mut docs: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| Path::new("docs").join(name))
        .collect();
    docs.sort_unstable();
    pages.extend(docs.into_iter().map(Page::read));
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// The targets of its links.
    pub fn links(&self) -> Vec<String> {
        let link = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
        let prose = prose(&self.text);
        let found = link.captures_iter(&prose);
        found.map(|found| found[1].to_owned()).collect()
    }

    /// Whether a link of this page leads somewhere; external addresses are not checked.
    pub fn follow(&self, link: &str) -> Result<(), &'static str> {
        if link.contains("://") || link.starts_with("mailto:") {
            return Ok(());
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() {
            self.path.clone()
        } else {
            self.path.parent().unwrap().join(file)
        };
        if !root().join(&target).exists() {
            return Err("no such file");
        }
        if heading.is_empty() || Self::read(target).anchors().iter().any(|a| a == heading) {
            Ok(())
        } else {
            Err("no such heading")
        }
    }

    /// What its headings are called in links: as the host of the repository does it.
    fn anchors(&self) -> Vec<String> {
        prose(&self.text)
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                title
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                    .map(|c| if c == ' ' { '-' } else { c })
                    .collect()
            })
            .collect()
    }
}

/// The fenced blocks of a text, each with its language.
pub fn blocks(text: &str) -> Vec<(&str, &str)> {
    let fence = Regex::new(r"(?ms)^```([a-z]*)\n(.*?)^```$").unwrap();
    fence
        .captures_iter(text)
        .map(|found| found.extract::<2>().1)
        .map(|[language, block]| (language, block))
        .collect()
}

/// The text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut prose = text.to_owned();
    for (language, block) in blocks(text) {
        prose = prose.replace(&format!("```{language}\n{block}```"), "");
    }
    prose
}

/// A call of the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub args: Vec<String>,
    /// To be run exactly as written; in prose a command may be named without its arguments.
    pub is_whole: bool,
}

/// The calls of the program: in shell blocks, and between backticks in prose.
pub fn calls(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for (language, block) in blocks(text) {
        let lines = block.lines();
        match language {
            "sh" | "crontab" => calls.extend(lines.flat_map(calls_of_line)),
            "console" => calls.extend(
                lines
                    .filter_map(|line| line.strip_prefix("$ "))
                    .flat_map(calls_of_line),
            ),
            _ => {}
        }
    }
    let inline = Regex::new(r"`(modelwatch [^`\n]+)`").unwrap();
    let prose = prose(text);
    let named = inline.captures_iter(&prose);
    let named = named.flat_map(|found| calls_of_line(found.get(1).unwrap().as_str()));
    let call = |is_whole| move |args| Call { args, is_whole };
    calls
        .into_iter()
        .map(call(true))
        .chain(named.map(call(false)))
        .collect()
}

fn calls_of_line(line: &str) -> Vec<Vec<String>> {
    words(line)
        .split(|word| matches!(word.as_str(), "|" | "||" | "&&" | ";"))
        .filter_map(|command| {
            // Variables, or the schedule of a crontab, may precede it.
            let [program, args @ ..] = command else {
                return None;
            };
            let name = Path::new(program).file_name()?;
            // The arguments of a shell function are unknown.
            (name == "modelwatch" && !args.iter().any(|arg| arg.contains('$'))).then(|| {
                args.iter()
                    .take_while(|arg| !arg.trim_start_matches(char::is_numeric).starts_with('>'))
                    .scan(false, |is_config, arg| {
                        // A configuration that happens to be there would be obeyed.
                        let shown = if *is_config { "absent.toml" } else { arg };
                        *is_config = arg == "--config";
                        Some(shown.to_owned())
                    })
                    .collect()
            })
        })
        .collect()
}

/// The words of a line of shell, without its comment. Quotes hold words together, and are dropped.
fn words(line: &str) -> Vec<String> {
    let word = Regex::new(r#"(?:"[^"]*"|'[^']*'|[^\s"'])+"#).unwrap();
    word.find_iter(line)
        .map(|word| word.as_str())
        .take_while(|word| !word.starts_with('#'))
        .map(|word| word.replace(['"', '\''], ""))
        .collect()
}
