//! `token`: opaque tokens for senders. A token is printed when it is made and kept nowhere; the
//! profile holds its digest.

use std::io::{Read, Write};

use policy::identity::token::opaque::{self, NewToken};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;

use crate::cli::token::{Hash, New, Token};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// More than any token has.
const INPUT_BYTES: u64 = 4 << 10;

/// Does what is asked.
pub fn run(command: &Token) -> CliResult {
    match command {
        Token::New(args) => new(args),
        Token::Hash(args) => hash(args),
    }
}

/// What `--output json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    digest: String,
}

fn new(args: &New) -> CliResult {
    let mut random = [0; 32];
    SysRng.try_fill_bytes(&mut random).map_err(|error| {
        CliError::new(Exit::Failure, format!("the system gave no chance: {error}"))
    })?;
    let token = NewToken::new(random);
    let digest = token.digest().to_string();
    let mut out = output::stdout();
    if args.output == Format::Json {
        let token = Some(token.reveal());
        output::print_json(&mut out, &Printed { token, digest })?;
        return Ok(Exit::Success);
    }
    writeln!(out, "token   {}", token.reveal())?;
    writeln!(out, "digest  {digest}")?;
    writeln!(
        out,
        "\nThe token is shown this once: give it to the sender, as `authorization: Bearer TOKEN`."
    )?;
    writeln!(out, "In the profile, for its tenant:\n")?;
    writeln!(out, "match:")?;
    writeln!(out, "  - token: {digest}")?;
    out.flush()?;
    Ok(Exit::Success)
}

fn hash(args: &Hash) -> CliResult {
    let mut input = String::new();
    let read = std::io::stdin()
        .lock()
        .take(INPUT_BYTES)
        .read_to_string(&mut input);
    // What was read is not repeated, good or not: it may be somebody's secret.
    let digest = read.ok().and_then(|_| opaque::digest(input.trim()));
    let digest = digest.ok_or_else(|| {
        let message = "standard input holds no token that `token new` has made";
        CliError::new(Exit::BadInput, message)
            .hint("a token is `stella_` and 72 hexadecimal digits; was all of it copied?")
    })?;
    let digest = digest.to_string();
    let mut out = output::stdout();
    if args.output == Format::Json {
        let token = None;
        output::print_json(&mut out, &Printed { token, digest })?;
    } else {
        writeln!(out, "{digest}")?;
        out.flush()?;
    }
    Ok(Exit::Success)
}
