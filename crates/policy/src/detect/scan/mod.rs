//! The scanners of the shipped detectors, and the signs in a value that each of them needs.
//!
//! A scanner pushes ranges in any order; the set sorts and joins them. It begins and ends them next to ASCII
//! bytes or at the value's ends, so that they lie on character boundaries. Each says why it is
//! linear.

mod assign;
mod auth;
pub(super) mod bytes;
mod card;
mod email;
mod iban;
mod ip;
mod layout;
mod names;
mod pem;
mod phone;
mod sql;
mod tokens;
mod url;

use super::glance::{self, Glances};
use super::prefilter::{self as sign, Signs};
use super::{Builtin, Found};

/// Where a scanner puts what it finds.
pub(super) struct Out<'a> {
    pub(super) found: &'a mut Vec<Found>,
    pub(super) detector: u16,
}

impl Out<'_> {
    fn push(&mut self, start: usize, end: usize) {
        self.found.push(Found {
            start,
            end,
            detector: self.detector,
        });
    }
}

/// Pushes what it finds in a value.
type Scan = fn(&[u8], &mut Out<'_>);

/// A scanner and when it is worth running.
#[derive(Clone, Copy)]
pub(super) struct Scanner {
    /// One of these must be seen at a glance,
    pub(super) glances: Glances,
    /// one of these signs must have been seen,
    pub(super) any: Signs,
    /// and all of these.
    pub(super) all: Signs,
    pub(super) scan: Scan,
}

/// The scanner of a shipped detector.
pub(super) fn scanner(builtin: Builtin) -> Scanner {
    use Builtin as B;
    const NAMES: Signs = sign::PASS_PWD | sign::SECRET_TOKEN | sign::KEY_CREDENTIAL;
    const SQL: Signs = sign::SELECT_DELETE | sign::INTO | sign::UPDATE | sign::USER;
    const ASSIGNED: Signs = sign::EQUALS_OR_COLON;
    let (any, all, scan): (Signs, Signs, Scan) = match builtin {
        B::Email => (sign::AT, 0, email::email),
        B::Ipv4 => (sign::DOTS_3, sign::DIGIT_DOT_DIGIT, ip::ipv4),
        B::Ipv6 => (sign::COLONS_2, 0, ip::ipv6),
        B::CardNumber => (sign::DIGITS_13, 0, card::card_number),
        B::Iban => (sign::UPPER_UPPER_DIGIT, 0, iban::iban),
        B::Jwt => (sign::JWT, 0, tokens::jwt),
        B::BearerToken => (sign::BEARER, 0, auth::bearer_token),
        B::BasicCredentials => (sign::BASIC, 0, auth::basic_credentials),
        B::AwsAccessKey => (sign::AWS_GOOGLE, 0, tokens::aws_access_key),
        B::AwsSecretKey => (sign::SECRET_TOKEN, ASSIGNED, assign::aws_secret_key),
        B::GcpApiKey => (sign::AWS_GOOGLE, 0, tokens::gcp_api_key),
        B::GcpServiceAccount => (sign::KEY_CREDENTIAL, ASSIGNED, assign::gcp_service_account),
        B::AzureKey => (
            // `BASIC` stands for `sig` too.
            sign::KEY_CREDENTIAL | sign::BASIC | sign::QUERY | sign::EQUALS,
            ASSIGNED,
            assign::azure_key,
        ),
        B::GithubToken => (sign::GITHUB, 0, tokens::github_token),
        B::GitlabToken => (sign::GITLAB, 0, tokens::gitlab_token),
        B::SlackToken => (sign::SLACK, 0, tokens::slack_token),
        B::StripeKey => (sign::STRIPE, 0, tokens::stripe_key),
        B::GenericSecret => (NAMES, ASSIGNED, assign::generic_secret),
        B::PrivateKey => (sign::DASHES, 0, pem::private_key),
        B::UrlCredentials => (sign::AT, ASSIGNED, url::url_credentials),
        B::UrlQuerySecret => (sign::QUERY, sign::EQUALS, assign::url_query_secret),
        B::SqlLiteral => (SQL, sign::QUOTE_OR_DIGIT, sql::sql_literal),
        B::PhoneNumber => (
            sign::PLUS_DIGIT | sign::NORTH_AMERICAN | sign::PARENTHESIS,
            sign::DIGITS_7,
            phone::phone_number,
        ),
        B::NationalIdUsSsn => (sign::DIGITS_7, 0, layout::us_ssn),
        B::NationalIdDeSteuerId => (sign::DIGITS_10, 0, layout::de_steuer_id),
        B::NationalIdUkNino => (sign::CAPITALS_2, 0, layout::uk_nino),
        B::NationalIdFrNir => (sign::DIGITS_13, 0, layout::fr_nir),
        B::NationalIdEsDni => (sign::DIGITS_7, 0, layout::es_dni),
        B::NationalIdItCf => (sign::CAPITALS_2, 0, layout::it_cf),
        B::NationalIdPlPesel => (sign::DIGITS_10, 0, layout::pl_pesel),
        B::NationalIdNlBsn => (sign::DIGITS_7, 0, layout::nl_bsn),
        B::NationalIdBrCpf => (sign::DIGITS_10, 0, layout::br_cpf),
        B::NationalIdInAadhaar => (sign::DIGITS_10, 0, layout::in_aadhaar),
    };
    let glances = match builtin {
        B::Ipv4 => glance::DOTTED,
        B::Iban
        | B::Jwt
        | B::AwsAccessKey
        | B::GcpApiKey
        | B::GitlabToken
        | B::NationalIdUkNino
        | B::NationalIdItCf => glance::CAPITAL_CODE,
        B::GithubToken | B::StripeKey => glance::UNDERSCORE_CODE,
        B::SlackToken => glance::CAPITAL_CODE | glance::DIGITS_10,
        B::CardNumber
        | B::NationalIdDeSteuerId
        | B::NationalIdFrNir
        | B::NationalIdPlPesel
        | B::NationalIdBrCpf
        | B::NationalIdInAadhaar => glance::DIGITS_10,
        B::NationalIdUsSsn | B::NationalIdEsDni | B::NationalIdNlBsn => glance::DIGITS_7,
        B::PhoneNumber => glance::SPECIAL | glance::DIGITS_10,
        B::Email
        | B::Ipv6
        | B::BearerToken
        | B::BasicCredentials
        | B::AwsSecretKey
        | B::GcpServiceAccount
        | B::AzureKey
        | B::GenericSecret
        | B::PrivateKey
        | B::UrlCredentials
        | B::UrlQuerySecret
        | B::SqlLiteral => glance::SPECIAL,
    };
    Scanner {
        glances,
        any,
        all,
        scan,
    }
}
