//! Who takes part in a cluster of gateways.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// A member's name, valid in a file name, a header and a label: at most 48 of ASCII letters,
/// digits and `. _ -`, the first no dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberName(Arc<str>);

/// Why a word cannot name a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseMemberError;

impl fmt::Display for ParseMemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = MemberName::MAX_BYTES;
        write!(
            f,
            "a member's name is 1 to {most} of A-Z a-z 0-9 . _ -, and begins with no dot"
        )
    }
}

impl std::error::Error for ParseMemberError {}

impl MemberName {
    /// The longest name in bytes.
    pub const MAX_BYTES: usize = 48;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a member of which nothing is known but its address: the address, with `-` for
    /// the colons of IPv6.
    pub fn of_address(address: IpAddr) -> MemberName {
        MemberName(Arc::from(address.to_string().replace(':', "-")))
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MemberName {
    type Err = ParseMemberError;

    /// An address is taken as [`of_address`](Self::of_address) names it.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = name.parse() {
            return Ok(Self::of_address(address));
        }
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let whole = !name.is_empty() && name.len() <= Self::MAX_BYTES && !name.starts_with('.');
        match whole && name.bytes().all(good) {
            true => Ok(MemberName(Arc::from(name))),
            false => Err(ParseMemberError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_wherever_they_stand() {
        let name = |text: &str| text.parse::<MemberName>().map(|name| name.to_string());
        assert_eq!(name("gw-1.eu_west"), Ok("gw-1.eu_west".to_owned()));
        assert_eq!(name("10.0.0.7"), Ok("10.0.0.7".to_owned()));
        assert_eq!(name("fd00::7"), Ok("fd00--7".to_owned()));
        for bad in ["", ".a", "a,b", "a/b", "a b", "ä", &"a".repeat(49)] {
            assert_eq!(name(bad), Err(ParseMemberError), "{bad}");
        }
    }
}
