//! What can be asked for: the shipped detectors by name, and a site's own regular expressions.

/// One entry of a set of detectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A shipped detector.
    Builtin(Builtin),
    /// A site's own regular expression, in the syntax of the `regex` crate.
    Pattern {
        /// What findings are counted under; unique within the set.
        name: String,
        /// The expression.
        regex: String,
    },
}

macro_rules! builtins {
    ($($variant:ident $name:literal $default:literal $description:literal,)*) => {
        /// The shipped detectors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Builtin {
            $(#[doc = $description] $variant,)*
        }

        impl Builtin {
            /// All of them, in the order in which the reference lists them.
            pub const ALL: &[Builtin] = &[$(Builtin::$variant,)*];

            /// The name in profiles and metrics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Builtin::$variant => $name,)* }
            }

            /// The one with that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Builtin> {
                match name { $($name => Some(Builtin::$variant),)* _ => None }
            }

            /// What it finds, in a sentence for the reference.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Builtin::$variant => $description,)* }
            }

            /// Whether it is on unless a profile says otherwise. National identifiers are off:
            /// which of them a site handles, only the site knows.
            #[must_use]
            pub fn default_on(self) -> bool {
                match self { $(Builtin::$variant => $default,)* }
            }
        }
    };
}

builtins! {
    Email "email" true "E-mail addresses.",
    Ipv4 "ipv4" true "IPv4 addresses, private ones too; not loopback, 0.0.0.0 or 255.255.255.255, which identify nobody, and not what stands where a version stands.",
    Ipv6 "ipv6" true "IPv6 addresses; not loopback or unspecified ones.",
    CardNumber "card_number" true "Payment card numbers: a known issuer's prefix and length, and the Luhn check digit.",
    Iban "iban" true "International bank account numbers: the country's length, and the check digits (mod 97).",
    Jwt "jwt" true "JSON Web Tokens, signed or encrypted, cut off ones too.",
    BearerToken "bearer_token" true "The token after `Bearer`, as in an Authorization header.",
    BasicCredentials "basic_credentials" true "The credentials after `Basic`, as in an Authorization header.",
    AwsAccessKey "aws_access_key" true "AWS access key ids (AKIA, ASIA, ABIA, ACCA).",
    AwsSecretKey "aws_secret_key" true "AWS secret access keys, by the name they are assigned to.",
    GcpApiKey "gcp_api_key" true "Google API keys (AIza).",
    GcpServiceAccount "gcp_service_account" true "The private key id of a Google service account's file; the key itself is found by `private_key`.",
    AzureKey "azure_key" true "Azure account and shared access keys, and the signature of a shared access URL.",
    GithubToken "github_token" true "GitHub tokens (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_).",
    GitlabToken "gitlab_token" true "GitLab tokens (glpat- and its kin).",
    SlackToken "slack_token" true "Slack tokens (xox*-, xapp-) and the secret part of webhook addresses.",
    StripeKey "stripe_key" true "Stripe secret, restricted and webhook keys.",
    GenericSecret "generic_secret" true "What is assigned to a name such as password, secret, token or api_key, in text, JSON or a query.",
    PrivateKey "private_key" true "Private keys in PEM, cut off ones too.",
    UrlCredentials "url_credentials" true "User and password in a URL.",
    UrlQuerySecret "url_query_secret" true "Secrets in a URL's query: tokens, keys, signatures.",
    SqlLiteral "sql_literal" true "String and number literals within what is recognisably SQL; the statement stays readable.",
    PhoneNumber "phone_number" true "Phone numbers: international ones with `+`, and North American ones in their usual spellings.",
    NationalIdUsSsn "national_id_us_ssn" false "US social security numbers, with separators (there is no check digit; unused ranges are left out).",
    NationalIdDeSteuerId "national_id_de_steuer_id" false "German tax identification numbers, with their check digit.",
    NationalIdUkNino "national_id_uk_nino" false "UK national insurance numbers (there is no check digit; unused prefixes are left out).",
    NationalIdFrNir "national_id_fr_nir" false "French social security numbers, with their key.",
    NationalIdEsDni "national_id_es_dni" false "Spanish DNI and NIE, with their check letter.",
    NationalIdItCf "national_id_it_cf" false "Italian fiscal codes, with their check letter.",
    NationalIdPlPesel "national_id_pl_pesel" false "Polish PESEL numbers, with their date and check digit.",
    NationalIdNlBsn "national_id_nl_bsn" false "Dutch BSN numbers, with their check (elfproef).",
    NationalIdBrCpf "national_id_br_cpf" false "Brazilian CPF numbers, with both check digits.",
    NationalIdInAadhaar "national_id_in_aadhaar" false "Indian Aadhaar numbers, with their check digit (Verhoeff).",
}
