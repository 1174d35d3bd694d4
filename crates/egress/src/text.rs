//! What the other side said, made fit for a log line.

/// The longest message kept of an answer.
const MAX_MESSAGE_BYTES: usize = 512;
/// What a message ends in that was cut short.
pub const CUT: char = '…';

/// The beginning of `text` without control characters.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars() {
        if line.len() + char.len_utf8() > MAX_MESSAGE_BYTES {
            line.push(CUT);
            break;
        }
        line.push(if char.is_control() { ' ' } else { char });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_on_one_line() {
        let line = one_line(&format!("a\nb\u{1b}[31m{}", "é".repeat(1000)));
        assert!(line.starts_with("a b [31mé"));
        assert!(line.len() <= MAX_MESSAGE_BYTES + CUT.len_utf8());
    }
}
