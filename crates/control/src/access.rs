//! Who may use the admin port. Asked of a request's head, before a body is read.
//!
//! - With a token file every request shows one of its tokens. Without one, a certificate that the
//!   port's TLS has verified, or a place on the same machine, is enough.
//! - A port on loopback answers only to loopback's names: a web page whose own name was made to
//!   point here (DNS rebinding) says another. What a browser sends from another site is refused
//!   everywhere (CSRF).

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, HeaderName};
use policy::identity::Digest;
use policy::identity::token::opaque;

/// The largest token file, and the most tokens in it.
const MAX_FILE: u64 = 64 << 10;
const MAX_TOKENS: usize = 256;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who sent a request, as far as the connection says.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Its certificate, verified.
    pub certificate: Option<Arc<ident::Certificate>>,
}

/// The rules of a port.
#[derive(Debug)]
pub struct Access {
    loopback: bool,
    tokens: Option<Tokens>,
}

/// A request that is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The name in `Host` is not this port's.
    #[error(
        "the request is for another host\nhint: call this port as 127.0.0.1, [::1] or localhost"
    )]
    Host,
    /// A browser sent it from another site.
    #[error(
        "the request comes from another site's page\nhint: call this port from no browser, or from its own pages"
    )]
    Origin,
    /// No token, or a wrong one.
    #[error(
        "a good token is missing\nhint: send `authorization: Bearer TOKEN`; the command line takes --token-file"
    )]
    Token,
}

impl Denied {
    /// A word by which programs tell it from others.
    pub const fn code(self) -> &'static str {
        match self {
            Denied::Host => "wrong-host",
            Denied::Origin => "other-site",
            Denied::Token => "unauthenticated",
        }
    }
}

impl Access {
    /// The rules of the port that listens on `addr`.
    ///
    /// # Errors
    /// If the token file cannot be used.
    pub fn new(addr: SocketAddr, token_file: Option<&Path>) -> Result<Access, TokensError> {
        Ok(Access {
            loopback: addr.ip().is_loopback(),
            tokens: token_file.map(Tokens::open).transpose()?,
        })
    }

    /// Lets a request in, and says whose it is: `token:NAME`, `certificate:NAME` or `loopback`.
    ///
    /// # Errors
    /// If it is not let in.
    pub fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<String, Denied> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        if self.loopback && !host.is_some_and(names_loopback) {
            return Err(Denied::Host);
        }
        if is_of_another_site(headers, host) {
            return Err(Denied::Origin);
        }
        if let Some(tokens) = &self.tokens {
            return tokens
                .whose(headers)
                .map(|name| format!("token:{name}"))
                .ok_or(Denied::Token);
        }
        Ok(match &peer.certificate {
            Some(certificate) => format!("certificate:{}", name_of(certificate)),
            None => "loopback".to_owned(),
        })
    }
}

fn name_of(certificate: &ident::Certificate) -> String {
    let name = certificate
        .uris
        .first()
        .or(certificate.common_name.as_ref());
    let name = name.unwrap_or(&certificate.subject);
    // A CA may write anything into a name; what is recorded is short and one line.
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn names_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    match bare.unwrap_or(name).parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn is_of_another_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(http::HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    headers.get_all(ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| {
            origin
                .strip_prefix("http://")
                .or(origin.strip_prefix("https://"))
        });
        !origin.is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
    })
}

/// A token file that cannot be used. It repeats nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error(
        "the token file {path} cannot be read: {source}\nhint: name a file that this user can read"
    )]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error(
        "the token file {path}, line {line}: {why}\nhint: each line is a name and a digest, as `oncall sha256:…`; `stella telemetry token new` makes both parts of a token"
    )]
    Line {
        /// Which.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What.
        why: &'static str,
    },
}

/// Names and digests of tokens, read again when the file changes.
#[derive(Debug)]
struct Tokens {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    stamp: Option<(SystemTime, u64)>,
    tokens: Arc<[(String, Digest)]>,
}

impl Tokens {
    fn open(path: &Path) -> Result<Tokens, TokensError> {
        let stamp = stamp(path);
        let tokens = read(path)?;
        Ok(Tokens {
            path: path.to_owned(),
            known: Mutex::new(Known { stamp, tokens }),
        })
    }

    /// Whose token the request shows. It compares with every token, in constant time.
    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let shown =
            opaque::digest(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        let mut found = None;
        for (name, digest) in self.current().iter() {
            if *digest == shown {
                found = Some(name.clone());
            }
        }
        found
    }

    fn current(&self) -> Arc<[(String, Digest)]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path);
        if stamp != known.stamp {
            known.stamp = stamp;
            match read(&self.path) {
                Ok(tokens) => known.tokens = tokens,
                Err(error) => tracing::error!(%error, "the old tokens stay"),
            }
        }
        Arc::clone(&known.tokens)
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> Result<Arc<[(String, Digest)]>, TokensError> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
        .map_err(|source| TokensError::Read {
            path: path.to_owned(),
            source,
        })?;
    let mut tokens: Vec<(String, Digest)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let wrong = |why| TokensError::Line {
            path: path.to_owned(),
            line: at + 1,
            why,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(digest), None) = (words.next(), words.next(), words.next()) else {
            return Err(wrong("not a name and a digest"));
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
        if name.len() > 64 || !name.bytes().all(plain) {
            return Err(wrong("a name is up to 64 letters, digits and - _ . @"));
        }
        let digest = digest
            .parse()
            .map_err(|_| wrong("no digest, which is `sha256:` and 64 hexadecimal digits"))?;
        tokens.push((name.to_owned(), digest));
        if tokens.len() > MAX_TOKENS {
            return Err(wrong("more than 256 tokens"));
        }
    }
    if tokens.is_empty() {
        let why = "no token at all";
        return Err(TokensError::Line {
            path: path.to_owned(),
            line: 1,
            why,
        });
    }
    Ok(tokens.into())
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
