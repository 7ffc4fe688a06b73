//! Man pages and completions, made of the command line's own definition. `make manual` writes them; the test holds what
//! is committed against it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process;

use clap::Arg;
use clap::Command;
use clap::ValueHint;
use clap_complete::Shell;
use clap_mangen::Man;
use irsa_sidecar::build_info::VERSION;
use irsa_sidecar::cli;

use crate::committed;
use crate::sidecar::can_run;

const NAME: &str = "irsa-sidecar";

#[test]
fn the_pages_and_completions_are_as_committed() {
    committed::hold("docs/man", &pages());
    committed::hold("docs/completions", &completions());
}

#[test]
fn nothing_hidden_is_offered() {
    for command in commands(&definition()) {
        let hidden = command.get_arguments().find(|argument| argument.is_hide_set());
        assert!(hidden.is_none(), "{}: {hidden:?}", command.get_name());
    }
}

#[test]
fn bash_completes_every_command_flag_word_and_file() {
    let mut cases = cases();
    // As it is where there is no file to be named.
    for (line, wanted) in &mut cases {
        if let Some(begun) = line.split(' ').next_back().filter(|_| wanted.is_empty()) {
            wanted.insert(begun.to_owned());
        }
    }
    cases.push((format!("{NAME} exec --wait 1m -- basenam"), ["basename".to_owned()].into()));
    hold(&cases, &completed_by_bash(&lines(&cases)));
}

#[test]
fn fish_completes_every_command_flag_word_and_file() {
    if !can_run("fish", &["fish", "--version"]) {
        return;
    }
    let cases = cases();
    hold(&cases, &completed_by_fish(&lines(&cases)));
}

#[test]
fn zsh_completes_commands_flags_and_words() {
    if !can_run("zsh", &["zsh", "--version"]) {
        return;
    }
    for (line, wanted) in [
        ("irsa-sidecar serve --imds ", "off*optional*required"),
        ("irsa-sidecar serv", "irsa-sidecar serve"),
        ("irsa-sidecar doctor --trust-p", "irsa-sidecar doctor --trust-policy"),
        ("irsa-sidecar exec -- basenam", "basename"),
    ] {
        completed_by_zsh(line, wanted);
    }
}

type Case = (String, BTreeSet<String>);

/// Lines, each with all that is to be offered at its end.
fn cases() -> Vec<Case> {
    let program = definition();
    let mut cases = Vec::new();
    for command in commands(&program) {
        let line = match command.get_name() {
            NAME => NAME.to_owned(),
            name => format!("{NAME} {name}"),
        };
        let flags: Vec<(&str, &Arg)> =
            command.get_arguments().filter_map(|flag| Some((flag.get_long()?, flag))).collect();
        let wanted = flags.iter().map(|(long, _)| format!("--{long}")).collect();
        cases.push((format!("{line} --"), wanted));
        for (long, flag) in flags.into_iter().filter(|(_, flag)| flag.get_action().takes_values()) {
            let words: BTreeSet<String> =
                flag.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
            let is_file = flag.get_value_hint() == ValueHint::FilePath;
            let (begun, wanted) = match words.is_empty() {
                false => ("", words),
                true if is_file => ("Cargo.t", ["Cargo.toml".to_owned()].into()),
                // No file is taken for it.
                true => ("Cargo.t", BTreeSet::new()),
            };
            cases.push((format!("{line} --{long} {begun}"), wanted));
        }
    }
    cases.push((format!("{NAME} ser"), ["serve".to_owned()].into()));
    for words in ["off optional required", "text json", "Always IfNotPresent Never", "process env"] {
        let words: BTreeSet<String> = words.split(' ').map(str::to_owned).collect();
        assert!(cases.iter().any(|(_, wanted)| words.is_subset(wanted)), "{words:?} must be offered");
    }
    cases
}

fn lines(cases: &[Case]) -> Vec<&str> {
    cases.iter().map(|(line, _)| &**line).collect()
}

fn hold(cases: &[Case], completed: &[BTreeSet<String>]) {
    assert_eq!(completed.len(), cases.len());
    for ((line, wanted), completed) in cases.iter().zip(completed) {
        assert_eq!(completed, wanted, "{line}");
    }
}

/// What bash offers at a TAB after each of these lines.
fn completed_by_bash(lines: &[&str]) -> Vec<BTreeSet<String>> {
    // As bash itself does it: the function that `complete` was given, with the words so far. There is no line to edit, of
    // which `compopt` could change anything.
    let script = r#"
        source docs/completions/irsa-sidecar.bash
        [[ $(complete -p irsa-sidecar) =~ -F\ ([^ ]+) ]]
        completion=${BASH_REMATCH[1]}
        compopt() { :; }
        for line in "$@"; do
            read -r -a COMP_WORDS <<< "$line"
            [[ $line != *' ' ]] || COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMPREPLY=()
            "$completion" irsa-sidecar "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s ' "${COMPREPLY[@]}"
            echo
        done"#;
    let mut bash = process::Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"]).args(lines).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = bash.output().expect("bash must be installed");
    let (offered, told) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(told.is_empty(), "{told}");
    offered.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// What fish offers, without the descriptions.
fn completed_by_fish(lines: &[&str]) -> Vec<BTreeSet<String>> {
    let script = "
        source docs/completions/irsa-sidecar.fish
        for line in $argv
            complete -C $line
            echo
        end";
    let mut fish = process::Command::new("fish");
    fish.args(["--no-config", "-c", script]).args(lines).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = fish.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.is_empty(), "{told}");
    let offered = String::from_utf8(output.stdout).unwrap();
    let word = |line: &str| line.split('\t').next().map(str::to_owned);
    let of_one = |text: &str| text.lines().filter_map(word).collect();
    // An empty line ends each.
    let mut all: Vec<BTreeSet<String>> = Vec::new();
    let mut rest = &*offered;
    while !rest.is_empty() {
        let (text, after) = match rest.strip_prefix('\n') {
            Some(after) => ("", after),
            None => rest.split_once("\n\n").expect("an empty line ends each"),
        };
        all.push(of_one(text));
        rest = after;
    }
    all
}

/// Types the line and two TABs into a zsh on a terminal, and waits until that is seen: words in their order, with `*` between.
fn completed_by_zsh(line: &str, wanted: &str) {
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PROMPT=; fpath=($PWD/docs/completions $fpath); autoload -U compinit; compinit -D -u; print READY''ED'
        zpty -r -m shell found '*READYED*' || exit
        zpty -w -n shell "$1"$'\t\t'
        zpty -r -m shell found "*$2*" && print -r -- "$found"
        "#;
    let mut zsh = process::Command::new("timeout");
    zsh.args(["60", "zsh", "-f", "-c", script, "zsh", line, wanted]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = zsh.env("HOME", env!("CARGO_TARGET_TMPDIR")).output().unwrap();
    assert!(output.status.success(), "{line}: never {wanted}: {output:?}");
}

/// The program's own definition, and that of each command.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    [program].into_iter().chain(program.get_subcommands())
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
            // clap_complete 4.6 asks for the one and sets the other where the program's name has a hyphen (clap-rs/clap#6421):
            // after the command, bash would complete nothing.
            let text = String::from_utf8(text).unwrap().replace("irsa__subcmd__sidecar", "irsa__sidecar");
            (file.into(), if shell == Shell::Bash { with_commands(&text) } else { text })
        })
        .collect()
}

/// clap_complete 4.6 knows how to complete a command in zsh alone: where one is an argument, bash is told by hand.
fn with_commands(script: &str) -> String {
    let program = definition();
    let is_command = |argument: &Arg| argument.get_value_hint() == ValueHint::CommandWithArguments;
    let mut script = script.to_owned();
    for command in program.get_subcommands().filter(|command| command.get_arguments().any(is_command)) {
        let start = format!("        irsa__sidecar__subcmd__{})\n", command.get_name());
        let (before, rest) = script.split_once(&start).expect("bash must know the command");
        let (of_command, after) =
            rest.split_once("            ;;\n        irsa__").expect("it must not be the last");
        let of_command = of_command.replace("compgen -W \"${opts}\"", "compgen -c -W \"${opts}\"");
        script = format!("{before}{start}{of_command}            ;;\n        irsa__{after}");
    }
    script
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
