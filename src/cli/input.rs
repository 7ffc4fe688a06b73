//! A file that is named on the command line, or standard input, which is called `-`.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::quoted;
use crate::file::ReadFileError;
use crate::file::all_of;
use crate::file::read_bounded;

pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// For people.
pub(super) fn shown(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { quoted(&path.to_string_lossy()) }
}

pub(super) fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadFileError> {
    if is_stdin(path) { all_of(io::stdin().lock(), limit) } else { read_bounded(path, limit) }
}

/// The same, where it is text.
pub(super) fn text(path: &Path, limit: usize) -> Result<String, String> {
    let shown = shown(path);
    let bytes = read(path, limit).map_err(|error| format!("{shown}: {error}"))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(format!(
            "{shown}: it is UTF-16, as PowerShell writes it; write it as UTF-8 (Out-File -Encoding utf8)"
        ));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("{shown}: it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use support::scratch::Scratch;

    use super::*;

    #[test]
    fn text_of_another_encoding_is_told_as_such() {
        let scratch = Scratch::new("input").unwrap();
        let file = scratch.path().join("policy.json");
        for (bytes, told) in
            [(&b"\xff\xfe{\0}\0"[..], Some("UTF-16")), (b"\x80", Some("not UTF-8")), (b"{}", None)]
        {
            fs::write(&file, bytes).unwrap();
            match (text(&file, 100), told) {
                (Ok(text), None) => assert_eq!(text, "{}"),
                (Err(why), Some(word)) => assert!(why.contains(word) && why.contains("policy.json"), "{why}"),
                (other, _) => panic!("{other:?}"),
            }
        }
        assert!(text(&file, 1).unwrap_err().contains("longer than 1 bytes"));
    }
}
