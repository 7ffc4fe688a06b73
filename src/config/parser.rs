//! Reads settings one after the other and keeps what is wrong with them, so that all of it is said at once.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::config::env::Strings;
use crate::config::mistake::Mistake;
use crate::config::mistake::Mistakes;
use crate::config::mistake::Reason;
use crate::config::mistake::Spelling;
use crate::config::mistake::Warning;
use crate::config::settings::SETTINGS;
use crate::config::settings::Setting;
use crate::contract::ENV_PREFIX;

/// The flags of a command line, unparsed: parsing is the same for a flag and for its variable.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Flags(BTreeMap<&'static str, (&'static str, String)>);

pub(super) struct Parser<'a> {
    flags: &'a Flags,
    strings: &'a dyn Strings,
    mistakes: Vec<Mistake>,
    warnings: Vec<Warning>,
}

/// A value and the name under which it was given.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) spelling: Spelling,
    pub(super) value: Zeroizing<String>,
}

/// What cargo passes on to the programs that it runs: the variables of our build script.
const OF_THE_BUILD: [&str; 2] = ["IRSA_SIDECAR_COMMIT", "IRSA_SIDECAR_TARGET"];

/// Two names further apart than this are not a slip of the finger.
const NEAR: usize = 4;

impl Flags {
    #[must_use]
    pub fn with(mut self, setting: &'static Setting, value: impl Into<String>) -> Self {
        if let Some(flag) = setting.flag {
            self.set_as(flag, setting, value.into());
        }
        self
    }

    /// Whether this setting is among them.
    pub fn names(&self, setting: &Setting) -> bool {
        self.0.contains_key(setting.name())
    }

    /// As they are written on a command line.
    pub fn arguments(&self) -> Vec<String> {
        self.0.values().map(|(flag, value)| format!("--{flag}={value}")).collect()
    }

    /// For a command that spells the setting differently.
    pub fn set_as(&mut self, flag: &'static str, setting: &'static Setting, value: String) {
        self.0.insert(setting.name(), (flag, value));
    }
}

impl<'a> Parser<'a> {
    pub(super) fn new(flags: &'a Flags, strings: &'a dyn Strings) -> Self {
        Self { flags, strings, mistakes: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn strings(&self) -> &'a dyn Strings {
        self.strings
    }

    /// The flag, else the variable. An empty variable of AWS's counts as unset, as the SDKs have it; an empty setting
    /// of ours is a mistake, since nobody can tell what was meant.
    pub(super) fn given(&mut self, setting: &'static Setting) -> Option<Given> {
        let given = match self.flags.0.get(setting.name()) {
            Some((flag, value)) => {
                let value = Zeroizing::new(value.clone());
                Given { setting, spelling: Spelling::Flag(flag), value }
            }
            None => self.variable(setting, setting.variable)?,
        };
        if given.value.is_empty() {
            let mend = match given.spelling {
                Spelling::Flag(_) => "Leave it out, or give it a value",
                Spelling::Variable(_) => "Unset it, or give it a value",
            };
            self.mistake(&given, Reason::from("it is empty").mend(mend));
            return None;
        }
        Some(given)
    }

    /// A variable by one of its names; `https_proxy` is one of `HTTPS_PROXY`'s.
    pub(super) fn variable(&mut self, setting: &'static Setting, name: &'static str) -> Option<Given> {
        if name.is_empty() {
            return None;
        }
        let spelling = Spelling::Variable(name);
        match self.strings.var(name) {
            Ok(value) => {
                let value = Zeroizing::new(value?);
                (!value.is_empty() || setting.is_ours()).then_some(Given { setting, spelling, value })
            }
            Err(not_unicode) => {
                let example = format!("For example {}", spelling.assign(setting.example));
                self.mistakes.push(Mistake::without_value(spelling, not_unicode.to_string(), example));
                None
            }
        }
    }

    /// The parsed value; none when it is not set, or wrong, which is kept.
    pub(super) fn value<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Option<T> {
        let given = self.given(setting)?;
        self.parse(&given, parse)
    }

    pub(super) fn parse<T>(
        &mut self,
        given: &Given,
        parse: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Option<T> {
        parse(&given.value).map_err(|reason| self.mistake(given, reason)).ok()
    }

    pub(super) fn mistake(&mut self, given: &Given, reason: Reason) {
        self.mistakes.push(Mistake::wrong(given.setting, given.spelling, &given.value, reason));
    }

    /// What somebody else has found.
    pub(super) fn tell(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    pub(super) fn adopt(&mut self, mistakes: &Mistakes) {
        self.mistakes.extend(mistakes.iter().cloned());
    }

    pub(super) fn warn_all(&mut self, warnings: Vec<Warning>) {
        self.warnings.extend(warnings);
    }

    pub(super) fn missing(&mut self, setting: &Setting, mend: impl Into<String>) {
        self.mistakes.push(Mistake::without_value(setting.variable, "it is not set", mend));
    }

    /// A flag that this call cannot do without.
    pub(super) fn missing_flag(&mut self, setting: &Setting, reason: &str, mend: String) {
        self.mistakes.push(Mistake::without_value(format!("--{}", setting.name()), reason, mend));
    }

    /// Two settings that are right alone and wrong together.
    pub(super) fn conflict(&mut self, one: &Given, reason: String, mend: String) {
        self.mistakes.push(Mistake::without_value(one.spelling, reason, mend));
    }

    pub(super) fn warn(&mut self, code: &'static str, message: String) {
        self.warnings.push(Warning { code, message });
    }

    /// Names that start like ours and are none: a misspelt setting would otherwise be ignored without a word.
    pub(super) fn refuse_unknown_variables(&mut self) {
        let mut names = self.strings.names();
        names.sort_unstable();
        for name in names {
            let is_known = SETTINGS.iter().any(|setting| setting.variable == name);
            let is_foreign = !name.starts_with(ENV_PREFIX) || OF_THE_BUILD.contains(&name.as_str());
            if is_known || is_foreign || self.is_service_link(&name) {
                continue;
            }
            // Its value is not shown: it may be the authorization token under a misspelt name.
            let mend = match nearest(&name) {
                Some(near) => format!("Did you mean {near}?"),
                None => "Unset it; `irsa-sidecar serve --help` lists the settings".to_owned(),
            };
            self.mistakes.push(Mistake::without_value(name.escape_debug(), "there is no such setting", mend));
        }
    }

    /// Kubernetes tells every pod the Services of its namespace in variables made of their names. Beside a Service
    /// `irsa-sidecar`, or `irsa-sidecar-webhook`, they look like settings of ours.
    pub(super) fn is_service_link(&self, name: &str) -> bool {
        if name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") {
            return true;
        }
        let about_a_port = ["_PROTO", "_PORT", "_ADDR"].iter().find_map(|end| name.strip_suffix(end));
        let is_protocol = |name: &str| ["_TCP", "_UDP", "_SCTP"].iter().any(|end| name.ends_with(end));
        let is_address = || {
            let value = self.strings.var(name).ok().flatten().map(Zeroizing::new);
            value.is_some_and(|value| ["tcp://", "udp://", "sctp://"].iter().any(|s| value.starts_with(s)))
        };
        about_a_port.is_some_and(is_protocol) || is_address()
    }

    /// `value` may be missing only where there is a mistake.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<Warning>), Mistakes> {
        match Mistakes::new(self.mistakes) {
            Some(mistakes) => Err(mistakes),
            None => Ok((value.expect("a value without mistakes must be complete"), self.warnings)),
        }
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(name, &SETTINGS.map(|setting| setting.variable))
}

/// The name that was meant, if one is near enough.
pub(crate) fn nearest_of(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let distances = names.iter().map(|known| (distance(name, known), *known));
    let is_near = |(distance, known): &(usize, &str)| *distance <= NEAR.min(known.len() / 2);
    distances.min().filter(is_near).map(|(_, near)| near)
}

/// Levenshtein's: how many letters must change to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::env::Variables;

    #[test]
    fn measures_how_far_two_names_are_apart() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn finds_the_setting_that_was_meant() {
        for (name, meant) in [
            ("IRSA_SIDECAR_LISTENS", Some("IRSA_SIDECAR_LISTEN")),
            ("IRSA_SIDECAR_AUTHORISATION_TOKEN", Some("IRSA_SIDECAR_AUTHORIZATION_TOKEN")),
            ("IRSA_SIDECAR_LOGFORMAT", Some("IRSA_SIDECAR_LOG_FORMAT")),
            ("IRSA_SIDECAR_COMPLETELY_ELSE", None),
        ] {
            assert_eq!(nearest(name), meant, "{name}");
        }
    }

    #[test]
    fn tells_the_variables_of_a_kubernetes_service_from_settings() {
        let variables = Variables::from_iter([
            ("IRSA_SIDECAR_WEBHOOK_SERVICE_HOST", "10.0.0.1"),
            ("IRSA_SIDECAR_WEBHOOK_SERVICE_PORT", "443"),
            ("IRSA_SIDECAR_WEBHOOK_SERVICE_PORT_HTTPS", "443"),
            ("IRSA_SIDECAR_WEBHOOK_PORT", "tcp://10.0.0.1:443"),
            ("IRSA_SIDECAR_WEBHOOK_PORT_443_TCP", "tcp://10.0.0.1:443"),
            ("IRSA_SIDECAR_WEBHOOK_PORT_443_TCP_PROTO", "tcp"),
            ("IRSA_SIDECAR_WEBHOOK_PORT_443_TCP_PORT", "443"),
            ("IRSA_SIDECAR_WEBHOOK_PORT_443_TCP_ADDR", "10.0.0.1"),
            ("IRSA_SIDECAR_PORT", "tcp://10.0.0.1:443"),
            // Not one of them.
            ("IRSA_SIDECAR_ADMIN_PORT", "9912"),
        ]);
        let flags = Flags::default();
        let parser = Parser::new(&flags, &variables);
        let settings: Vec<String> =
            variables.names().into_iter().filter(|name| !parser.is_service_link(name)).collect();
        assert_eq!(settings, ["IRSA_SIDECAR_ADMIN_PORT"]);
    }
}
