//! `irsa-sidecar inject`: what the webhook would do to a manifest, for Git and for looking.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::input;
use crate::cli::say;
use crate::contract::LABEL_INJECT;
use crate::contract::exit;
use crate::inject::Injection;
use crate::inject::ServiceAccount;
use crate::inject::Settings;
use crate::inject::inject;
use crate::inject::service_account_name;
use crate::inject::wants;
use crate::manifest::Manifest;
use crate::manifest::workloads;
use crate::patch::Op;
use crate::patch::Pointer;

/// What the command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inject {
    /// `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Print nothing, and tell by the status whether something would change.
    pub check: bool,
    /// Flags of the injection, by their names.
    pub settings: Vec<(&'static str, String)>,
}

/// As much as any file of manifests has; the API server takes 3 MiB for one object.
const MAX_BYTES: usize = 32 * 1024 * 1024;
const WOULD_CHANGE: u8 = 1;

/// One file, read.
struct Source {
    name: String,
    manifest: Manifest,
    values: Vec<Value>,
}

pub(super) fn run(asked: &Inject) -> u8 {
    let flags = asked.settings.iter().map(|(name, value)| (*name, value.as_str()));
    let settings = match Settings::from_flags(flags) {
        Ok(settings) => settings,
        Err(mistakes) => return refuse(&mistakes),
    };
    let mut sources = Vec::new();
    let mut mistakes = Vec::new();
    for file in &asked.files {
        match read(file) {
            Ok(source) => sources.push(source),
            Err(why) => mistakes.push(why),
        }
    }
    let accounts = Accounts::of(&sources);
    let mut told = Told::default();
    for source in &mut sources {
        edit(source, &accounts, &settings, &mut told);
    }
    mistakes.append(&mut told.refusals);
    if !mistakes.is_empty() {
        return refuse(&mistakes);
    }
    if !told.asks {
        note(&format!("nothing asks for injection: no pod has the label {LABEL_INJECT}: enabled"));
    }
    if asked.check {
        return if told.changed { WOULD_CHANGE } else { 0 };
    }
    print(&sources)
}

#[derive(Default)]
struct Told {
    refusals: Vec<String>,
    changed: bool,
    asks: bool,
}

fn read(file: &Path) -> Result<Source, String> {
    let name = if input::is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
    let text = input::text(file, MAX_BYTES).map_err(|why| format!("-f {why}"))?;
    let manifest = Manifest::parse(text).map_err(|error| format!("{name}: {error}"))?;
    let values = manifest.values();
    Ok(Source { name, manifest, values })
}

/// Changes one file's text.
fn edit(source: &mut Source, accounts: &Accounts, settings: &Settings, told: &mut Told) {
    for (document, value) in source.values.iter().enumerate() {
        let mut patch: Vec<Op> = Vec::new();
        for at in workloads(value) {
            let Some(template) = value.pointer(at.as_str()) else { continue };
            if !wants(template) {
                continue;
            }
            told.asks = true;
            let owner = owner(value, &at);
            let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
            let name = format!(
                "{}: {} {}",
                source.name,
                owner["kind"].as_str().unwrap_or_default(),
                owner["metadata"]["name"].as_str().unwrap_or("without a name")
            );
            match inject(template, namespace, accounts.get(namespace, template), settings) {
                Ok(Injection { patch: ops, warnings }) => {
                    patch.extend(ops.into_iter().map(|op| op.below(&at)));
                    warnings.iter().for_each(|warning| note(&format!("{name}: {warning}")));
                }
                Err(refusal) => told.refusals.push(format!("{name}: {refusal}")),
            }
        }
        told.changed |= !patch.is_empty();
        if let Some(why) = source.manifest.edit(document, &patch) {
            note(&format!(
                "{}: document {} was written anew, without its comments: {why}",
                source.name,
                document + 1
            ));
        }
    }
}

/// The object that a template is in: the document, or an item of a list.
fn owner<'a>(document: &'a Value, at: &Pointer) -> &'a Value {
    let item = at.as_str().strip_prefix("/items/").and_then(|rest| rest.split('/').next());
    let item = item.and_then(|index| document["items"].get(index.parse::<usize>().ok()?));
    item.unwrap_or(document)
}

/// The ServiceAccounts of all files.
struct Accounts(Vec<(String, String, ServiceAccount)>);

impl Accounts {
    fn of(sources: &[Source]) -> Self {
        let documents = sources.iter().flat_map(|source| &source.values);
        let all = documents.flat_map(|value| {
            let items = value["items"].as_array().into_iter().flatten();
            std::iter::once(value).chain(items)
        });
        let accounts = all.filter(|value| value["kind"] == "ServiceAccount").map(|value| {
            let metadata = &value["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
            let annotations = metadata["annotations"].as_object().into_iter().flatten();
            let annotations =
                annotations.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            (text("namespace"), text("name"), ServiceAccount { annotations: annotations.collect() })
        });
        Self(accounts.collect())
    }

    /// One that does not say its namespace goes with whatever is applied beside it.
    fn get(&self, namespace: &str, pod: &Value) -> Option<&ServiceAccount> {
        let wanted = service_account_name(pod);
        let fits = |given: &str| given == namespace || given.is_empty() || namespace.is_empty();
        self.0.iter().find(|(given, name, _)| name == wanted && fits(given)).map(|(.., account)| account)
    }
}

fn print(sources: &[Source]) -> u8 {
    let mut out = std::io::stdout().lock();
    for (index, source) in sources.iter().enumerate() {
        let text = source.manifest.text();
        let separator = if index > 0 && !text.trim_start().starts_with("---") { "---\n" } else { "" };
        let newline = if index + 1 < sources.len() && !text.ends_with('\n') { "\n" } else { "" };
        if write!(out, "{separator}{text}{newline}").is_err() {
            return exit::UNAVAILABLE;
        }
    }
    if out.flush().is_err() { exit::UNAVAILABLE } else { 0 }
}

fn note(text: &str) {
    say(&mut std::io::stderr().lock(), &format!("warning: {text}"));
}

fn refuse(mistakes: &[String]) -> u8 {
    tell(mistakes);
    exit::USAGE
}

pub(super) fn tell(mistakes: &[String]) {
    let mut err = std::io::stderr().lock();
    mistakes.iter().for_each(|mistake| say(&mut err, &format!("error: {mistake}")));
}
