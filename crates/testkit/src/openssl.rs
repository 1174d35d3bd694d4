//! Certificates made and connections tried by the `openssl` command: an oracle that shares no code
//! with ours.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate, then its issuer's if that is an intermediate CA.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What a certificate is to say. Times are `YYYYMMDDHHMMSSZ`.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The common name, and the names of the files.
    pub name: &'a str,
    /// `subjectAltName` as openssl writes it: `DNS:localhost,IP:127.0.0.1`.
    pub names: &'a str,
    /// `serverAuth`, `clientAuth`.
    pub usage: &'a str,
    /// The first second of its validity.
    pub from: &'a str,
    /// The last.
    pub to: &'a str,
    /// The kind of key: arguments of `openssl genpkey`.
    pub key: &'a [&'a str],
}

/// An ECDSA key.
pub const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
/// An RSA key.
pub const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

const CONFIG: &str = "\
[ca]
default_ca = site
[site]
dir = .
database = ./index.txt
new_certs_dir = .
serial = ./serial
crlnumber = ./crlnumber
certificate = ./ca.pem
private_key = ./ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
";

impl<'a> Wanted<'a> {
    /// A sender's, valid for long.
    pub fn client(name: &'a str, names: &'a str) -> Self {
        Wanted {
            name,
            names,
            usage: "clientAuth",
            from: "20200101000000Z",
            to: "20990101000000Z",
            key: EC,
        }
    }

    /// A server's on this machine, valid for long.
    pub fn server(name: &'a str) -> Self {
        Wanted {
            usage: "serverAuth",
            ..Wanted::client(name, "DNS:localhost,IP:127.0.0.1")
        }
    }
}

/// A CA in a folder.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// A root CA in `folder`, which is made; the folder's name is its own.
    pub fn root(folder: &Path) -> Self {
        let authority = Authority::prepare(folder);
        authority.key("ca", EC);
        let name = folder.file_name().expect("a name").to_string_lossy();
        let subject = format!("/CN={name}");
        run(authority.openssl(&[
            "req",
            "-x509",
            "-key",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "3650",
            "-subj",
            &subject,
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]));
        authority
    }

    /// A CA below this one.
    pub fn intermediate(&self, folder: &Path) -> Self {
        let below = Authority::prepare(folder);
        below.key("ca", EC);
        run(below.openssl(&[
            "req",
            "-new",
            "-key",
            "ca.key",
            "-out",
            "ca.csr",
            "-subj",
            "/CN=below",
        ]));
        let out = below.folder.join("ca.pem");
        self.sign(
            &below.folder.join("ca.csr"),
            &out,
            "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n",
            ("20200101000000Z", "20990101000000Z"),
        );
        below
    }

    /// The CA's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a certificate; its files are new ones of the wanted name.
    pub fn issue(&self, wanted: &Wanted<'_>) -> Pair {
        let name = wanted.name;
        self.key(name, wanted.key);
        let (csr, subject) = (format!("{name}.csr"), format!("/CN={name}"));
        let key = format!("{name}.key");
        run(self.openssl(&["req", "-new", "-key", &key, "-out", &csr, "-subj", &subject]));
        let cert = self.folder.join(format!("{name}.pem"));
        let extensions = format!(
            "basicConstraints=CA:false\nextendedKeyUsage={}\n{}",
            wanted.usage,
            if wanted.names.is_empty() {
                String::new()
            } else {
                format!("subjectAltName={}\n", wanted.names)
            }
        );
        let times = (wanted.from, wanted.to);
        self.sign(&self.folder.join(csr), &cert, &extensions, times);
        Pair {
            cert,
            key: self.folder.join(key),
        }
    }

    /// Puts a certificate on the next list.
    pub fn revoke(&self, cert: &Path) {
        let cert = cert.to_str().expect("UTF-8");
        run(self.openssl(&["ca", "-batch", "-config", "ca.cnf", "-revoke", cert]));
    }

    /// Writes a revocation list into `out`.
    pub fn write_crl(&self, out: &Path) {
        let out = out.to_str().expect("UTF-8");
        run(self.openssl(&[
            "ca", "-batch", "-config", "ca.cnf", "-gencrl", "-crldays", "30", "-out", out,
        ]));
    }

    fn prepare(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let put = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("a file is written");
        };
        put("ca.cnf", CONFIG);
        put("index.txt", "");
        put("serial", "1000\n");
        put("crlnumber", "01\n");
        Authority {
            folder: folder.to_owned(),
        }
    }

    fn key(&self, name: &str, kind: &[&str]) {
        let file = format!("{name}.key");
        let mut command = self.openssl(&["genpkey", "-out", &file]);
        command.args(kind);
        run(command);
        close(&self.folder.join(file));
    }

    fn sign(&self, csr: &Path, out: &Path, extensions: &str, (from, to): (&str, &str)) {
        let file = self.folder.join("extensions.cnf");
        std::fs::write(&file, extensions).expect("a file is written");
        let mut command = self.openssl(&["ca", "-batch", "-notext", "-config", "ca.cnf"]);
        command
            .args(["-startdate", from, "-enddate", to, "-extfile"])
            .arg(&file)
            .arg("-in")
            .arg(csr)
            .arg("-out")
            .arg(out);
        run(command);
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.current_dir(&self.folder).args(arguments);
        command
    }
}

/// A sender's certificate that no CA has issued.
pub fn self_signed(folder: &Path, name: &str) -> Pair {
    let authority = Authority {
        folder: folder.to_owned(),
    };
    authority.key(name, EC);
    let (key, cert, subject) = (
        format!("{name}.key"),
        format!("{name}.pem"),
        format!("/CN={name}"),
    );
    run(authority.openssl(&[
        "req",
        "-x509",
        "-key",
        &key,
        "-out",
        &cert,
        "-days",
        "3650",
        "-subj",
        &subject,
        "-addext",
        "basicConstraints=critical,CA:false",
        "-addext",
        "extendedKeyUsage=clientAuth",
    ]));
    Pair {
        cert: folder.join(cert),
        key: folder.join(key),
    }
}

/// Takes a file's permissions away from all but its owner.
pub fn close(path: &Path) {
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("permissions are set");
}

/// Runs openssl; it must succeed. What it printed.
pub fn openssl(arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments);
    run(command)
}

fn run(mut command: Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the openssl command is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `openssl s_client` says of a connection on which `said` is said and an answer is awaited.
/// Its own exit code tells nothing about TLS 1.3, where the server refuses a certificate after the
/// client has finished, so look at the text.
pub fn s_client(addr: SocketAddr, arguments: &[&str], said: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &addr.to_string(), "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl command is installed");
    if let Some(mut stdin) = child.stdin.take() {
        // A server that refuses may be gone already.
        let _ = stdin.write_all(said.as_bytes());
    }
    let Output { stdout, stderr, .. } = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    format!("{stdout}\n{stderr}")
}
