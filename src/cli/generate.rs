//! Shell completions and man pages, made from the command line's own definition.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::output::Outcome;
use super::pages;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// An existing directory; the pages of every command are written into it
    directory: PathBuf,
}

/// Prints the completions of `command` for the shell.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "modelwatch", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Outcome::Clean)
}

/// Writes the man pages of `command` and of all commands below it.
pub(super) fn man(args: &ManArgs, command: Command) -> anyhow::Result<Outcome> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&command, "", &args.directory).with_context(|| {
        format!(
            "man pages cannot be written into {}",
            args.directory.display()
        )
    })?;
    Ok(Outcome::Clean)
}

/// The page of a command, and those of the commands below it.
fn write_pages(command: &Command, path: &str, directory: &Path) -> std::io::Result<()> {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    for sub in shown {
        let below = pages::below(path, sub.get_name());
        write_pages(sub, &below, directory)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend_from_slice(examples(path).render().as_bytes());
    page.extend_from_slice(exit_status(path).render().as_bytes());
    man.render_version_section(&mut page)?;
    std::fs::write(directory.join(man.get_filename()), page)
}

fn examples(path: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXAMPLES"]);
    for example in pages::examples(path) {
        section
            .control("PP", [])
            .text([roman(format!("{}:", example.why))])
            .control("RS", ["4"])
            .control("nf", [])
            .text([bold(example.line)])
            .control("fi", [])
            .control("RE", []);
    }
    section
}

fn exit_status(path: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in pages::exit_status(path) {
        section
            .control("TP", [])
            .text([bold(code.to_string())])
            .text([roman(*meaning)]);
    }
    section
}
