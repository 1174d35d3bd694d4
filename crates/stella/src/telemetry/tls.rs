//! TLS as a profile or the command line says it, for the parts.

use std::path::PathBuf;
use std::sync::Arc;

use meter::Meter;
use profile::{Port, Profile};
use tls::{Alpn, ClientFiles, Identity, Keeper, ServerFiles};

use super::told;
use crate::cli;
use crate::error::{CliError, CliResult, Exit};

/// The TLS of a port, or none.
pub fn of_port(
    keeper: &Keeper,
    profile: &Profile,
    port: Port,
) -> CliResult<Option<Arc<tls::Server>>> {
    let Some(wanted) = profile.tls.of(port) else {
        return Ok(None);
    };
    let files = ServerFiles {
        identity: Identity {
            cert: wanted.cert,
            key: wanted.key,
        },
        client_ca: wanted.client_ca,
        client_auth: match wanted.client_auth {
            profile::ClientAuth::Off => tls::ClientAuth::Off,
            profile::ClientAuth::Optional => tls::ClientAuth::Optional,
            profile::ClientAuth::Required => tls::ClientAuth::Required,
        },
        crls: wanted.crl,
        min_version: match wanted.min_version {
            profile::MinVersion::V1_2 => tls::MinVersion::Tls12,
            profile::MinVersion::V1_3 => tls::MinVersion::Tls13,
        },
        alpn: match port {
            Port::Grpc | Port::Http => Alpn::Either,
            Port::Metrics | Port::Health | Port::Admin => Alpn::Http1,
        },
    };
    let server = keeper.server(port.as_str(), files);
    server
        .map(Some)
        .map_err(|error| told(Exit::BadInput, &format!("{}: {error}", port.as_str())))
}

/// The TLS to a destination.
pub fn of_destination(
    keeper: &Keeper,
    name: &str,
    wanted: &profile::ClientTls,
    alpn: Alpn,
) -> CliResult<Arc<tls::Client>> {
    of_target(keeper, &format!("ship/{name}"), wanted, alpn).map_err(|error| {
        let message = format!("the destination `{name}`: {error}");
        told(Exit::BadInput, &message)
    })
}

/// The TLS to whatever is connected to; `endpoint` is what metrics and logs call it.
pub fn of_target(
    keeper: &Keeper,
    endpoint: &str,
    wanted: &profile::ClientTls,
    alpn: Alpn,
) -> Result<Arc<tls::Client>, tls::Error> {
    let files = ClientFiles {
        ca: wanted.ca.clone(),
        identity: identity(wanted.cert.as_ref(), wanted.key.as_ref()),
        server_name: wanted.server_name.clone(),
        alpn,
    };
    keeper.client(endpoint, files)
}

/// The TLS that the flags ask for, or none.
pub fn of_flags(args: &cli::ClientTls, alpn: Alpn) -> CliResult<Option<Arc<tls::Client>>> {
    let Some(ca) = &args.ca else {
        return Ok(None);
    };
    let files = ClientFiles {
        ca: ca.clone(),
        identity: identity(args.cert.as_ref(), args.key.as_ref()),
        server_name: args.server_name.clone(),
        alpn,
    };
    // Nothing is read anew: the command is over before that.
    let client = Keeper::new(&Meter::new()).client("command", files);
    client
        .map(Some)
        .map_err(|error| told(Exit::BadInput, &error.to_string()))
}

/// What to say where a port has TLS and the flags say nothing of it.
pub fn no_ca(what: &str) -> CliError {
    CliError::new(Exit::Usage, format!("{what} has TLS"))
        .hint("name its CA with --ca, and with --cert and --key a certificate if it asks for one")
}

fn identity(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Option<Identity> {
    let (cert, key) = (cert?.clone(), key?.clone());
    Some(Identity { cert, key })
}
