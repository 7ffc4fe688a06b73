//! EC2's own bodies for what it refuses. Nothing in them depends on the request.

use bytes::Bytes;
use hyper::StatusCode;

use crate::serve::answer::Answer;

/// A page for each status; 405, and what EC2 never says, has an empty body.
pub(super) fn of(status: StatusCode) -> Answer {
    let title = match status {
        StatusCode::BAD_REQUEST => "400 - Bad Request",
        StatusCode::UNAUTHORIZED => "401 - Unauthorized",
        StatusCode::FORBIDDEN => "403 - Forbidden",
        StatusCode::NOT_FOUND => "404 - Not Found",
        _ => return Answer::plain(status, Bytes::new()),
    };
    Answer::html(status, xhtml(title))
}

fn xhtml(title: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"#
    )
}
