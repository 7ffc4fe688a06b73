//! What a shell may offer in a value's place: the words of a list, a file's name, a command, or nothing.
//!
//! All of it is told from the value's name in the help, so that the two agree.

use std::ffi::OsStr;

use clap::Arg;
use clap::Command;
use clap::ValueHint;
use clap::builder::PossibleValue;
use clap::builder::StringValueParser;
use clap::builder::TypedValueParser;

/// Words that are offered, not asked for: `config` judges every value, and tells all mistakes at once.
#[derive(Clone, Debug)]
struct Words(&'static str);

/// A value with this name in the help.
pub(super) fn valued(argument: Arg, name: &'static str) -> Arg {
    let argument = argument.value_name(name).allow_negative_numbers(true);
    match name.contains('|') {
        true => argument.value_parser(Words(name)).hide_possible_values(true),
        false => argument,
    }
}

/// Lets paths, and nothing that is none, be completed as paths.
pub(super) fn hinted(argument: Arg) -> Arg {
    let name = argument.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    let hint = match name {
        Some("FILE" | "PATH") => ValueHint::FilePath,
        Some("COMMAND") => ValueHint::CommandWithArguments,
        Some(words) if words.contains('|') => return argument,
        // Those have a list of their own.
        Some("FORMAT") | None => return argument,
        Some(_) => ValueHint::Other,
    };
    argument.value_hint(hint)
}

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.split('|').map(PossibleValue::new)))
    }
}
