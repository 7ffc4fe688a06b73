//! Man pages and completions, made of the command line's own definition. `make manual` writes them; the test holds what
//! is committed against it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use irsa_sidecar::build_info::VERSION;
use irsa_sidecar::cli;

use crate::committed;

const NAME: &str = "irsa-sidecar";

#[test]
fn the_pages_and_completions_are_those_of_the_command_line() {
    committed::hold("docs/man", &pages());
    committed::hold("docs/completions", &completions());
}

#[test]
fn bash_completes_commands_flags_values_and_files() {
    for (line, completed) in [
        ("irsa-sidecar ser", "serve"),
        ("irsa-sidecar serve --imds-upstream-", "--imds-upstream-allow"),
        ("irsa-sidecar credentials --format powe", "powershell"),
        ("irsa-sidecar trust-policy --format cloudf", "cloudformation"),
        ("irsa-sidecar serve --roles-file Cargo.t", "Cargo.toml"),
    ] {
        // As bash itself does at a TAB: the function that `complete` was given, with the words so far.
        let script = r#"
            source docs/completions/irsa-sidecar.bash
            read -r -a COMP_WORDS <<< "$1"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            [[ $(complete -p irsa-sidecar) =~ -F\ ([^ ]+) ]]
            "${BASH_REMATCH[1]}" irsa-sidecar "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}""#;
        let mut bash = process::Command::new("bash");
        bash.args(["--norc", "-c", script, "bash", line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = bash.output().expect("bash must be installed");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completed, "{line}: {told}");
    }
}

/// `irsa-sidecar.1`, and one for each command.
fn pages() -> BTreeMap<PathBuf, String> {
    let program = definition();
    let of_commands = program.get_subcommands().map(|command| {
        let name = format!("{NAME}-{}", command.get_name());
        (name.clone(), page(&name, command))
    });
    [(NAME.to_owned(), page(NAME, &program))]
        .into_iter()
        .chain(of_commands)
        .map(|(name, text)| (format!("{name}.1").into(), text))
        .collect()
}

fn completions() -> BTreeMap<PathBuf, String> {
    [(Shell::Bash, "irsa-sidecar.bash"), (Shell::Zsh, "_irsa-sidecar"), (Shell::Fish, "irsa-sidecar.fish")]
        .into_iter()
        .map(|(shell, file)| {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut definition(), NAME, &mut text);
            let text = String::from_utf8(text).unwrap();
            // clap_complete 4.6 asks for the one and sets the other where the program's name has a hyphen (clap-rs/clap#6421):
            // after the command, bash would complete nothing.
            (file.into(), text.replace("irsa__subcmd__sidecar", "irsa__sidecar"))
        })
        .collect()
}

/// Without the commit and the target, which no two builds need have in common.
fn definition() -> Command {
    let mut definition = cli::definition().version(VERSION);
    definition.build();
    definition
}

/// As clap has it, but for its title (a date would differ from day to day), names that are not torn apart at the end of a
/// line, and what stands behind the options: examples keep their layout, and sections have their usual names.
fn page(name: &str, command: &Command) -> String {
    let shown = Man::new(command.clone().display_name(name).after_help("").after_long_help(""));
    let title = name.to_uppercase();
    let mut page =
        format!(".TH \"{title}\" \"1\" \"\" \"{NAME} {VERSION}\" \"{NAME}\"\n.nh\n.ad l\n").into_bytes();
    shown.render_name_section(&mut page).unwrap();
    shown.render_synopsis_section(&mut page).unwrap();
    shown.render_description_section(&mut page).unwrap();
    shown.render_options_section(&mut page).unwrap();
    if command.has_subcommands() {
        shown.render_subcommands_section(&mut page).unwrap();
    }
    let mut page = String::from_utf8(page).unwrap();
    let more = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let mut last = "";
    for paragraph in more.split("\n\n") {
        let (heading, text) = section(paragraph);
        page.push_str(&if heading == last { ".PP\n".to_owned() } else { format!(".SH \"{heading}\"\n") });
        page.push_str(&roff(text));
        last = heading;
    }
    in_ascii(&page)
}

fn section(paragraph: &str) -> (&'static str, &str) {
    for (heading, start) in [("EXAMPLES", "Examples:\n"), ("EXIT STATUS", "Exit status: ")] {
        if let Some(text) = paragraph.strip_prefix(start) {
            return (heading, text);
        }
    }
    ("NOTES", paragraph)
}

/// What is indented stays as it is; the rest is filled.
fn roff(text: &str) -> String {
    let mut roff = String::new();
    let mut is_kept = false;
    for line in text.lines() {
        if is_kept != line.starts_with(' ') {
            is_kept = !is_kept;
            roff.push_str(if is_kept { ".nf\n" } else { ".fi\n" });
        }
        // Whatever the line begins with, it is no request.
        roff.push_str("\\&");
        roff.push_str(&line.replace('\\', "\\e").replace('-', "\\-"));
        roff.push('\n');
    }
    if is_kept {
        roff.push_str(".fi\n");
    }
    roff
}

/// For every formatter, whatever the locale.
fn in_ascii(page: &str) -> String {
    let plain = |character: char| match character.is_ascii() {
        true => character.to_string(),
        false => format!("\\[u{:04X}]", u32::from(character)),
    };
    page.chars().map(plain).collect()
}
