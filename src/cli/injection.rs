//! The flags that `inject` and `webhook` have in common.

use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;

use crate::cli::offer::valued;
use crate::cli::sentence;
use crate::inject::FLAGS;
use crate::inject::Flag;

pub(super) fn arguments(without: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    FLAGS.iter().filter(|flag| !without.contains(&flag.name)).map(argument)
}

fn argument(flag: &'static Flag) -> Arg {
    let default = match flag.default {
        "" => String::new(),
        default => format!("\n[default: {default}]"),
    };
    let help = format!("{}{default}", sentence(flag.meaning));
    let argument = valued(Arg::new(flag.name).long(flag.name).help(help), flag.value);
    if flag.repeats { argument.action(ArgAction::Append) } else { argument }
}

/// As they were given; `inject::Settings` parses them.
pub(super) fn given(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let each = |flag: &'static Flag| {
        let values = matches.try_get_many::<String>(flag.name).ok().flatten().into_iter().flatten();
        values.map(|value| (flag.name, value.clone()))
    };
    FLAGS.iter().flat_map(each).collect()
}
