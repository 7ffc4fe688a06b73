//! The rows that are printed: figure, value, target, and what it was measured beside.

use std::fmt;

#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    figure: String,
    variant: String,
    value: String,
    target: String,
    met: bool,
    beside: String,
}

/// A value with the digits and the unit in which it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub value: f64,
    pub digits: usize,
    pub unit: &'static str,
}

impl Table {
    /// A figure that should be at most `target`, in the value's own unit.
    pub(crate) fn at_most(
        &mut self,
        figure: &str,
        variant: &str,
        measured: Measured,
        target: f64,
        beside: impl Into<String>,
    ) {
        let row = Row {
            figure: figure.to_owned(),
            variant: variant.to_owned(),
            value: measured.to_string(),
            target: format!("≤ {}", Measured { value: target, ..measured }),
            met: measured.value <= target,
            beside: beside.into(),
        };
        println!("{row}");
        self.rows.push(row);
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*} {}", self.digits, self.value, self.unit)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, variant, value, target, beside, .. } = self;
        let mark = if self.met { '✓' } else { '✗' };
        write!(f, "{figure:<47} {variant:<8} {value:>10}  {target:>11} {mark}  {beside}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<47} {:<8} {:>10}  {:>11}    beside", "figure", "build", "value", "target")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let missed = self.rows.iter().filter(|row| !row.met).count();
        match missed {
            0 => write!(f, "every target is met"),
            1 => write!(f, "1 target is missed"),
            _ => write!(f, "{missed} targets are missed"),
        }
    }
}

/// The one in the middle; of an even number the lower.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn least(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, f64::min)
}
