//! A text as one word of a shell's: whatever it holds, the shell sees nothing in it but text.

/// For a POSIX shell: in single quotes nothing has a meaning to it but the quote itself.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_has_a_meaning() {
        assert_eq!(quoted("$(id) `id` \"a\" \\ ;"), "'$(id) `id` \"a\" \\ ;'");
        assert_eq!(quoted("a'; id; 'b"), r"'a'\''; id; '\''b'");
    }
}
