//! The Query protocol's answers in XML, laid out as STS lays them out.

use crate::sts::failure::Failure;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element of the answer: its name and its text, or its children.
#[derive(Debug)]
pub(crate) enum Element {
    Text(&'static str, String),
    Nested(&'static str, Vec<Self>),
}

pub(crate) fn result(action: &str, elements: &[Element], request_id: &str) -> String {
    let mut xml = format!("<{action}Response xmlns=\"{NAMESPACE}\">\n  <{action}Result>\n");
    for element in elements {
        element.write(&mut xml, 2);
    }
    xml += &format!("  </{action}Result>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n");
    xml += &format!("  </ResponseMetadata>\n</{action}Response>\n");
    xml
}

pub(crate) fn error(failure: &Failure, request_id: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{}</Type>\n    <Code>{}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        failure.blame(),
        escape(&failure.code),
        escape(&failure.message),
    )
}

impl Element {
    fn write(&self, xml: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        match self {
            Self::Text(name, text) => *xml += &format!("{indent}<{name}>{}</{name}>\n", escape(text)),
            Self::Nested(name, children) => {
                *xml += &format!("{indent}<{name}>\n");
                for child in children {
                    child.write(xml, depth + 1);
                }
                *xml += &format!("{indent}</{name}>\n");
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_form_that_sts_gives_them() {
        let failure = Failure::validation("1 validation error detected: Value '<&>' at 'roleArn'");
        assert_eq!(
            error(&failure, "5f9c7d2e-0000-4000-8000-000000000000"),
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    \
             <Type>Sender</Type>\n    <Code>ValidationError</Code>\n    \
             <Message>1 validation error detected: Value '&lt;&amp;&gt;' at 'roleArn'</Message>\n  </Error>\n  \
             <RequestId>5f9c7d2e-0000-4000-8000-000000000000</RequestId>\n</ErrorResponse>\n"
        );
    }

    #[test]
    fn a_fault_of_the_service_is_blamed_on_the_receiver() {
        assert!(error(&Failure::named("InternalFailure"), "id").contains("<Type>Receiver</Type>"));
    }
}
