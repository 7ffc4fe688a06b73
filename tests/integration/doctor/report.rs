//! What doctor says, held against what a pitfall asks for.

use serde_json::Value;

use crate::doctor::case::Expected;

pub(super) struct Report(Value);

impl Report {
    pub(super) fn read(output: &str) -> Result<Self, String> {
        serde_json::from_str(output).map(Self).map_err(|error| error.to_string())
    }

    fn checks(&self) -> impl Iterator<Item = &Value> {
        self.0["checks"].as_array().into_iter().flatten()
    }

    /// All that is not as it should be.
    pub(super) fn mistakes(&self, expected: &Expected, status: i32) -> Vec<String> {
        let mut mistakes = Vec::new();
        if status != expected.exit || self.0["exit_status"] != expected.exit {
            mistakes.push(format!("exit status {status}"));
        }
        let is_bad =
            |check: &&Value| ["warning", "broken"].iter().any(|severity| check["severity"] == **severity);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fails: Vec<String> = self
            .checks()
            .filter(is_bad)
            .map(|check| format!("{} {}", text(&check["check"]), text(&check["code"])))
            .collect();
        if fails != expected.fails {
            mistakes.push(format!("fails are {fails:?}"));
        }
        let causes = |check: &Value| -> Vec<String> {
            check["causes"].as_array().into_iter().flatten().map(|cause| text(&cause["code"])).collect()
        };
        let named: Vec<Vec<String>> = self.checks().map(causes).filter(|causes| !causes.is_empty()).collect();
        match expected.causes.is_empty() {
            true if !named.is_empty() => mistakes.push(format!("causes are named: {named:?}")),
            false if named.is_empty() || named.iter().any(|causes| *causes != expected.causes) => {
                mistakes.push(format!("causes are {named:?}"));
            }
            _ => {}
        }
        let mends = |check: &Value| -> Vec<String> {
            let of_causes = check["causes"].as_array().into_iter().flatten().map(|cause| &cause["mend"]);
            [&check["mend"]].into_iter().chain(of_causes).map(text).collect()
        };
        if !self.checks().flat_map(mends).any(|mend| mend.contains(&expected.mend)) {
            mistakes.push(format!("no mend has {:?}", expected.mend));
        }
        let found = self.checks().map(|check| text(&check["found"]));
        if !found.into_iter().any(|found| found.contains(&expected.found)) {
            mistakes.push(format!("nothing that was found has {:?}", expected.found));
        }
        // Whatever is wrong is to be mended.
        let without = self.checks().filter(is_bad).filter(|check| {
            check["code"] != "EndpointInClear" && text(&check["mend"]).is_empty() && causes(check).is_empty()
        });
        mistakes.extend(without.map(|check| format!("{} has no mend", text(&check["code"]))));
        mistakes.extend(self.policy(expected));
        mistakes
    }

    fn policy(&self, expected: &Expected) -> Vec<String> {
        let statements = self
            .checks()
            .flat_map(|check| check["trust_policy"]["statements"].as_array().into_iter().flatten());
        let lines: Vec<&Value> =
            statements.flat_map(|one| one["lines"].as_array().into_iter().flatten()).collect();
        let mut mistakes = Vec::new();
        for code in &expected.remarks {
            if !lines.iter().any(|line| line["remark"]["code"] == **code) {
                mistakes.push(format!("no remark {code}"));
            }
        }
        let at = lines.iter().find_map(|line| line["difference"]["alike"].as_u64());
        if expected.differs_at.is_some() && at != expected.differs_at {
            mistakes.push(format!("differs at {at:?}"));
        }
        mistakes
    }
}
